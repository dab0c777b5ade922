from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from decimal import Decimal

from bot.report import as_json, stamp
from bot.wording import as_text
from tests.evidence import HEALTHY, NOW, add_events, counted, failed, judged, received, stocked
from tests.test_splits import posted_twice, split


def test_a_diagnosis_is_plain_json_and_its_account_adds_up():
    """Decimals are texts, and the difference is what is explained and what is not."""
    for evidence in (HEALTHY, stocked("38.5"), split(), posted_twice(), counted(40)):
        told = json.loads(json.dumps(as_json(judged(evidence))))
        gap = told["gap"]
        assert [check["name"] for check in told["checks"]][::6] == ["authentication", "count"]
        explained = sum((Decimal(share["quantity"]) for share in gap["explained"]), Decimal(0))
        assert Decimal(gap["difference"]) == explained + Decimal(gap["unexplained"])
        assert all(isinstance(gap[name], str) for name in ("pos", "metrc", "difference", "unexplained"))
        assert told["schema"] == "countlast.diagnosis/1"


def test_an_account_that_could_not_be_made_is_null():
    """A side was not read."""
    diagnosis = judged(type(HEALTHY)(**{f: getattr(HEALTHY, f) for f in HEALTHY.__slots__} | {"package": failed()}))
    told = as_json(diagnosis)
    assert (told["gap"], told["cause"], told["code"]) == (None, "unknown", None)
    assert "POS" not in as_text(diagnosis).split("Do:")[0].split("count")[-1]


def test_times_end_in_z_wherever_they_come_from():
    """A moment is told in UTC, without fractions it does not have."""
    there = datetime(2026, 3, 2, 18, 10, tzinfo=timezone(timedelta(hours=-7)))
    assert (stamp(there), stamp(None)) == ("2026-03-03T01:10:00Z", None)


def test_a_duplicate_is_told_with_what_stays_and_what_goes():
    """METRC's ids, as texts."""
    (twin,) = as_json(judged(posted_twice()))["duplicates"]
    assert (twin["keep"], twin["remove"], twin["removable"]) == ("8801", ["8901"], True)


def test_the_same_answer_for_a_terminal_holds_every_check_the_account_and_what_not_to_do():
    """One line a check, a line a share, the rest, and the warnings."""
    text = as_text(judged(split()))
    assert text.startswith("METRC made package")
    assert "POS 38, METRC 28: +10 Each" in text
    assert "+10  metrc package 1A4FF0100000022000002601 (split.in-metrc)" in text
    assert "Do not: Do not adjust the quantity." in text
    assert text.endswith("split.in-metrc, certain. Question q1.")


def test_a_side_without_a_record_is_said_to_have_none():
    """No row is not the same as zero."""
    empty = judged(add_events(received(event_id="e9", kind="move", at=NOW), to=HEALTHY))
    assert "Nothing is wrong" in as_text(empty)
    assert "no record" not in as_text(empty)
