"""The whole shop through the real bot, short of the network: a healthy store, and one thing broken in it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bot.model import Posting
from bot.sweep_reading import Yard, climb
from bot.sweep_report import as_json, as_text
from demo.scene import seeded_shop
from demo.world import SHOP, World
from tests.generator import configured, shop
from tests.store import NOW, asked, opened_store, quiet, settings

KEYS = {"schema", "facility", "packages", "agree", "groups", "requests", "seconds"}
GROUP_KEYS = {"cause", "code", "headline", "common", "packages", "action", "difference"}


@pytest.fixture
def sweep(tmp_path, empty_database):
    """``sweep(world)`` → the report as JSON, with the METRC that was asked beside it."""

    async def run(world, config=None, *, spoil=None):
        async with opened_store(world, tmp_path, config, empty_database) as (bot, metrc):
            if spoil:
                spoil(tmp_path / "pos")
            return as_json(await bot.sweep(bot.settings.facilities[0], unheard)), metrc

    return run


async def unheard(_stage, _done, _total):
    pass


def labels(world):
    return sorted({p.label for p in world.packages if p.license == SHOP} | {row.label for row in world.pos_rows})


def only(report):
    (group,) = report["groups"]
    return group


async def test_in_a_healthy_shop_every_package_agrees(sweep):
    """Nothing is grouped, every label of either side is counted, and the answer has exactly the agreed shape."""
    world = World.healthy(NOW)
    report, metrc = await sweep(world)
    assert set(report) == KEYS
    assert (report["schema"], report["facility"]) == ("countlast.sweep/1", SHOP)
    assert (report["packages"], report["agree"], report["groups"]) == (18, 18, [])
    assert report["requests"] == len(metrc.requests)
    assert report["seconds"] > 0


async def test_nothing_is_asked_for_one_package_alone(sweep):
    """Lists are read in pages; a healthy shop on an empty database costs no call a package and none a receipt."""
    _, metrc = await sweep(World.healthy(NOW))
    paths = {entry.path for entry in metrc.requests}
    assert not {path for path in paths if path.split("/")[-1].startswith("1A4FF")}
    assert metrc.count("/sales/v2/receipts/8") == 0


async def test_one_difference_is_a_group_and_only_its_receipts_are_opened(sweep):
    """What may explain it is read by id; nobody else's sales are."""
    world = World.healthy(NOW)
    label = labels(world)[0]
    twice = world.sell(label, at=world.shop_time(1))
    world.post_twice(twice)
    report, metrc = await sweep(world)
    group = only(report)
    assert set(group) == GROUP_KEYS
    assert (group["cause"], group["code"], group["packages"]) == (
        "duplication", "duplication.receipt-retry", [label],
    )  # fmt: skip
    assert group["difference"] == {"Each": "1"}
    assert set(group["action"]) == {"kind", "text", "not_before"}
    assert group["action"]["kind"] == "remove_duplicate"
    assert report["agree"] == report["packages"] - 1
    own = {line.sale_id for line in world.pos_sales if line.label == label}
    opened = {entry.path for entry in metrc.requests if entry.path.startswith("/sales/v2/receipts/8")}
    assert len(opened) <= len(own) + 1


async def test_every_label_gets_the_answer_that_a_question_about_it_alone_gets(tmp_path, empty_database):
    """In a shop with one package for every cause, the sweep's codes are those of single questions."""
    world = seeded_shop(NOW)
    async with opened_store(world, tmp_path, None, empty_database) as (bot, _):
        report = as_json(await bot.sweep(bot.settings.facilities[0], unheard))
        swept = {label: group["code"] for group in report["groups"] for label in group["packages"]}
        single = {label: (await bot.answer(asked(label), quiet)).code for label in labels(world)}
    assert {label: swept.get(label) for label in single} == single
    assert report["agree"] + len(swept) == report["packages"]


@pytest.mark.parametrize("seed", [6, 8])
async def test_in_a_random_shop_as_well(tmp_path, empty_database, seed):
    """One has a package that was never built beside others of its load, one has faults that cancel."""
    one = shop(seed)
    answers = {}
    async with opened_store(one.world, tmp_path, configured(one, tmp_path), empty_database) as (bot, _):
        report = as_json(await bot.sweep(bot.settings.facilities[0], unheard))
    alone = tmp_path / "alone"
    alone.mkdir()
    async with opened_store(one.world, alone, configured(one, alone), empty_database) as (bot, _):
        for truth in one.truths:
            answers[truth.label] = (await bot.answer(asked(truth.label), quiet)).code
    swept = {label: group["code"] for group in report["groups"] for label in group["packages"]}
    assert {label: swept.get(label) for label in answers} == answers


def of_one_item(world, number=90211):
    """Labels of one item, on three loads."""
    return sorted(package.label for package in world.packages if package.item.id == number)


async def test_one_wrong_category_is_one_group(sweep):
    """However many packages and items it touches."""
    world = World.healthy(NOW)
    for row in world.pos_rows:
        row.metrc_category = "Mistyped Category"
    group = only((await sweep(world))[0])
    assert (group["code"], group["packages"]) == ("mapping.category", labels(world))
    assert group["common"] == "The POS files all of them under “Mistyped Category”."
    assert group["headline"] == "18 packages: the POS files them under another category than METRC."


async def test_one_items_wrong_unit_is_one_group(sweep):
    """Sales of several packages of one item are refused for the unit."""
    world = World.healthy(NOW)
    broken = of_one_item(world)[:3]
    for label in broken:
        world.wrong_unit(label)
    group = only((await sweep(world))[0])
    assert (group["code"], group["packages"]) == ("mapping.unit", broken)
    assert "Night Lantern" in group["common"]
    assert group["action"]["kind"] == "fix_mapping"


async def test_one_nightly_backlog_is_one_group_until_the_run(sweep, tmp_path):
    """All sales of a day wait for one run, whatever their packages are, and the latest time is told."""
    world = World.healthy(NOW)
    broken = labels(world)[::4]
    for label in broken:
        world.sale_pending(label, age=timedelta(hours=3))
    config = settings(tmp_path, posting=Posting.NIGHTLY, nightly_at="04:00 America/New_York")
    group = only((await sweep(world, config))[0])
    assert (group["code"], group["packages"]) == ("timing.nightly-post", broken)
    assert group["difference"] == {"Each": f"-{len(broken)}"}
    assert "04:00 America/New_York" in group["common"]
    assert group["action"]["kind"] == "wait"
    assert group["action"]["not_before"] > "2026-03-03"


async def test_one_refusal_is_one_group_and_another_one_is_not(sweep):
    """METRC's own words tell causes apart, but for the record that each of them names."""
    world = World.healthy(NOW)
    first, second, third = labels(world)[:3]
    world.sale_failed(first, "Total Amount was not specified.")
    world.sale_failed(second, "Total Amount was not specified.")
    world.sale_failed(third, "The sale was rejected by the county.")
    groups = (await sweep(world))[0]["groups"]
    assert [group["packages"] for group in groups] == [[first, second], [third]]
    assert "Total Amount was not specified." in groups[0]["common"]


async def test_one_load_on_the_road_is_one_group(sweep):
    """Everything on it is told with its manifest, also what the POS does not have yet."""
    world = World.healthy(NOW)
    world.ship("1A4FF0100000022000009001")
    report, _ = await sweep(world)
    group = only(report)
    assert (group["code"], group["packages"]) == ("in_transit.incoming", ["1A4FF0100000022000009001"])
    assert report["packages"] == 19


async def test_what_nothing_explains_is_a_group_of_its_own_each(sweep):
    """Two packages that have nothing in common are not told as one."""
    world = World.healthy(NOW)
    first, second = labels(world)[:2]
    world.drift(first, 2)
    world.drift(second, -1)
    groups = (await sweep(world))[0]["groups"]
    assert sorted(group["packages"] for group in groups) == [[first], [second]]
    assert all("alone" in group["common"] for group in groups)


# --- gates ------------------------------------------------------------------------------------------------------------

GATES = {
    "authentication": World.kill_key,
    "wrong_license": World.unlist_license,
    "outage": lambda world: world.outage("503"),
}


@pytest.mark.parametrize("cause", GATES)
async def test_a_closed_gate_is_one_group_over_all_labels(sweep, cause):
    """Nothing is read behind it, and nobody is told about differences that cannot be known."""
    world = World.healthy(NOW)
    GATES[cause](world)
    report, metrc = await sweep(world)
    group = only(report)
    assert (group["cause"], group["packages"], report["agree"]) == (cause, labels(world), 0)
    assert group["difference"] == {}
    assert SHOP in group["common"]
    assert "this package" not in group["headline"]
    assert not [entry for entry in metrc.requests if entry.query.get("pageSize", "1") != "1"]


async def test_a_missing_right_is_one_group(sweep):
    """A family that may not be read closes the gate as well."""
    world = World.healthy(NOW)
    world.drop_right("sales")
    group = only((await sweep(world))[0])
    assert (group["code"], len(group["packages"])) == ("authentication.permission-missing", 18)


async def test_a_stock_list_that_cannot_be_read_is_one_group(sweep):
    """Without the POS nothing is told missing, and no receipt is opened for it."""
    report, metrc = await sweep(World.healthy(NOW), spoil=lambda folder: (folder / "inventory.csv").unlink())
    group = only(report)
    assert (group["cause"], group["code"], len(group["packages"])) == ("unknown", None, 18)
    assert "inventory" in group["common"]
    assert metrc.count("/sales/v2/receipts/8") == 0


async def test_a_list_that_cannot_be_read_makes_nothing_missing(sweep):
    """A label that only an unread list may hold is unknown, and what the other lists hold agrees all the same."""
    world = World.healthy(NOW)
    label = labels(world)[0]
    world.discontinue(label)
    world.outage("503", prefix="/packages/v2/inactive")
    report, _ = await sweep(world)
    group = only(report)
    assert (group["cause"], group["packages"]) == ("unknown", [label])
    assert report["agree"] == 17


async def test_a_few_429_cost_nothing_but_time(sweep):
    """METRC's request to slow down is followed, and the answer is whole."""
    world = World.healthy(NOW)
    world.rate_limit_everything(retry_after=0, times=2)
    report, _ = await sweep(world)
    assert (report["agree"], report["groups"]) == (18, [])


async def test_what_left_the_list_since_the_last_sweep_is_noticed(tmp_path, empty_database):
    """The list of active packages is read whole each time, so a row of the mirror proves nothing."""
    world = World.healthy(NOW)
    label = labels(world)[0]
    async with opened_store(world, tmp_path, None, empty_database) as (bot, _):
        assert (await bot.sweep(bot.settings.facilities[0], unheard)).agree == 18
    world.now += timedelta(minutes=5)
    world.transfer_out(label)
    async with opened_store(world, tmp_path, settings(tmp_path, now=world.now)) as (bot, _):
        report = as_json(await bot.sweep(bot.settings.facilities[0], unheard))
    group = only(report)
    assert (group["code"], group["packages"]) == ("in_transit.outgoing", [label])


async def test_progress_ends_with_every_label(tmp_path, empty_database):
    """Whoever waits is told what is done and how much of it."""
    told = []

    async def hear(stage, done, total):
        told.append((stage, done, total))

    async with opened_store(World.healthy(NOW), tmp_path, None, empty_database) as (bot, _):
        await bot.sweep(bot.settings.facilities[0], hear)
    assert told[0] == ("Reading the POS and METRC", 0, 0)
    assert told[-1] == ("Comparing both sides", 18, 18)


async def test_the_text_names_cause_step_and_labels(tmp_path, empty_database):
    """A person at a terminal reads what a script reads."""
    world = World.healthy(NOW)
    label = labels(world)[0]
    world.hold(label)
    async with opened_store(world, tmp_path, None, empty_database) as (bot, _):
        text = as_text(await bot.sweep(bot.settings.facilities[0], unheard))
    assert "17 of 18 packages agree" in text
    assert "on_hold.hold" in text
    assert label in text
    assert "Do: " in text


async def test_an_active_list_that_cannot_be_read_leaves_what_the_mirror_holds(tmp_path, empty_database):
    """Nothing is told to have left a list that was not read to its end."""
    world = World.healthy(NOW)
    async with opened_store(world, tmp_path, None, empty_database) as (bot, _):
        assert (await bot.sweep(bot.settings.facilities[0], unheard)).agree == 18
    world.now += timedelta(minutes=5)
    world.outage("503", prefix="/packages/v2/active")
    async with opened_store(world, tmp_path, settings(tmp_path, now=world.now)) as (bot, _):
        report = as_json(await bot.sweep(bot.settings.facilities[0], unheard))
    assert (report["packages"], report["agree"], report["groups"]) == (18, 18, [])


async def test_a_list_that_the_state_does_not_offer_makes_nothing_unknown(tmp_path, empty_database):
    """A label that no list holds is told as such where one of the lists does not exist."""
    world = World.healthy(NOW)
    label = labels(world)[0]
    world.packages = [package for package in world.packages if package.label != label]
    world.transfers.clear()
    world.unknown_label_status = 404
    async with opened_store(world, tmp_path, None, empty_database) as (bot, metrc):
        routes = metrc.asgi.router.routes
        routes[:] = [route for route in routes if route.path != "/packages/v2/intransit"]
        group = only(as_json(await bot.sweep(bot.settings.facilities[0], unheard)))
    assert (group["code"], group["packages"]) == ("mapping.label-unknown", [label])


# --- what stands under another label, or twice in another way -------------------------------------------------------------


def two_lots(world):
    """Two labels of one product."""
    return of_one_item(world)[:2]


def sold_under_the_wrong_lot(world, asked, beside):
    """The till took it off one lot, METRC's receipt names another; what the first lot lacks in METRC was made good."""
    sale = world.sell(beside, at=world.shop_time(1), posted=False)
    sale.lines[0].label = asked
    world.post(sale, sale.at + timedelta(seconds=3))
    sale.lines[0].label = beside
    world.package(beside).take(1, world.now - timedelta(hours=3))


def sold_and_driven(world, label):
    """A sale has its receipt, and METRC has a delivery of it as well."""
    sale = world.sell(label, at=world.shop_time(1))
    driven = world.deliver(label, 1, sale.at)
    world.pos_sales.remove(driven.lines[0])
    world.pos_row(label).quantity += 1


async def test_a_sale_of_which_the_pos_says_nothing_is_looked_into_though_the_counts_agree(tmp_path, empty_database):
    """What it lacks in METRC a twin of another sale made up for."""
    world = World.healthy(NOW)
    label, _ = two_lots(world)
    world.post_twice(world.sell(label, at=world.shop_time(1)))
    world.sale_never_posted(label)
    assert world.difference(label) == 0
    swept, alone = await both(world, tmp_path, label, empty_database)
    assert swept == {label: alone}
    assert alone[0] is not None


async def both(world, tmp_path, label, empty_database):
    """The code that a sweep gives a label, and the code of a question about it alone, each of an empty mirror."""
    async with opened_store(world, tmp_path, None, empty_database) as (bot, _):
        report = as_json(await bot.sweep(bot.settings.facilities[0], unheard))
    codes = {each: (group["code"], group["cause"]) for group in report["groups"] for each in group["packages"]}
    folder = tmp_path / "alone"
    folder.mkdir()
    async with opened_store(world, folder, None, empty_database) as (bot, _):
        answer = await bot.answer(asked(label), quiet)
    return codes, (answer.code, answer.cause.value)


async def test_a_receipt_of_another_lot_that_names_this_one_is_found(tmp_path, empty_database):
    """Though the other lot agrees, so that nobody asks about it."""
    world = World.healthy(NOW)
    label, beside = two_lots(world)
    sold_under_the_wrong_lot(world, label, beside)
    swept, alone = await both(world, tmp_path, label, empty_database)
    assert swept == {label: alone}
    assert alone[0] == "mapping.receipt-without-sale"


async def test_a_sale_that_is_a_receipt_and_a_delivery_is_found(tmp_path, empty_database):
    """Though the sale found its receipt."""
    world = World.healthy(NOW)
    label, _ = two_lots(world)
    sold_and_driven(world, label)
    swept, alone = await both(world, tmp_path, label, empty_database)
    assert swept == {label: alone}
    assert alone[0] == "duplication.receipt-and-delivery"


async def test_receipts_that_a_sweep_leaves_unopened_leave_the_label_open(sweep, monkeypatch):
    """Any of them may be the cause, so nobody is sent to count; a question about the label alone opens them."""
    monkeypatch.setattr("bot.sweep_reading.MOST_BESIDE", 0)
    world = World.healthy(NOW)
    label, beside = two_lots(world)
    sold_under_the_wrong_lot(world, label, beside)
    group = only((await sweep(world))[0])
    assert (group["cause"], group["packages"], group["action"]["kind"]) == ("unknown", [label], "retry_later")
    assert group["action"]["text"].startswith("Ask about this package alone")


def yard_of(bot):
    facility = bot.settings.facilities[0]
    desk = bot.desk(facility)
    return Yard(desk, stream=desk.metrc, stock=bot.books.stock(facility.license))


async def test_a_host_that_takes_no_wide_window_tells_no_count_and_closes_no_gate(tmp_path, empty_database):
    """The rung of packages asks for the list that is read next; where that is too wide, it asks for an hour of it."""
    world = World.healthy(NOW)
    world.window_hours = 24
    async with opened_store(world, tmp_path, None, empty_database) as (bot, metrc):
        access, total = await climb(yard_of(bot), NOW)
    assert all(probe.reading.was_read for probe in access.probes)
    assert total is None
    assert [entry.status for entry in metrc.requests if entry.path == "/packages/v2/active"] == [400, 200]


async def test_the_ladder_tells_how_many_packages_there_are(tmp_path, empty_database):
    """So that more than the first page can be asked for at once."""
    async with opened_store(World.healthy(NOW), tmp_path, None, empty_database) as (bot, _):
        _, total = await climb(yard_of(bot), NOW)
    assert total == 18
