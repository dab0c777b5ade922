"""Questions about a sale, a load and a product: what is found about the record itself, and how its packages stand."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.asked_once import Once
from bot.errors import QuestionError
from bot.model import (
    ActionKind,
    Cause,
    CheckName,
    Confidence,
    Forbidden,
    Question,
    Reading,
    Result,
    Subject,
    SubjectKind,
)
from bot.numbers import bare, same_number
from bot.report import as_json
from bot.subject_names import name_words, names_alike, numbers_alike, readable_subject
from bot.subject_reading import MOST_PACKAGES
from bot.subjects import judge
from bot.wording import as_text
from demo.blockkit import message_problems
from demo.world import SHOP, TAG, World
from handlers.parse import Ask, parse
from handlers.places import choose, whole_name
from handlers.render.diagnosis import render_diagnosis
from tests import evidence as ev
from tests.handlers.values import HARBOR, HILL
from tests.handlers.values import settings as slack_settings
from tests.store import NOW, opened_store, quiet

ORDER = list(CheckName)
RECEIPT, MANIFEST, PRODUCT = SubjectKind.RECEIPT, SubjectKind.MANIFEST, SubjectKind.PRODUCT
LANTERN = "Night Lantern 3.5g"


@pytest.fixture
def world():
    return World.healthy(NOW)


class Asked:
    """``answer(world, kind, value)`` → the diagnosis; the evidence and METRC's stand-in are kept beside it."""

    def __init__(self, folder, template):
        self.folder, self.template = folder, template
        self.evidence = self.metrc = None

    async def __call__(self, world, kind, value, *, seconds=30.0, spoil=None, told=quiet):
        async with opened_store(world, self.folder, None, self.template) as (bot, metrc):
            if spoil is not None:
                spoil(self.folder / "pos")
            question = Question(SHOP, Subject(kind, value), deadline_seconds=seconds)
            diagnosis = await bot.answer(question, told)
            kept = await bot.books.ledger.diagnosis(diagnosis.id)
            assert kept is not None
            assert kept[0] == diagnosis
            self.evidence, self.metrc = kept[1], metrc
        assert [outcome.name for outcome in diagnosis.checks] == ORDER
        assert diagnosis.gap is None
        assert all(outcome.summary for outcome in diagnosis.checks)
        assert (Forbidden.ADJUST_QUANTITY in diagnosis.must_not) or diagnosis.cause is Cause.COUNT_ERROR
        return diagnosis


@pytest.fixture
def answer(tmp_path, empty_database):
    return Asked(tmp_path, empty_database)


def outcome(diagnosis, name):
    return ev.outcome_of(diagnosis, name)


def labels_of(diagnosis):
    return [package.subject.value for package in diagnosis.packages]


def a_sale(world, **changes):
    return world.sell(a_label(world), **changes)


def a_label(world):
    return next(label for label in world.labels() if world.pos_quantity(label) > 10)


# --- a receipt --------------------------------------------------------------------------------------------------------


async def test_a_sale_in_order_says_so_with_its_package(world, answer):
    """Nothing is found, all seven checks are clear, and its package has a diagnosis of its own."""
    sale = a_sale(world)
    diagnosis = await answer(world, RECEIPT, sale.id)
    assert (diagnosis.cause, diagnosis.code, diagnosis.confidence) == (Cause.NONE, None, Confidence.CERTAIN)
    assert {o.result for o in diagnosis.checks} == {Result.CLEAR}
    assert labels_of(diagnosis) == [sale.lines[0].label]
    assert diagnosis.packages[0].gap is not None
    assert not diagnosis.provisional


@pytest.mark.parametrize("form", ["{id}", "{id:010d}", "{external}", "#{id}", " {external} "])
async def test_a_receipt_is_found_by_id_number_and_sale_number(world, answer, form):
    """METRC's id, its padded number and the POS's number are one question, and get one answer."""
    receipt = a_sale(world).receipts[0]
    typed = form.format(id=receipt.id, external=receipt.external)
    diagnosis = await answer(world, RECEIPT, readable_subject(RECEIPT, typed))
    assert (diagnosis.cause, len(diagnosis.packages)) == (Cause.NONE, 1)
    assert str(receipt.id) in diagnosis.headline
    assert receipt.external in diagnosis.headline


async def test_a_receipt_posted_twice_is_a_twin_to_be_removed(world, answer):
    """Asked by the twin's own id, the answer keeps what the POS stores and names the other for removal."""
    sale = a_sale(world)
    twin = world.post_twice(sale)
    diagnosis = await answer(world, RECEIPT, str(twin.id))
    assert (diagnosis.code, diagnosis.action.kind) == ("duplication.receipt-retry", ActionKind.REMOVE_DUPLICATE)
    (duplicate,) = diagnosis.duplicates
    assert (duplicate.keep, duplicate.remove) == (str(sale.receipts[0].id), (str(twin.id),))
    assert duplicate.removable
    assert diagnosis.packages[0].code == diagnosis.code


async def test_a_copy_without_a_number_is_found_from_the_sale(world, answer):
    """A file import over the API is the same sale, although its receipt bears no number."""
    sale = a_sale(world)
    copy = world.csv_over_api(sale)
    diagnosis = await answer(world, RECEIPT, sale.id)
    assert diagnosis.code == "duplication.receipt-csv-over-api"
    assert diagnosis.duplicates[0].remove == (str(copy.id),)


async def test_another_sale_of_the_package_is_not_this_sales_fault(world, answer):
    """A twin of another sale is told by the package, and leads only because this sale is in order."""
    label = a_label(world)
    world.post_twice(world.sell(label, at=world.shop_time(3)))
    mine = world.sell(label, at=world.shop_time(2))
    diagnosis = await answer(world, RECEIPT, mine.id)
    assert diagnosis.packages[0].code == "duplication.receipt-retry"
    assert diagnosis.headline.startswith(f"Package …{label[-4:]}: ")
    assert diagnosis.code == "duplication.receipt-retry"


async def test_twins_of_other_packages_are_offered_only_when_they_come_first(world, answer):
    """A product with several faults has one thing to do; the rest is offered where its package is asked about."""
    mine = [row.label for row in world.pos_rows if row.product_name == LANTERN]
    world.post_twice(world.sell(mine[0], 1))
    first = await answer(world, PRODUCT, LANTERN)
    assert len(first.duplicates) == 1
    world.finish(mine[1], pos_leftover=5)
    second = await answer(world, PRODUCT, LANTERN)
    assert (second.cause, second.duplicates) == (Cause.FINISHED, ())
    assert second.headline.startswith("2 of 6 packages have a finding. Package …")


async def test_own_findings_lead_over_those_of_the_packages(world, answer):
    """The sale was refused; that another one was posted twice does not change its root."""
    label = a_label(world)
    world.post_twice(world.sell(label, 3, at=world.shop_time(3)))
    mine = world.sale_failed(label, "The package is busy.")
    diagnosis = await answer(world, RECEIPT, mine.id)
    assert diagnosis.code == "failed_post.refused"
    assert diagnosis.duplicates == ()
    assert outcome(diagnosis, CheckName.DUPLICATION).result is Result.CLEAR


UNPOSTED = [
    (lambda w, label: w.sale_pending(label), "timing.sale-on-its-way", ActionKind.WAIT),
    (lambda w, label: w.sale_failed(label, "The package is busy."), "failed_post.refused", ActionKind.RESEND),
    (lambda w, label: w.sale_never_posted(label), "failed_post.never-posted", ActionKind.RESEND),
]


@pytest.mark.parametrize(("happens", "code", "kind"), UNPOSTED)
async def test_a_sale_that_is_not_in_metrc_is_late_or_failed(world, answer, happens, code, kind):
    """On its way, refused, or never posted: each has its own code and its own next step."""
    sale = happens(world, a_label(world))
    diagnosis = await answer(world, RECEIPT, sale.id)
    assert (diagnosis.code, diagnosis.action.kind) == (code, kind)
    assert outcome(diagnosis, CheckName.TIMING).result is Result.FOUND
    assert (diagnosis.action.not_before is not None) == (kind is ActionKind.WAIT)


async def test_a_void_that_metrc_never_heard_of_is_a_failed_post(world, answer):
    """Voided at the till, alive in METRC: the void is what is to be sent."""
    sale = a_sale(world)
    world.void_in_pos(sale)
    diagnosis = await answer(world, RECEIPT, str(sale.receipts[0].id))
    assert diagnosis.code == "failed_post.void-not-posted"
    assert outcome(diagnosis, CheckName.DUPLICATION).result is Result.CLEAR


async def test_a_receipt_without_a_sale_is_a_stranger(world, answer):
    """METRC has it, the POS has no such sale: nobody removes it on that alone."""
    sale = a_sale(world)
    world.pos_sales = [line for line in world.pos_sales if line.sale_id != sale.id]
    world.pos_row(sale.lines[0].label).quantity += 1
    diagnosis = await answer(world, RECEIPT, str(sale.receipts[0].id))
    assert diagnosis.code == "mapping.receipt-without-sale"
    assert Forbidden.REMOVE_RECORD in diagnosis.must_not


async def test_two_sides_that_name_different_packages_are_told(world, answer):
    """The till scanned one tag, METRC's receipt takes another: both labels get a diagnosis."""
    sale = a_sale(world)
    label = sale.lines[0].label
    other = next(x for x in world.labels() if x != label and world.pos_quantity(x) > 10)
    sale.receipts[0].lines[0].package = world.package(other)
    diagnosis = await answer(world, RECEIPT, sale.id)
    assert diagnosis.code == "mapping.sale-on-other-label"
    assert set(labels_of(diagnosis)) == {label, other}
    assert {label, other} <= set(diagnosis.related)


async def test_a_hold_explains_a_refused_sale_and_not_one_that_metrc_took(world, answer):
    """What may not be sold today may have been sold rightly before."""
    label = a_label(world)
    taken = world.sell(label, at=world.shop_time(3))
    refused = world.sale_failed(label, "Package is on hold.", age=timedelta(hours=5))
    world.hold(label, days=1)
    before = await answer(world, RECEIPT, taken.id)
    after = await answer(world, RECEIPT, refused.id)
    assert outcome(before, CheckName.TIMING).result is Result.CLEAR
    assert before.headline.startswith("Package …")
    assert (after.cause, outcome(after, CheckName.TIMING).result) == (Cause.ON_HOLD, Result.FOUND)


async def test_a_number_that_nobody_knows_says_where_it_was_looked_for(world, answer):
    """An honest answer with near numbers, from both books, and nothing to do but to look at what was typed."""
    sale = a_sale(world)
    typed = sale.id[:-1] + "X"
    diagnosis = await answer(world, RECEIPT, typed)
    assert (diagnosis.cause, diagnosis.code, diagnosis.packages) == (Cause.UNKNOWN, None, ())
    assert "METRC's receipts" in diagnosis.headline
    assert "the POS's sales" in diagnosis.headline
    assert sale.id in answer.evidence.alike
    assert sale.id in diagnosis.action.text
    assert not diagnosis.provisional
    assert {o.result for o in diagnosis.checks[1:]} == {Result.UNKNOWN}


async def test_the_end_of_a_sale_number_leads_to_the_sale(world, answer):
    """People read the last digits from a slip."""
    sale = a_sale(world)
    diagnosis = await answer(world, RECEIPT, sale.id[-5:])
    assert sale.id in diagnosis.action.text


# --- what was not read ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "value"), [(RECEIPT, "POS-1"), (MANIFEST, "415001"), (PRODUCT, LANTERN)])
async def test_an_outage_closes_the_gate_of_every_subject(world, answer, kind, value):
    """Nothing behind authentication is reached, and nothing is said to be clear."""
    world.outage("503")
    diagnosis = await answer(world, kind, value)
    assert (diagnosis.cause, diagnosis.provisional) == (Cause.OUTAGE, True)
    assert [o.result for o in diagnosis.checks[1:]] == [Result.NOT_REACHED] * 6
    assert Forbidden.RENEW_KEY in diagnosis.must_not


async def test_the_labels_of_a_sale_are_named_though_metrc_is_down(world, answer):
    """The POS tells which packages it touches; they were not looked at, and that is said."""
    sale = a_sale(world)
    world.outage("503")
    diagnosis = await answer(world, RECEIPT, sale.id)
    assert diagnosis.related == (sale.lines[0].label,)
    assert diagnosis.packages == ()


async def test_sales_that_metrc_does_not_answer_for_leave_a_receipt_unknown(world, answer):
    """With the family of sales down, neither arrival nor twins are said to be clear."""
    sale = a_sale(world)
    world.post_twice(sale)
    world.outage("503", prefix="/sales")
    diagnosis = await answer(world, RECEIPT, sale.id)
    assert diagnosis.provisional
    unknown = {o.name for o in diagnosis.checks if o.result is Result.UNKNOWN}
    assert {CheckName.TIMING, CheckName.DUPLICATION} <= unknown
    assert diagnosis.cause is Cause.UNKNOWN


async def test_a_pos_without_a_sales_book_leaves_timing_unknown(world, answer):
    """What the POS cannot tell is never clear."""
    receipt = a_sale(world).receipts[0]
    diagnosis = await answer(world, RECEIPT, str(receipt.id), spoil=lambda pos: (pos / "sales.csv").unlink())
    assert outcome(diagnosis, CheckName.TIMING).result is Result.UNKNOWN
    assert diagnosis.packages


async def test_without_time_nothing_is_called_clear(world, answer):
    """A deadline that passes at once leaves every package unlooked at and the answer provisional."""
    sale = a_sale(world)
    diagnosis = await answer(world, RECEIPT, sale.id, seconds=0.0001)
    assert diagnosis.cause is Cause.UNKNOWN
    assert diagnosis.packages == ()
    assert diagnosis.provisional


# --- a manifest -------------------------------------------------------------------------------------------------------


def a_load(world, labels=2, days=3):
    return world.receive_load([f"{TAG}{number}" for number in range(7001, 7001 + labels)], days=days)


async def test_a_load_in_order_says_what_was_accepted(world, answer):
    """Received, all of it, once; each package with its diagnosis."""
    transfer = a_load(world)
    diagnosis = await answer(world, MANIFEST, transfer.manifest)
    assert diagnosis.cause is Cause.NONE
    assert "2 accepted" in outcome(diagnosis, CheckName.CUSTODY).summary
    assert labels_of(diagnosis) == [shipped.label for shipped in transfer.packages]


@pytest.mark.parametrize("form", ["{manifest}", "{bare}", "{id}"])
async def test_a_manifest_is_found_by_number_with_or_without_zeros_and_by_id(world, answer, form):
    """However it is written on the paper."""
    transfer = a_load(world)
    typed = form.format(manifest=transfer.manifest, bare=transfer.manifest.lstrip("0"), id=transfer.id)
    assert len((await answer(world, MANIFEST, typed)).packages) == 2


async def test_a_load_on_the_road_waits_to_be_accepted(world, answer):
    """The POS was told too early that it is here."""
    transfer = world.ship(f"{TAG}7001")
    diagnosis = await answer(world, MANIFEST, transfer.manifest)
    assert (diagnosis.code, diagnosis.action.kind) == ("in_transit.incoming", ActionKind.ACCEPT_TRANSFER)


async def test_a_whole_load_on_the_road_is_accepted_at_once(world, answer):
    """The step names what all its packages hold, and the manifest is what is on the road."""
    transfer = world.ship(f"{TAG}7001")
    (shipped,) = transfer.packages
    transfer.packages.append(replace(shipped, label=f"{TAG}7002", quantity=Decimal(60), package_id=999))
    diagnosis = await answer(world, MANIFEST, transfer.manifest)
    assert diagnosis.headline.startswith(f"Manifest {transfer.manifest} is on the road")
    assert f"accept manifest {transfer.manifest} (2 packages: 40 + 60 Each)" in diagnosis.action.text


async def test_a_load_on_two_manifests_is_a_twin(world, answer):
    """Asked by either manifest, the one without a truck is the twin."""
    transfer = world.ship(f"{TAG}7001", pos_received=False)
    twin = world.twin_manifest(transfer)
    diagnosis = await answer(world, MANIFEST, twin.manifest)
    assert outcome(diagnosis, CheckName.DUPLICATION).result is Result.FOUND
    assert [(d.keep, d.remove) for d in diagnosis.duplicates] == [(str(transfer.id), (str(twin.id),))]


async def test_a_load_received_twice_in_the_pos_is_found(world, answer):
    """One load, two receives of one package: the second one is named."""
    transfer = a_load(world)
    world.receive_twice(transfer.packages[0].label)
    diagnosis = await answer(world, MANIFEST, transfer.manifest)
    assert diagnosis.code == "duplication.receive-twice"
    assert f"received package …{transfer.packages[0].label[-4:]} twice" in diagnosis.headline
    assert diagnosis.duplicates[0].system == "pos"


async def test_a_load_never_received_in_the_pos_is_found_for_all_its_packages_at_once(world, answer):
    """One fault, told once, with every label of it."""
    transfer = a_load(world)
    for shipped in transfer.packages:
        world.never_built(shipped.label)
    diagnosis = await answer(world, MANIFEST, transfer.manifest)
    assert diagnosis.code == "mapping.not-in-pos"
    assert diagnosis.headline.startswith("2 packages: ")
    assert set(diagnosis.related) == {shipped.label for shipped in transfer.packages}


async def test_a_part_that_was_rejected_is_told_apart(world, answer):
    """Partly rejected: the refused package is found, the accepted one is in order."""
    transfer = a_load(world)
    refused, kept = (shipped.label for shipped in transfer.packages)
    world.reject_on_manifest(refused)
    diagnosis = await answer(world, MANIFEST, transfer.manifest)
    assert diagnosis.code == "in_transit.rejected"
    assert {package.subject.value: package.cause for package in diagnosis.packages}[kept] is Cause.NONE


async def test_a_label_that_only_the_pos_received_under_the_number_is_a_stranger(world, answer):
    """METRC's manifest does not carry it, so label or number is wrong in the POS."""
    transfer = a_load(world)
    stranger = a_label(world)
    world.pos_row(stranger).manifest = transfer.manifest
    diagnosis = await answer(world, MANIFEST, transfer.manifest)
    assert diagnosis.code == "mapping.not-on-manifest"
    assert stranger in labels_of(diagnosis)


async def test_a_manifest_that_nobody_knows_names_near_ones(world, answer):
    """The POS's manifests are compared, and METRC's three lists are named."""
    transfer = a_load(world)
    diagnosis = await answer(world, MANIFEST, f"{transfer.manifest[:-1]}X")
    assert (diagnosis.cause, diagnosis.packages) == (Cause.UNKNOWN, ())
    assert {o.result for o in diagnosis.checks[1:]} == {Result.UNKNOWN}
    assert transfer.manifest in diagnosis.action.text
    assert "outgoing and rejected" in diagnosis.headline


# --- a product --------------------------------------------------------------------------------------------------------


async def test_a_product_in_order_has_all_its_packages(world, answer):
    """Every package of the product on either side, none of another one."""
    diagnosis = await answer(world, PRODUCT, LANTERN)
    mine = {row.label for row in world.pos_rows if row.product_name == LANTERN}
    assert diagnosis.cause is Cause.NONE
    assert set(labels_of(diagnosis)) == mine


@pytest.mark.parametrize("by", ["product_name", "product_id", "metrc_item", "retyped"])
async def test_a_product_is_found_by_name_id_and_item(world, answer, by):
    """Case, dashes and commas do not count."""
    row = next(row for row in world.pos_rows if row.product_name == LANTERN)
    typed = "night lantern, 3.5G" if by == "retyped" else str(getattr(row, by))
    assert len((await answer(world, PRODUCT, typed)).packages) == 6


async def test_one_mistyped_category_is_one_finding_of_the_product(world, answer):
    """Six packages, one fault, one thing to mend."""
    for row in world.pos_rows:
        row.metrc_category = "Shake/Trim" if row.product_name == LANTERN else row.metrc_category
    diagnosis = await answer(world, PRODUCT, LANTERN)
    assert (diagnosis.code, diagnosis.action.kind) == ("mapping.category", ActionKind.FIX_MAPPING)
    assert len([code for code in ev.codes(diagnosis) if code == "mapping.category"]) == 1
    assert len(diagnosis.related) == 6


async def test_a_common_unit_weight_is_one_definition_fault(world, answer):
    """The definition belongs to the product."""
    for row in world.pos_rows:
        row.unit_weight_g = Decimal(7) if row.product_name == LANTERN else row.unit_weight_g
    diagnosis = await answer(world, PRODUCT, LANTERN)
    assert diagnosis.cause is Cause.DEFINITION
    assert outcome(diagnosis, CheckName.DEFINITION).result is Result.FOUND


async def test_the_step_names_its_package_and_what_it_leaves_open(world, answer):
    """A product has one first step; whoever reads it sees whose it is, and that others have their own."""
    mine = [row.label for row in world.pos_rows if row.product_name == LANTERN]
    world.finish(mine[1], pos_leftover=5)
    world.post_twice(world.sell(mine[0], 1))
    text = (await answer(world, PRODUCT, LANTERN)).action.text
    assert text.startswith(f"Package …{mine[1][-4:]}: ")
    assert text.endswith(f" Still open beside this: …{mine[0][-4:]} (+1 Each). Ask about each tag.")


async def test_a_fault_of_the_product_does_not_hide_what_is_open_of_its_packages(world, answer):
    """To mend the definition settles no duplicate."""
    mine = [row.label for row in world.pos_rows if row.product_name == LANTERN]
    for row in world.pos_rows:
        row.unit_weight_g = Decimal(7) if row.product_name == LANTERN else row.unit_weight_g
    world.post_twice(world.sell(mine[0], 1))
    diagnosis = await answer(world, PRODUCT, LANTERN)
    assert diagnosis.cause is Cause.DEFINITION
    assert f"Still open beside this: …{mine[0][-4:]} (+1 Each)." in diagnosis.action.text


async def test_siblings_that_cancel_were_taken_for_one_another(world, answer):
    """One has two too many, the other two too few: no number is touched."""
    mine = [row.label for row in world.pos_rows if row.product_name == LANTERN]
    world.pos_row(mine[0]).quantity += 2
    world.pos_row(mine[1]).quantity -= 2
    diagnosis = await answer(world, PRODUCT, LANTERN)
    assert (diagnosis.code, diagnosis.action.kind) == ("mapping.siblings-cancel", ActionKind.RECOUNT)
    assert set(diagnosis.related) == set(mine[:2])
    assert Forbidden.ADJUST_QUANTITY in diagnosis.must_not


async def test_a_package_that_only_metrc_has_belongs_to_the_product(world, answer):
    """It is found by its item, though the POS has no row of it."""
    label = f"{TAG}7001"
    world.receive_load([label], days=3, item=world.items[90211])
    world.never_built(label)
    diagnosis = await answer(world, PRODUCT, LANTERN)
    assert label in labels_of(diagnosis)
    assert diagnosis.code == "mapping.not-in-pos"


async def test_more_than_fifty_packages_are_named_and_make_the_answer_provisional(world, answer):
    """The rest stands in ``related``; those that differ at first sight are looked at first."""
    many = [f"{TAG}{number}" for number in range(7001, 7001 + MOST_PACKAGES)]
    world.receive_load(many, days=3, item=world.items[90211])
    odd = many[-1]
    world.drift(odd)
    diagnosis = await answer(world, PRODUCT, LANTERN)
    assert len(diagnosis.packages) == MOST_PACKAGES
    assert odd in labels_of(diagnosis)
    assert len(answer.evidence.left_out) == 6
    assert set(answer.evidence.left_out) <= set(diagnosis.related)
    assert diagnosis.provisional


async def test_a_name_that_nobody_knows_leads_to_names_that_hold_its_words(world, answer):
    """A part of a name is not taken for the name, and is not lost either."""
    diagnosis = await answer(world, PRODUCT, "Lantern")
    assert diagnosis.cause is Cause.UNKNOWN
    assert {o.result for o in diagnosis.checks[1:]} == {Result.UNKNOWN}
    assert "Night Lantern" in diagnosis.action.text


# --- what it costs ----------------------------------------------------------------------------------------------------


async def test_many_packages_share_what_was_read(world, answer):
    """The ladder is climbed once and each package costs little more than its own record."""
    diagnosis = await answer(world, PRODUCT, LANTERN)
    paths = [request.path for request in answer.metrc.requests]
    assert len(diagnosis.packages) == 6
    assert paths.count("/facilities/v2/") == 1
    assert max(paths.count(f"/packages/v2/{label}") for label in labels_of(diagnosis)) == 1
    assert answer.metrc.writes == []


async def test_progress_is_told_by_package(world, answer):
    """Somebody who waits sees how far it is."""
    said = []

    async def told(sentence):
        said.append(sentence)

    await answer(world, PRODUCT, LANTERN, told=told)
    assert "Looking at package 6 of 6" in said


async def test_what_is_asked_twice_is_asked_once():
    """Answers and refusals alike are shared, and one that stops waiting stops nobody else."""
    asked = []

    async def ask():
        asked.append(1)
        await asyncio.sleep(0)
        return len(asked)

    async with Once() as once:
        first = asyncio.create_task(once.ask("a", ask))
        await asyncio.sleep(0)
        second = asyncio.create_task(once.ask("a", ask))
        first.cancel()
        assert await second == 1
        assert await once.ask("a", ask) == 1
        assert await once.ask("b", ask) == 2


async def test_what_nobody_waits_for_any_more_is_given_up():
    """Leaving the question cancels what still hangs."""
    ended = []

    async def hang():
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(True)

    async with Once() as once:
        waiting = asyncio.create_task(once.ask("a", hang))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        waiting.cancel()
    assert ended == [True]


# --- pure -------------------------------------------------------------------------------------------------------------


def sale_evidence(**changes):
    """A sale in order, judged without any reading."""
    receipt, line = ev.receipt(1), ev.line(1)
    record = replace(
        ev.HEALTHY,
        subject=Subject(RECEIPT, "POS-1"),
        receipts=ev.read((receipt,)),
        pos_sales=ev.read((line,), "pos"),
        packages=(ev.HEALTHY,),
    )
    return replace(record, **changes)


def test_the_same_evidence_gives_the_same_answer():
    """Judging is pure: ids included."""
    assert judge(sale_evidence(), "q1") == judge(sale_evidence(), "q1")
    assert judge(sale_evidence(), "q1").packages[0].id == "q1.1"


def test_a_package_is_judged_as_ever():
    """The one path for packages and records says the same of a package."""
    assert judge(ev.HEALTHY, "q1") == ev.judged(ev.HEALTHY)


@pytest.mark.parametrize("kind", ev.FAILURES)
@pytest.mark.parametrize("name", ["receipts", "pos_sales"])
def test_a_side_that_was_not_read_never_makes_a_sale_clear(name, kind):
    """Whatever kept it from being read, timing and duplication say that they cannot tell."""
    source = "pos" if name.startswith("pos") else "metrc"
    lost = ev.failed(kind, source)
    part = replace(ev.HEALTHY, **{name: lost})
    diagnosis = judge(
        sale_evidence(**{name: Reading(source, "asked", None, (), lost.problem), "packages": (part,)}), "q"
    )
    assert outcome(diagnosis, CheckName.DUPLICATION).result is not Result.CLEAR
    assert outcome(diagnosis, CheckName.TIMING).result is not Result.CLEAR
    assert diagnosis.provisional


@pytest.mark.parametrize("name", ["receipts", "pos_sales"])
def test_a_package_whose_sales_were_not_read_keeps_twins_unknown(name):
    """The record was read and its package was not: a copy without a number could still be there."""
    source = "pos" if name.startswith("pos") else "metrc"
    diagnosis = judge(sale_evidence(packages=(replace(ev.HEALTHY, **{name: ev.failed(source=source)}),)), "q")
    assert outcome(diagnosis, CheckName.DUPLICATION).result is Result.UNKNOWN


def test_a_receipt_that_could_not_be_opened_keeps_twins_unknown():
    """Its lines may make it a twin."""
    diagnosis = judge(sale_evidence(unread_receipts=(ev.receipt(7, lines=None),)), "q")
    assert outcome(diagnosis, CheckName.DUPLICATION).result is Result.UNKNOWN


def test_while_another_sale_of_the_package_is_on_its_way_no_twin_is_removable():
    """The package waits, so its sale waits."""
    twin = ev.receipt(1, id=8899, recorded_at=ev.TWO_DAYS_AGO + timedelta(seconds=7))
    package = ev.add_sales(ev.pending(9), to=ev.add_receipts(twin))
    diagnosis = judge(sale_evidence(receipts=ev.read((ev.receipt(1), twin)), packages=(package,)), "q")
    assert diagnosis.code == "duplication.receipt-retry"
    assert diagnosis.action.kind is ActionKind.WAIT
    assert [duplicate.removable for duplicate in diagnosis.duplicates] == [False]


def test_the_report_holds_a_whole_diagnosis_for_each_package():
    """Scripts find the same object inside, and a package itself holds no such list."""
    told = as_json(judge(sale_evidence(), "q"))
    assert told["gap"] is None
    assert [package["subject"]["kind"] for package in told["packages"]] == ["package"]
    assert told["packages"][0]["gap"]["difference"] == "0"
    assert "packages" not in told["packages"][0]


def test_the_text_has_one_line_for_each_package():
    """Label, code and difference stand in it."""
    text = as_text(judge(sale_evidence(), "q"))
    assert f"{ev.LABEL}  none, 0 Each" in text


# --- numbers and names ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (RECEIPT, ""),
        (RECEIPT, "what is wrong?"),
        (RECEIPT, "receipt"),
        (RECEIPT, "1" * 65),
        (RECEIPT, "sale 417"),
        (MANIFEST, "???"),
        (MANIFEST, "the big one"),
        (PRODUCT, "!"),
        (PRODUCT, "🙂🙂🙂"),
        (PRODUCT, "x" * 201),
    ],
)
def test_text_that_can_be_none_is_refused_with_what_is_accepted(kind, text):
    """One sentence that names the kind and an example."""
    with pytest.raises(QuestionError, match=f"cannot be a {kind.value}; accepted: .*for example") as refused:
        readable_subject(kind, text)
    assert "\n" not in str(refused.value)


@settings(deadline=None)
@given(st.text(max_size=80), st.sampled_from([RECEIPT, MANIFEST, PRODUCT]))
def test_any_text_is_a_subject_or_a_refusal(text, kind):
    """Reading is total, and reading its result again changes nothing."""
    try:
        value = readable_subject(kind, text)
    except QuestionError:
        return
    assert readable_subject(kind, value) == value


def test_zeros_and_case_do_not_tell_numbers_apart():
    """METRC pads, people do not."""
    assert same_number("0000880102", "880102")
    assert same_number("pos-1", "POS-1")
    assert not same_number(None, None)
    assert not same_number("000", "")
    assert bare("000") == "0"


def test_near_numbers_and_names_are_few_and_never_the_very_one():
    """A number that is known is no near one of itself."""
    assert numbers_alike("417", ["POS-20260302-00417", "417", "9"]) == ("POS-20260302-00417",)
    assert names_alike("night lantern", ["Night-Lantern", "Night Lantern 3.5g"]) == ("Night Lantern 3.5g",)
    assert len(numbers_alike("00417", [f"POS-{n}-00417" for n in range(20)])) == 5
    assert name_words("Fern Hollow – Night Lantern, 3.5G") == ("fern", "hollow", "night", "lantern", "3.5", "g")


# --- in the thread ----------------------------------------------------------------------------------------------------


def test_a_thread_shows_one_line_for_each_package_and_counts_the_healthy():
    """Those with a finding come first; the message is one that Slack takes."""
    packages = tuple(
        replace(ev.judged(ev.HEALTHY), subject=Subject(SubjectKind.PACKAGE, f"{TAG}{number}"))
        for number in range(1000, 1040)
    )
    packages = (*packages, ev.judged(ev.stocked(36)))
    message = render_diagnosis(replace(judge(sale_evidence(), "q"), packages=packages), HARBOR, "U0DANA")
    text = message.blocks[2]["text"]["text"].splitlines()
    assert message_problems(list(message.blocks)) == []
    assert text[0].startswith(f"`…{ev.LABEL[-4:]}` ")
    assert text[0].endswith("−2 Each")
    assert text[1:] == ["… 40 with nothing wrong"]


def test_two_packages_that_end_alike_are_shown_by_their_whole_tags():
    """A mistyped tag beside the right one reads like it."""
    odd = f"{TAG.replace('0', 'O')}1000"
    packages = tuple(
        replace(ev.judged(ev.stocked(36)), subject=Subject(SubjectKind.PACKAGE, label))
        for label in (f"{TAG}1000", odd, f"{TAG}1001")
    )
    message = render_diagnosis(replace(judge(sale_evidence(), "q"), packages=packages), HARBOR, "U0DANA")
    shown = [line.split()[0] for line in message.blocks[2]["text"]["text"].splitlines()]
    assert shown == [f"`{TAG}1000`", f"`{odd}`", "`…1001`"]


def test_a_product_may_have_a_place_word_in_its_name():
    """“Night at Sea” is a product, “Night at Harbor Street” is Night at that shop."""
    shop = slack_settings()
    name, place = (parse(f"product {text}", "/reconcile") for text in ("Night at Sea", "Night at Harbor Street"))
    assert whole_name(name, shop) == Ask("Night at Sea", None, PRODUCT)
    assert whole_name(place, shop) == Ask("Night", "Harbor Street", PRODUCT)


def test_a_choice_of_shops_is_offered_in_the_words_that_were_asked():
    """The line to copy asks about the receipt again."""
    unclear = choose(Ask("POS-1", None, RECEIPT), "C0ELSE", slack_settings(HARBOR, HILL))
    assert "`/reconcile receipt POS-1 at 402R-X0043`" in unclear.sentence
