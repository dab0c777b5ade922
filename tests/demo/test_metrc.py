"""The METRC stand-in, over HTTP: its answers are those of the written samples, its refusals those of the real host."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from demo.metrc import MetrcStandIn
from demo.scene import sample_scene
from demo.world import SCENE_NOW, SHOP, SISTER, TAG, World

SAMPLES = Path(__file__).parents[1] / "data" / "metrc-samples"
WIDE = {"lastModifiedStart": "2020-01-01T00:00:00Z", "lastModifiedEnd": "2030-01-01T00:00:00Z"}
AUTH = ("demo-vendor-key", "demo-user-key")


class FixedClock:
    def __init__(self, at):
        self.at = at

    def now(self):
        return self.at


def sample(name):
    return json.loads((SAMPLES / name).read_text(encoding="utf-8"))


def by_id(rows):
    return sorted(rows, key=lambda row: json.dumps(row.get("Id") or row, sort_keys=True))


class Desk:
    """One scene, its stand-in, and a client that holds its key."""

    def __init__(self, now=SCENE_NOW, auth=AUTH):
        self.world = sample_scene(now)
        self.clock = FixedClock(now)
        self.metrc = MetrcStandIn(self.world, self.clock)
        transport = httpx.ASGITransport(self.metrc.asgi)
        self.client = httpx.AsyncClient(transport=transport, base_url="http://metrc.test", auth=auth)

    async def get(self, path, license_number=SHOP, **params):
        return await self.client.get(path, params={"licenseNumber": license_number, **params})

    async def rows(self, path, **params):
        answer = await self.get(path, **params)
        assert answer.status_code == 200, answer.text
        body = answer.json()
        return body["Data"] if isinstance(body, dict) and "Data" in body else body

    async def quantity(self, number):
        return (await self.get(f"/packages/v2/{TAG}{number}")).json()["Quantity"]


@pytest.fixture
def desk():
    return Desk()


# --- the samples ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/packages/v2/active", "packages-active.json"),
        ("/packages/v2/onhold", "packages-onhold.json"),
        ("/packages/v2/inactive", "packages-inactive.json"),
        ("/packages/v2/intransit", "packages-intransit.json"),
        ("/packages/v2/labsamples", "packages-labsamples.json"),
        ("/packages/v2/transferred", "packages-transferred.json"),
        ("/packages/v2/adjustments", "packages-adjustments.json"),
        ("/packages/v2/adjust/reasons", "packages-adjust-reasons.json"),
        ("/packages/v2/types", "packages-types.json"),
        ("/packages/v2/5510102/source/harvests", "package-source-harvests.json"),
        ("/items/v2/active", "items-active.json"),
        ("/items/v2/inactive", "items-inactive.json"),
        ("/items/v2/categories", "items-categories.json"),
        ("/items/v2/brands", "items-brands.json"),
        ("/sales/v2/receipts/active", "sales-receipts-active.json"),
        ("/sales/v2/receipts/inactive", "sales-receipts-inactive.json"),
        ("/sales/v2/deliveries/active", "sales-deliveries-active.json"),
        ("/sales/v2/customertypes", "sales-customertypes.json"),
        ("/transfers/v2/incoming", "transfers-incoming.json"),
        ("/transfers/v2/outgoing", "transfers-outgoing.json"),
        ("/transfers/v2/rejected", "transfers-rejected.json"),
        ("/transfers/v2/types", "transfers-types.json"),
        ("/transfers/v2/418902/deliveries", "transfer-418902-deliveries.json"),
        ("/transfers/v2/deliveries/559001/packages", "delivery-559001-packages.json"),
        ("/transfers/v2/deliveries/560144/packages", "delivery-560144-packages.json"),
        ("/transfers/v2/deliveries/560145/packages", "delivery-560145-packages.json"),
        ("/transfers/v2/deliveries/560144/packages/wholesale", "delivery-560144-packages-wholesale.json"),
        ("/transfers/v2/deliveries/packages/states", "deliveries-packages-states.json"),
        ("/employees/v2/", "employees.json"),
        ("/labtests/v2/states", "labtests-states.json"),
        ("/unitsofmeasure/v2/active", "unitsofmeasure-active.json"),
        ("/tags/v2/package/available", "tags-package-available.json"),
    ],
)
async def test_list_is_the_sample(desk, path, name):
    """Read at the scene's own moment, every list holds exactly the rows of its sample, in the sample's envelope."""
    expected = sample(name)
    answer = (await desk.get(path, pageSize=20, **WIDE)).json()
    if isinstance(expected, dict):
        assert by_id(answer.pop("Data")) == by_id(expected.pop("Data"))
        assert answer == expected
    else:
        assert answer == expected


@pytest.mark.parametrize(
    ("path", "name"),
    [
        (f"/packages/v2/{TAG}1002", "package-by-label.json"),
        ("/packages/v2/5510101", "package-by-id.json"),
        ("/items/v2/90212", "item-by-id.json"),
        ("/sales/v2/receipts/880101", "sales-receipt-by-id-880101.json"),
        ("/sales/v2/receipts/880102", "sales-receipt-by-id-880102.json"),
        ("/sales/v2/receipts/880103", "sales-receipt-by-id-880103.json"),
        ("/sales/v2/receipts/880104", "sales-receipt-by-id-880104.json"),
        ("/sales/v2/receipts/880110", "sales-receipt-by-id-880110.json"),
        ("/sales/v2/receipts/880111", "sales-receipt-by-id-880111.json"),
        ("/sales/v2/receipts/external/POS-20260302-00418", "sales-receipt-by-external-number.json"),
    ],
)
async def test_record_is_the_sample(desk, path, name):
    """A record read by id, label or external number is the sample's one bare object, key for key."""
    answer = (await desk.get(path)).json()
    assert answer == sample(name)
    assert list(answer) == list(sample(name))


async def test_facilities_are_the_sample(desk):
    """The facilities come as a bare array, without a license number."""
    assert (await desk.client.get("/facilities/v2/")).json() == sample("facilities.json")


async def test_permissions_are_the_sample(desk):
    """The permission list is the manager's, and a state that lacks the call answers 404."""
    rows = await desk.rows("/employees/v2/permissions", employeeLicenseNumber="M41822")
    assert rows == sample("employees-permissions.json")
    desk.world.permissions_endpoint = False
    assert (await desk.get("/employees/v2/permissions", employeeLicenseNumber="M41822")).status_code == 404


async def test_moved_scene_keeps_its_distances():
    """With another clock every moment lies as long before now as in the written scene, and days move along."""
    now = datetime(2026, 11, 25, 3, 30, tzinfo=UTC)
    receipt = (await Desk(now).get("/sales/v2/receipts/880101")).json()
    assert receipt["RecordedDateTime"] == "2026-11-25T00:41:11+00:00"
    assert receipt["SalesDateTime"] == "2026-11-24T17:41:07.000"
    package = (await Desk(now).get(f"/packages/v2/{TAG}1005")).json()
    assert package["FinishedDate"] == "2026-11-21"


# --- windows and pages ------------------------------------------------------------------------------------------------


async def test_no_window_shows_the_last_day_only(desk):
    """Without a window only what changed during the last day comes: the old package is not in the list."""
    rows = await desk.rows("/packages/v2/active", pageSize=20)
    assert by_id(rows) == by_id(sample("packages-active-no-window.json")["Data"])


@pytest.mark.parametrize(
    ("start", "end", "found"),
    [
        ("2026-03-03T00:41:15Z", "2026-03-03T00:41:15Z", True),  # both ends included
        ("2026-03-03T00:41:16Z", "2026-03-03T00:50:00Z", False),  # a second too late
        ("2026-03-02T23:00:00Z", "2026-03-03T00:41:14Z", False),  # a second too early
        ("2026-03-02T17:41:15-07:00", "2026-03-02T17:41:15-07:00", True),  # the same moment in the shop's zone
        ("2026-03-03T02:41:15+02:00", "2026-03-03T02:41:15+02:00", True),  # httpx escapes the plus
    ],
)
async def test_window_includes_both_ends(desk, start, end, found):
    """A window holds what changed at its ends and nothing a second beyond."""
    rows = await desk.rows("/packages/v2/active", lastModifiedStart=start, lastModifiedEnd=end)
    assert (f"{TAG}1002" in [row["Label"] for row in rows]) is found


async def test_an_unescaped_plus_makes_a_wrong_window_without_an_error(desk):
    """A plus sign that was not escaped is a space: the offset is lost, the answer is 200 and wrong."""
    query = (
        f"licenseNumber={SHOP}&lastModifiedStart=2026-03-03T02:41:15+02:00&lastModifiedEnd=2026-03-03T02:41:15+02:00"
    )
    answer = await desk.client.get(f"/packages/v2/active?{query}")
    assert answer.status_code == 200
    assert answer.json()["Data"] == []


async def test_too_wide_a_window_is_refused(desk):
    """A host with a widest window takes exactly that and answers 400 with a message to a second more."""
    desk.world.window_hours = 24
    exact = {"lastModifiedStart": "2026-03-02T00:00:00Z", "lastModifiedEnd": "2026-03-03T00:00:00Z"}
    assert (await desk.get("/packages/v2/active", **exact)).status_code == 200
    wider = await desk.get("/packages/v2/active", **{**exact, "lastModifiedEnd": "2026-03-03T00:00:01Z"})
    assert wider.status_code == 400
    assert "24" in wider.json()["Message"]


async def test_pages_hold_every_row_once(desk):
    """Walking the pages gives each row once, newest id first."""
    pages = [(await desk.get("/packages/v2/active", pageSize=2, pageNumber=n, **WIDE)).json() for n in (1, 2, 3)]
    assert [page["RecordsOnPage"] for page in pages] == [2, 2, 0]
    assert {page["TotalPages"] for page in pages} == {2}
    ids = [row["Id"] for page in pages for row in page["Data"]]
    assert ids == [5510104, 5510103, 5510102, 5510101]


@pytest.mark.parametrize(("size", "status"), [("20", 200), ("21", 400), ("0", 400), ("many", 400)])
async def test_page_size_ends_at_twenty(desk, size, status):
    """A page of at most 20 turns paging on; anything else is refused in plain text."""
    answer = await desk.get("/packages/v2/active", pageSize=size)
    assert answer.status_code == status
    assert answer.headers["content-type"].startswith("application/json" if status == 200 else "text/plain")


async def test_paging_off_gives_everything_at_once(desk):
    """Without a page size all rows come in one envelope, or as a bare array from a host that does so."""
    body = (await desk.get("/packages/v2/active", **WIDE)).json()
    assert (body["PageSize"], body["TotalPages"], len(body["Data"])) == (4, 1, 4)
    desk.world.bare_lists = True
    assert len((await desk.get("/packages/v2/active", **WIDE)).json()) == 4


# --- who may ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("auth", [None, ("x", "demo-user-key"), ("demo-vendor-key", "x"), AUTH[::-1]])
async def test_bad_pair_is_401_everywhere(auth):
    """No key, a wrong vendor key, a wrong user key and swapped keys all look the same, also where no license is needed."""
    desk = Desk(auth=auth)
    answers = [await desk.client.get("/facilities/v2/"), await desk.get("/packages/v2/active")]
    assert [(answer.status_code, answer.content) for answer in answers] == [(401, b""), (401, b"")]


async def test_killed_key_is_401_everywhere(desk):
    """A key that was replaced opens nothing any more."""
    desk.world.kill_key()
    assert (await desk.client.get("/facilities/v2/")).status_code == 401


async def test_license_off_the_key_is_401_and_not_listed(desk):
    """A license that the key does not reach is missing from the facilities and refused elsewhere."""
    desk.world.unlist_license()
    listed = [each["License"]["Number"] for each in (await desk.client.get("/facilities/v2/")).json()]
    assert listed == [SISTER]
    assert (await desk.get("/packages/v2/active")).status_code == 401
    assert (await desk.get("/packages/v2/active", license_number=SISTER)).status_code == 200


async def test_missing_license_is_400(desk):
    """A call that needs a license and names none is told so."""
    assert (await desk.client.get("/packages/v2/active")).status_code == 400


@pytest.mark.parametrize(
    ("right", "path"),
    [
        ("packages", "/packages/v2/active"),
        ("items", "/items/v2/active"),
        ("sales", "/sales/v2/receipts/active"),
        ("transfers", "/transfers/v2/incoming"),
        ("deliveries", "/sales/v2/deliveries/active"),
    ],
)
async def test_missing_right_is_401_in_its_family_only(desk, right, path):
    """A lost right closes its own family of calls and no other."""
    desk.world.drop_right(right)
    families = [
        "/packages/v2/active",
        "/items/v2/active",
        "/sales/v2/receipts/active",
        "/transfers/v2/incoming",
        "/sales/v2/deliveries/active",
    ]
    closed = [each for each in families if (await desk.get(each)).status_code == 401]
    assert closed == [path]


async def test_facility_type_without_sales_is_401(desk):
    """A grower's license has no sales: 401 there, while its packages open."""
    assert (await desk.get("/sales/v2/receipts/active", license_number=SISTER)).status_code == 401
    assert (await desk.get("/packages/v2/active", license_number=SISTER)).status_code == 200


async def test_record_of_another_license_is_401(desk):
    """A package or receipt of one license is refused to the other, not reported as missing."""
    desk.world.unknown_label_status = 404
    desk.world.transfer_out(f"{TAG}1001", SISTER)
    assert (await desk.get(f"/packages/v2/{TAG}1001")).status_code == 401
    assert (await desk.get(f"/packages/v2/{TAG}1001", license_number=SISTER)).status_code == 200


async def test_unknown_label_is_401_and_404_in_turn(desk):
    """Which status an unknown label gives is not settled, so by default both come in turn; a switch fixes one."""
    statuses = [(await desk.get(f"/packages/v2/{TAG}9999")).status_code for _ in range(4)]
    assert statuses == [401, 404, 401, 404]
    desk.world.unknown_label_status = 404
    assert [(await desk.get(f"/packages/v2/{TAG}9999")).status_code for _ in range(2)] == [404, 404]


@pytest.mark.parametrize(("number", "status"), [(1001, 200), (1005, 200), (1006, 200), (1008, 200), (1007, 404)])
async def test_label_is_found_in_any_state_but_on_the_road(desk, number, status):
    """By label an active, finished, held or discontinued package is found; one on the road is not."""
    desk.world.unknown_label_status = 404
    assert (await desk.get(f"/packages/v2/{TAG}{number}")).status_code == status


async def test_unknown_path_is_404(desk):
    """A path that this state does not offer is 404, with or without a license."""
    assert (await desk.get("/packages/v2/5510101/history")).status_code == 404
    assert (await desk.client.get("/sandbox/v2/tagtypes")).status_code == 404


# --- writes -----------------------------------------------------------------------------------------------------------


async def delete(desk, number):
    return await desk.client.delete(f"/sales/v2/receipts/{number}", params={"licenseNumber": SHOP})


async def test_archived_receipt_is_the_sample_and_gives_back(desk):
    """A voided receipt reads as in its sample, leaves the active list, and its unit is back on the package."""
    desk.clock.at = datetime(2026, 3, 3, 16, 5, tzinfo=UTC)
    answer = await delete(desk, 880102)
    assert (answer.status_code, answer.content) == (200, b"")
    assert (await desk.get("/sales/v2/receipts/880102")).json() == sample("sales-receipt-by-id-after-void.json")
    assert 880102 in [row["Id"] for row in await desk.rows("/sales/v2/receipts/inactive", **WIDE)]
    assert await desk.quantity(1002) == 19.0


async def test_second_archive_changes_nothing(desk):
    """Voiding a void is answered as set and gives nothing back twice."""
    await delete(desk, 880102)
    desk.world.repeat_void_status = 404
    assert (await delete(desk, 880102)).status_code == 404
    assert await desk.quantity(1002) == 19.0


async def test_finalized_receipt_has_to_be_unfinalized_first(desk):
    """A finalized receipt is refused until it is unfinalized, then voided."""
    assert (await delete(desk, 879950)).status_code == 400
    params = {"licenseNumber": SHOP}
    await desk.client.put("/sales/v2/receipts/unfinalize", params=params, json=[{"Id": 879950}])
    assert (await delete(desk, 879950)).status_code == 200
    assert [(write.method, write.status) for write in desk.metrc.writes] == [
        ("DELETE", 400),
        ("PUT", 200),
        ("DELETE", 200),
    ]
    assert desk.metrc.writes[1].body == '[{"Id":879950}]'


@pytest.mark.parametrize(
    ("body", "status"),
    [([{"Id": 880101}], 200), ([{}], 400), ({"Id": 880101}, 400), ([{"Id": 880101}] * 11, 413)],
)
async def test_finalize_takes_an_array_of_at_most_ten(desk, body, status):
    """A write takes an array of one to ten objects with ids."""
    answer = await desk.client.put("/sales/v2/receipts/finalize", params={"licenseNumber": SHOP}, json=body)
    assert answer.status_code == status


async def test_void_needs_the_right_to_manage(desk):
    """A key that may only look cannot void, and the attempt is on record."""
    desk.world.drop_right("manage sales")
    assert (await desk.get("/sales/v2/receipts/880102")).status_code == 200
    assert (await delete(desk, 880102)).status_code == 401
    assert await desk.quantity(1002) == 18.0
    assert len(desk.metrc.writes) == 1


async def test_adjusting_is_refused_and_recorded(desk):
    """The stand-in has no way to adjust a quantity; who tries is on record."""
    answer = await desk.client.post("/packages/v2/adjust", params={"licenseNumber": SHOP}, json=[{"Quantity": -1}])
    assert answer.status_code == 404
    assert desk.metrc.writes[0].path == "/packages/v2/adjust"


@pytest.mark.parametrize(("external", "status"), [(False, 400), (True, 200)])
async def test_only_an_external_transfer_can_be_voided(desk, external, status):
    """A licensed manifest cannot be voided by its recipient; an external one can, and its package is off the road."""
    label = f"{TAG}1050"
    transfer = desk.world.ship(label, pos_received=False, external=external)
    path = f"/transfers/v2/external/incoming/{transfer.id}"
    assert (await desk.client.delete(path, params={"licenseNumber": SHOP})).status_code == status
    riding = [row["Label"] for row in await desk.rows("/packages/v2/intransit", **WIDE)]
    assert (label in riding) is not external
    assert f"{TAG}1007" in riding


async def test_external_type_is_told_by_the_types(desk):
    """A row names its shipment type, and the list of types says whether that is an external one."""
    transfer = desk.world.ship(f"{TAG}1050", external=True)
    rows = {row["Id"]: row["ShipmentTypeName"] for row in await desk.rows("/transfers/v2/incoming", **WIDE)}
    types = {row["Name"]: row["ForExternalIncomingShipments"] for row in await desk.rows("/transfers/v2/types")}
    assert (types[rows[transfer.id]], types[rows[418902]]) == (True, False)


async def test_received_external_transfer_cannot_be_voided(desk):
    """What was received stays."""
    transfer = desk.world.ship(f"{TAG}1050", external=True)
    transfer.received_at = desk.clock.at
    path = f"/transfers/v2/external/incoming/{transfer.id}"
    assert (await desk.client.delete(path, params={"licenseNumber": SHOP})).status_code == 400


# --- trouble ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "status", "media"),
    [
        ("503", 503, "text/html"),
        ("500", 500, "application/json"),
        ("504", 504, "text/plain"),
        ("html200", 200, "text/html"),
        ("torn", 200, "application/json"),
        ("timeout", 504, "text/plain"),
    ],
)
async def test_outage_has_its_face(desk, kind, status, media):
    """Each way to fail looks as it does at the real host, and ends after the given number of times."""
    desk.world.hang_seconds = 0.001
    desk.world.outage(kind, times=1)
    answer = await desk.get("/packages/v2/active")
    assert (answer.status_code, answer.headers["content-type"].partition(";")[0]) == (status, media)
    assert (await desk.get("/packages/v2/active")).json()["Total"] == 2


async def test_an_answer_may_be_lost_after_the_effect(desk):
    """504, and the receipt is voided all the same; reads are not struck."""
    sale = desk.world.sell(desk.world.labels()[0])
    path = f"/sales/v2/receipts/{sale.receipts[0].id}"
    desk.world.lose_answer("504_after")
    assert (await desk.get(path)).status_code == 200
    assert (await desk.client.delete(path, params={"licenseNumber": SHOP})).status_code == 504
    assert sale.receipts[0].archived_on is not None


async def test_an_effect_may_land_late(desk):
    """504, and nothing yet; 45 seconds later it is done, and whoever reads then sees it."""
    sale = desk.world.sell(desk.world.labels()[0])
    path = f"/sales/v2/receipts/{sale.receipts[0].id}"
    desk.world.lose_answer("late")
    assert (await desk.client.delete(path, params={"licenseNumber": SHOP})).status_code == 504
    desk.clock.at += timedelta(seconds=44)
    assert (await desk.get(path)).json()["ArchivedDate"] is None
    desk.clock.at += timedelta(seconds=1)
    assert (await desk.get(path)).json()["ArchivedDate"] is not None


async def test_torn_answer_is_no_json(desk):
    """A torn answer stops in the middle."""
    desk.world.outage("torn")
    answer = await desk.get("/packages/v2/active")
    with pytest.raises(ValueError, match=r"Expecting|Unterminated"):
        answer.json()


async def test_outage_can_be_of_some_paths(desk):
    """An outage under a prefix leaves other calls well."""
    desk.world.outage("503", prefix="/sales/")
    assert (await desk.get("/sales/v2/receipts/active")).status_code == 503
    assert (await desk.get("/packages/v2/active")).status_code == 200


async def test_timed_out_void_may_have_been_done(desk):
    """A void that ended in a gateway timeout took effect all the same."""
    desk.world.hang_seconds = 0.001
    desk.world.outage("timeout", times=1)
    assert (await delete(desk, 880102)).status_code == 504
    assert await desk.quantity(1002) == 19.0


async def test_unknown_outage_is_refused(desk):
    """A misspelled outage is an error of the one who asked for it, not a healthy METRC."""
    with pytest.raises(ValueError, match="sideways"):
        desk.world.outage("sideways")


@pytest.mark.parametrize(("retry_after", "header"), [(2, "2"), (None, None)])
async def test_rate_limit_with_and_without_retry_after(desk, retry_after, header):
    """A 429 says when to come back, or does not."""
    desk.world.rate_limit_everything(retry_after=retry_after, times=1)
    answer = await desk.get("/packages/v2/active")
    assert (answer.status_code, answer.headers.get("retry-after")) == (429, header)
    assert (await desk.get("/packages/v2/active")).status_code == 200


# --- what is noted ----------------------------------------------------------------------------------------------------


async def test_requests_are_noted_without_keys(desk):
    """Every request is noted with its query and status, and no note holds a key."""
    await desk.get("/packages/v2/active", pageSize=5)
    entry = desk.metrc.requests[0]
    assert (entry.method, entry.path, entry.status, entry.at) == ("GET", "/packages/v2/active", 200, SCENE_NOW)
    assert entry.query == {"licenseNumber": SHOP, "pageSize": "5"}
    assert "demo-user-key" not in repr(desk.metrc.requests)
    assert desk.metrc.count("/packages/") == 1


async def test_high_water_is_the_most_at_once(desk):
    """The high-water mark is how many requests were in flight together."""
    desk.world.slow(0.005)
    await asyncio.gather(*(desk.get("/packages/v2/active") for _ in range(4)))
    assert (desk.metrc.high_water, desk.metrc.in_flight) == (4, 0)


async def test_abandoned_request_is_noted(desk):
    """A caller that gives up leaves a note without a status, and nothing in flight."""
    desk.world.slow(5)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await desk.get("/packages/v2/active")
    assert [entry.status for entry in desk.metrc.requests] == [0]
    assert desk.metrc.in_flight == 0


async def test_planted_patients_are_in_every_answer_that_has_such_fields(desk):
    """With the switch on, receipts, deliveries and packages carry recognisable patient values; without it none does."""
    paths = ["/sales/v2/receipts/880101", "/sales/v2/deliveries/6611", f"/packages/v2/{TAG}1001"]
    assert ["PLANTED" in (await desk.get(path)).text for path in paths] == [False, False, False]
    desk.world.plant_patients = True
    assert ["PLANTED-PATIENT" in (await desk.get(path)).text for path in paths] == [True, True, True]


async def test_delivered_sale_has_lines_by_id_only():
    """A delivery's lines come by id, and a completed one is in the inactive list."""
    desk = Desk()
    desk.world = desk.metrc.world = World.healthy(SCENE_NOW)
    desk.world.deliver(f"{TAG}3001", at=SCENE_NOW - timedelta(hours=2))
    (row,) = await desk.rows("/sales/v2/deliveries/inactive", **WIDE)
    assert row["Transactions"] == []
    lines = (await desk.get(f"/sales/v2/deliveries/{row['Id']}")).json()["Transactions"]
    assert [(line["PackageLabel"], line["QuantitySold"]) for line in lines] == [(f"{TAG}3001", 1.0)]
