"""The client against a scripted METRC."""

import asyncio
import json
import logging
from base64 import b64encode
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import httpx
import pytest

from bot import errors, model, ports
from bot.metrc import client as client_module
from bot.metrc import wire
from bot.metrc.client import Keys, MetrcClient
from bot.model import Direction, PackageList, Window
from bot.transport import Limiter, Patience, Transport
from tests.metrc import samples

DENVER = ZoneInfo("America/Denver")
LICENSE = "402R-X0042"
LABEL = "1A4FF0100000022000001002"
NOW = datetime(2026, 3, 3, 4, 0, tzinfo=UTC)
KEYS = Keys("vendor-PLANTED-key", "user-PLANTED-key")


async def no_sleep(seconds):
    await asyncio.sleep(0)


class Metrc:
    """Answers by path; a handler gets the query as a dict and returns status and body, or just a body."""

    def __init__(self, **paths):
        self.paths = paths
        self.asked = []
        self.requests = []

    def on(self, path, answer):
        self.paths[path] = answer
        return self

    async def __call__(self, request):
        query = dict(request.url.params)
        self.requests.append(request)
        self.asked.append((request.url.path, query))
        await asyncio.sleep(0)
        answer = self.paths.get(request.url.path, (404, b""))
        answer = answer(query) if callable(answer) else answer
        if isinstance(answer, httpx.Response):
            return answer
        status, body = answer if isinstance(answer, tuple) else (200, answer)
        return httpx.Response(status, content=body if isinstance(body, bytes) else json.dumps(body).encode())


def client_of(metrc, *, keys=KEYS, limiter=None, patience=None, **more):
    transport = Transport(
        inner=httpx.MockTransport(metrc), sleep=no_sleep, patience=patience or Patience(tries=1), luck=lambda: 0.0
    )
    return MetrcClient(
        transport,
        base_url="https://api-co.metrc.com/",
        license_number=LICENSE,
        keys=keys if callable(keys) else lambda: keys,
        zone=DENVER,
        limiter=limiter or Limiter(rate=1e9),
        now=lambda: NOW,
        **more,
    )


def window(hours, end=NOW):
    return Window(end - timedelta(hours=hours), end)


def paged(rows, size=20):
    """A faithful METRC list of these rows: honest counts, window ignored."""

    def answer(query):
        number = int(query["pageNumber"])
        part = rows[(number - 1) * size : number * size]
        pages = max(1, -(-len(rows) // size))
        return {
            "Data": part,
            "Total": len(rows),
            "TotalRecords": len(rows),
            "PageSize": size,
            "RecordsOnPage": len(part),
            "Page": number,
            "CurrentPage": number,
            "TotalPages": pages,
        }

    return answer


def changed_at(row):
    return datetime.fromisoformat(row["LastModified"])


def windowed(rows, widest=None):
    """Like ``paged``, but only rows changed in the window, and 400 for a window that is too wide."""

    def answer(query):
        start, end = (datetime.fromisoformat(query[key]) for key in ("lastModifiedStart", "lastModifiedEnd"))
        if widest and end - start > timedelta(hours=widest):
            return 400, {"Message": "The window is too wide."}
        return paged([row for row in rows if start <= changed_at(row) <= end])(query)

    return answer


def receipt_row(number, modified=NOW - timedelta(hours=1), **more):
    return {"Id": number, "LastModified": modified.isoformat(), "Transactions": [], "TotalPackages": 1, **more}


# --- single records


async def test_the_client_fits_the_port():
    """Every method of the port is there, with the same parameters."""
    client: ports.TrackAndTrace = client_of(Metrc())
    names = {name for name in vars(ports.TrackAndTrace) if not name.startswith("_")}
    assert names - {"license", "requests"} <= set(dir(client))
    assert (client.license, client.requests) == (LICENSE, 0)


async def test_a_package_is_asked_by_label_at_this_license():
    """One request gives the whole package."""
    metrc = Metrc().on(f"/packages/v2/{LABEL}", samples.body("package-by-label"))
    client = client_of(metrc)
    assert await client.package(LABEL.lower()) == wire.package(samples.decoded("package-by-label"))
    assert metrc.asked == [(f"/packages/v2/{LABEL}", {"licenseNumber": LICENSE})]
    assert client.requests == 1


async def test_the_same_keys_can_ask_for_another_license():
    """A label is looked up where the caller says."""
    metrc = Metrc().on(f"/packages/v2/{LABEL}", samples.body("package-by-label"))
    await client_of(metrc).package(LABEL, license_number="403R-X0043")
    assert metrc.asked[0][1] == {"licenseNumber": "403R-X0043"}


async def test_another_record_than_asked_is_a_broken_answer():
    """A label of digits is an id to METRC, so what comes back is compared with what was asked."""
    metrc = Metrc().on("/packages/v2/5510102", samples.body("package-by-label"))
    metrc.on("/sales/v2/receipts/1", samples.body("sales-receipt-by-id-880101"))
    metrc.on("/sales/v2/deliveries/1", samples.rows_json("sales-deliveries-active")[0])
    client = client_of(metrc)
    for ask in (client.package("5510102"), client.receipt(1), client.delivery(1)):
        with pytest.raises(errors.MetrcNotJson, match="another record"):
            await ask


async def test_receipts_and_deliveries_by_id():
    """Records by id come whole."""
    metrc = Metrc().on("/sales/v2/receipts/880103", samples.body("sales-receipt-by-id-880103"))
    metrc.on("/sales/v2/deliveries/6611", samples.rows_json("sales-deliveries-active")[0])
    client = client_of(metrc)
    assert len((await client.receipt(880103)).lines) == 2
    assert (await client.delivery(6611)).number == "0000006611"


async def test_what_the_keys_see():
    """Facilities are asked without a license, rights with both licenses."""
    metrc = Metrc().on("/facilities/v2/", samples.body("facilities"))
    metrc.on("/employees/v2/permissions", samples.body("employees-permissions"))
    client = client_of(metrc)
    assert [facility.license for facility in await client.facilities()] == [LICENSE, "403R-X0043"]
    assert "manage sales" in await client.rights("M41822")
    assert metrc.asked == [
        ("/facilities/v2/", {}),
        ("/employees/v2/permissions", {"licenseNumber": LICENSE, "employeeLicenseNumber": "M41822"}),
    ]


async def test_an_empty_answer_is_no_empty_list():
    """An empty 200 where a list belongs is a broken answer."""
    client = client_of(Metrc().on("/facilities/v2/", b"").on("/packages/v2/active", b""))
    for ask in (client.facilities(), client.packages(PackageList.ACTIVE, window(1)), client.probe("packages")):
        with pytest.raises(errors.MetrcNotJson):
            await ask


PROBES = [
    ("packages", "/packages/v2/active"),
    ("sales", "/sales/v2/receipts/active"),
    ("transfers", "/transfers/v2/incoming"),
]


@pytest.mark.parametrize(("family", "path"), PROBES)
async def test_a_probe_is_one_cheap_read(family, path):
    """One row of the last hour, and 401 when this family is not allowed."""
    metrc = Metrc().on(path, samples.body("empty-page"))
    await client_of(metrc).probe(family)
    query = {
        "licenseNumber": LICENSE,
        "lastModifiedStart": "2026-03-03T03:00:00Z",
        "lastModifiedEnd": "2026-03-03T04:00:00Z",
        "pageNumber": "1",
        "pageSize": "1",
    }
    assert metrc.asked == [(path, query)]
    with pytest.raises(errors.MetrcUnauthorized):
        await client_of(Metrc().on(path, (401, b""))).probe(family)


# --- lists

LISTS = [
    ("/packages/v2/active", "packages-active", lambda c, w: c.packages(PackageList.ACTIVE, w)),
    ("/packages/v2/onhold", "packages-onhold", lambda c, w: c.packages(PackageList.ON_HOLD, w)),
    ("/packages/v2/inactive", "packages-inactive", lambda c, w: c.packages(PackageList.INACTIVE, w)),
    ("/packages/v2/intransit", "packages-intransit", lambda c, w: c.packages(PackageList.IN_TRANSIT, w)),
    ("/packages/v2/transferred", "packages-transferred", lambda c, w: c.transferred(w)),
    ("/packages/v2/adjustments", "packages-adjustments", lambda c, w: c.adjustments(w)),
    ("/sales/v2/receipts/active", "sales-receipts-active", lambda c, w: c.receipts(active=True, window=w)),
    ("/sales/v2/receipts/inactive", "sales-receipts-inactive", lambda c, w: c.receipts(active=False, window=w)),
    ("/sales/v2/deliveries/active", "sales-deliveries-active", lambda c, w: c.deliveries(active=True, window=w)),
    ("/sales/v2/deliveries/inactive", "empty-page", lambda c, w: c.deliveries(active=False, window=w)),
    ("/transfers/v2/incoming", "transfers-incoming", lambda c, w: c.transfers(Direction.INCOMING, w)),
    ("/transfers/v2/outgoing", "transfers-outgoing", lambda c, w: c.transfers(Direction.OUTGOING, w)),
    ("/transfers/v2/rejected", "transfers-rejected", lambda c, w: c.transfers(Direction.REJECTED, w)),
    ("/items/v2/active", "items-active", lambda c, w: c.items(w)),
]


@pytest.mark.parametrize(("path", "name", "ask"), LISTS, ids=[path for path, *_ in LISTS])
async def test_every_list_sends_license_window_and_page(path, name, ask):
    """Each list is at its path, windowed and paged, and gives each row once though many slices hold it."""
    metrc = Metrc().on(path, samples.body(name))
    rows = await ask(client_of(metrc), window(48))
    assert len(rows) == len(samples.rows(name))
    assert sorted(query["lastModifiedStart"] for _, query in metrc.asked) == [
        "2026-03-01T04:00:00Z",
        "2026-03-02T04:00:00Z",
    ]
    for asked, query in metrc.asked:
        assert asked == path
        assert (query["licenseNumber"], query["pageNumber"], query["pageSize"]) == (LICENSE, "1", "20")


async def test_rows_say_what_list_they_are_from():
    """Packages carry their listing, transfers their direction, items that they are active."""
    metrc = Metrc()
    for path, name, _ in LISTS:
        metrc.on(path, samples.body(name))
    client = client_of(metrc)
    assert {row.listing for row in await client.packages(PackageList.ON_HOLD, window(1))} == {PackageList.ON_HOLD}
    assert {row.direction for row in await client.transfers(Direction.REJECTED, window(1))} == {Direction.REJECTED}
    assert {row.is_active for row in await client.items(window(1))} == {True}


async def test_rows_come_oldest_change_first():
    """Whatever order METRC uses, rows come by the time of their last change."""
    rows = await client_of(Metrc().on("/sales/v2/receipts/active", samples.body("sales-receipts-active"))).receipts(
        active=True, window=window(1)
    )
    assert [row.id for row in rows] == [880110, 880111, 880101, 880102, 880103, 880104]


async def test_every_page_is_read():
    """Page 1 tells how many there are, the others are read too."""
    rows = [receipt_row(number) for number in range(1, 206)]
    metrc = Metrc().on("/sales/v2/receipts/active", paged(rows))
    got = await client_of(metrc).receipts(active=True, window=window(1))
    assert [row.id for row in got] == list(range(1, 206))
    assert sorted(int(query["pageNumber"]) for _, query in metrc.asked) == list(range(1, 12))


async def test_the_other_pages_are_read_side_by_side():
    """After page 1 nothing waits for anything else."""
    flying, most = 0, 0
    answer = paged([receipt_row(number) for number in range(1, 101)])

    async def metrc(request):
        nonlocal flying, most
        flying += 1
        most = max(most, flying)
        await asyncio.sleep(0.002)
        flying -= 1
        return httpx.Response(200, json=answer(dict(request.url.params)))

    await client_of(metrc).receipts(active=True, window=window(1))
    assert most == 4
    most = 0
    await client_of(metrc, limiter=Limiter(rate=1e9, concurrency=2)).receipts(active=True, window=window(1))
    assert most == 2


async def test_the_next_page_is_asked_for_as_soon_as_one_comes():
    """One slow page holds up none of those behind it."""
    answer = paged([receipt_row(number) for number in range(1, 201)])
    slow, order = asyncio.Event(), []

    async def metrc(request):
        number = int(request.url.params["pageNumber"])
        if number == 2:
            await slow.wait()
        order.append(number)
        if number == 10:
            slow.set()
        return httpx.Response(200, json=answer(dict(request.url.params)))

    got = await client_of(metrc, limiter=Limiter(rate=1e9, concurrency=2)).receipts(active=True, window=window(1))
    assert [row.id for row in got] == list(range(1, 201))
    assert order == [1, 3, 4, 5, 6, 7, 8, 9, 10, 2]


async def test_a_whole_shop_comes_page_by_page():
    """Each page is handed over as it comes, with the list it came from; slices share the rows on their bound."""
    rows = json.loads(samples.body("packages-active"))["Data"]
    metrc = Metrc().on("/packages/v2/active", paged(rows, size=2))
    pages = []

    async def take(packages):
        pages.append(packages)

    await client_of(metrc).each_package(PackageList.ACTIVE, window(1), take)
    assert [len(page) for page in pages] == [2, 2]
    assert {package.listing for page in pages for package in page} == {PackageList.ACTIVE}
    pages.clear()
    await client_of(metrc).each_package(PackageList.ACTIVE, window(48), take)
    assert sum(len(page) for page in pages) == 8


def numbered(count):
    """So many packages, each with an id and label of its own."""
    row = json.loads(samples.body("packages-active"))["Data"][0]
    return [row | {"Id": number, "Label": f"1A4FF01{number:017d}"} for number in range(1, count + 1)]


@pytest.mark.parametrize("expected", [None, 0, 1, 45, 60, 5000])
async def test_a_wrong_guess_of_its_length_changes_nothing_about_a_list(expected):
    """Only what is asked for at first rests on it, and what is too much is no part of the list."""
    metrc, seen = Metrc().on("/packages/v2/active", paged(numbered(45))), set()

    async def take(packages):
        seen.update(package.id for package in packages)

    await client_of(metrc).each_package(PackageList.ACTIVE, window(1), take, expected=expected)
    assert seen == set(range(1, 46))


async def test_a_known_length_lets_pages_be_asked_for_before_the_first_one_came():
    """The count comes with one row."""
    answer, waiting, asked = paged(numbered(45)), asyncio.Event(), []

    async def metrc(request):
        asked.append(dict(request.url.params)["pageNumber"])
        if len(asked) == 4:
            waiting.set()
        if len(asked) > 1:
            await asyncio.wait_for(waiting.wait(), 5)
        return httpx.Response(200, json=answer(dict(request.url.params)))

    async def take(_packages):
        pass

    client = client_of(metrc)
    count = await client.count(PackageList.ACTIVE, window(1))
    await client.each_package(PackageList.ACTIVE, window(1), take, expected=count)
    assert (count, asked) == (45, ["1", "1", "2", "3"])


async def test_a_torn_list_is_told_after_its_pages():
    """Who takes page by page learns as well that the list was not whole."""
    metrc = Metrc().on("/packages/v2/active", samples.body("packages-active-page-1-of-2"))

    async def take(_packages):
        pass

    with pytest.raises(errors.MetrcNotJson, match="has 4 rows, but gave 2"):
        await client_of(metrc).each_package(PackageList.ACTIVE, window(1), take)


async def test_a_bare_array_ends_the_paging():
    """A list without an envelope is whole."""
    metrc = Metrc().on("/packages/v2/active", samples.body("packages-active-bare-array"))
    assert len(await client_of(metrc).packages(PackageList.ACTIVE, window(1))) == 2
    assert len(metrc.asked) == 1


async def test_a_host_that_ignores_page_numbers_does_not_keep_us():
    """Page 1 again and again ends soon, and is told instead of passing for the whole list."""
    metrc = Metrc().on("/packages/v2/active", samples.body("packages-active-page-1-of-2"))
    with pytest.raises(errors.MetrcNotJson, match="has 4 rows, but gave 2"):
        await client_of(metrc).packages(PackageList.ACTIVE, window(1))
    assert len(metrc.asked) == 2


async def test_a_billion_pages_are_not_believed():
    """The number of rows bounds the number of pages."""
    body = json.loads(samples.body("packages-active")) | {"TotalPages": 10**9}
    metrc = Metrc().on("/packages/v2/active", body)
    assert len(await client_of(metrc).packages(PackageList.ACTIVE, window(1))) == 4
    assert len(metrc.asked) == 1


async def test_a_list_that_shrinks_while_it_is_read_is_read_again():
    """A row that leaves page 1 pulls another one past us; the second reading finds it."""
    rows = [receipt_row(number) for number in range(1, 46)]

    def answer(query):
        if query["pageNumber"] == "2" and len(rows) == 45:
            del rows[0]
        return paged(list(rows))(query)

    got = await client_of(Metrc().on("/sales/v2/receipts/active", answer)).receipts(active=True, window=window(1))
    assert sorted(row.id for row in got) == list(range(1, 46))


async def test_a_broken_row_breaks_the_list():
    """A package that lost its label is not left out, for it would read as missing."""
    body = json.loads(samples.body("packages-active"))
    body["Data"][1]["Label"] = None
    with pytest.raises(errors.MetrcNotJson, match="Label"):
        await client_of(Metrc().on("/packages/v2/active", body)).packages(PackageList.ACTIVE, window(1))


async def test_one_failing_page_fails_the_list_as_itself():
    """Part of a list is not a list, and the error is METRC's own and not a group."""
    answer = paged([receipt_row(number) for number in range(1, 101)])

    def sick(query):
        return (503, b"") if query["pageNumber"] == "3" else answer(query)

    client = client_of(Metrc().on("/sales/v2/receipts/active", sick))
    with pytest.raises(errors.MetrcServerFault):
        await client.receipts(active=True, window=window(72))


# --- slices


async def test_wide_windows_are_cut_into_slices():
    """Three days are three requests that touch, and no row is lost or doubled at the bounds."""
    bounds = [NOW - timedelta(hours=24 * number) for number in range(4)]
    rows = [receipt_row(number, at) for number, at in enumerate(bounds, start=1)]
    metrc = Metrc().on("/sales/v2/receipts/active", windowed(rows, widest=24))
    got = await client_of(metrc).receipts(active=True, window=window(72))
    assert [row.id for row in got] == [4, 3, 2, 1]
    assert sorted(query["lastModifiedStart"] for _, query in metrc.asked) == [
        "2026-02-28T04:00:00Z",
        "2026-03-01T04:00:00Z",
        "2026-03-02T04:00:00Z",
    ]


async def test_a_host_that_takes_wide_windows_is_asked_once():
    """The width of a slice is a setting."""
    metrc = Metrc().on("/sales/v2/receipts/active", windowed([receipt_row(1)]))
    await client_of(metrc, window_hours=24 * 365).receipts(active=True, window=window(24 * 30))
    assert len(metrc.asked) == 1


async def test_a_refused_wide_window_is_cut_once_and_for_all():
    """A 400 for a wide window means 24 h slices, now and later."""
    metrc = Metrc().on("/sales/v2/receipts/active", windowed([receipt_row(1)], widest=24))
    client = client_of(metrc, window_hours=24 * 365)
    assert len(await client.receipts(active=True, window=window(72))) == 1
    assert len(metrc.asked) == 1 + 3
    assert len(await client.receipts(active=True, window=window(72))) == 1
    assert len(metrc.asked) == 1 + 3 + 3


@pytest.mark.parametrize(("hours", "slices"), [(24, 24), (12, 24 * 365)])
async def test_a_400_for_a_day_is_no_question_of_width(hours, slices):
    """What is refused for at most 24 h is refused."""
    metrc = Metrc().on("/sales/v2/receipts/active", (400, {"Message": "No."}))
    with pytest.raises(errors.MetrcRejected, match=r"No\."):
        await client_of(metrc, window_hours=slices).receipts(active=True, window=window(hours))
    assert len(metrc.asked) == 1


async def test_another_refusal_of_a_wide_window_is_not_about_its_width():
    """Only a 400 leads to slices."""
    metrc = Metrc().on("/sales/v2/receipts/active", (405, b""))
    with pytest.raises(errors.MetrcRejected):
        await client_of(metrc, window_hours=24 * 365).receipts(active=True, window=window(72))
    assert len(metrc.asked) == 1


async def test_the_newest_of_two_states_wins():
    """A record that changed between two reads comes once, as it is now."""
    old, new = (receipt_row(7, NOW - timedelta(hours=hours)) for hours in (30, 1))

    def answer(query):
        return paged([new if query["lastModifiedEnd"] < "2026-03-02T12" else old])(query)

    got = await client_of(Metrc().on("/sales/v2/receipts/active", answer)).receipts(active=True, window=window(48))
    assert [(row.id, row.last_modified) for row in got] == [(7, changed_at(new))]


def adjustment_row(quantity=-1):
    return json.loads(samples.body("packages-adjustments"))["Data"][0] | {"AdjustmentQuantity": quantity}


async def test_equal_adjustments_are_kept_but_not_doubled_by_slices():
    """Two equal adjustments in one slice are two; the same two in the next slice are the same two."""

    def answer(query):
        first = query["lastModifiedStart"] < "2026-03-02"
        return paged([adjustment_row()] * 2 + [adjustment_row(-5 if first else -7)])(query)

    got = await client_of(Metrc().on("/packages/v2/adjustments", answer)).adjustments(window(48))
    assert [row.quantity for row in got] == [Decimal(-1), Decimal(-1), Decimal(-5), Decimal(-7)]


async def test_a_whole_page_of_equal_adjustments_is_kept():
    """Equal rows on different pages are not the same page."""
    metrc = Metrc().on("/packages/v2/adjustments", paged([adjustment_row()] * 45))
    assert len(await client_of(metrc).adjustments(window(1))) == 45


async def test_a_transferred_package_comes_as_it_is_now():
    """The later state of one shipment replaces the earlier one."""
    row = json.loads(samples.body("packages-transferred"))["Data"][0]

    def answer(query):
        first = query["lastModifiedStart"] < "2026-03-02"
        return paged([row | {"ShipmentPackageStateName": "Shipped" if first else "Accepted"}])(query)

    (got,) = await client_of(Metrc().on("/packages/v2/transferred", answer)).transferred(window(48))
    assert got.state == "Accepted"


async def test_transfer_packages_are_asked_by_delivery_without_a_license():
    """The delivery's id leads to its packages; that call takes no license."""
    path = "/transfers/v2/deliveries/559001/packages"
    metrc = Metrc().on(path, samples.body("delivery-559001-packages"))
    got = await client_of(metrc).transfer_packages(559001)
    assert [package.state for package in got] == ["Accepted", "Accepted", "Accepted", "Rejected"]
    assert metrc.asked == [(path, {"pageNumber": "1", "pageSize": "20"})]


# --- trouble


async def test_a_busy_metrc_is_waited_for():
    """A 429 with a short wait is waited out and counted as a request."""
    answers = [
        httpx.Response(429, headers={"Retry-After": "0"}),
        httpx.Response(429, headers={"Retry-After": "0"}),
        httpx.Response(200, content=samples.body("facilities")),
    ]
    client = client_of(Metrc().on("/facilities/v2/", lambda query: answers.pop(0)), patience=Patience())
    assert len(await client.facilities()) == 2
    assert client.requests == 3


@pytest.mark.parametrize("headers", [{}, {"Retry-After": "90"}])
async def test_a_metrc_that_stays_busy_is_told(headers):
    """The wait METRC asked for is in the error."""
    metrc = Metrc().on("/facilities/v2/", lambda query: httpx.Response(429, headers=headers))
    with pytest.raises(errors.MetrcRateLimited) as caught:
        await client_of(metrc, limiter=Limiter(sleep=no_sleep)).facilities()
    assert caught.value.retry_after == (90 if headers else None)
    assert len(metrc.asked) == 1


async def test_background_work_may_have_its_own_patience():
    """Patience given to the client replaces the transport's."""
    metrc = Metrc().on("/facilities/v2/", (503, b""))
    transport = Transport(inner=httpx.MockTransport(metrc), sleep=no_sleep, patience=Patience(tries=1))
    client = MetrcClient(
        transport,
        base_url="https://api-co.metrc.com",
        license_number=LICENSE,
        keys=lambda: KEYS,
        zone=DENVER,
        limiter=Limiter(rate=1e9),
        patience=Patience(tries=5),
    )
    with pytest.raises(errors.MetrcServerFault):
        await client.facilities()
    assert len(metrc.asked) == 5


TROUBLE = [
    ((200, b"<html>Scheduled maintenance</html>"), errors.MetrcNotJson),
    ((200, b'{"Data": ['), errors.MetrcNotJson),
    ((401, b""), errors.MetrcUnauthorized),
    ((403, b""), errors.MetrcForbidden),
    ((404, b""), errors.MetrcNotFound),
    ((500, b""), errors.MetrcServerFault),
]


@pytest.mark.parametrize(("answer", "kind"), TROUBLE, ids=range(len(TROUBLE)))
async def test_each_trouble_has_its_class(answer, kind):
    """What kept an answer away can be told apart, and names the question."""
    client = client_of(Metrc().on(f"/packages/v2/{LABEL}", answer))
    with pytest.raises(kind, match=rf"GET /packages/v2/{LABEL} \(license {LICENSE}\)"):
        await client.package(LABEL)


ECHO = "Bad key vendor-PLANTED-key / user-PLANTED-key / "


@pytest.mark.parametrize("status", [302, 400, 401, 403, 404, 429, 500, 503])
async def test_keys_are_in_no_error_even_when_metrc_repeats_them(status, caplog):
    """Neither key, plain or as sent, gets into an error, a repr or a log."""
    caplog.set_level(logging.DEBUG)
    sent = b64encode(b"vendor-PLANTED-key:user-PLANTED-key").decode()
    client = client_of(Metrc().on("/facilities/v2/", (status, {"Message": ECHO + sent})))
    with pytest.raises(errors.MetrcError) as caught:
        await client.facilities()
    error = caught.value
    seen = f"{error!s} {error!r} {error.__dict__} {error.problem!r} {client!r} {KEYS!r} {caplog.text}"
    assert "PLANTED" not in seen
    assert sent not in seen
    assert error.__context__ is None


def test_a_missing_key_hides_nothing_else():
    """An empty key does not turn an answer into stars."""
    assert Keys("", "").hide_in(b"plain text") == b"plain text"


async def test_a_renewed_key_is_used_at_once():
    """Keys are looked up for each request."""
    keys = [Keys("v", "old"), Keys("v", "new")]
    metrc = Metrc().on("/facilities/v2/", samples.body("facilities"))
    client = client_of(metrc, keys=lambda: keys.pop(0))
    await client.facilities()
    await client.facilities()
    assert [request.headers["authorization"] for request in metrc.requests] == [
        "Basic " + b64encode(pair).decode() for pair in (b"v:old", b"v:new")
    ]


def test_keys_go_nowhere_private():
    """A base URL that keys may not be sent to is refused before anything is sent."""
    with pytest.raises(errors.ConfigurationError):
        MetrcClient(
            Transport(),
            base_url="http://127.0.0.1:9",
            license_number=LICENSE,
            keys=lambda: KEYS,
            zone=DENVER,
            limiter=Limiter(),
        )


async def test_nothing_here_can_change_anything():
    """The client has reads only, and every one of them is a GET."""
    assert {name for name in vars(MetrcClient) if not name.startswith("_")} == {
        "adjustments",
        "count",
        "deliveries",
        "delivery",
        "each_package",
        "facilities",
        "items",
        "package",
        "packages",
        "probe",
        "receipt",
        "receipts",
        "rights",
        "scanned",
        "transfer_packages",
        "transferred",
        "transfers",
    }
    assert {name for name in vars(Transport) if not name.startswith("_")} == {"close", "get", "undo"}
    for module in (client_module, wire):
        source = open(module.__file__, encoding="utf-8").read()  # noqa: ASYNC230, PTH123, SIM115
        assert not any(
            word in source for word in ('"POST"', '"PUT"', '"DELETE"', ".post(", ".put(", ".delete(", ".undo(")
        )
        assert source.count("/adjust") == source.count("/adjustments")


async def test_every_call_is_a_get():
    """Whatever is asked, the method is GET."""
    metrc = Metrc()
    client = client_of(metrc)
    asks = [ask(client, window(1)) for _, _, ask in LISTS]
    asks += [client.facilities(), client.rights("x"), client.package(LABEL), client.receipt(1), client.delivery(1)]
    asks += [client.transfer_packages(1), client.probe("sales")]
    results = await asyncio.gather(*asks, return_exceptions=True)
    assert all(isinstance(result, errors.MetrcNotFound) for result in results)
    assert {request.method for request in metrc.requests} == {"GET"}
    assert client.requests == len(asks)


async def test_the_clock_is_the_systems_unless_told():
    """Without a clock of its own the client probes the hour that ends now."""
    metrc = Metrc().on("/packages/v2/active", samples.body("empty-page"))
    client = MetrcClient(
        Transport(inner=httpx.MockTransport(metrc)),
        base_url="https://api-co.metrc.com",
        license_number=LICENSE,
        keys=lambda: KEYS,
        zone=DENVER,
        limiter=Limiter(),
    )
    await client.probe("packages")
    end = datetime.fromisoformat(metrc.asked[0][1]["lastModifiedEnd"])
    assert abs(datetime.now(UTC) - end) < timedelta(minutes=1)


def test_every_package_list_has_a_path():
    """A list that is added to the model is a path of METRC."""
    assert {f"/packages/v2/{listing}" for listing in model.PackageList} <= {path for path, *_ in LISTS}
