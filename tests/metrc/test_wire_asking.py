"""What is asked, and which page comes next."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot import errors
from bot.metrc import wire
from bot.model import Window
from tests.metrc import samples

WINDOW = Window(datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 3, 2, tzinfo=UTC))
LICENSE = "402R-X0042"


def test_the_paths_and_parameters_are_metrcs():
    """Every request is as METRC documents it."""
    assert wire.facilities_request() == wire.Request("/facilities/v2/")
    assert wire.rights_request(LICENSE, "M41822") == wire.Request(
        "/employees/v2/permissions", (("licenseNumber", LICENSE), ("employeeLicenseNumber", "M41822"))
    )
    assert wire.package_request(" 1a4ff01 ", LICENSE) == wire.Request(
        "/packages/v2/1A4FF01", (("licenseNumber", LICENSE),)
    )
    assert wire.transfer_packages_request(560144, 2) == wire.Request(
        "/transfers/v2/deliveries/560144/packages", (("pageNumber", "2"), ("pageSize", "20"))
    )
    assert wire.list_request("/packages/v2/active", LICENSE, WINDOW, 3) == wire.Request(
        "/packages/v2/active",
        (
            ("licenseNumber", LICENSE),
            ("lastModifiedStart", "2026-03-01T00:00:00Z"),
            ("lastModifiedEnd", "2026-03-02T00:00:00Z"),
            ("pageNumber", "3"),
            ("pageSize", "20"),
        ),
    )


def test_a_question_is_named_by_path_and_license():
    """What was asked can be quoted to people."""
    assert wire.facilities_request().asked == "GET /facilities/v2/"
    assert wire.record_request("/sales/v2/receipts/1", LICENSE).asked == f"GET /sales/v2/receipts/1 (license {LICENSE})"


@pytest.mark.parametrize("text", ["", "   ", "../facilities/v2", "a/b", "1A4?x", "1A4%2F", "１Ａ", "é"])
def test_text_that_is_no_label_never_becomes_a_path(text):
    """A label cannot lead to another path of METRC."""
    with pytest.raises(errors.MetrcRejected, match="cannot be a package label"):
        wire.package_request(text, LICENSE)


@pytest.mark.parametrize("text", ["", "../x", "a/b", "3W5E-1", "é"])
def test_text_that_is_no_code_of_a_unit_never_becomes_a_path(text):
    """Nor can the code on a single unit."""
    with pytest.raises(errors.MetrcRejected, match="cannot be the code of a unit"):
        wire.scan_request(text, LICENSE)
    assert wire.scan_request("3W5E1", LICENSE).path == "/retailid/v2/receive/qr/3W5E1"


@pytest.mark.parametrize(
    ("body", "tags"),
    [
        ({"ChildTag": " 1a4ff01", "SiblingTags": ["1A4FF02", "1A4FF01", 7, ""]}, ("1A4FF01", "1A4FF02")),
        ({"ChildTag": None, "SiblingTags": None}, ()),
        ([], ()),
    ],
)
def test_the_tags_behind_a_code_come_once_and_in_capitals(body, tags):
    """The package's own first; what is no tag is passed over."""
    assert wire.scanned(body) == tags


def test_windows_are_sent_in_utc_and_rounded_outwards():
    """Fractions are cut so that the asked window holds the meant one; a plus sign never appears."""
    east = timezone(timedelta(hours=2))
    window = Window(
        datetime(2026, 3, 1, 2, 0, 0, 999_000, tzinfo=east), datetime(2026, 3, 1, 23, 59, 59, 1000, tzinfo=UTC)
    )
    params = dict(wire.list_request("/x", LICENSE, window, 1).params)
    assert params["lastModifiedStart"] == "2026-03-01T00:00:00Z"
    assert params["lastModifiedEnd"] == "2026-03-02T00:00:00Z"
    assert "+" not in "".join(params.values())


def test_an_envelope_is_read():
    """Rows, page, pages and total of a real envelope."""
    page = wire.page(samples.decoded("packages-active-page-2-of-2"))
    assert (len(page.rows), page.page, page.total_pages, page.total, page.is_bare) == (2, 2, 2, 4, False)


def test_a_bare_array_is_the_whole_list():
    """A list without an envelope has one page."""
    page = wire.page(samples.decoded("packages-active-bare-array"))
    assert (len(page.rows), page.total, page.is_bare) == (2, 2, True)
    assert not wire.next_pages([page])


@pytest.mark.parametrize("body", [None, {}, {"Data": None}, {"Data": {}}, {"Message": "x"}, "x", 5, True])
def test_what_is_no_list_is_a_broken_answer(body):
    """An answer without rows is no empty list."""
    with pytest.raises(errors.MetrcNotJson):
        wire.page(body)


def test_envelope_fields_may_be_missing_and_spelled_either_way():
    """The twins Page/CurrentPage and Total/TotalRecords stand in for each other; junk is None."""
    assert wire.page({"data": [], "page": 2, "total": 5}) == wire.Page((), page=2, total=5)
    assert wire.page({"Data": [], "TotalPages": "many", "Total": -1, "Page": None}) == wire.Page(())


def page(*rows, number=None, pages=None, total=None):
    return wire.Page(rows, page=number, total_pages=pages, total=total)


A, B = ("a", "b"), ("c", "d")
NEXT = {
    "the only page": ([page(*A, number=1, pages=1, total=2)], []),
    "the first of two": ([page(*A, number=1, pages=2, total=4)], [2]),
    "both of two": ([page(*A, number=1, pages=2, total=4), page(*B, number=2, pages=2, total=4)], []),
    "an empty list": ([page(number=1, pages=1, total=0)], []),
    "an empty page though more are claimed": ([page(*A, number=1, total=10), page(total=10)], []),
    "a billion pages, four rows": ([page(*A, number=1, pages=10**9, total=4)], [2]),
    "a billion pages, total unknown": ([page(*A, number=1, pages=10**9)], list(range(2, 18))),
    "a billion rows": ([page(*A, number=1, pages=10**9, total=10**9)], list(range(2, 18))),
    "fewer pages than the rows need": ([page(*A, number=1, pages=1, total=4)], [2]),
    "nothing but rows": ([page(*A)], [2]),
    "nothing but rows, again": ([page(*A), page(*B)], [3]),
    "nothing but the same rows": ([page(*A), page(*A)], []),
    "page 1 again and again": ([page(*A, number=1, pages=3), page(*A, number=1, pages=3)], []),
    "equal rows on a page of their own": ([page(*A, number=1, pages=3), page(*A, number=2, pages=3)], [3]),
    "the longest list": ([page(*A)] + [page(*B)] * (wire.MAX_PAGES - 1), []),
}


@pytest.mark.parametrize("case", NEXT)
def test_which_pages_come_next(case):
    """Paging ends, whatever the envelope claims."""
    pages, expected = NEXT[case]
    assert list(wire.next_pages(pages)) == expected


def test_pages_sent_again_are_not_counted_twice():
    """A host that ignores page numbers does not double rows."""
    assert wire.rows_of([page(*A, number=1), page(*A, number=1)]) == A
    assert wire.rows_of([page(*A, number=1), page(*A, number=2)]) == A + A


def test_a_list_that_changes_its_length_is_noticed():
    """Steady means that every page that counts, counts the same."""
    assert wire.is_steady([page(*A, total=4), page(*B, total=4), page()])
    assert not wire.is_steady([page(*A, total=4), page(*B, total=3)])


WHOLE = [
    [page(*A, total=2)],
    [page(*A, total=4), page(*B, number=2, total=4)],
    [page(*A)],
    [page(*A), page()],
    [page(*A, pages=10**9), page()],
    [page(*A, total=4), page("c", number=2, total=3)],  # one left while the list was read
]
TORN = [
    [page(*A, total=3)],
    [page(total=3)],
    [page(*A, number=1, total=4), page(*A, number=1, total=4)],
    [page(*A, number=1, pages=2), page(*A, number=1, pages=2)],
    [page(*A)] + [page(*B)] * (wire.MAX_PAGES - 1),
]


@pytest.mark.parametrize("pages", WHOLE, ids=range(len(WHOLE)))
def test_a_whole_list_is_accepted(pages):
    """As many rows as METRC says there are."""
    wire.must_be_whole(pages, "GET /x")


@pytest.mark.parametrize("pages", TORN, ids=range(len(TORN)))
def test_a_torn_list_is_not_a_short_list(pages):
    """Fewer rows than METRC says there are is a broken answer."""
    with pytest.raises(errors.MetrcNotJson, match="GET /x"):
        wire.must_be_whole(pages, "GET /x")


@given(total=st.integers(0, 500), size=st.integers(1, 20))
def test_walking_honest_pages_reads_every_row_once(total, size):
    """Following next_pages over a list of any length reads all of it, once, and asks no page in vain."""
    rows = [f"row {number}" for number in range(total)]
    count = max(1, -(-total // size))

    def answer(number):
        return page(*rows[(number - 1) * size : number * size], number=number, pages=count, total=total)

    pages = [answer(1)]
    while numbers := wire.next_pages(pages):
        pages += [answer(number) for number in numbers]
    wire.must_be_whole(pages, "GET /x")
    assert list(wire.rows_of(pages)) == rows
    assert len(pages) == count
