"""The store as plain data: a healthy one agrees, a fault is the whole difference, and its books are the samples."""

import ast
import csv
from collections import Counter
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from demo.pos import write_books
from demo.scene import SHOWCASE, sample_scene, seeded_shop
from demo.world import SCENE_NOW, SHOP, SISTER, TAG, World

DEMO = Path(__file__).parents[2] / "demo"
BOOKS = Path(__file__).parents[1] / "data" / "pos-csv"
LABEL = f"{TAG}3001"
OTHER = f"{TAG}3002"
NEW = f"{TAG}3900"


@pytest.fixture
def world():
    return World.healthy(SCENE_NOW)


def fresh(world):
    """A package that nobody sold from."""
    world.receive_load([NEW], days=2)
    return NEW


def differences(world):
    return {label: gap for label in world.labels() if (gap := world.difference(label))}


def rows(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


@pytest.mark.parametrize("module", ["metrc", "pos", "scene", "world"])
def test_stand_ins_share_no_code_with_the_bot(module):
    """The stand-ins import nothing of the bot, so that a shared misreading cannot hide."""
    tree = ast.parse((DEMO / f"{module}.py").read_text(encoding="utf-8"))
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module}
    assert names
    assert {name.partition(".")[0] for name in names}.isdisjoint({"bot", "handlers", "storage"})


# --- a healthy shop ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_healthy_shop_agrees(seed):
    """In a healthy shop every package has the same quantity on both sides."""
    world = World.healthy(SCENE_NOW, seed=seed)
    assert len(world.labels()) == 18
    assert differences(world) == {}


def test_healthy_shop_posts_within_seconds(world):
    """Every POS sale has one receipt under its number, recorded within seconds of the sale."""
    receipts = {receipt.external: receipt for receipt in world.receipts}
    assert len(world.receipts) == len(receipts) == len(world.pos_sales) > 150
    lags = {receipts[line.sale_id].recorded_at - line.sold_at for line in world.pos_sales}
    assert timedelta(0) < min(lags) <= max(lags) <= timedelta(seconds=5)


def test_healthy_shop_is_closed_at_night(world):
    """Sales are rung between nine and nine by the shop's own clock."""
    hours = {line.sold_at.astimezone(world.licenses[SHOP].zone).hour for line in world.pos_sales}
    assert min(hours) >= 9
    assert max(hours) < 21


@pytest.mark.parametrize("make", [World.healthy, sample_scene, seeded_shop])
@pytest.mark.parametrize("now", [SCENE_NOW, datetime(2026, 7, 4, 15, 2, 9, 123456, tzinfo=UTC)])
def test_nothing_has_happened_after_now(make, now):
    """Whatever the hour, no record of a world lies in its future."""
    world = make(now)
    moments = [line.sold_at for line in world.pos_sales]
    moments += [line.reported_at for line in world.pos_sales if line.reported_at]
    moments += [event.at for event in world.pos_events]
    moments += [row.received_at for row in world.pos_rows]
    moments += [each.modified for each in [*world.packages, *world.receipts, *world.transfers, *world.deliveries]]
    moments += [receipt.recorded_at for receipt in world.receipts]
    assert max(moments) <= now


@pytest.mark.parametrize("make", [World.healthy, seeded_shop])
def test_world_is_the_same_for_a_seed(make):
    """The same moment and seed give the same world; another seed gives another."""
    assert make(SCENE_NOW, seed=4) == make(SCENE_NOW, seed=4)
    assert make(SCENE_NOW, seed=4) != make(SCENE_NOW, seed=5)


def test_package_keeps_its_own_account(world):
    """What a package has left is what came in, less what its receipts took."""
    taken = Counter()
    for receipt in world.receipts:
        for line in receipt.lines:
            taken[line.package.label] += line.quantity
    assert all(p.original - taken[p.label] == p.quantity for p in world.packages)


# --- one fault, one difference ----------------------------------------------------------------------------------------

FAULTS = {
    "a posted sale": (lambda w: w.sell(LABEL, 2), LABEL, 0),
    "a delivery": (lambda w: w.deliver(LABEL), LABEL, 0),
    "an adjustment": (lambda w: w.adjust(LABEL, -3), LABEL, 0),
    "posted twice": (lambda w: w.post_twice(w.sell(LABEL, 2)), LABEL, 2),
    "imported over": (lambda w: w.csv_over_api(w.sell(LABEL)), LABEL, 1),
    "pending": (lambda w: w.sale_pending(LABEL, 3), LABEL, -3),
    "failed": (lambda w: w.sale_failed(LABEL, "no"), LABEL, -1),
    "never posted": (lambda w: w.sale_never_posted(LABEL), LABEL, -1),
    "wrong unit": (lambda w: w.wrong_unit(LABEL), LABEL, -1),
    "voided in the POS": (lambda w: w.void_in_pos(w.sell(LABEL)), LABEL, 1),
    "received twice": (lambda w: w.receive_twice(LABEL), LABEL, 40),
    "on the road": (lambda w: w.ship(NEW), NEW, 40),
    "on the road, not yet received": (lambda w: w.ship(NEW, pos_received=False), NEW, 0),
    "twin manifest": (lambda w: w.twin_manifest(w.ship(NEW)), NEW, 40),
    "on hold": (lambda w: w.hold(LABEL), LABEL, 0),
    "finished with two left": (lambda w: w.finish(LABEL), LABEL, 2),
    "finished in order": (lambda w: w.finish(LABEL, pos_leftover=0), LABEL, 0),
    "discontinued": (lambda w: w.discontinue(fresh(w)), NEW, 40),
    "refused at the door": (lambda w: w.reject_on_manifest(fresh(w)), NEW, 40),
    "never built": (lambda w: w.never_built(fresh(w)), NEW, -40),
    "waiting for the lab": (lambda w: w.await_lab(LABEL), LABEL, 0),
    "transferred out": (lambda w: w.transfer_out(fresh(w)), NEW, 40),
    "unit weight": (lambda w: w.unit_weight(LABEL), LABEL, 0),
    "rooms": (lambda w: w.rooms(LABEL, (8, 5)), LABEL, 0),
    "adjusted twice": (lambda w: w.adjust_twice(LABEL), LABEL, 1),
    "drift": (lambda w: w.drift(LABEL, -2), LABEL, -2),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_fault_is_the_whole_difference(world, fault):
    """Breaking one thing changes POS − METRC of that package by exactly what the fault says, and no other package."""
    arrange, label, gap = FAULTS[fault]
    arrange(world)
    assert differences(world) == ({label: Decimal(gap)} if gap else {})


def test_typed_tag_moves_the_stock_to_a_tag_nobody_knows(world):
    """A typed tag leaves the true one short and gives all of it to the typed one, which METRC never saw."""
    typed = world.mistype_tag(fresh(world))
    assert differences(world) == {NEW: Decimal(-40), typed: Decimal(40)}
    assert len(typed) == 24
    assert typed[15] == "O"
    assert typed not in {package.label for package in world.packages}


def test_typed_tag_needs_a_zero(world):
    """Where the tag has no zero there is nothing to mistype."""
    with pytest.raises(ValueError, match="no zero"):
        world.mistype_tag(LABEL, place=0)


def test_split_takes_from_the_parent(world):
    """A split in METRC alone leaves the POS with too much of the parent and none of the child."""
    world.split_in_metrc(LABEL, NEW, 10)
    assert differences(world) == {LABEL: Decimal(10), NEW: Decimal(-10)}


def test_retry_is_four_seconds_behind_under_the_same_number(world):
    """A retried sale is recorded again under its number; the POS stored the first receipt's id."""
    sale = world.sell(LABEL)
    twin = world.post_twice(sale)
    first = sale.receipts[0]
    assert (twin.external, twin.sold_at) == (first.external, first.sold_at)
    assert twin.recorded_at - first.recorded_at == timedelta(seconds=4)
    assert sale.lines[0].receipt_id == str(first.id)


def test_import_has_no_number_and_another_author(world):
    """An imported copy claims the same sale time, bears no number, and was recorded by somebody else."""
    sale = world.sell(LABEL)
    copy = world.csv_over_api(sale)
    assert (copy.external, copy.sold_at) == (None, sale.at)
    assert copy.by != sale.receipts[0].by


def test_pending_sale_is_as_old_as_told(world):
    """A pending sale was rung its age before now and has no receipt."""
    sale = world.sale_pending(LABEL, age=timedelta(minutes=4))
    assert (world.now - sale.at, sale.receipts, sale.lines[0].status) == (timedelta(minutes=4), [], "Pending")


def test_rooms_split_into_what_was_told_and_the_rest(world):
    """Rooms hold what was told and one more what is left over."""
    before = world.pos_quantity(LABEL)
    world.rooms(LABEL, (8, 5))
    parts = [row.quantity for row in world.pos_rows if row.label == LABEL]
    assert parts == [Decimal(8), Decimal(5), before - 13]
    assert len({row.room for row in world.pos_rows if row.label == LABEL}) == 3


def test_voiding_the_twin_heals(world):
    """Voiding the second receipt of a retried sale brings both sides together again."""
    twin = world.post_twice(world.sell(LABEL))
    world.void_receipt(twin, world.now)
    assert differences(world) == {}
    assert not twin.is_active


def test_voiding_one_of_two_manifests_leaves_the_package_on_the_road(world):
    """A package on two manifests is on the road until both are voided."""
    first = world.ship(NEW, pos_received=False)
    second = world.twin_manifest(first)
    world.void_transfer(second, world.now)
    assert NEW in {package.label for package in world.packages}
    world.void_transfer(first, world.now)
    assert NEW not in {package.label for package in world.packages}


def test_transfer_out_is_at_the_sister(world):
    """A package that went to the sister license is listed as transferred here and active there."""
    transfer = world.transfer_out(LABEL)
    (row,) = world.transferred
    assert (row.recipient.number, row.manifest) == (SISTER, transfer.manifest)
    assert [p.license for p in world.packages if p.label == LABEL] == [SISTER]


def test_access_faults_touch_the_key_alone(world):
    """Killing the key, dropping a right and unlisting the license leave every quantity as it was."""
    world.kill_key()
    world.drop_right("sales")
    world.unlist_license()
    assert differences(world) == {}
    key = world.keys[0]
    assert not key.alive
    assert key.rights.isdisjoint({"view sales", "manage sales"})
    assert key.licenses == {SISTER}


def test_recovered_metrc_has_no_trouble(world):
    """Recovering lifts outage, slowness and rate limit."""
    world.outage("503")
    world.slow(3)
    world.rate_limit_everything()
    world.recover()
    assert (world.trouble, world.slow_seconds, world.rate_limit) == (None, 0.0, None)


STEPS = {
    "sell": (lambda w: w.sell(LABEL), 0),
    "retry": (lambda w: w.post_twice(w.sell(LABEL)), 1),
    "import": (lambda w: w.csv_over_api(w.sell(LABEL)), 1),
    "pending": (lambda w: w.sale_pending(LABEL), -1),
    "failed": (lambda w: w.wrong_unit(LABEL), -1),
    "void": (lambda w: w.void_in_pos(w.sell(LABEL)), 1),
    "receive": (lambda w: w.receive_twice(LABEL), 40),
    "correct": (lambda w: w.adjust_twice(LABEL), 1),
}


@given(st.lists(st.sampled_from(sorted(STEPS)), max_size=12))
def test_faults_add_up(steps):
    """Any faults in any order differ by their sum, on their own package only."""
    world = World.bare(SCENE_NOW)
    world.receive_load([LABEL, OTHER], days=9)
    for step in steps:
        STEPS[step][0](world)
    assert world.difference(LABEL) == sum(STEPS[step][1] for step in steps)
    assert world.difference(OTHER) == 0


# --- the books --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("book", ["inventory", "sales", "events"])
def test_scene_writes_the_sample_books(tmp_path, book):
    """At the scene's own moment the three files are the samples, row by row."""
    write_books(sample_scene(SCENE_NOW), tmp_path, SCENE_NOW)
    assert rows(tmp_path / f"{book}.csv") == rows(BOOKS / f"generic_{book}.csv")


def test_books_are_replaced_whole(tmp_path, world):
    """Writing again replaces the files and leaves nothing half-written behind."""
    write_books(world, tmp_path, world.now)
    world.sale_pending(LABEL)
    paths = write_books(world, tmp_path, world.now)
    assert sorted(tmp_path.iterdir()) == sorted(paths)
    assert len(rows(tmp_path / "sales.csv")) == len(world.pos_sales) + 1


def test_books_of_one_license(tmp_path, world):
    """Asked for one license, the books hold no row of another."""
    write_books(world, tmp_path, world.now, license_number=SISTER)
    assert [len(rows(tmp_path / f"{book}.csv")) for book in ("inventory", "sales", "events")] == [1, 1, 1]


def test_books_sum_up_to_the_world(tmp_path, world):
    """The quantities in the inventory file are the world's, to the last digit."""
    world.finish(LABEL)
    write_books(world, tmp_path, world.now)
    header, *lines = rows(tmp_path / "inventory.csv")
    label, quantity = header.index("package_id"), header.index("quantity")
    assert {line[label]: Decimal(line[quantity]) for line in lines} == {
        row.label: row.quantity for row in world.pos_rows
    }


# --- the shop that shows everything -----------------------------------------------------------------------------------


def test_showcase_labels_exist_once_each():
    """Every label of the showcase is known to a side, once, and no two hints are the same."""
    known = seeded_shop(SCENE_NOW).labels()
    labels = [label for label, _ in SHOWCASE]
    assert set(labels) <= set(known)
    assert len(set(labels)) == len(labels) == len({hint for _, hint in SHOWCASE}) >= 20


def test_only_shown_packages_differ():
    """Beside the scene and the showcase (with the true tag and the split's child) the shop agrees."""
    world = seeded_shop(SCENE_NOW)
    scene = differences(sample_scene(SCENE_NOW))
    shown = {label for label, _ in SHOWCASE} | {f"{TAG}2015", f"{TAG}2022"}
    odd = differences(world)
    assert {label: gap for label, gap in odd.items() if label not in shown} == scene


def test_shown_differences_are_those_of_their_hints():
    """Each shown package differs by what its hint says."""
    world = seeded_shop(SCENE_NOW)
    shown = {hint: world.difference(label) for label, hint in SHOWCASE}
    assert shown["healthy"] == shown["three rooms, nothing wrong"] == shown["two customers, nothing wrong"] == 0
    assert shown["a sale posted twice"] == shown["a file imported over what the API had posted"] == 1
    assert shown["a sale four minutes old"] == shown["a sale METRC refused"] == -1
    assert shown["finished with two left"] == 2
    assert shown["received twice"] == shown["on the road"] == 40


def test_shown_states_are_those_of_their_hints():
    """Where the quantities agree, the shown package differs in what its hint names."""
    world = seeded_shop(SCENE_NOW)
    label = {hint: label for label, hint in SHOWCASE}
    pack = label["5-pack against stick"]
    assert (world.pos_row(pack).unit_weight_g, world.package(pack).item.unit_weight) == (Decimal(5), Decimal(1))
    assert world.package(label["on hold"]).on_hold
    assert world.package(label["waiting for the lab"]).lab_state == "SubmittedForTesting"
    assert len([row for row in world.pos_rows if row.label == label["three rooms, nothing wrong"]]) == 3
    assert [t.recipient.number for t in world.transfers if t.received_at is None and not t.is_rejected].count(SHOP) == 5


@pytest.mark.parametrize("hours", [1, -30, 24 * 200 + 7])
def test_scene_moves_by_the_exact_difference(hours):
    """Every moment of the scene moves by as much as its clock does, part days included."""
    moved, written = sample_scene(SCENE_NOW + timedelta(hours=hours)), sample_scene(SCENE_NOW)
    pairs = zip(moved.receipts, written.receipts, strict=True)
    assert {after.recorded_at - before.recorded_at for after, before in pairs} == {timedelta(hours=hours)}
    pairs = zip(moved.pos_sales, written.pos_sales, strict=True)
    assert {after.sold_at - before.sold_at for after, before in pairs} == {timedelta(hours=hours)}


def test_scene_days_move_by_local_days():
    """Days move by the local days between the two clocks: the scene's local day is the 2nd of March, not the 3rd."""
    morning = datetime(2026, 3, 3, 8, 0, tzinfo=UTC)
    moved = sample_scene(morning).package(f"{TAG}1005").finished_on
    assert (moved - sample_scene(SCENE_NOW).package(f"{TAG}1005").finished_on).days == 1


def test_scene_keeps_its_known_differences():
    """The scene's own differences: a retry and an import, a pending and a failed sale, a load received twice."""
    gaps = differences(sample_scene(SCENE_NOW))
    assert {label[-4:]: gap for label, gap in gaps.items()} == {
        "1001": Decimal(1),
        "1002": Decimal(1),
        "1004": Decimal(-1),
        "1006": Decimal(-1),
        "1007": Decimal(80),
        "1011": Decimal(24),
    }


def test_ids_are_never_given_twice():
    """No two receipts, packages, manifests or POS events share an id, in the scene and all that was added."""
    world = seeded_shop(SCENE_NOW)
    assert len({r.id for r in world.receipts}) == len(world.receipts)
    assert len({p.id for p in world.packages}) == len(world.packages)
    assert len({t.id for t in world.transfers} | {t.delivery_id for t in world.transfers}) == 2 * len(world.transfers)
    assert len({e.event_id for e in world.pos_events}) == len(world.pos_events)


def test_world_holds_no_float():
    """Quantities, prices and weights of every record are exact decimals."""
    world = seeded_shop(SCENE_NOW)
    records = [*world.packages, *world.pos_rows, *world.pos_sales, *world.pos_events, *world.items.values()]
    records += [line for receipt in world.receipts for line in receipt.lines]
    records += [shipped for transfer in world.transfers for shipped in transfer.packages]
    values = [getattr(record, field.name) for record in records for field in fields(record)]
    assert not [value for value in values if isinstance(value, float)]
