"""The life of a removal, without a database: legal moves, what is offered, what changed, who may."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot import removals
from bot.model import (
    ActionKind,
    Direction,
    Duplicate,
    DuplicateKind,
    Forbidden,
    MetrcLine,
    MetrcReceipt,
    Transfer,
    TransferPackage,
)
from bot.removals import (
    MOVES,
    OPEN,
    Approval,
    Effect,
    Fault,
    IllegalMove,
    Pace,
    Person,
    Policy,
    Press,
    Seen,
    State,
    Target,
    Verb,
    Verdict,
    Way,
)
from tests.handlers.values import DOUBLE_RECEIPT
from tests.handlers.values import TWIN as DUPLICATE
from tests.removing import ACTING, ASKER, DANA, HOME, KIT, LABEL, LEE, NOW, TWIN, Clock, Receipts, an_intent

DANA_HERSELF = Person(DANA, "Dana", HOME)
PACE = Pace()


def fresh(*records, **changes):
    receipts = Receipts(Clock(), records=records or (TWIN,))
    return replace(an_intent(receipts, receipts.records, "i1"), **changes)


def approval(person=DANA):
    return Approval(person, person, NOW, "digest")


# --- moves ------------------------------------------------------------------------------------------------------------


def test_every_state_has_its_row_and_closed_ones_lead_nowhere():
    """The table speaks of all states; open ones can be left, the others are ends."""
    assert set(MOVES) == set(State)
    for state in State:
        assert bool(MOVES[state]) == (state in OPEN) == state.is_open


def test_every_open_state_leads_to_an_end():
    """From any open state some path reaches a closed one."""
    for state in OPEN:
        reached, todo = set(), [state]
        while todo:
            here = todo.pop()
            reached.add(here)
            todo += MOVES[here] - reached
        assert reached - OPEN


BEFORE = {
    State.PROPOSED: set(),
    State.APPROVED: {State.PROPOSED, State.SENDING},
    State.SENDING: {State.APPROVED, State.UNKNOWN},
    State.UNKNOWN: {State.SENDING},
    State.DONE: {State.APPROVED, State.SENDING, State.UNKNOWN},
    State.REFUSED: {State.APPROVED, State.SENDING},
    State.ABANDONED: {State.APPROVED, State.UNKNOWN},
    State.DENIED: {State.PROPOSED},
    State.EXPIRED: {State.PROPOSED, State.APPROVED, State.SENDING},
    State.WITHDRAWN: {State.PROPOSED, State.APPROVED},
}


@pytest.mark.parametrize("state", State)
def test_each_state_is_entered_only_from_where_it_should_be(state):
    """Above all: nothing is sent that was not approved, and what may have been sent is not called off as if it was not."""
    assert {before for before in State if state in MOVES[before]} == BEFORE[state]


STEPS = {
    "approve": lambda i, now: removals.approve(i, approval(), ACTING),
    "deny": lambda i, now: removals.deny(i, DANA_HERSELF, "no", now),
    "withdraw": lambda i, now: removals.withdraw(i, DANA_HERSELF, now),
    "expire": removals.expire,
    "claim": lambda i, now: removals.claim(i, "p", now, PACE),
    "send": lambda i, now: removals.sending(i, i.next_target or i.targets[0], now, PACE),
    "unfinalize": lambda i, now: removals.unfinalizing(i, i.targets[0], now, PACE),
    "removed": lambda i, now: removals.removed(i, i.next_target or i.targets[0], now, PACE, answer="ok", unsure=False),
    "postpone": lambda i, now: removals.postpone(i, now, PACE, "later"),
    "unsettled": lambda i, now: removals.unsettled(i, i.targets[0], now, PACE, "?"),
    "refuse": lambda i, now: removals.refuse(i, now, "no"),
    "hand over": lambda i, now: removals.hand_over(i, now, "?"),
    "abandon": lambda i, now: removals.abandon(i, now, "over"),
    "by hand": lambda i, now: removals.by_hand(i, now, "steps"),
    "finish": removals.finish,
    "join": lambda i, now: removals.join(i, KIT),
}


@given(st.lists(st.sampled_from(sorted(STEPS)), max_size=12))
def test_steps_in_any_order_stay_within_the_table(names):
    """A step is a legal move that counts one revision up, or it raises and changes nothing."""
    intent = fresh("10012", "10022")
    for minutes, name in enumerate(names):
        try:
            after = STEPS[name](intent, NOW + timedelta(minutes=minutes))
        except IllegalMove:
            continue
        assert after.state is intent.state or after.state in MOVES[intent.state]
        assert after.revision > intent.revision
        assert after.fence >= intent.fence
        assert (after.due_at is not None) == (
            after.state.is_open or (after.state is State.DONE and after.checks_left > 0)
        )
        intent = after


def test_a_move_that_there_is_not_says_so():
    """What is declined cannot be approved."""
    denied = removals.deny(fresh(), DANA_HERSELF, "no", NOW)
    with pytest.raises(IllegalMove, match="denied cannot be approved"):
        removals.approve(denied, approval(), ACTING)
    with pytest.raises(IllegalMove, match="denied cannot become expired"):
        removals.expire(denied, NOW)


def test_a_lease_is_longer_than_sending_and_settling_together():
    """Whoever takes over a dead process's removal looks only after what it sent can have landed."""
    assert PACE.deadline + PACE.settling < PACE.lease
    assert PACE.deadline + timedelta(seconds=45) < PACE.deadline + PACE.settling


@pytest.mark.parametrize(("due", "claimable"), [(-1, True), (0, True), (1, False)])
def test_an_approved_one_is_claimed_from_when_it_is_due(due, claimable):
    """Just before, exactly at, and after; by hand never."""
    intent = replace(removals.approve(fresh(), approval(), ACTING), due_at=NOW + timedelta(seconds=due))
    assert removals.may_claim(intent, NOW) is claimable
    assert not removals.may_claim(replace(intent, way=Way.PERSON), NOW)


@pytest.mark.parametrize(("seconds", "claimable"), [(119, False), (120, True), (121, True)])
def test_a_claim_holds_until_its_lease_runs_out(seconds, claimable):
    """Both sides of the boundary."""
    claimed = removals.claim(removals.approve(fresh(), approval(), ACTING), "p", NOW, PACE)
    assert removals.may_claim(claimed, NOW + timedelta(seconds=seconds)) is claimable


def test_each_step_of_sending_begins_the_lease_anew():
    """A list that takes longer than one lease is not taken over while it is being worked on."""
    claimed = removals.claim(removals.approve(fresh("10012", "10022"), approval(), ACTING), "p", NOW, PACE)
    target, later = claimed.targets[0], NOW + timedelta(seconds=100)
    for after in (
        removals.sending(claimed, target, later, PACE),
        removals.unfinalizing(claimed, target, later, PACE),
        removals.removed(claimed, target, later, PACE, answer="accepted", unsure=False),
    ):
        assert (after.lease_until, after.due_at) == (later + PACE.lease, later + PACE.lease)


# --- offers -----------------------------------------------------------------------------------------------------------


def test_a_twin_receipt_is_offered():
    """One offer, by the bot where the shop lets it act, else by a person."""
    (offer,) = removals.offers(DOUBLE_RECEIPT)
    assert offer.duplicates == (DUPLICATE,)
    assert removals.way_of(offer, ACTING) is Way.API
    assert removals.way_of(offer, Policy()) is Way.PERSON


def duplicate(kind, *, removable=False, system="metrc"):
    return Duplicate(system, kind, "1", ("2",), removable=removable, why="Because.")


@pytest.mark.parametrize("kind", DuplicateKind)
def test_what_the_api_cannot_remove_is_offered_to_a_person(kind):
    """All kinds but a receipt, which the API could void: that it may not now is the diagnosis's own reservation."""
    diagnosis = replace(DOUBLE_RECEIPT, duplicates=(duplicate(kind),))
    offers = removals.offers(diagnosis)
    assert bool(offers) is (kind is not DuplicateKind.SALES_RECEIPT)
    assert all(removals.way_of(offer, ACTING) is Way.PERSON for offer in offers)


def test_nothing_is_offered_while_something_may_be_on_its_way():
    """The answer says to wait and to remove nothing."""
    wait = replace(DOUBLE_RECEIPT.action, kind=ActionKind.WAIT)
    diagnosis = replace(
        DOUBLE_RECEIPT,
        action=wait,
        must_not=(Forbidden.REMOVE_RECORD,),
        duplicates=(replace(DUPLICATE, removable=False), duplicate(DuplicateKind.RECEIVE, system="pos")),
    )
    assert removals.offers(diagnosis) == ()


def test_a_removal_knows_what_it_gives_back():
    """The share of the account that names the record is what the difference will shrink by."""
    (offer,) = removals.offers(DOUBLE_RECEIPT)
    (target,) = removals.targets_of(offer, [DOUBLE_RECEIPT])
    assert (target.record_id, target.keep) == ("880102", "880101")
    assert target.effects == (Effect(DOUBLE_RECEIPT.subject.value, Decimal(1)),)


def test_the_digest_names_the_records_and_what_was_seen_but_not_when():
    """Another time is the same evidence; another fact, or another record, is not."""
    intent = fresh("10012", "10022")
    digest = lambda **c: removals.digest_of(  # noqa: E731 - one line for four calls
        "metrc", intent.kind, c.get("targets", intent.targets), c.get("sight", intent.sight)
    )
    assert digest() == intent.digest
    assert digest(sight=replace(intent.sight, at=NOW + timedelta(hours=1))) == intent.digest
    assert digest(targets=intent.targets[:1]) != intent.digest
    assert digest(sight=replace(intent.sight, seen=intent.sight.seen[1:])) != intent.digest


# --- what changed -----------------------------------------------------------------------------------------------------

RECEIPT = MetrcReceipt(
    id=880102,
    number="0000880102",
    external_number="POS-1",
    sold_at=NOW,
    recorded_at=NOW,
    total_price=Decimal("45.00"),
    lines=(MetrcLine(LABEL, Decimal("1.0"), "Each", Decimal(45)),),
)
MORE = MetrcLine(LABEL, Decimal(2), "Each", Decimal(90))


@pytest.mark.parametrize(
    "changes",
    [
        {"archived_on": NOW.date()},
        {"is_final": True},
        {"external_number": None},
        {"sold_at": NOW + timedelta(minutes=1)},
        {"total_price": Decimal(46)},
        {"lines": (MORE,)},
        {"lines": (*RECEIPT.lines, MORE)},
        {"lines": None},
    ],
)
def test_every_change_of_a_receipt_is_seen(changes):
    """Whatever a removal rests on shows in its facts."""
    assert removals.seen_receipt("880102", replace(RECEIPT, **changes)) != removals.seen_receipt("880102", RECEIPT)


def test_the_same_receipt_written_otherwise_is_the_same():
    """1 and 1.0, 45 and 45.00, another order of lines and a later touch by METRC are no change."""
    two = (*RECEIPT.lines, MORE)
    same = replace(RECEIPT, total_price=Decimal(45), last_modified=NOW, lines=two[::-1])
    assert removals.seen_receipt("1", same) == removals.seen_receipt("1", replace(RECEIPT, lines=two))


TRANSFER = Transfer(
    id=418903,
    manifest="0000418903",
    direction=Direction.INCOMING,
    shipment_type="External Incoming",
    packages=(TransferPackage(LABEL, state="Shipped", shipped_quantity=Decimal(40), shipped_unit="Each"),),
)


@pytest.mark.parametrize(
    "changes",
    [
        {"is_voided": True},
        {"received_at": NOW},
        {"departed_at": NOW},
        {"invoice": "INV-1"},
        {"packages": ()},
        {"packages": (replace(TRANSFER.packages[0], state="Accepted"),)},
        {"packages": (replace(TRANSFER.packages[0], shipped_quantity=Decimal(41)),)},
    ],
)
def test_every_change_of_a_manifest_is_seen(changes):
    """The same for manifests."""
    assert removals.seen_transfer("1", replace(TRANSFER, **changes)) != removals.seen_transfer("1", TRANSFER)


def test_a_manifest_that_is_not_listed_is_gone_only_if_its_twin_is_listed():
    """An empty list would prove anything."""
    target = Target("2", "1")
    twin, missing = removals.seen_transfer("1", TRANSFER), Seen(removals.transfer_name("2"), None)
    sight = replace(fresh().sight, seen=(twin, missing))
    assert removals.is_gone(DuplicateKind.EXTERNAL_TRANSFER, target, sight)
    nothing = replace(sight, seen=(Seen(twin.name, None), missing))
    assert not removals.is_gone(DuplicateKind.EXTERNAL_TRANSFER, target, nothing)
    assert not removals.is_gone(DuplicateKind.SALES_RECEIPT, target, sight)


def test_an_unchanged_sight_lets_it_go():
    """Start from healthy."""
    intent = fresh()
    assert removals.judge(intent, intent.targets[0], intent.sight) == (Verdict.GO, ())


APPROVED = removals.approve(fresh(), replace(approval(), digest=fresh().digest), ACTING)
ALTERED = {
    "another record": {"targets": (Target("10012", "1001"),)},
    "another twin": {"targets": (replace(APPROVED.targets[0], keep="1001"),)},
    "other evidence": {"sight": replace(APPROVED.sight, seen=APPROVED.sight.seen[1:])},
    "another digest": {"digest": "0" * 64},
    "an approval of something else": {"approvals": (approval(),)},
}


def test_what_was_approved_may_go():
    """Start from healthy; counting requests and who joined since changes nothing."""
    assert removals.objections(APPROVED, ACTING) == ()
    sent = removals.sending(removals.claim(APPROVED, "p", NOW, PACE), APPROVED.targets[0], NOW, PACE)
    assert removals.objections(removals.join(sent, KIT), ACTING) == ()


@pytest.mark.parametrize("name", ALTERED)
def test_what_is_not_what_was_approved_may_not_go(name):
    """The digest is worked out again from what would be done, and compared with the one on the card."""
    (told,) = removals.objections(replace(APPROVED, **ALTERED[name]), ACTING)
    assert "not what was approved" in told


def test_the_rules_of_today_count_and_not_those_of_the_card():
    """Where the shop has become stricter since, what was approved under the old rules is not enough."""
    asker = replace(APPROVED, askers=(DANA,))
    assert removals.objections(asker, replace(ACTING, second_person=False)) == ()
    assert "somebody else has to approve" in removals.objections(asker, ACTING)[0]
    assert "2 people" in removals.objections(APPROVED, replace(ACTING, two_approvals_over=0))[0]
    assert "2 people" in removals.objections(replace(APPROVED, needed=2), ACTING)[0]


def test_a_third_request_is_never_made():
    """Two were counted and the record is there: spent."""
    intent = fresh()
    spent = replace(intent.targets[0], requests=2)
    assert removals.judge(intent, spent, intent.sight)[0] is Verdict.SPENT


def test_a_fix_holds_while_the_record_is_gone_and_its_twin_alone():
    """The record there again, whether as a twin or for itself, or a new twin of what was kept: it did not hold."""
    intent, receipts = fresh(), Receipts(Clock())
    receipts.void(TWIN)
    gone = receipts.sight(intent.targets)
    assert removals.did_hold(intent, gone)[0]
    assert removals.did_hold(intent, intent.sight) == (False, f"The fix did not hold: {TWIN} is there again.")
    assert not removals.did_hold(intent, replace(intent.sight, twins=()))[0]
    assert not removals.did_hold(intent, replace(gone, twins=(TWIN,)))[0]
    assert not removals.did_hold(intent, replace(gone, twins=("999",), kept=(intent.targets[0].keep,)))[0]


# --- who may ----------------------------------------------------------------------------------------------------------


@given(
    asked=st.booleans(), second=st.booleans(), approver=st.booleans(), verb=st.sampled_from(Verb), late=st.booleans()
)
def test_no_press_approves_without_the_role_or_on_ones_own_question(asked, second, approver, verb, late):
    """For every combination: an approval passes only for an approver, in time, who did not ask where two are needed."""
    intent = fresh(askers=(DANA,) if asked else (ASKER,))
    press = Press("p", "i1", verb, DANA, HOME, NOW + timedelta(hours=late), "Because.")
    policy = replace(ACTING, second_person=second)
    fault = removals.press_fault(intent, press, policy, is_approver=approver)
    if verb is Verb.APPROVE:
        assert (fault is None) == (approver and not late and not (asked and second))
    if verb is Verb.WITHDRAW:
        assert (fault is None) == asked
        joined = removals.press_fault(removals.join(fresh(), DANA), press, policy, is_approver=approver)
        assert joined is Fault.NOT_PROPOSER
    if verb in {Verb.DECLINE, Verb.ABANDON} and not approver:
        assert fault is Fault.NO_APPROVER


def test_every_fault_has_its_sentence():
    """A refused presser always hears why."""
    assert set(removals.SENTENCES) == set(Fault)


# --- by hand ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", DuplicateKind)
def test_the_steps_name_the_records_and_end_with_the_button(kind):
    """What to remove, what to keep, and how to say that it is done."""
    intent = replace(fresh(), kind=kind, targets=(Target("31003", "31002"),))
    steps = removals.steps(intent)
    assert any("31003" in step for step in steps)
    assert any("31002" in step for step in steps)
    assert "check again" in steps[-1]


def test_a_finalized_receipt_is_unfinalized_by_hand_first():
    """The step is there only when it is needed."""
    receipts = Receipts(Clock())
    assert not any("Unfinalize" in step for step in removals.steps(an_intent(receipts, (TWIN,), "i1")))
    receipts.journal.add(f"final {TWIN}")
    assert any("Unfinalize" in step for step in removals.steps(an_intent(receipts, (TWIN,), "i1")))


def test_the_receive_is_reconciled_without_telling_metrc():
    """A POS told to tell METRC would make the difference worse."""
    intent = replace(fresh(), kind=DuplicateKind.RECEIVE, targets=(Target("31003", "31002"),))
    assert "do not tell METRC" in " ".join(removals.steps(intent))


def test_lee_is_somebody_else():
    """Two approvals by one person are one."""
    once = removals.approve(fresh(needed=2), approval(), ACTING)
    again = removals.approve(once, approval(), ACTING)
    assert (once.state, again.state) == (State.PROPOSED, State.PROPOSED)
    assert removals.approve(once, approval(LEE), ACTING).state is State.APPROVED
