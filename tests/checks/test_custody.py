from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from bot.checks.custody import check
from bot.errors import ProblemKind
from bot.model import (
    ActionKind,
    Cause,
    Confidence,
    Direction,
    Forbidden,
    PackageList,
    Result,
    Sighting,
    TransferredPackage,
)
from tests.evidence import (
    HEALTHY,
    LABEL,
    NOW,
    OTHER_LABEL,
    SHOP,
    absent,
    add_events,
    add_receipts,
    add_sales,
    carried,
    case,
    codes,
    counted,
    days,
    failed,
    judged,
    load,
    logged,
    minutes,
    no_trade,
    nothing,
    on_the_road,
    package,
    read,
    receipt,
    received,
    refused,
    row,
    shares,
    stocked,
    unheard,
    unstocked,
    with_package,
    with_row,
)

FAILED_POSTS = ("failed_post.refused", "failed_post.never-posted")


def test_an_active_package_is_clear():
    """Received here, not held, tested."""
    outcome = check(case())
    assert outcome.result is Result.CLEAR
    assert outcome.summary == "METRC has it active at this license, not held, TestPassed."


def test_a_missing_lab_state_is_said():
    """Nothing is made of what METRC does not give."""
    assert check(case(with_package(lab_state=None))).summary.endswith("lab state not given.")


def test_a_received_package_needs_no_manifest_to_be_clear():
    """It is here; manifests that could not be read change nothing."""
    assert check(case(replace(HEALTHY, transfers=failed(), transferred=failed()))).result is Result.CLEAR


@pytest.mark.parametrize("search", ["transfers", "transferred", "elsewhere"])
def test_a_label_that_is_nowhere_is_unknown_unless_everything_was_read(search):
    """It may be on the list that failed; one that the state does not offer holds nothing."""
    assert check(case(replace(absent(), **{search: failed()}))).result is Result.UNKNOWN
    assert check(case(replace(absent(), **{search: failed(ProblemKind.NOT_OFFERED)}))).result is Result.CLEAR


def test_a_package_that_could_not_be_read_is_unknown():
    """Nobody knows where it is."""
    assert check(case(replace(HEALTHY, package=failed()))).result is Result.UNKNOWN


def test_a_package_without_a_receive_time_may_be_on_a_manifest():
    """Only the manifests tell whether it came already."""
    made_here = with_package(received_at=None)
    assert check(case(made_here)).result is Result.CLEAR
    assert check(case(replace(made_here, transfers=failed()))).result is Result.UNKNOWN
    assert codes(check(case(replace(with_package(made_here, is_finished=True), transfers=failed())))) == [
        "finished.finished"
    ]


# --- on the road ------------------------------------------------------------------------------------------------------


def test_a_load_on_the_road_that_the_pos_took_in_early():
    """Accept the manifest; the POS's 40 are explained by it."""
    diagnosis = judged(on_the_road())
    finding = check(case(on_the_road())).findings[0]
    assert (finding.code, finding.action.kind) == ("in_transit.incoming", ActionKind.ACCEPT_TRANSFER)
    assert "The POS received it ahead" in finding.headline
    assert "0000418902 (40 Each)" in finding.action.text
    assert shares(diagnosis) == [("in_transit.incoming", "40", "metrc manifest 0000418902")]
    assert diagnosis.gap is not None
    assert diagnosis.gap.metrc is None


def test_a_load_on_the_road_that_the_pos_does_not_have():
    """Nothing to explain and nothing to block."""
    evidence = replace(on_the_road(), pos_rows=read((), "pos"))
    finding = check(case(evidence)).findings[0]
    assert not finding.shares
    assert "Block sales" not in finding.action.text


def test_a_load_without_a_shipped_quantity_is_on_the_road_all_the_same():
    """Wholesale rows may leave it out."""
    evidence = on_the_road(load(packages=(carried(shipped_quantity=None, shipped_unit=None),)))
    assert "(it)" in check(case(evidence)).findings[0].action.text


@pytest.mark.parametrize("sale", [refused(), unheard()])
def test_sales_of_a_load_on_the_road_are_not_resent(sale):
    """METRC does not have the package yet, so a resend would be refused again."""
    finding = check(case(add_sales(sale, to=on_the_road()))).findings[0]
    assert finding.must_not == (Forbidden.RESEND,)
    assert set(FAILED_POSTS) <= set(finding.brings_about)


def test_a_package_in_the_transit_list_counts_as_on_the_road():
    """METRC lists it, but it is nobody's stock here."""
    riding = package(received_at=None, listing=PackageList.IN_TRANSIT, quantity=Decimal(40))
    evidence = replace(on_the_road(), package=read(riding))
    finding = check(case(evidence)).findings[0]
    assert finding.code == "in_transit.incoming"
    assert "listed as intransit, not received" in [quote.says for quote in finding.evidence]
    bare = replace(evidence, package=read(replace(riding, listing=None)))
    assert "listed as a package, not received" in [q.says for q in check(case(bare)).findings[0].evidence]


@pytest.mark.parametrize("received", [None, NOW - days(30)])
def test_a_package_in_transit_on_no_manifest_is_unknown_and_no_stock(received):
    """METRC's records do not fit together, so nothing is concluded; and the list alone never makes it active."""
    evidence = with_package(no_trade(), received_at=received, listing=PackageList.IN_TRANSIT)
    outcome = check(case(evidence))
    assert outcome.result is Result.UNKNOWN
    assert check(case(replace(evidence, transfers=failed()))).result is Result.UNKNOWN
    diagnosis = judged(evidence)
    assert diagnosis.cause is Cause.UNKNOWN
    assert diagnosis.gap is not None
    assert diagnosis.gap.metrc is None


def test_the_load_that_departed_first_is_the_one_to_accept():
    """A second entry of the same load has not left."""
    late = load(418901, departed_at=None)
    assert "0000418902" in check(case(on_the_road(late, load()))).findings[0].headline


# --- refused, voided, accepted without a package ----------------------------------------------------------------------


@pytest.mark.parametrize("state", ["Rejected", "Returned", "rejected "])
def test_a_label_that_was_turned_away(state):
    """It never became this shop's: out of the POS with it."""
    evidence = on_the_road(load(state=state, received_at=NOW - days(1)))
    finding = check(case(evidence)).findings[0]
    assert (finding.code, finding.action.kind) == ("in_transit.rejected", ActionKind.FIX_POS_RECORD)
    assert shares(judged(evidence)) == [("in_transit.rejected", "40", "metrc manifest 0000418902")]


def test_a_label_turned_away_that_nobody_counts_needs_nothing():
    """The shipper has it."""
    evidence = replace(on_the_road(load(state="Rejected", received_at=NOW)), pos_rows=read((), "pos"))
    assert check(case(evidence)).findings[0].action.kind is ActionKind.NONE


def test_what_was_turned_away_once_and_came_later_is_here():
    """The package in METRC is the proof."""
    evidence = replace(HEALTHY, transfers=read((load(state="Rejected", received_at=NOW - days(11)),)))
    assert check(case(evidence)).result is Result.CLEAR


def test_a_load_of_ours_that_was_turned_away_elsewhere_did_not_come_here():
    """Only manifests to this shop can say that it never became this shop's."""
    evidence = on_the_road(load(state="Rejected", direction=Direction.OUTGOING))
    assert codes(check(case(evidence))) == ["in_transit.outgoing"]


def test_goods_whose_only_manifest_was_voided_go_to_compliance():
    """The POS took them in, METRC never sent them."""
    evidence = on_the_road(load(is_voided=True))
    finding = check(case(evidence)).findings[0]
    assert (finding.code, finding.action.kind) == ("in_transit.manifest-voided", ActionKind.CONTACT_COMPLIANCE)
    assert shares(judged(evidence)) == [("in_transit.manifest-voided", "40", "metrc manifest 0000418902")]


def test_a_voided_manifest_that_brought_nothing_is_nothing():
    """Neither system counts the label."""
    evidence = replace(on_the_road(load(is_voided=True)), pos_rows=read((), "pos"))
    assert check(case(evidence)).result is Result.CLEAR


def test_a_received_manifest_without_a_package_is_unknown_and_never_a_count_error():
    """METRC says that it came and shows it nowhere."""
    evidence = on_the_road(load(state="Accepted", received_at=NOW - minutes(30)))
    assert check(case(evidence)).result is Result.UNKNOWN
    assert judged(evidence).cause is Cause.UNKNOWN


# --- gone -------------------------------------------------------------------------------------------------------------


def gone(license_number: str | None = "402R-X0100", name: str | None = "Pine Street") -> TransferredPackage:
    return TransferredPackage(LABEL, 1, "0000417900", license_number, name, "Accepted")


def test_a_package_received_by_another_license():
    """The POS has no transfer out: post it there."""
    evidence = replace(absent(), transferred=read((gone(),)))
    finding = check(case(evidence)).findings[0]
    assert (finding.code, finding.action.kind) == ("in_transit.outgoing", ActionKind.FIX_POS_RECORD)
    assert finding.headline == "METRC has it at Pine Street on manifest 0000417900, not here."
    assert shares(judged(evidence)) == [("in_transit.outgoing", "40", "metrc manifest 0000417900")]


def test_a_recipient_without_a_name_is_told_by_its_license():
    """Somebody has to be called."""
    evidence = replace(absent(), transferred=read((gone(name=None),)))
    assert "402R-X0100" in check(case(evidence)).findings[0].headline


@pytest.mark.parametrize("recipient", [SHOP.license, None])
def test_a_row_that_names_this_shop_as_recipient_took_nothing_away(recipient):
    """METRC lists loads to the shop itself there at times."""
    evidence = replace(absent(), transferred=read((gone(recipient),)))
    assert codes(check(case(evidence))) == []


@pytest.mark.parametrize(("name", "said"), [("Pine Street", "Pine Street"), (None, "another license")])
def test_a_manifest_of_ours_that_carries_it_away(name, said):
    """Left, and not received yet."""
    evidence = on_the_road(load(direction=Direction.OUTGOING, recipient_name=name))
    finding = check(case(evidence)).findings[0]
    assert finding.code == "in_transit.outgoing"
    assert said in finding.headline


def test_a_voided_manifest_of_ours_carries_nothing_away():
    """It never left."""
    evidence = on_the_road(load(direction=Direction.OUTGOING, is_voided=True))
    assert codes(check(case(evidence))) == []


def test_a_label_seen_at_another_license_of_the_same_key():
    """No manifest tells how it came there."""
    there = Sighting(LABEL, "Pine Street (402R-X0100)", None)
    evidence = replace(absent(), elsewhere=read((there,)))
    finding = check(case(evidence)).findings[0]
    assert (finding.code, finding.confidence) == ("in_transit.elsewhere", Confidence.LIKELY)
    assert shares(judged(evidence)) == [("in_transit.elsewhere", "40", "metrc package at Pine Street (402R-X0100)")]


def test_what_left_and_is_counted_nowhere_here_needs_nothing():
    """The POS has let go of it too."""
    evidence = replace(absent(), transferred=read((gone(),)), pos_rows=read((), "pos"))
    assert check(case(evidence)).findings[0].action.kind is ActionKind.NONE


def test_a_package_that_is_here_did_not_leave():
    """A part may have gone under the same manifest; what METRC counts here is here."""
    assert check(case(replace(counted(0, HEALTHY), transferred=read((gone(),))))).result is Result.CLEAR


# --- held, closed, untested -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("flag", "code"),
    [
        ("is_on_hold", "on_hold.hold"),
        ("is_on_investigation", "on_hold.investigation"),
        ("is_on_recall", "on_hold.recall"),
    ],
)
def test_a_held_package_goes_to_compliance(flag, code):
    """No count, no sale, no resend."""
    finding = check(case(with_package(**{flag: True}))).findings[0]
    assert (finding.code, finding.action.kind) == (code, ActionKind.CONTACT_COMPLIANCE)
    assert finding.must_not == (Forbidden.RESEND,)


@pytest.mark.parametrize(
    ("message", "since", "brought"),
    [
        ("Package is on hold", NOW - days(1), FAILED_POSTS),
        ("Package is on hold", NOW - minutes(1), FAILED_POSTS),
        (None, NOW - days(1), FAILED_POSTS),
        (None, NOW - days(1) + minutes(60), FAILED_POSTS),
        (None, NOW - days(1) + minutes(61), ()),
        (None, None, FAILED_POSTS),
        ("Unit of Measure is not valid", NOW - days(1), ()),
    ],
)
def test_a_hold_makes_sales_fail_that_came_after_it(message, since, brought):
    """The text decides; without one, only sales rung up after the package's last change can come from the hold."""
    held = with_package(stocked(37), is_on_hold=True, last_modified=since)
    finding = check(case(add_sales(refused(message=message), to=held))).findings[0]
    assert finding.brings_about == brought


def test_a_finished_package_with_some_left_in_the_pos():
    """Look at the shelf first; what is left is explained by the closing."""
    evidence = stocked(2, with_package(quantity=Decimal(0), finished_on=date(2026, 3, 1)))
    finding = check(case(evidence)).findings[0]
    assert (finding.code, finding.action.kind) == ("finished.finished", ActionKind.RECOUNT)
    assert finding.headline == "METRC finished this package on 2026-03-01; the POS still has 2."
    assert shares(judged(evidence)) == [("finished.finished", "2", "metrc package 5510101")]


def test_what_metrc_closed_with_something_in_it_is_explained_too():
    """Discontinued with 5 on the book, and none in the POS."""
    evidence = replace(with_package(unstocked(), quantity=Decimal(5), archived_on=date(2026, 3, 1)))
    assert shares(judged(evidence)) == [("finished.discontinued", "-5", "metrc package 5510101")]


@pytest.mark.parametrize(
    ("held", "shelf", "kind"),
    [
        (2, None, ActionKind.RECOUNT),
        (2, 0, ActionKind.FIX_POS_RECORD),
        (2, 2, ActionKind.CONTACT_COMPLIANCE),
        (0, 2, ActionKind.CONTACT_COMPLIANCE),
        (0, None, ActionKind.NONE),
        (0, 0, ActionKind.NONE),
    ],
)
@pytest.mark.parametrize("closed", [{"is_finished": True}, {"archived_on": date(2026, 3, 1)}])
def test_the_shelf_decides_what_follows_a_closing(held, shelf, kind, closed):
    """Goods that exist are not closed away, and rows without goods are."""
    counted_shelf = None if shelf is None else Decimal(shelf)
    evidence = replace(stocked(held, with_package(quantity=Decimal(0), **closed)), shelf=counted_shelf)
    assert check(case(evidence)).findings[0].action.kind is kind


def test_a_closing_without_a_quantity_is_quoted_by_its_name():
    """METRC may leave both day and quantity out."""
    evidence = with_package(quantity=None, is_finished=True)
    assert "finished" in [quote.says for quote in check(case(evidence)).findings[0].evidence]


@pytest.mark.parametrize(
    ("message", "brought"),
    [("Package could not be found", FAILED_POSTS), (None, FAILED_POSTS), ("Unit of Measure is not valid", ())],
)
def test_sales_refused_after_the_closing_come_from_it(message, brought):
    """And are not resent while it is closed."""
    evidence = add_sales(refused(message=message), to=with_package(quantity=Decimal(0), is_finished=True))
    finding = check(case(evidence)).findings[0]
    assert (finding.brings_about, finding.must_not) == (brought, (Forbidden.RESEND,))


@pytest.mark.parametrize(
    ("state", "code"),
    [
        ("SubmittedForTesting", ["lab_state.waiting"]),
        ("NotSubmitted", ["lab_state.waiting"]),
        ("TestFailed", ["lab_state.failed"]),
        (" testpassed ", []),
        ("NotRequired", []),
        ("", []),
        (None, []),
    ],
)
def test_a_lab_state_that_forbids_a_sale_is_found(state, code):
    """Passed and not required may be sold."""
    assert codes(check(case(with_package(lab_state=state)))) == code


def test_a_lab_state_holds_refused_sales_back():
    """Sales that failed for the laboratory, or for no told reason, are not resent."""
    waiting = with_package(stocked(37), lab_state="SubmittedForTesting", lab_state_on=date(2026, 2, 16))
    silent = check(case(waiting)).findings[0]
    told = check(case(add_sales(refused(message="Package is marked as NotSubmitted"), to=waiting))).findings[0]
    assert (silent.must_not, told.must_not) == ((), (Forbidden.RESEND,))
    assert told.brings_about == ("failed_post.refused",)
    assert "since 2026-02-16" in told.headline


def test_a_closed_package_has_no_lab_state_to_wait_for():
    """What is finished is not sold anyway."""
    evidence = with_package(is_finished=True, lab_state="SubmittedForTesting")
    assert codes(check(case(evidence))) == ["finished.finished"]


def test_nothing_here_and_nothing_there_is_clear():
    """No package, no manifest, no row."""
    assert check(case(replace(unstocked(), package=nothing()))).result is Result.CLEAR


# --- a part was refused on arrival ------------------------------------------------------------------------------------


def partly_refused(came=36, **changes):
    """METRC received so many of the 40 that were shipped; the POS took in all of them."""
    entry = carried(state="Accepted", received_quantity=Decimal(came), received_unit="Each")
    transfer = load(417733, received_at=NOW - days(10), packages=(replace(entry, **changes),))
    missing = 40 - came
    evidence = counted(38 - missing, with_package(original_quantity=Decimal(came)))
    return replace(evidence, transfers=read((transfer,)))


@pytest.mark.parametrize("came", [36, 39, 12])
def test_what_was_refused_of_a_load_explains_what_the_pos_has_too_much(came):
    """The manifest tells both figures, and the POS's receive is to be corrected."""
    diagnosis = judged(partly_refused(came))
    assert (diagnosis.code, diagnosis.action.kind) == ("in_transit.received-less", ActionKind.FIX_POS_RECORD)
    assert shares(diagnosis) == [("in_transit.received-less", str(40 - came), "metrc manifest 0000417733")]
    assert (diagnosis.confidence, Forbidden.ADJUST_QUANTITY in diagnosis.must_not) == (Confidence.CERTAIN, True)


def test_a_part_that_was_refused_and_a_smaller_difference_is_only_likely():
    """Four went back, three are too many."""
    assert judged(counted(35, partly_refused())).confidence is Confidence.LIKELY


@pytest.mark.parametrize(
    "evidence",
    [
        partly_refused(40),
        partly_refused(received_quantity=None),
        partly_refused(shipped_quantity=None),
        partly_refused(received_unit="Pounds"),
        counted(38, partly_refused()),
        with_package(partly_refused(), received_from_manifest="0000999999"),
        with_package(partly_refused(), received_from_manifest=None),
        replace(partly_refused(), pos_rows=failed(source="pos")),
        replace(partly_refused(), pos_events=read((received(to_quantity=Decimal(36)),), "pos")),
    ],
    ids=["all", "no figure", "not shipped", "units", "agree", "other manifest", "no manifest", "unread", "logged"],
)
def test_a_load_that_came_whole_or_was_taken_in_rightly_is_no_part(evidence):
    """Nothing is said without both figures in one unit, a difference, and a POS that took in too much."""
    assert "in_transit.received-less" not in codes(check(case(evidence)))


def test_a_part_that_explains_nothing_in_the_end_is_not_accused():
    """A receipt that was posted twice is all the difference there is, and the POS's log is silent about receives."""
    twin = replace(receipt(1), id=8890)
    quiet = replace(partly_refused(), pos_events=read((), "pos"))
    evidence = add_receipts(twin, to=counted(37, quiet))
    assert codes(judged(evidence)) == ["duplication.receipt-retry"]


# --- the POS's own lab state ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "status",
    ["Awaiting test", "NotSubmitted", "SubmittedForTesting", "not_submitted", "Lab pending", "untested", "IN LAB"],
)
def test_a_passed_test_that_the_pos_did_not_take_over_is_to_be_refreshed(status):
    """METRC lets it be sold; the POS row still says that it waits."""
    diagnosis = judged(with_row(status=status))
    assert (diagnosis.code, diagnosis.action.kind) == ("lab_state.pos-stale", ActionKind.FIX_POS_RECORD)
    assert status in diagnosis.headline


@pytest.mark.parametrize("status", [None, "Active", "Available", "TestPassed", "Lab passed", "Labeled", "Testing done"])
def test_a_row_that_does_not_wait_for_the_lab_is_clear(status):
    """Neither an unrelated word nor a passed test is stale."""
    assert check(case(with_row(status=status))).result is Result.CLEAR


def test_a_finished_package_with_a_refused_sale_explains_what_the_pos_held_before():
    """Two could not be posted any more, so four were left when METRC finished it."""
    closed = with_package(quantity=Decimal(0), finished_on=NOW.date())
    diagnosis = judged(add_sales(refused(quantity=2), to=stocked(2, closed)))
    assert diagnosis.gap is not None
    assert (diagnosis.gap.difference, diagnosis.gap.unexplained) == (2, 0)


# --- made in the POS alone --------------------------------------------------------------------------------------------


def converted(quantity: int = -10, kind: str = "convert", **changes):
    """The POS's own conversion of yesterday."""
    return logged(quantity, kind, **({"event_id": "e7"} | changes))


def test_a_conversion_that_metrc_never_had_is_sent_again():
    """The POS took ten off for a new package; METRC still counts them here."""
    diagnosis = judged(add_events(converted(), to=stocked(28)))
    assert (diagnosis.code, diagnosis.action.kind) == ("split.in-pos", ActionKind.RESEND)
    assert shares(diagnosis) == [("split.in-pos", "-10", "pos event e7")]
    assert Forbidden.ADJUST_QUANTITY in diagnosis.must_not


def test_a_conversion_of_a_moment_ago_is_on_its_way():
    """It is awaited like a sale."""
    assert judged(add_events(converted(at=NOW - minutes(5)), to=stocked(28))).code == "timing.change-on-its-way"


@pytest.mark.parametrize(
    "evidence",
    [
        add_events(converted()),
        add_events(converted(), to=stocked(48)),
        add_events(converted(kind="move"), to=stocked(28)),
        add_events(converted(unit="Pounds", quantity=-1), to=with_package(stocked(28), unit="Milliliters")),
        replace(
            add_events(converted(), to=stocked(28, counted(28))),
            children=read((package(label=OTHER_LABEL, quantity=Decimal(10), original_quantity=Decimal(10),
                                   received_at=None, received_from_manifest=None, source_labels=(LABEL,)),)),
        ),
    ],
    ids=["no difference", "the other way", "a move", "another kind of unit", "METRC made it"],
)  # fmt: skip
def test_a_conversion_that_is_not_missing_is_not_sent_again(evidence):
    """Only what the difference leaves room for."""
    assert "split.in-pos" not in codes(judged(evidence))


def made_by_pos(**changes):
    """A label that the POS made of another and METRC knows nothing of."""
    event = converted(10, **changes)
    return replace(absent(), pos_events=read((event,), "pos"), pos_rows=read((row(quantity=Decimal(10)),), "pos"))


def test_a_package_that_the_pos_made_and_metrc_never_had_is_sent_again():
    """Not a wrong tag: the POS's log says where it came from."""
    diagnosis = judged(made_by_pos())
    assert codes(diagnosis) == ["split.in-pos"]
    assert shares(diagnosis) == [("split.in-pos", "10", f"pos package {LABEL}")]


def test_a_package_that_the_pos_made_and_that_is_found_elsewhere_is_not():
    """A manifest carries it."""
    out = load(direction=Direction.OUTGOING, recipient_name="Pine Street")
    assert codes(judged(replace(made_by_pos(), transfers=read((out,))))) == ["in_transit.outgoing"]


def batch(**changes):
    """A production batch that the POS made and METRC has without a source."""
    own = {"is_production_batch": True, "received_at": None, "received_from_manifest": None, "quantity": Decimal(10)}
    made = replace(made_by_pos(), package=read(package(**(own | {"original_quantity": Decimal(10)} | changes))))
    return replace(made, near=None, elsewhere=None)


def test_a_batch_that_metrc_has_of_nothing_is_compliances():
    """Both count it alike; what went into it is still counted where it came from."""
    diagnosis = judged(batch())
    assert (diagnosis.code, diagnosis.action.kind) == ("split.batch-without-source", ActionKind.CONTACT_COMPLIANCE)
    assert Forbidden.ADJUST_QUANTITY in diagnosis.must_not


@pytest.mark.parametrize(
    "change",
    [
        {"is_production_batch": False},
        {"source_labels": (OTHER_LABEL,)},
        {"received_at": NOW - days(1)},
        {"received_from_manifest": "0000418902"},
    ],
)
def test_a_package_with_a_source_or_a_shipper_is_no_such_batch(change):
    """Nor is one that is no batch."""
    assert "split.batch-without-source" not in codes(judged(batch(**change)))


def test_a_lab_state_is_read_whatever_its_spelling():
    """``Test Passed`` is TestPassed."""
    assert codes(judged(with_package(lab_state="Test Passed"))) == []
    assert codes(judged(with_package(lab_state="Test-Failed"))) == ["lab_state.failed"]
