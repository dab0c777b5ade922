"""The chain of hashes: what goes in comes back, and every kind of tampering is found at its row."""

import asyncio
import csv
import io
import json
import logging
import os
import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.audit import (
    COLUMNS,
    EMPTY,
    GENESIS,
    Anchor,
    Entry,
    Event,
    Row,
    as_csv,
    as_jsonl,
    canonical,
    head_of,
    parse_anchor,
    seal,
    seal_all,
    verify,
)
from bot.cli import run
from bot.errors import QuestionError
from demo.world import SHOP
from storage.books import open_books
from tests.loopback import facility

NOW = datetime(2026, 3, 3, 1, 10, tzinfo=UTC)


def entry(number=1, **changes):
    told = Entry(NOW, Event.APPROVED, "U0DANA", "402R-X0042", f"i{number}", "package X", {"n": number, "says": "ünd"})
    return replace(told, **changes)


def chain(length=6):
    return list(seal_all([entry(n) for n in range(length)], EMPTY))


def resealed(rows, start):
    """The rows from ``start`` on sealed anew, as somebody would who knows how."""
    good = rows[:start]
    for row in rows[start:]:
        told = Entry(NOW, row.event, row.actor, row.facility, row.intent, row.subject, json.loads(row.detail))
        good.append(seal(told, head_of(good[-1]) if good else EMPTY))
    return good


def test_an_untouched_chain_holds():
    """Every row follows from the one before; the first follows from nothing."""
    rows = chain()
    assert rows[0].prev_hash == GENESIS
    verdict = verify(rows, [head_of(rows[2]), head_of(rows[-1])], head_of(rows[-1]))
    assert (verdict.holds, verdict.rows, verdict.head) == (True, 6, head_of(rows[-1]))


def test_an_empty_log_holds():
    """Nothing happened yet."""
    assert verify([], (), EMPTY).holds


def edited(rows):
    return [*rows[:2], replace(rows[2], actor="U0EVE"), *rows[3:]]


def edited_and_resealed(rows):
    changed = [*rows[:2], replace(rows[2], actor="U0EVE"), *rows[3:]]
    return resealed(changed, 2)


def inserted(rows):
    extra = seal(entry(99), head_of(rows[2]))
    return [*rows[:3], extra, *rows[3:]]


def forked(rows):
    """A fourth row that follows from the second, like the third."""
    return [*rows[:3], *seal_all([entry(n) for n in range(3)], Anchor(3, rows[1].hash))]


def edited_and_sealed_alone(rows):
    return [*rows[:2], *resealed(edited(rows), 2)[2:3], *rows[3:]]


TAMPERING = {
    "edited": (edited, 3),
    "dropped": (lambda rows: rows[:2] + rows[3:], 3),
    "reordered": (lambda rows: [*rows[:2], rows[3], rows[2], *rows[4:]], 3),
    "inserted": (inserted, 5),
    "forked": (forked, 4),
    "edited, it alone resealed": (edited_and_sealed_alone, 4),
    "a number left out": (lambda rows: [*rows[:3], seal(entry(99), Anchor(4, rows[2].hash))], 4),
    "truncated tail": (lambda rows: rows[:4], 5),
    "rewritten whole": (lambda rows: resealed([replace(row, actor="U0EVE") for row in rows], 0), 6),
    "edited, the rest resealed": (edited_and_resealed, 6),
    "emptied": (lambda _rows: [], 1),
}


@pytest.mark.parametrize("kind", TAMPERING)
def test_tampering_is_found_at_its_row(kind):
    """With the last row put away as an anchor, whatever was done is found; the first broken row is named."""
    rows = chain()
    spoil, first = TAMPERING[kind]
    verdict = verify(spoil(list(rows)), [head_of(rows[-1])])
    assert (verdict.holds, verdict.broken) == (False, first), verdict.says


@pytest.mark.parametrize("kind", ["truncated tail", "rewritten whole"])
def test_only_an_anchor_finds_what_is_consistent_in_itself(kind):
    """A shorter chain and a new chain are chains; this is what anchors are for."""
    assert verify(TAMPERING[kind][0](chain())).holds


def test_a_row_behind_the_written_end_is_found():
    """The database's own end is one row short of what is there."""
    rows = chain()
    assert verify(rows, (), head_of(rows[-2])).broken == 6


def test_a_row_that_is_missing_before_the_written_end_is_found():
    """The other way round: the end was written, and its row is gone."""
    rows = chain()
    assert verify(rows[:-1], (), head_of(rows[-1])).broken == 6


@given(st.data())
def test_any_change_of_any_field_is_found(data):
    """One character more in any column of any row breaks the chain there or at the next row."""
    rows = chain()
    place = data.draw(st.integers(0, len(rows) - 1))
    column = data.draw(st.sampled_from([name for name in COLUMNS if name != "seq"]))
    bad = [*rows]
    bad[place] = replace(rows[place], **{column: getattr(rows[place], column) + data.draw(st.text(min_size=1))})
    verdict = verify(bad, [head_of(rows[-1])])
    assert verdict.broken == place + 1


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(), lambda c: st.lists(c) | st.dictionaries(st.text(), c)
    )
)
def test_equal_values_are_equal_texts(value):
    """What was written reads back, and is written the same again."""
    assert canonical(json.loads(canonical(value))) == canonical(value)


def test_floats_and_naive_times_are_refused():
    """Neither can be written the same everywhere."""
    with pytest.raises(TypeError, match="float"):
        canonical({"a": [1, {"b": 1.0}]})
    with pytest.raises(ValueError, match="time zone"):
        seal(entry(at=NOW.replace(tzinfo=None)), EMPTY)


def test_times_are_written_in_utc():
    """The same moment in another zone gives the same row."""
    denver = NOW.astimezone(timezone(timedelta(hours=-7)))
    assert seal(entry(at=denver), EMPTY) == seal(entry(), EMPTY)


def test_export_gives_back_every_row():
    """Both forms can be turned into rows again, and those still hold."""
    rows = chain()
    lines = [json.loads(line) for line in as_jsonl(rows)]
    assert [tuple(line) for line in lines] == [COLUMNS] * len(rows)
    assert [Row(**line) for line in lines] == rows
    table = list(csv.DictReader(io.StringIO("".join(as_csv(rows)))))
    assert verify(Row(**{**line, "seq": int(line["seq"])}) for line in table).holds


def test_an_anchor_reads_back_and_nonsense_is_refused():
    """``SEQ:HASH`` as it is printed."""
    anchor = head_of(chain()[-1])
    assert parse_anchor(f" {anchor}\n") == anchor == Anchor(anchor.seq, anchor.hash)
    for text in ("", "6", f"x:{anchor.hash}", f"6:{anchor.hash[:-1]}"):
        with pytest.raises(QuestionError):
            parse_anchor(text)


# --- the commands -----------------------------------------------------------------------------------------------------


@pytest.fixture
def log(tmp_path, monkeypatch, empty_database):
    """A configured shop whose log has three rows; METRC is never asked."""
    shutil.copy(empty_database, tmp_path / "countlast.db")
    (tmp_path / "facilities.toml").write_text(facility(SHOP, "http://127.0.0.1:9"), encoding="utf-8")
    (tmp_path / "pos").mkdir()
    for name in [name for name in os.environ if name.startswith(("SLACK_", "COUNTLAST_", "METRC_", "DATABASE_"))]:
        monkeypatch.delenv(name)
    for name, value in {"COUNTLAST_DEV": "1", "METRC_VENDOR_KEY": "v", "METRC_USER_KEY": "u"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    asyncio.run(append(tmp_path / "countlast.db"))
    return tmp_path / "countlast.db"


async def append(path):
    books = await open_books(f"sqlite+aiosqlite:///{path}")
    await books.audit.append([entry(n) for n in range(3)])
    await books.close()


@pytest.fixture
def countlast(capsys, logging_is_put_back):
    def call(*arguments):
        with pytest.raises(SystemExit) as ended:
            run(arguments)
        written = capsys.readouterr()
        return ended.value.code, written.out, written.err

    return call


@pytest.fixture
def logging_is_put_back():
    """Commands set up logging for their process."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers, root.level = handlers, level


def tamper(path, *statements):
    """As whoever owns the file can, rules or not."""
    with closing(sqlite3.connect(path)) as database:
        for statement in ("DROP TRIGGER audit_entry_update", "DROP TRIGGER audit_entry_delete", *statements):
            database.execute(statement)
        database.commit()


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_the_export_is_the_whole_log_and_its_anchor(form, log, countlast):
    """Every row on stdout, in the form asked for; the last row's number and hash on stderr, to be put away."""
    status, out, err = countlast("audit", "export", "--format", form)
    lines = out.splitlines()
    rows = list(csv.DictReader(lines)) if form == "csv" else [json.loads(line) for line in lines]
    assert status == 0
    assert [tuple(row) for row in rows] == [COLUMNS] * 3
    assert err.strip() == f"anchor 3:{rows[-1]['hash']}"


def test_another_form_is_refused(log, countlast):
    """One sentence that names what is accepted."""
    status, out, err = countlast("audit", "export", "--format", "xml")
    assert (status, out, len(err.splitlines())) == (2, "", 1)
    assert "csv, jsonl" in err


def test_verify_finds_an_untouched_log_good(log, countlast):
    """Exit 0, with and without the anchor."""
    _, _, err = countlast("audit", "export")
    anchor = err.split()[1]
    status, out, _ = countlast("audit", "verify", "--anchor", anchor)
    assert (status, out.startswith("3 rows, all as they were written")) == (0, True)
    assert anchor in out


SPOILT = {
    "edited": (("UPDATE audit_entry SET actor = 'U0EVE' WHERE seq = 2",), "row 2 is broken"),
    "dropped": (("DELETE FROM audit_entry WHERE seq = 2",), "row 2 is broken"),
    "cut off": (("DELETE FROM audit_entry WHERE seq = 3",), "row 3 is broken"),
}


@pytest.mark.parametrize("how", SPOILT)
def test_verify_names_the_first_broken_row(how, log, countlast):
    """Exit 1, and the row's number."""
    statements, told = SPOILT[how]
    tamper(log, *statements)
    status, out, err = countlast("audit", "verify")
    assert (status, err) == (1, "")
    assert out.startswith(told)


def test_only_an_anchor_finds_a_tail_that_was_cut_off_everywhere(log, countlast):
    """Rows and head cut alike: good by itself, broken against what was put away."""
    _, _, err = countlast("audit", "export")
    tamper(
        log,
        "DELETE FROM audit_entry WHERE seq = 3",
        "UPDATE audit_head SET seq = 2, hash = (SELECT hash FROM audit_entry WHERE seq = 2)",
    )
    assert countlast("audit", "verify")[0] == 0
    status, out, _ = countlast("audit", "verify", "--anchor", err.split()[1])
    assert (status, out.startswith("row 3 is broken")) == (1, True)


def test_an_anchor_that_is_none_is_refused(log, countlast):
    """Exit 2, one sentence."""
    status, _, err = countlast("audit", "verify", "--anchor", "three")
    assert (status, len(err.splitlines())) == (2, 1)
