from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from bot.checks.authentication import check
from bot.errors import ProblemKind
from bot.model import (
    Access,
    ActionKind,
    Cause,
    Confidence,
    Evidence,
    Facility,
    Forbidden,
    Probe,
    Reading,
    Result,
    Sighting,
)
from tests.evidence import (
    HEALTHY,
    ITEM,
    LABEL,
    OPEN,
    SHOP,
    absent,
    add_sales,
    case,
    codes,
    days,
    failed,
    judged,
    package,
    read,
    refused,
    shares,
    stocked,
)

FAMILIES = ("packages", "sales", "transfers")
REFUSED = failed(ProblemKind.UNAUTHORIZED)


def seeing(access: Access) -> Evidence:
    return replace(HEALTHY, access=access)


def probes(**readings: Reading[Any]) -> tuple[Probe, ...]:
    """Each family answers but those named."""
    return tuple(Probe(family, readings.get(family, read(value=True))) for family in FAMILIES)


def none_answer(reading: Reading[Any]) -> tuple[Probe, ...]:
    return probes(**dict.fromkeys(FAMILIES, reading))


def test_a_key_that_opens_everything_is_clear_and_says_that_writing_is_unproven():
    """Nothing short of writing proves a right to write."""
    outcome = check(case())
    assert outcome.result is Result.CLEAR
    assert "writing is unproven" in outcome.summary
    assert not outcome.closes


def test_rights_are_told_where_the_state_offers_them():
    """What the employee may do stands among the evidence."""
    some = check(case(seeing(replace(OPEN, rights=read(frozenset({"manage sales", "view packages"}))))))
    none = check(case(seeing(replace(OPEN, rights=read(frozenset())))))
    assert "rights: manage sales, view packages" in [quote.says for quote in some.evidence]
    assert "rights: none" in [quote.says for quote in none.evidence]


def test_rights_that_could_not_be_read_change_nothing():
    """Many states do not offer the call."""
    assert check(case(seeing(replace(OPEN, rights=failed(ProblemKind.NOT_FOUND))))).result is Result.CLEAR


@pytest.mark.parametrize(
    "kind", [ProblemKind.SERVER_FAULT, ProblemKind.NOT_JSON, ProblemKind.TIMEOUT, ProblemKind.UNREACHABLE]
)
def test_a_silent_host_is_an_outage_and_nobody_renews_a_key(kind):
    """Nothing was read and the host itself failed."""
    outcome = check(case(seeing(Access(failed(kind), none_answer(failed(kind))))))
    finding = outcome.findings[0]
    assert (finding.code, finding.cause, finding.action.kind) == (
        "outage.metrc-down",
        Cause.OUTAGE,
        ActionKind.RETRY_LATER,
    )
    assert finding.must_not == (Forbidden.RENEW_KEY, Forbidden.RESEND)
    assert outcome.closes


def test_the_list_of_facilities_alone_is_no_answer_of_metrc():
    """A front door that opens while every family of records fails is an outage all the same."""
    outcome = check(case(seeing(Access(OPEN.facilities, none_answer(failed(ProblemKind.SERVER_FAULT))))))
    assert codes(outcome) == ["outage.metrc-down"]


def test_without_probes_the_list_of_facilities_counts():
    """Where nothing else was asked, the first rung decides."""
    assert check(case(seeing(Access(OPEN.facilities)))).result is Result.CLEAR
    assert codes(check(case(seeing(Access(failed()))))) == ["outage.metrc-down"]


def test_a_limit_on_requests_tells_nothing_and_closes():
    """Rate limits and a deadline are no verdict on key or host."""
    limited = failed(ProblemKind.RATE_LIMITED)
    outcome = check(case(seeing(Access(limited, none_answer(limited)))))
    assert outcome.result is Result.UNKNOWN
    assert outcome.closes
    assert not outcome.findings


def test_one_family_that_fails_is_unknown_and_lets_the_others_be_judged():
    """The key works, so the gate stays open."""
    outcome = check(case(seeing(replace(OPEN, probes=probes(sales=failed(ProblemKind.SERVER_FAULT))))))
    assert outcome.result is Result.UNKNOWN
    assert not outcome.closes
    assert "sales" in outcome.summary


def test_a_refused_key_while_the_software_key_works_elsewhere_is_the_user_key():
    """An unrelated user key on the same software key is the witness."""
    others = (Probe("Pine Street", read(value=True)),)
    outcome = check(case(seeing(Access(REFUSED, none_answer(REFUSED), others))))
    assert codes(outcome) == ["authentication.user-key"]
    assert outcome.findings[0].action.kind is ActionKind.FIX_KEY
    assert outcome.findings[0].confidence is Confidence.CERTAIN
    assert outcome.closes


def test_unrelated_keys_that_fail_as_well_point_at_the_software_key():
    """Then the users' keys are probably fine, and renewing one would only kill it."""
    others = (Probe("Pine Street", REFUSED), Probe("Elm Street", REFUSED))
    outcome = check(case(seeing(Access(REFUSED, none_answer(REFUSED), others))))
    assert codes(outcome) == ["authentication.vendor-key"]
    assert outcome.findings[0].must_not == (Forbidden.RENEW_KEY,)
    assert "3 unrelated" in outcome.findings[0].headline


def test_without_a_witness_the_refused_pair_is_named_and_no_more():
    """One 401 cannot tell which of the two keys it is."""
    outcome = check(case(seeing(Access(REFUSED, none_answer(REFUSED)))))
    assert codes(outcome) == ["authentication.key-refused"]
    assert outcome.findings[0].confidence is Confidence.LIKELY


def test_a_refused_first_rung_with_records_that_answer_is_no_dead_key():
    """What can be read was opened by this key; whether the license still holds was not read, so it is not clear either."""
    outcome = check(case(seeing(replace(OPEN, facilities=REFUSED))))
    assert (outcome.result, outcome.findings, outcome.closes) == (Result.UNKNOWN, (), False)
    assert "whether this one still holds is not known" in outcome.summary


def facilities(*rows: Facility) -> Access:
    return Access(read(rows), none_answer(REFUSED))


def test_a_license_that_is_not_on_the_key_is_wrong_license():
    """The key lives and sees other licenses, not this one."""
    outcome = check(case(seeing(facilities(Facility("403-X0007", "Fern Hollow")))))
    assert codes(outcome) == ["wrong_license.not-on-key"]
    assert outcome.findings[0].action.kind is ActionKind.FIX_LICENSE
    assert outcome.findings[0].cause is Cause.WRONG_LICENSE


def test_a_key_that_sees_nothing_is_wrong_license_too():
    """An empty list is an answer."""
    outcome = check(case(seeing(facilities())))
    assert codes(outcome) == ["wrong_license.not-on-key"]
    assert "this key sees no license" in [quote.says for quote in outcome.evidence]


@pytest.mark.parametrize("listed", ["402R-X0024", "402R-X0043", "402RX0042", "402r-x0042-A"])
def test_a_license_one_slip_away_from_a_listed_one_is_mistyped(listed):
    """A swapped or dropped character is a typing error before it is a missing right."""
    outcome = check(case(seeing(facilities(Facility(listed, "Harbor Street")))))
    assert codes(outcome) == ["wrong_license.mistyped"]
    assert listed in outcome.findings[0].headline


@pytest.mark.parametrize(
    ("ends", "code"),
    [
        (date(2026, 3, 1), "wrong_license.lapsed"),
        (date(2026, 3, 2), "authentication.permission-missing"),
        (None, "authentication.permission-missing"),
    ],
)
def test_a_license_has_lapsed_from_the_day_after_its_last_by_the_shops_calendar(ends, code):
    """At 03:30 UTC it is still 2 March in Denver, so a license that ends that day still holds."""
    listed = Facility(SHOP.license, SHOP.name, license_ends_on=ends)
    assert codes(check(case(seeing(facilities(listed))))) == [code]


def test_a_family_that_is_refused_while_another_answers_is_a_missing_right():
    """Same key, same license: only the right can differ."""
    outcome = check(case(seeing(replace(OPEN, probes=probes(sales=REFUSED)))))
    finding = outcome.findings[0]
    assert (finding.code, finding.action.kind) == ("authentication.permission-missing", ActionKind.FIX_PERMISSION)
    assert "sales" in finding.headline
    assert outcome.closes


def test_posts_that_metrc_refused_for_a_right_are_found_and_do_not_close_the_gate():
    """The bot can see; only the POS cannot do."""
    outcome = check(case(add_sales(refused(message="Unauthorized"))))
    finding = outcome.findings[0]
    assert (finding.code, finding.action.kind) == ("authentication.post-refused", ActionKind.FIX_PERMISSION)
    assert finding.brings_about == ("failed_post.refused",)
    assert finding.confidence is Confidence.LIKELY
    assert not outcome.closes


def test_a_right_that_is_seen_to_be_missing_makes_it_certain():
    """The list of rights is the proof that the text alone is not."""
    evidence = add_sales(refused(message="401 Unauthorized"))
    lacking = replace(evidence, access=replace(OPEN, rights=read(frozenset({"view packages"}))))
    having = replace(evidence, access=replace(OPEN, rights=read(frozenset({"manage sales"}))))
    unread = replace(evidence, access=replace(OPEN, rights=failed(ProblemKind.NOT_FOUND)))
    found = [check(case(each)).findings[0].confidence for each in (lacking, having, unread)]
    assert found == [Confidence.CERTAIN, Confidence.LIKELY, Confidence.LIKELY]


def test_a_refusal_for_another_reason_is_none_of_its_business():
    """A wrong unit is no missing right."""
    evidence = add_sales(refused(message="Unit of Measure is not valid for the Package."))
    assert check(case(evidence)).result is Result.CLEAR


def test_the_license_ends_far_ahead_and_the_families_answer():
    """A license that runs on is nothing to mention."""
    listed = Facility(SHOP.license, SHOP.name, license_ends_on=(HEALTHY.asked_at + days(40)).date())
    assert check(case(seeing(replace(OPEN, facilities=read((listed,)))))).result is Result.CLEAR


def test_errors_behind_a_refused_front_door_do_not_hide_a_dead_user_key():
    """Unrelated keys are let in and ours is not, while some family fails with an error."""
    others = (Probe("Pine Street", read(value=True)),)
    mixed = probes(packages=failed(ProblemKind.SERVER_FAULT), sales=REFUSED, transfers=REFUSED)
    assert codes(check(case(seeing(Access(REFUSED, mixed, others))))) == ["authentication.user-key"]


def test_unrelated_keys_that_fail_with_errors_make_it_an_outage():
    """Then a 401 proves nothing about the own key."""
    others = (Probe("Pine Street", failed(ProblemKind.SERVER_FAULT)),)
    outcome = check(case(seeing(Access(REFUSED, none_answer(REFUSED), others))))
    assert codes(outcome) == ["outage.metrc-down"]


def test_a_key_that_sees_many_licenses_names_five():
    """The rest is counted."""
    many = tuple(Facility(f"403-X000{number}", "Shop") for number in range(7))
    outcome = check(case(seeing(facilities(*many))))
    said = [quote.says for quote in outcome.evidence]
    assert "this key sees 403-X0000, 403-X0001, 403-X0002, 403-X0003, 403-X0004 and 2 more" in said


@pytest.mark.parametrize(
    ("ended", "root"), [(date(2026, 2, 27), "wrong_license.lapsed"), (date(2026, 3, 1), "authentication.post-refused")]
)
def test_posts_refused_after_the_license_ended_were_refused_for_that(ended, root):
    """A sale of 1 March, refused as unauthorized: an end of that very day does not explain it, an earlier one does."""
    listed = Facility(SHOP.license, SHOP.name, license_ends_on=ended)
    evidence = add_sales(
        refused(message="Unauthorized"), to=stocked(37, seeing(replace(OPEN, facilities=read((listed,)))))
    )
    assert judged(evidence).code == root


# --- two licenses under one roof --------------------------------------------------------------------------------------

SISTER = Sighting(LABEL, "Harbor Medical (403-X0100)", Decimal(40), ITEM.name, manifest="417733")


def under_the_sister(**changes):
    """The POS received the load here; METRC has it at the other license."""
    return replace(absent(), elsewhere=read((replace(SISTER, **changes),)))


def test_a_load_that_metrc_received_under_the_sister_license_is_a_wrong_license():
    """The same manifest on both sides, leading zeros or not, and no transfer between the two."""
    diagnosis = judged(under_the_sister())
    assert (diagnosis.code, diagnosis.action.kind) == ("wrong_license.sister-license", ActionKind.FIX_LICENSE)
    assert "Harbor Medical (403-X0100)" in diagnosis.headline
    assert shares(diagnosis)[0][1] == "40"
    assert Forbidden.ADJUST_QUANTITY in diagnosis.must_not


def test_another_manifest_there_is_no_wrong_license():
    """It went there on a transfer of ours, or nobody knows how; or it is here after all; or nobody could look."""
    unsure = [
        under_the_sister(manifest="420009"),
        under_the_sister(manifest=None),
        replace(under_the_sister(), package=read(package())),
        replace(under_the_sister(), package=failed()),
        replace(under_the_sister(), elsewhere=None),
    ]
    assert ["wrong_license.sister-license" in codes(check(case(each))) for each in unsure] == [False] * 5
