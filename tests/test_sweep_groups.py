"""Laws of grouping: every package is told once, nothing is lost, and what is shared is what most share."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.diagnose import diagnose
from bot.model import Action, ActionKind, Cause, Gap
from bot.sweep_groups import ALONE, BY_CAUSE, PHRASES, STEPS, Facet, Sweep, Tally, common
from bot.sweep_report import as_json, as_text, differences
from tests.evidence import HEALTHY, LABEL, NOW, package, row, with_package, with_row

HEALTHY_ANSWER = diagnose(HEALTHY, "")
HELD = with_package(HEALTHY, is_on_hold=True)


def label(number):
    return f"1A4FF01{number:017d}"


def held(number, item="Night Lantern", text="Call compliance.", difference=0, not_before=None):
    """A held package of an item, with its own evidence and answer."""
    evidence = with_row(with_package(HELD, item=replace(package().item, name=item)), metrc_item=item)
    answer = diagnose(evidence, "")
    gap = Gap(Decimal(difference), Decimal(0), "Each", ())
    return evidence, replace(
        answer,
        subject=replace(answer.subject, value=label(number)),
        gap=gap,
        action=Action(ActionKind.CONTACT_COMPLIANCE, text, not_before),
    )


def tallied(*judged):
    tally = Tally()
    for evidence, answer in judged:
        tally.add(evidence, answer)
    return tally


items = st.sampled_from(["A", "B", "C"])
texts = st.sampled_from(["Call.", "Wait."])


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(items, texts, st.integers(-5, 5)), max_size=12))
def test_every_package_is_told_once_and_no_unit_is_lost(found):
    """Packages of the groups and those that agree are all packages, and totals add up to the whole difference."""
    tally = tallied(*(held(number, *what) for number, what in enumerate(found)), (HEALTHY, HEALTHY_ANSWER))
    groups = tally.groups()
    told = sorted(each for group in groups for each in group.labels)
    assert told == [label(number) for number in range(len(found))]
    assert tally.agree + len(told) == tally.packages
    total = sum((amount for group in groups for _, amount in group.difference), Decimal(0))
    assert total == sum(difference for *_, difference in found)
    assert [len(group.labels) for group in groups] == sorted((len(group.labels) for group in groups), reverse=True)


@settings(deadline=None, max_examples=40)
@given(st.lists(items, min_size=1, max_size=8), st.randoms(use_true_random=False))
def test_the_order_of_packages_changes_nothing_but_whose_words_stand_first(found, chance):
    """The same packages make the same groups in whatever order they come."""
    judged = [held(number, item) for number, item in enumerate(found)]
    shuffled = list(judged)
    chance.shuffle(shuffled)
    parts = [{group.labels: group.common for group in tallied(*each).groups()} for each in (judged, shuffled)]
    assert parts[0] == parts[1]


def test_what_most_share_makes_the_group():
    """Two of one item are told with it; the third shares only the next step with nobody."""
    groups = tallied(held(1, "A", "One."), held(2, "A", "Two."), held(3, "B", "Three.")).groups()
    assert [group.labels for group in groups] == [(label(1), label(2)), (label(3),)]
    assert groups[0].common == "They are all the METRC item “A”."
    assert groups[1].common == ALONE


def test_packages_that_share_nothing_but_the_step_are_told_with_that_said():
    """The common sentence claims no record that they do not share."""
    (group,) = tallied(held(1, "A"), held(2, "B")).groups()
    assert group.common == common(Facet("step", ""))
    assert group.action.text == "Call compliance."


def test_steps_that_name_records_become_one_that_names_none():
    """A step for one package is not told to be the step for all."""
    (group,) = tallied(held(1, text="Void 1."), held(2, text="Void 2.")).groups()
    assert group.action == Action(ActionKind.CONTACT_COMPLIANCE, STEPS[ActionKind.CONTACT_COMPLIANCE])


def test_the_latest_time_counts():
    """Whoever waits for all must wait for the last."""
    late = NOW + timedelta(hours=2)
    (group,) = tallied(held(1, not_before=NOW), held(2, not_before=late), held(3)).groups()
    assert group.action.not_before == late


def test_of_causes_as_wide_the_largest_difference_comes_first():
    """Whatever its sign; what needs nobody comes last."""
    evidence, answer = held(4, "D")
    idle = replace(answer, action=Action(ActionKind.NONE, "Nothing to do."))
    found = (held(1, "A", "1", difference=1), held(2, "B", "2", difference=-80), held(3, "C", "3", difference=5))
    groups = tallied((evidence, idle), *found).groups()
    assert [group.labels[0] for group in groups] == [label(2), label(3), label(1), label(4)]


def test_a_group_holds_what_each_side_counts_of_each_label():
    """In the order of the labels."""
    (group,) = tallied(held(2, difference=-3), held(1, difference=4)).groups()
    figures = [(name, told.pos, told.metrc, told.difference, told.unit) for name, told in group.lines()]
    assert figures == [(label(1), 4, 0, 4, "Each"), (label(2), -3, 0, -3, "Each")]
    assert {told.product for _, told in group.lines()} == {row().product_name}


def test_totals_of_different_units_are_never_added():
    """Grams and pieces stand beside one another."""
    one, other = held(1, difference=3), held(2, difference=4)
    grams = replace(other[1], gap=replace(other[1].gap, unit="Grams"))
    (group,) = tallied(one, (other[0], grams)).groups()
    assert group.difference == (("Each", Decimal(3)), ("Grams", Decimal(4)))
    assert differences((*group.difference, ("Ounces", Decimal(0)))) == "+3 Each, +4 Grams"


def test_a_pair_of_labels_of_one_package_is_one_group():
    """The mistyped label and the true one are two views of one thing."""
    odd = "1A4FF0100000022O00001001"
    tally = Tally()
    for mine, other in ((odd, LABEL), (LABEL, odd)):
        answer = replace(
            HEALTHY_ANSWER,
            subject=replace(HEALTHY_ANSWER.subject, value=mine),
            cause=Cause.MAPPING,
            code="mapping.label-mistyped",
            related=(other,),
        )
        tally.add(HEALTHY, answer)
    (group,) = tally.groups()
    assert set(group.labels) == {odd, LABEL}
    assert odd in group.common


def test_a_row_of_another_category_shares_it():
    """What the POS files wrongly is named with both sides' words."""
    evidence = with_row(HEALTHY, metrc_category="Edibles")
    tally = tallied((evidence, diagnose(evidence, "")))
    evidence = replace(evidence, subject=replace(evidence.subject, value=label(9)))
    tally.add(evidence, replace(diagnose(with_row(HEALTHY, metrc_category="Edibles"), ""), subject=evidence.subject))
    (group,) = tally.groups()
    assert row().metrc_category is not None
    assert group.common == f"The POS files all of them under “Edibles” where METRC has “{package().item.category}”."


def test_an_empty_shop_is_told_as_such():
    """No label at all is no agreement."""
    sweep = Sweep("402R-X0042", 0, 0, (), 4, 0.5)
    assert as_json(sweep)["groups"] == []
    assert as_text(sweep) == "402R-X0042: neither side names a package."


def test_a_shop_that_could_not_be_looked_at_is_not_said_to_differ():
    """None agrees, and none is known not to."""
    tally = Tally()
    unread = replace(HEALTHY_ANSWER, cause=Cause.OUTAGE, code="outage.metrc-down", gap=None)
    tally.add_all([label(1), label(2)], HEALTHY, unread)
    sweep = Sweep("402R-X0042", tally.packages, tally.agree, tally.groups(), 4, 0.5)
    assert (sweep.is_blind, sweep.unread) == (True, 2)
    assert as_text(sweep).startswith("402R-X0042: 2 packages could not be looked at. 4 requests to METRC in 0.5 s.\n")


@pytest.mark.parametrize("code", sorted(PHRASES))
def test_phrases_fit_into_a_headline(code):
    """Each continues “47 packages: …” and ends without a stop of its own."""
    assert PHRASES[code][0].islower() or PHRASES[code].startswith(("METRC", "POS"))
    assert not PHRASES[code].endswith(".")


def test_every_kind_of_step_and_every_cause_has_a_general_form():
    """No action and no cause is left without words for many packages."""
    assert set(STEPS) == set(ActionKind)
    assert set(BY_CAUSE) == set(Cause)


def test_what_needs_nobody_is_not_told_with_what_needs_somebody():
    """Two packages with one cause and different steps are two groups: nobody overlooks the one that has to be done."""
    evidence, answer = held(2)
    idle = replace(answer, action=Action(ActionKind.NONE, "Nothing to do."))
    groups = tallied(held(1), (evidence, idle)).groups()
    assert sorted(group.action.kind for group in groups) == [ActionKind.CONTACT_COMPLIANCE, ActionKind.NONE]
