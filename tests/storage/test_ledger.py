"""What the bot must remember across restarts."""

import asyncio
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from bot.errors import Problem, ProblemKind
from bot.model import (
    Access,
    Action,
    ActionKind,
    AsOf,
    Cause,
    CheckName,
    Confidence,
    Diagnosis,
    Evidence,
    ExportSeen,
    Facility,
    Finding,
    Forbidden,
    Gap,
    MetrcItem,
    MetrcLine,
    MetrcPackage,
    MetrcReceipt,
    Outcome,
    Posting,
    PostingDelays,
    Probe,
    Quote,
    Reading,
    Result,
    Share,
    Shop,
    Sighting,
    Subject,
    SubjectKind,
    Window,
)
from storage.books import open_books

NOW = datetime(2026, 3, 3, 1, 10, tzinfo=UTC)
LABEL = "1A4FF0100000022000001002"
SUBJECT = Subject(SubjectKind.PACKAGE, LABEL)
ACTION = Action(ActionKind.REMOVE_DUPLICATE, "Void METRC receipt 880102.", not_before=NOW)
SHARE = Share("duplication.receipt-retry", Decimal("1.0"), ("metrc receipt 880102",))
FINDING = Finding(
    "duplication.receipt-retry",
    Cause.DUPLICATION,
    "Posted twice.",
    ACTION,
    evidence=(Quote("metrc", "GET /facilities/v2/", NOW, "alive"),),
    shares=(SHARE,),
    must_not=(Forbidden.ADJUST_QUANTITY,),
)
DIAGNOSIS = Diagnosis(
    id="d1",
    facility="402R-X0042",
    subject=SUBJECT,
    asked_at=NOW,
    as_of=AsOf(NOW, None),
    cause=Cause.DUPLICATION,
    code="duplication.receipt-retry",
    confidence=Confidence.CERTAIN,
    provisional=False,
    headline="Sale POS-1 was posted twice.",
    action=ACTION,
    must_not=(Forbidden.ADJUST_QUANTITY,),
    gap=Gap(Decimal(19), Decimal("18.00"), "Each", (SHARE,)),
    checks=(Outcome(CheckName.DUPLICATION, Result.FOUND, "One pair.", (FINDING,)),),
    related=("1A4FF0100000022000001003",),
)


def none(asked):
    return Reading("metrc", asked, NOW, ())


EVIDENCE = Evidence(
    shop=Shop("402R-X0042", "Harbor Street", "America/Denver", Posting.NIGHTLY, "04:00", drying_percent=Decimal("1.5")),
    subject=SUBJECT,
    asked_at=NOW,
    access=Access(
        facilities=Reading("metrc", "f", NOW, (Facility("402R-X0042", "H", license_ends_on=date(2027, 1, 1)),)),
        probes=(Probe("sales", Reading("metrc", "p", problem=Problem(ProblemKind.TIMEOUT, "No answer."))),),
        rights=Reading("metrc", "r", NOW, frozenset({"view packages", "view sales"})),
    ),
    package=Reading("metrc", "p", NOW, MetrcPackage(1, LABEL, Decimal("18.00"), "Each", MetrcItem(1, "Sunbreak"))),
    receipts=Reading(
        "mirror",
        "receipts",
        NOW,
        (MetrcReceipt(1, None, "POS-1", NOW, NOW, lines=(MetrcLine(LABEL, Decimal("1.10")),)),),
    ),
    deliveries=Reading("mirror", "deliveries", problem=Problem(ProblemKind.UNAUTHORIZED, "Refused.", 401)),
    transfers=none("t"),
    transferred=none("tr"),
    adjustments=none("a"),
    pos_rows=none("i"),
    pos_sales=none("s"),
    pos_events=none("e"),
    receipts_window=Window(NOW, NOW),
    near=Reading("mirror", "near", NOW, (Sighting(LABEL, "mirror", Decimal(1)),)),
    delays=PostingDelays(9, 1.5, 2.5, 1e-05),
    shelf=Decimal(19),
    requests=7,
)


async def test_a_diagnosis_comes_back_equal_with_its_evidence(books):
    """Both are as they were, to the last digit, and an unknown id has none."""
    await books.ledger.save(DIAGNOSIS, EVIDENCE, "U0DANA")
    found = await books.ledger.diagnosis("d1")
    assert found == (DIAGNOSIS, EVIDENCE)
    assert str(found[0].gap.metrc) == "18.00"
    assert found[1].requests == 7
    assert await books.ledger.diagnosis("d2") is None


async def test_an_answer_is_never_rewritten(books):
    """Saving the same id again leaves the first answer as it was given."""
    await books.ledger.save(DIAGNOSIS, EVIDENCE, "U0DANA")
    await books.ledger.save(Diagnosis(**{**as_fields(DIAGNOSIS), "headline": "Other."}), EVIDENCE, None)
    assert (await books.ledger.diagnosis("d1"))[0] == DIAGNOSIS


def as_fields(value):
    return {name: getattr(value, name) for name in value.__dataclass_fields__}


async def test_a_key_is_new_exactly_once(database_url):
    """Of two processes and many tasks that claim one key at once, one wins; a restart does not forget it."""
    both = [await open_books(database_url) for _ in range(2)]
    won = await asyncio.gather(*(books.ledger.first_time("k", NOW) for books in both for _ in range(20)))
    assert sum(won) == 1
    assert await both[0].ledger.first_time("other", NOW)
    for books in both:
        await books.close()
    again = await open_books(database_url)
    assert not await again.ledger.first_time("k", NOW)
    await again.close()


async def test_old_keys_are_forgotten(books):
    """Nobody delivers again what is a month old; younger keys stay."""
    await books.ledger.first_time("old", NOW - timedelta(days=31))
    await books.ledger.first_time("young", NOW - timedelta(days=29))
    await books.ledger.forget_deliveries(NOW - timedelta(days=30))
    assert await books.ledger.first_time("old", NOW)
    assert not await books.ledger.first_time("young", NOW)


async def test_exports_are_remembered_by_name_and_content(books):
    """The newest of a kind, the first with a content; another kind or facility has its own."""
    exports = books.exports("402R-X0042")
    assert await exports.last("inventory") is None
    first = ExportSeen("inventory", "inventory-1.csv", "aa", 120, NOW.replace(day=1))
    newest = ExportSeen("inventory", "inventory-3.csv", "bb", 121, NOW.replace(day=3))
    again = ExportSeen("inventory", "inventory-2.csv", "aa", 120, NOW.replace(day=2))
    for export in (newest, first, again, first):
        await exports.remember(export)
    assert await exports.last("inventory") == newest
    assert await exports.seen("inventory", "aa") == first
    assert await exports.seen("inventory", "cc") is None
    assert await exports.seen("sales", "aa") is None
    assert await books.exports("402R-X0043").last("inventory") is None
