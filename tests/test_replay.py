"""Stored evidence judged again: equal today, and told when it is not; kept readable however the types grow."""

from __future__ import annotations

import json
import logging
import os
from dataclasses import MISSING, fields, is_dataclass, replace
from datetime import timedelta
from decimal import Decimal
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import update

from bot import model
from bot.cli import run
from bot.errors import StorageError
from bot.inquiries import Verdict
from bot.model import (
    Action,
    ActionKind,
    Cause,
    CheckName,
    Diagnosis,
    Evidence,
    Forbidden,
    Question,
    Result,
    Stored,
    Subject,
    SubjectKind,
)
from bot.replay import (
    MOST_NAMED,
    differences,
    regression_as_json,
    regression_as_text,
    replay,
    replay_all,
    replayed_as_json,
    replayed_as_text,
)
from bot.subjects import judge
from demo.scene import sample_scene
from demo.world import SHOP, World
from storage.bodies import from_json, to_json
from storage.tables import DiagnosisRow, table_of
from tests import evidence as ev
from tests.databases import books, database_url
from tests.loopback import shop_on_loopback
from tests.store import NOW, opened_store, quiet

__all__ = ["books", "database_url"]

TWIN = ev.add_receipts(ev.receipt(1, id=8899, recorded_at=ev.TWO_DAYS_AGO + timedelta(seconds=7)), to=ev.counted(37))
DIAGNOSES = table_of(DiagnosisRow)


def kept(evidence=TWIN, number=1, **changes):
    """An answer as the ledger keeps it; ``changes`` are what was said when it was stored."""
    diagnosis = replace(judge(evidence, f"q{number}"), **changes)
    subject = f"{diagnosis.subject.kind} {diagnosis.subject.value}"
    columns = (diagnosis.id, diagnosis.facility, subject, diagnosis.asked_at, diagnosis.code)
    return Stored(*columns, (diagnosis, evidence))


def unreadable(number=9):
    return Stored(f"q{number}", SHOP, "package X", NOW, "mapping.unit", problem="cause: it is of another time")


async def stream(*answers):
    for answer in answers:
        yield answer


# --- one answer -------------------------------------------------------------------------------------------------------


def test_an_answer_of_today_is_equal():
    """Judging is pure, so what was just said is said again."""
    one = replay(kept())
    assert one.is_equal
    assert one.move == ("duplication.receipt-retry", "duplication.receipt-retry")
    assert "say the same" in replayed_as_text(one)


CHANGES = [
    ({"cause": Cause.TIMING}, ["cause"]),
    ({"code": "duplication.old-name"}, ["code"]),
    ({"gap": None}, ["gap"]),
    ({"action": Action(ActionKind.WAIT, "Wait.", NOW)}, ["action"]),
    ({"must_not": (Forbidden.RENEW_KEY,)}, ["must_not"]),
    ({"headline": "Said in other words."}, []),
    ({"action": Action(ActionKind.REMOVE_DUPLICATE, "Said in other words.")}, []),
]


@pytest.mark.parametrize(("before", "named"), CHANGES)
def test_what_would_be_done_otherwise_is_named_and_wording_is_not(before, named):
    """Cause, code, account, action and warnings count; sentences do not."""
    assert [difference.what for difference in replay(kept(**before)).differences] == named


def test_a_check_that_ends_otherwise_is_named():
    """Each check's outcome is compared, whatever leads."""
    said = judge(TWIN, "q1").checks
    before = tuple(replace(o, result=Result.UNKNOWN) if o.name is CheckName.CUSTODY else o for o in said)
    (difference,) = replay(kept(checks=before)).differences
    assert (difference.what, difference.before["outcome"], difference.after["outcome"]) == (
        "checks.custody",
        "unknown",
        "clear",
    )


def test_a_package_of_a_receipt_is_compared_as_well():
    """What belongs to a package bears its label."""
    record = replace(
        ev.HEALTHY,
        subject=Subject(SubjectKind.RECEIPT, "POS-1"),
        receipts=ev.read((ev.receipt(1),)),
        pos_sales=ev.read((ev.line(1),), "pos"),
        packages=(ev.HEALTHY,),
    )
    packages = (replace(judge(record, "q1").packages[0], cause=Cause.UNKNOWN),)
    assert [d.what for d in replay(kept(record, packages=packages)).differences] == [f"packages.{ev.LABEL}.cause"]
    assert replay(kept(record)).is_equal


def test_the_json_of_one_answer_holds_both_sides():
    """A script finds what was said and what would be said."""
    told = replayed_as_json(replay(kept(cause=Cause.TIMING, code="timing.sale-on-its-way")))
    assert (told["schema"], told["equal"]) == ("countlast.replay/1", False)
    assert (told["before"], told["after"]) == ("timing.sale-on-its-way", "duplication.receipt-retry")
    assert told["differences"][0] == {"what": "cause", "before": "timing", "after": "duplication"}
    assert json.loads(json.dumps(told)) == told


def test_the_text_of_one_answer_tells_the_account_in_a_line():
    """Both accounts stand side by side."""
    lines = replayed_as_text(replay(kept(gap=None))).splitlines()
    assert lines[1].startswith("  gap: nothing → difference 1 Each = 1 duplication.receipt-retry (metrc receipt 8899)")


@given(
    st.sampled_from([ev.HEALTHY, TWIN, ev.no_trade(), ev.absent(), ev.unstocked(), ev.on_the_road(), ev.stocked(35)])
)
def test_no_answer_differs_from_itself(evidence):
    """Differences are empty exactly between equal answers."""
    assert differences(judge(evidence, "a"), judge(evidence, "b")) == ()


# --- many answers -----------------------------------------------------------------------------------------------------


async def test_what_people_said_turned_out_is_counted_as_hits_and_misses():
    """By today's answer: right before and the same is a hit, also what was wrong before and is right today."""
    verdict = partial(Verdict, facility=SHOP, person="U0DANA", at=NOW)
    answers = [kept(number=number) for number in range(1, 4)]
    # said to be late when it was stored; today's checks find the twin
    answers += [kept(number=number, cause=Cause.TIMING) for number in (4, 5, 6)]
    run = await replay_all(
        stream(*answers),
        [
            verdict("q1", is_right=True),
            verdict("q2", is_right=False, cause=Cause.TIMING),
            verdict("q3", is_right=False),
            verdict("q4", is_right=False, cause=Cause.DUPLICATION),
            verdict("q5", is_right=True),
            verdict("q6", is_right=True, at=NOW - timedelta(1)),
            verdict("q6", person="U0LEE", is_right=False),
            verdict("gone", is_right=True),
        ],
    )
    assert (run.truth.hits, run.truth.misses, run.truth.untold) == (2, 3, 1)
    assert run.truth.missed == (
        (("timing", "duplication"), 2),
        (("not duplication", "duplication"), 1),
    )
    assert "2 hits, 3 misses (40 of 100), 1 wrong before and otherwise today" in regression_as_text(run)
    assert regression_as_json(run)["judged"]["missed"][0] == {"was": "timing", "said": "duplication", "answers": 2}


async def test_a_run_over_equal_answers_is_equal():
    """Counts only, and a script sees success."""
    result = await replay_all(stream(kept(number=1), kept(ev.HEALTHY, 2)))
    assert (result.answers, result.equal, result.is_equal, result.moves) == (2, 2, True, ())
    assert regression_as_text(result) == "2 answers judged again: 2 equal, 0 changed, 0 unreadable."


async def test_an_empty_ledger_is_equal():
    """Nothing was answered, so nothing is answered otherwise."""
    assert (await replay_all(stream())).is_equal


async def test_changed_answers_are_counted_by_code_and_named():
    """The most frequent move comes first."""
    answers = [kept(number=n, code="duplication.old") for n in range(3)] + [kept(ev.HEALTHY, 7, cause=Cause.UNKNOWN)]
    result = await replay_all(stream(*answers))
    told = regression_as_json(result)
    assert not result.is_equal
    assert told["moves"] == [
        {"from": "duplication.old", "to": "duplication.receipt-retry", "answers": 3},
        {"from": "unknown", "to": "none", "answers": 1},
    ]
    assert [entry["id"] for entry in told["changed_answers"]] == ["q0", "q1", "q2", "q7"]
    assert "     3  duplication.old → duplication.receipt-retry" in regression_as_text(result)


async def test_what_cannot_be_read_is_counted_and_named_and_stops_nothing():
    """The others are still judged, and the run is not called equal."""
    result = await replay_all(stream(kept(number=1), unreadable(), kept(number=2)))
    assert (result.answers, result.equal, result.unreadable_count, result.is_equal) == (3, 2, 1, False)
    assert "q9  package X: cannot be read (cause: it is of another time)" in regression_as_text(result)
    assert regression_as_json(result)["unreadable_answers"][0]["id"] == "q9"


async def test_thousands_of_changes_are_counted_and_the_first_are_named():
    """What is kept is bounded, the counts are not."""
    one = kept(code="duplication.old")
    result = await replay_all(stream(*[one] * (MOST_NAMED + 5)))
    assert (result.changed_count, len(result.changed)) == (MOST_NAMED + 5, MOST_NAMED)
    assert "… 5 more changed" in regression_as_text(result)


# --- the ledger -------------------------------------------------------------------------------------------------------


async def save(books, *answers):
    for stored in answers:
        assert stored.kept is not None
        await books.ledger.save(*stored.kept, "U0DANA")


async def test_the_stream_goes_by_time_either_way(books):
    """Equal moments are ordered by id, so that two runs see the same."""
    times = [3, 1, 2, 2]
    evidences = [replace(ev.HEALTHY, asked_at=NOW + timedelta(minutes=minute)) for minute in times]
    await save(books, *(kept(evidence, n) for n, evidence in enumerate(evidences)))
    oldest = [stored.id async for stored in books.ledger.answers()]
    newest = [stored.id async for stored in books.ledger.answers(newest_first=True)]
    assert oldest == ["q1", "q2", "q3", "q0"]
    assert newest == oldest[::-1]


async def test_the_stream_crosses_its_pages(books, monkeypatch):
    """No answer is lost or told twice where one page ends and the next begins."""
    monkeypatch.setattr("storage.ledger._PAGE", 2)
    await save(books, *(kept(ev.HEALTHY, n) for n in range(5)))
    assert [stored.id async for stored in books.ledger.answers()] == [f"q{n}" for n in range(5)]
    assert [stored.id async for stored in books.ledger.answers(newest_first=True)] == [f"q{n}" for n in (4, 3, 2, 1, 0)]


async def test_a_torn_body_is_told_and_the_rest_of_the_stream_is_read(books):
    """It is named with the place where it stops to be readable; asked for alone it is one sentence."""
    await save(books, kept(number=1), kept(number=2))
    async with books.database.writing() as connection:
        await connection.execute(update(DIAGNOSES).where(DIAGNOSES.c.id == "q1").values(evidence='{"shop": 1}'))
    first, second = [stored async for stored in books.ledger.answers()]
    assert (first.id, first.kept, second.kept is not None) == ("q1", None, True)
    assert first.problem is not None
    assert first.problem.startswith("shop: ")
    with pytest.raises(StorageError, match="this version cannot read it"):
        await books.ledger.diagnosis("q1")


async def test_a_cause_of_a_later_version_is_unreadable_and_not_guessed_at(books):
    """A member that this version does not know names itself."""
    await save(books, kept(number=1))
    body = to_json(Diagnosis, kept().kept[0]).replace('"cause":"duplication"', '"cause":"sunspots"')
    async with books.database.writing() as connection:
        await connection.execute(update(DIAGNOSES).values(body=body))
    stored = await books.ledger.stored("q1")
    assert stored.kept is None
    assert "cause" in stored.problem


async def test_the_evidence_of_a_receipt_comes_back_whole(books):
    """Packages and what was left out are stored with it."""
    record = replace(
        ev.HEALTHY,
        subject=Subject(SubjectKind.RECEIPT, "POS-1"),
        packages=(ev.HEALTHY, TWIN),
        left_out=("A", "B"),
        alike=("POS-2",),
    )
    await save(books, kept(record))
    diagnosis, evidence = await books.ledger.diagnosis("q1")
    assert evidence == record
    assert diagnosis == judge(record, "q1")


async def test_an_unknown_id_is_none(books):
    """There is no such answer, and that is no error."""
    assert await books.ledger.stored("nope") is None


# --- older versions ---------------------------------------------------------------------------------------------------


def strip(value, told):
    """``told``, the JSON of ``value``, as of a version that had none of the fields with a default, at any depth."""
    if is_dataclass(value):
        every = {f.name for f in fields(value) if f.default is MISSING and f.default_factory is MISSING}
        return {name: strip(getattr(value, name), told[name]) for name in told if name in every}
    if isinstance(value, tuple):
        return [strip(one, each) for one, each in zip(value, told, strict=True)]
    return told


def test_evidence_without_any_later_field_is_read_with_defaults():
    """The oldest evidence there can be is still evidence."""
    old = from_json(Evidence, json.dumps(strip(ev.HEALTHY, json.loads(to_json(Evidence, ev.HEALTHY)))))
    assert (old.shop.license, old.pos_sales_until, old.packages) == (SHOP, None, ())
    assert judge(old, "q").checks


def optional(kind):
    return sorted(f.name for f in fields(kind) if f.default is not MISSING or f.default_factory is not MISSING)


@settings(deadline=None, max_examples=60)
@given(st.sets(st.sampled_from(optional(Evidence))), st.sampled_from([ev.HEALTHY, TWIN, ev.on_the_road()]))
def test_any_later_field_may_be_missing(missing, evidence):
    """Whatever fields a version did not have yet, its evidence is read and judged."""
    told = {name: value for name, value in json.loads(to_json(Evidence, evidence)).items() if name not in missing}
    read = from_json(Evidence, json.dumps(told))
    assert judge(read, "q").asked_at == evidence.asked_at


def test_an_answer_without_later_fields_is_read():
    """``packages``, ``related`` and ``duplicates`` came one after the other."""
    told = json.loads(to_json(Diagnosis, judge(TWIN, "q")))
    for name in ("packages", "related", "duplicates"):
        del told[name]
    assert from_json(Diagnosis, json.dumps(told)).packages == ()


def test_a_field_that_was_given_up_is_passed_over():
    """A newer version may have dropped it; the rest is what it was."""
    told = json.loads(to_json(Evidence, TWIN)) | {"moon_phase": "full"}
    assert from_json(Evidence, json.dumps(told)) == TWIN


def test_quantities_come_back_to_the_digit():
    """JSON numbers never hold them."""
    exact = ev.stocked(Decimal("0.1000000000000000055"))
    assert from_json(Evidence, to_json(Evidence, exact)) == exact


# What stored answers are sure to hold. A type that gains a field gives it a default, so that older answers stay readable.
HELD_FROM_THE_FIRST = {
    "Action": "kind text",
    "AsOf": "metrc pos",
    "Diagnosis": "id facility subject asked_at as_of cause code confidence provisional headline action must_not gap checks",
    "Duplicate": "system kind keep remove removable why",
    "Evidence": "shop subject asked_at access package receipts deliveries transfers transferred adjustments pos_rows "
    "pos_sales pos_events",
    "Finding": "code cause headline action",
    "Gap": "pos metrc unit explained",
    "MetrcDelivery": "id number sold_at recorded_at",
    "MetrcItem": "id name",
    "MetrcLine": "label quantity",
    "MetrcPackage": "id label quantity unit item",
    "MetrcReceipt": "id number external_number sold_at recorded_at",
    "Outcome": "name result summary",
    "PosEvent": "event_id kind label at",
    "PosPackage": "record_id label quantity unit product_name",
    "PosSaleLine": "sale_id line_id label quantity sold_at",
    "Quote": "source asked as_of says",
    "Reading": "source asked",
    "Share": "code quantity refs",
    "Shop": "license name time_zone posting",
    "Transfer": "id manifest direction",
    "TransferPackage": "label",
    "TransferredPackage": "label package_id manifest recipient_license",
}


@pytest.mark.parametrize("name", HELD_FROM_THE_FIRST)
def test_no_stored_type_asks_for_more_than_it_ever_did(name):
    """A required field that came later would make every older answer unreadable."""
    kind = getattr(model, name)
    required = {f.name for f in fields(kind) if f.default is MISSING and f.default_factory is MISSING}
    assert required == set(HELD_FROM_THE_FIRST[name].split())


# --- through the whole bot --------------------------------------------------------------------------------------------

QUESTIONS = [
    (SubjectKind.PACKAGE, ev.LABEL),
    (SubjectKind.RECEIPT, "880102"),
    (SubjectKind.MANIFEST, "0000418902"),
    (SubjectKind.PRODUCT, "Night Lantern 3.5g"),
    (SubjectKind.RECEIPT, "POS-NO-SUCH-1"),
]


async def test_every_kind_of_answer_is_replayed_equal_without_asking_anybody(tmp_path, empty_database):
    """What was asked a moment ago is answered the same, from the database alone."""
    async with opened_store(sample_scene(NOW), tmp_path, None, empty_database) as (bot, metrc):
        ids = [(await bot.answer(Question(SHOP, Subject(*asked)), quiet)).id for asked in QUESTIONS]
        asked_before = len(metrc.requests)
        result = await replay_all(bot.books.ledger.answers())
        assert [d.id for d in result.changed] == []
        assert (result.answers, result.equal) == (len(ids), len(ids))
        assert len(metrc.requests) == asked_before


# --- the command ------------------------------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def logging_is_put_back():
    """Commands set up logging for their process."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers, root.level = handlers, level


@pytest.fixture
def shop(tmp_path, monkeypatch):
    """A configured shop whose METRC is down: replay needs none."""
    with shop_on_loopback(World.healthy(NOW), tmp_path) as shop:
        for name in [name for name in os.environ if name.startswith(("SLACK_", "COUNTLAST_", "METRC_", "DATABASE_"))]:
            monkeypatch.delenv(name)
        for name, value in shop.env.items():
            monkeypatch.setenv(name, value)
        monkeypatch.chdir(tmp_path)
        yield shop


@pytest.fixture
def countlast(capsys):
    """``countlast(argument, …)`` → exit status, stdout, stderr."""

    def call(*arguments):
        with pytest.raises(SystemExit) as ended:
            run(arguments)
        written = capsys.readouterr()
        assert "Traceback" not in written.err
        return ended.value.code, written.out, written.err

    return call


def spoil_stored_code(folder):
    """As if an older version had given the answer another code."""
    import sqlite3

    with sqlite3.connect(folder / "countlast.db") as database:
        ((body,),) = database.execute("SELECT body FROM diagnosis").fetchall()
        told = json.loads(body) | {"cause": "timing", "code": "timing.old"}
        database.execute("UPDATE diagnosis SET body = ?", (json.dumps(told),))


def test_an_answer_is_replayed_by_its_id(shop, countlast):
    """Equal is exit 0 and one line; changed is exit 1 with both sides."""
    label = shop.world.labels()[0]
    asked = json.loads(countlast("reconcile", "package", label, "--json")[1])
    sent = len(shop.metrc.requests)
    code, out, _ = countlast("replay", asked["id"])
    assert (code, out.count("\n")) == (0, 1)
    spoil_stored_code(shop.folder)
    code, out, _ = countlast("replay", asked["id"], "--json")
    told = json.loads(out)
    assert (code, told["before"], told["after"]) == (1, "timing.old", "none")
    assert [difference["what"] for difference in told["differences"]] == ["cause", "code"]
    assert len(shop.metrc.requests) == sent


def test_the_whole_ledger_is_a_regression_run(shop, countlast):
    """Exit 0 while all is equal, exit 1 and a table once something changed."""
    assert countlast("replay", "--all")[0] == 0
    countlast("reconcile", "package", shop.world.labels()[0], "--json")
    assert countlast("replay", "--all")[:2] == (0, "1 answer judged again: 1 equal, 0 changed, 0 unreadable.\n")
    spoil_stored_code(shop.folder)
    code, out, _ = countlast("replay", "--all")
    assert (code, "timing.old → none" in out) == (1, True)
    assert json.loads(countlast("replay", "--all", "--json")[1])["changed"] == 1


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("nope",), "No answer 'nope' is stored; accepted: the id under an answer, or --all"),
        ((), "countlast replay needs one of: DIAGNOSIS_ID, --all"),
        (("x", "--all"), "countlast replay needs one of: DIAGNOSIS_ID, --all"),
    ],
)
def test_what_cannot_be_replayed_is_one_sentence_and_exit_2(shop, countlast, arguments, sentence):
    """On stderr alone."""
    assert countlast("replay", *arguments) == (2, "", f"{sentence}\n")
