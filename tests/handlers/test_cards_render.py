"""What the card says: what an approver signs, and afterwards what came of it; always a message that Slack takes."""

import itertools
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from bot import removals
from bot.model import DuplicateKind
from bot.removals import Approval, Effect, Pace, Person, Policy, Seen, State, Target, Way
from handlers.render.card import render_card, render_decline_form
from handlers.render.words import card_announcement
from tests.handlers import blockkit
from tests.handlers.test_render import shown
from tests.handlers.values import HARBOR
from tests.removing import ACTING, ASKER, DANA, HOME, LEE, NOW, TWIN, Clock, Receipts, an_intent

PROPOSED = an_intent(Receipts(Clock()), [TWIN], "i1")
APPROVED = removals.approve(PROPOSED, Approval(LEE, "Lee", NOW, PROPOSED.digest), ACTING)
BY_HAND = removals.approve(replace(PROPOSED, way=Way.PERSON), Approval(LEE, "Lee", NOW, PROPOSED.digest), ACTING)
CLAIMED = removals.claim(APPROVED, "p1", NOW, Pace())
SENT = removals.sending(CLAIMED, CLAIMED.targets[0], NOW, Pace())
DONE = removals.removed(SENT, SENT.targets[0], NOW, Pace(), answer="accepted", unsure=False)
PERSON = Person(LEE, "Lee", HOME)

STATES = {
    "proposed": (PROPOSED, ["Remove duplicate…", "Decline…", "Take back"], "Void receipt 880102 in METRC and keep 88010?"),
    "to be recorded": (replace(PROPOSED, way=Way.PERSON), ["Record removal…", "Decline…", "Take back"], "in METRC"),
    "approved": (APPROVED, ["Take back"], "Looking again at METRC…"),
    "claimed": (CLAIMED, [], "Looking again at METRC…"),
    "sent": (SENT, [], "Request 1 to remove 880102 was sent."),
    "by hand": (BY_HAND, ["Done, check again", "Give up…", "Take back"], "2. Void receipt 880102."),
    "postponed": (removals.postpone(CLAIMED, NOW, Pace(), "METRC is busy."), ["Take back"], "METRC is busy."),
    "unknown": (removals.hand_over(SENT, NOW, "No answer."), ["Check again", "Give up…"], "it is not known yet"),
    "done": (DONE, [], "✓ Receipt 880102 removed"),
    "held": (removals.verified(DONE, NOW, held=True, says="The fix held."), [], "Will be looked at again"),
    "did not hold": (removals.verified(DONE, NOW, held=False, says="It is there again."), [], "did not hold"),
    "refused": (removals.refuse(CLAIMED, NOW, "Nothing was done. total was 45."), [], "total was 45. Ask again"),
    "declined": (removals.deny(PROPOSED, PERSON, "Two sales.", NOW), [], "Declined by <@U0LEE>"),
    "taken back": (removals.withdraw(PROPOSED, Person(ASKER, "A", HOME), NOW), [], "Taken back by <@U0ASKER>"),
    "expired": (removals.expire(PROPOSED, NOW), [], "Nobody approved it in time. Ask again"),
    "given up": (removals.abandon(BY_HAND, NOW, "Given up by Lee: no.", LEE), [], "Given up by <@U0LEE>"),
}  # fmt: skip


def drawn(intent, policy=ACTING):
    message = render_card(intent, policy, HARBOR.name, HARBOR.zone)
    assert blockkit.problems(message.text, list(message.blocks)) == []
    return message


def buttons(message):
    return [element for block in message.blocks if block["type"] == "actions" for element in block["elements"]]


@pytest.mark.parametrize("name", STATES)
def test_each_state_says_what_it_is_and_has_the_buttons_that_do_something(name):
    """A button is there only where a press of it can lead to anything, and holds the id alone."""
    intent, labels, said = STATES[name]
    message = drawn(intent)
    assert said in shown(message)
    assert [button["text"]["text"] for button in buttons(message)] == labels
    assert {button["value"] for button in buttons(message)} <= {"i1"}


def test_every_state_is_drawn():
    """None was forgotten."""
    assert {intent.state for intent, *_ in STATES.values()} == set(State)


def test_the_dialog_names_the_act_and_that_it_cannot_be_undone():
    """Nobody confirms an "OK"."""
    (approve, *_) = buttons(drawn(PROPOSED))
    assert (approve["style"], approve["action_id"]) == ("danger", "remove_duplicate")
    assert approve["confirm"]["confirm"]["text"] == "Void receipt 880102"
    assert approve["confirm"]["text"]["text"].startswith(
        "This cannot be undone. Keep receipt 88010, remove 880102 in METRC."
    )
    (approve, *_) = buttons(drawn(replace(PROPOSED, way=Way.PERSON)))
    assert approve["confirm"]["confirm"]["text"] == "Approve"


def test_the_card_shows_the_evidence_that_is_approved():
    """Both records with what tells them apart, what it does to the difference, and the evidence's short name."""
    text = shown(drawn(PROPOSED))
    assert "*Keep* receipt 88010: POS-1 · total 45 · 1 Each of" in text
    assert "*Remove* receipt 880102: POS-1 · total 45 · 1 Each of" in text
    assert "Difference of `…1002`: +1 → 0 Each" in text
    assert f"Evidence `{PROPOSED.digest[:12]}`" in text


def test_it_calls_those_who_may_approve_and_nobody_else():
    """Not who asked, not who has approved; groups by their mention; and it says when nobody is left."""
    policy = replace(ACTING, approvers=(ASKER, DANA, LEE, "S0MANAGERS"))
    text = shown(drawn(PROPOSED, policy))
    assert "Needs somebody who neither asked nor joined: <@U0DANA> or <@U0LEE> or <!subteam^S0MANAGERS>" in text
    assert "<@U0ASKER> or" in shown(drawn(PROPOSED, replace(policy, second_person=False)))
    assert "Nobody is set up who may approve this." in shown(drawn(PROPOSED, Policy()))
    two = removals.approve(replace(PROPOSED, needed=2), Approval(LEE, "Lee", NOW, PROPOSED.digest), policy)
    assert "Approved by <@U0LEE>" in shown(drawn(two, policy))
    assert "1 more needed" in shown(drawn(two, policy))
    assert "<@U0LEE> or" not in shown(drawn(two, policy))


# --- lists ------------------------------------------------------------------------------------------------------------


def many(count):
    receipts = Receipts(Clock(), records=tuple(f"88{n:04d}" for n in range(count)))
    return an_intent(receipts, receipts.records, "i1")


def test_a_list_is_one_card_with_count_sum_and_each_record():
    """One question for all, the sum of what comes back, every record with its twin."""
    text = shown(drawn(many(12)))
    assert "Void 12 receipts in METRC?" in text
    assert "Difference of `…1002`: +12 → 0 Each" in text
    assert "• 880011 (POS-1 · total 45), keep 88001" in text


def test_a_list_shows_how_far_it_has_come():
    """What is gone is marked; after a surprise the rest is said not to be."""
    intent = removals.claim(
        removals.approve(many(3), Approval(LEE, "Lee", NOW, "x"), ACTING), "p1", NOW + timedelta(minutes=1), Pace()
    )
    first = removals.sending(intent, intent.targets[0], NOW, Pace())
    first = removals.removed(first, first.targets[0], NOW, Pace(), answer="accepted", unsure=False)
    text = shown(drawn(first))
    assert "*1 of 3 removed*" in text
    assert "✓ 880000" in text
    assert "• 880001" in text
    assert "3 receipts: the rest was not removed" in shown(drawn(removals.refuse(first, NOW, "It changed.")))


def test_a_long_list_is_cut_with_a_count():
    """Slack takes it, and nobody takes the cut list for the whole."""
    text = shown(drawn(many(400)))
    listed = text.count("• 88")
    assert 20 < listed < 400
    assert f"… {400 - listed} more" in text


# --- whatever is in it ------------------------------------------------------------------------------------------------

FILLERS = ("x", "&", "<", "🙂", "`", "*", "\n", "\u202e", "<!channel> ")


@pytest.mark.parametrize("filler", FILLERS)
def test_the_longest_records_make_a_card_that_fits(filler):
    """Three kilobytes in every field stay below what Slack refuses, in every state."""
    long = filler * (3_000 // len(filler))
    receipts = Receipts(Clock())
    receipts.overrides[TWIN] = dict.fromkeys(("number", "total", "lines"), long)
    intent = an_intent(receipts, [TWIN], "i1")
    labels = [f"{long[:50]}{n}" for n in range(30)]
    target = Target(long, long, tuple(Effect(label, Decimal("1.23456789")) for label in labels))
    seen = (*intent.sight.seen, Seen(removals.difference_name(labels[0]), (("amount", "1"), ("unit", long))))
    spoiled = replace(
        intent,
        headline=long,
        why=long,
        diagnosis_id=long,
        askers=(long,) * 30,
        targets=(target,),
        sight=replace(intent.sight, seen=seen),
    )
    ways, kinds = itertools.cycle(Way), itertools.cycle(DuplicateKind)
    for state, way, kind in zip(State, ways, kinds, strict=False):
        shaped = replace(spoiled, state=state, way=way, kind=kind, says=long, decided_by=long, decided_at=NOW)
        message = render_card(shaped, replace(ACTING, approvers=(long,) * 30), long, HARBOR.zone)
        assert blockkit.problems(message.text, list(message.blocks)) == []


def test_the_form_that_declines_fits_slack():
    """Within the limits of a modal, with a reason chosen from the start."""
    view = render_decline_form(replace(PROPOSED, headline="x" * 5000), "{}")
    assert (len(view["title"]["text"]) <= 24, len(view["submit"]["text"]) <= 24) == (True, True)
    assert len(view["blocks"][0]["text"]["text"]) < 3000
    element = view["blocks"][1]["element"]
    assert element["initial_option"] in element["options"]


def test_a_card_of_two_times_shows_fresh_ids():
    """A client must not keep what it has drawn."""
    (first,) = [b["block_id"] for b in drawn(PROPOSED).blocks if b["type"] == "actions"]
    joined = removals.join(PROPOSED, DANA)
    (second,) = [b["block_id"] for b in drawn(joined).blocks if b["type"] == "actions"]
    assert first != second


CALLED = {
    "by hand": ("by_hand", "Receipt 880102: approved, to be removed by hand."),
    "unknown": ("with_person", "Receipt 880102 needs a person. No answer."),
    "held": ("held", "Receipt 880102 was removed. The fix held."),
    "did not hold": ("not_held", "It is there again."),
    "refused": ("refused", "Receipt 880102 was not removed. Nothing was done."),
    "declined": ("denied", "Receipt 880102 was not removed. Declined by Lee: Two sales."),
}


@pytest.mark.parametrize("name", STATES)
def test_people_are_called_for_what_they_wait_for_and_for_nothing_else(name):
    """An outcome, and whatever needs a person; the asker first, then who approved."""
    news = card_announcement(STATES[name][0])
    if name not in CALLED:
        assert news is None
        return
    key, said = CALLED[name]
    assert news.key == key
    assert said in news.markup
    assert news.markup.startswith("<@U0ASKER>")
    assert ("<@U0LEE>" in news.markup) is (name != "declined")
