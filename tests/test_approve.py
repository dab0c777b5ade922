"""Removing a duplicate, from the press to the second verification: whatever happens, once or not at all."""

from collections import deque
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from bot import audit
from bot.approve import act, check, decide, join, propose, recover, take, unheld
from bot.approvers import RememberingDirectory, is_approver
from bot.errors import ChatError, MetrcServerFault
from bot.removals import Fault, Person, Policy, State, Verb, Way
from tests.databases import books, database_url
from tests.removing import ACTING, ASKER, DANA, HOME, KIT, LABEL, LEE, SHOP, TWIN, Bench, Clock, Receipts

__all__ = ["books", "database_url"]


@pytest.fixture
def bench(books):
    """One receipt too many, nothing else wrong."""
    return Bench(books, Receipts(Clock()))


async def pressed(bench, person=DANA, verb=Verb.APPROVE, **more):
    press = bench.press(person, verb, **more)
    assert await take(bench.office, press)
    return await decide(bench.office, press)


async def approved(bench, *records, **more):
    intent = await bench.proposed(*records, **more)
    answer = await pressed(bench)
    assert answer.taken, answer
    return intent.id


async def swept(bench, **span):
    bench.clock.forward(**span)
    await recover(bench.office)
    return await bench.office.intents.get("i1")


async def settled(bench):
    """Sweeps as the clock does, until it is known or with a person, or until it should long have been."""
    for _ in range(10):
        intent = await swept(bench, seconds=30)
        if intent.state is not State.UNKNOWN or intent.with_person_since is not None:
            break
    return intent


async def chain_holds(bench):
    rows = [row async for row in bench.books.audit.rows()]
    assert audit.verify(rows, head=await bench.books.audit.head()).holds
    return rows


# --- the good path ----------------------------------------------------------------------------------------------------


async def test_an_approved_twin_is_removed_once_and_verified(bench):
    """One DELETE, the receipt is gone, the fix is verified at once, and every step is in the log."""
    intent = await act(bench.office, await approved(bench))
    assert (intent.state, intent.held, intent.checks_left) == (State.DONE, True, 1)
    assert bench.receipts.journal.lines() == [f"DELETE {TWIN}", f"void {TWIN} bot"]
    assert await bench.events() == ["approved", "claimed", "sent", "done", "verified"]
    rows = await chain_holds(bench)
    assert rows[0].actor == DANA
    assert {row.subject for row in rows} == {"package 1A4FF0100000022000001002"}


async def test_the_fix_is_verified_again_a_day_later(bench):
    """The second verification is due 24 hours after the removal, not before, and is the last."""
    await act(bench.office, await approved(bench))
    assert (await swept(bench, hours=23, minutes=59)).checks_left == 1
    bench.office = bench.process("after a restart")
    intent = await swept(bench, minutes=1)
    assert (intent.checks_left, intent.held, intent.due_at) == (0, True, None)
    assert await unheld(bench.office, SHOP) == ()
    assert (await bench.events())[-1] == "verified"


async def test_a_fix_that_did_not_hold_is_told(bench):
    """A new twin of the kept receipt a day later is found and logged."""
    await act(bench.office, await approved(bench))
    bench.receipts.retwinned = True
    intent = await swept(bench, hours=24)
    assert intent.held is False
    assert "did not hold" in intent.says
    assert await unheld(bench.office, SHOP) == (f"package {LABEL}",)
    bench.clock.forward(days=6, seconds=1)
    assert await unheld(bench.office, SHOP) == ()
    assert (await bench.events())[-1] == "did_not_hold"


async def test_a_verification_that_cannot_be_made_is_made_later(bench):
    """METRC down at the second look: asked again until it answers, and only then judged."""
    await act(bench.office, await approved(bench))
    bench.receipts.down = True
    assert (await swept(bench, hours=24)).checks_left == 1
    bench.receipts.down, bench.receipts.certain = False, False
    assert (await swept(bench, minutes=15)).checks_left == 1
    bench.receipts.certain = True
    assert (await swept(bench, minutes=15)).checks_left == 0


async def test_a_finalized_twin_is_unfinalized_first(books):
    """One PUT, one DELETE; the flag that we changed ourselves is not taken for somebody else's change."""
    receipts = Receipts(Clock())
    receipts.journal.add(f"final {TWIN}")
    bench = Bench(books, receipts)
    intent = await act(bench.office, await approved(bench))
    assert intent.state is State.DONE
    assert [line for line in receipts.journal.lines() if line[:3] in {"PUT", "DEL"}] == [
        f"PUT {TWIN}",
        f"DELETE {TWIN}",
    ]
    assert intent.targets[0].unfinalizes == 1


async def test_a_refusal_after_unfinalizing_is_told_to_a_person(books):
    """The receipt is left open by us, so somebody is told to close it again."""
    receipts = Receipts(Clock(), script=deque(["400"]))
    receipts.journal.add(f"final {TWIN}")
    bench = Bench(books, receipts)
    intent = await act(bench.office, await approved(bench))
    assert (intent.state, receipts.deletes()) == (State.REFUSED, 1)
    assert "finalize it again" in intent.says
    assert intent.with_person_since is not None


async def test_a_refusal_to_unfinalize_removes_nothing_and_is_told_to_a_person(books):
    """METRC says no to the first step: no DELETE, and the card does not say that nothing was asked."""
    receipts = Receipts(Clock(), script=deque(["unfinal_400"]))
    receipts.journal.add(f"final {TWIN}")
    bench = Bench(books, receipts)
    intent = await act(bench.office, await approved(bench))
    assert (intent.state, receipts.deletes()) == (State.REFUSED, 0)
    assert intent.says.startswith("Nothing was removed. METRC did not unfinalize it")
    assert "finalize it again" in intent.says
    assert intent.with_person_since is not None


async def test_after_our_unfinalizing_only_that_flag_of_that_receipt_is_ours(books):
    """Its total, or the flag of its twin, is still somebody else's change: no DELETE, and a person is told."""
    for number, (record, fact) in enumerate(((TWIN, "total"), (TWIN[:-1], "finalized"))):
        receipts = Receipts(Clock(), script=deque(["unfinal_lost"]))
        receipts.journal.add(f"final {TWIN}")
        bench = Bench(books, receipts)
        await bench.proposed(intent_id=f"i{number}")
        await pressed(bench, intent_id=f"i{number}")
        await act(bench.office, f"i{number}")
        receipts.overrides[record] = {fact: "yes"}
        bench.clock.forward(seconds=30)
        intent = await act(bench.office, f"i{number}")
        assert (intent.state, receipts.deletes()) == (State.REFUSED, 0)
        assert f"{fact} was" in intent.says
        assert intent.with_person_since is not None


async def test_a_lost_answer_to_unfinalizing_is_settled_by_reading(books):
    """Unfinalized or not is read off the receipt; it goes on and asks for no second one."""
    receipts = Receipts(Clock(), script=deque(["unfinal_lost"]))
    receipts.journal.add(f"final {TWIN}")
    bench = Bench(books, receipts)
    await act(bench.office, await approved(bench))
    assert (await swept(bench, seconds=30)).state is State.DONE
    assert [line for line in receipts.journal.lines() if line.startswith("PUT")] == [f"PUT {TWIN}"]


# --- who may ----------------------------------------------------------------------------------------------------------


PEOPLE = {
    Fault.ASKED: (ACTING, Person(DANA, "Dana", HOME), {"askers": (DANA,)}),
    Fault.NO_APPROVER: (ACTING, Person(KIT, "Kit", HOME), {}),
    Fault.STRANGER: (ACTING, Person(DANA, "Dana", "T0OTHER"), {}),
    Fault.GUEST: (ACTING, Person(DANA, "Dana", HOME, is_guest=True), {}),
    Fault.BOT: (ACTING, Person(DANA, "Dana", HOME, is_bot=True), {}),
    Fault.DEACTIVATED: (ACTING, Person(DANA, "Dana", HOME, is_deactivated=True), {}),
    Fault.CANNOT_TELL: (replace(ACTING, approvers=("S0GONE",)), Person(DANA, "Dana", HOME), {}),
}


@pytest.mark.parametrize("fault", PEOPLE)
async def test_whoever_may_not_is_refused_and_written_down(fault, bench):
    """Nothing moves, nothing is sent, the refusal is in the log under the presser's name."""
    bench.policy, person, changes = PEOPLE[fault]
    bench.people.persons[person.id] = person
    await bench.books.intents.add(replace(bench.intent(), **changes), lambda _kept: ())
    answer = await pressed(bench, person.id)
    assert (answer.fault, answer.taken) == (fault, False)
    assert (await bench.office.intents.get("i1")).state is State.PROPOSED
    (row,) = await chain_holds(bench)
    assert (row.event, row.actor) == ("refused", person.id)
    assert fault in row.detail


async def test_a_press_from_another_workspace_is_refused_before_anybody_is_asked(bench):
    """The signed payload says where the presser belongs; that an account of that id is at home here changes nothing."""
    await bench.proposed()
    assert (await pressed(bench, team="T0OTHER")).fault is Fault.STRANGER
    assert bench.people.asked == 0
    (row,) = await chain_holds(bench)
    assert "T0OTHER" in row.detail


async def test_a_forged_value_is_refused_and_written_down(bench):
    """A value that names no card decides nothing, whatever it holds."""
    answer = await pressed(bench, intent_id="880102; DROP")
    assert answer.fault is Fault.NO_SUCH_CARD
    (row,) = await chain_holds(bench)
    assert (row.event, row.actor, row.intent) == ("refused", DANA, "")


async def test_an_expired_card_is_refused(bench):
    """A press at the very end of the time comes too late; one before does not."""
    await bench.proposed()
    bench.clock.forward(minutes=30)
    assert (await pressed(bench)).fault is Fault.EXPIRED
    assert (await swept(bench)).state is State.EXPIRED
    assert "Nobody approved" in (await pressed(bench, LEE)).says


async def test_a_press_just_before_the_end_counts(bench):
    """The last moment is still in time, and the approval then has its own time to be carried out."""
    await bench.proposed()
    bench.clock.forward(minutes=29, seconds=59)
    assert (await pressed(bench)).taken
    bench.clock.forward(minutes=29, seconds=59)
    assert (await act(bench.office, "i1")).state is State.DONE


async def test_a_member_of_an_approving_group_may(bench):
    """A user group among the approvers stands for its members as they are now."""
    bench.policy = replace(ACTING, approvers=("S0MANAGERS",))
    bench.people.groups["S0MANAGERS"] = frozenset({KIT})
    await bench.proposed()
    assert (await pressed(bench, LEE)).fault is Fault.NO_APPROVER
    assert (await pressed(bench, KIT)).taken


async def test_who_people_are_is_remembered_for_a_moment_and_failures_are_not(bench):
    """Slack is asked once a moment for the same thing; after a failure it is asked again at once."""
    directory = RememberingDirectory(bench.people, bench.clock)
    bench.people.groups["S0MANAGERS"] = frozenset({KIT})
    for _ in range(3):
        assert await is_approver(directory, Policy(approvers=("S0MANAGERS",)), KIT)
    assert bench.people.asked == 1
    bench.clock.forward(seconds=30)
    bench.people.down = True
    with pytest.raises(ChatError):
        await directory.members("S0MANAGERS")
    bench.people.down = False
    bench.people.groups["S0MANAGERS"] = frozenset()
    assert not await is_approver(directory, Policy(approvers=("S0MANAGERS",)), KIT)


async def test_whoever_joined_the_question_may_not_approve_it(bench):
    """Joining after the card was posted counts as much as asking."""
    await bench.proposed()
    await join(bench.office, "i1", DANA)
    assert (await pressed(bench)).fault is Fault.ASKED
    assert (await pressed(bench, LEE)).taken


async def test_whoever_approved_and_asks_again_stays_an_approver(bench):
    """The approval came first, so it holds, and the act goes on."""
    await approved(bench)
    assert (await join(bench.office, "i1", DANA)).askers == (ASKER,)
    assert (await act(bench.office, "i1")).state is State.DONE


async def test_without_second_person_the_asker_may_approve(bench):
    """Where the shop says so, one person is enough."""
    bench.policy = replace(ACTING, second_person=False, approvers=(ASKER,))
    await bench.proposed()
    assert (await pressed(bench, ASKER)).taken


async def test_two_approvals_need_two_people(bench):
    """The same person twice is one approval; the second person's approves it."""
    await bench.proposed(needed=2)
    assert "1 more needed" in (await pressed(bench)).says
    assert "already" in (await pressed(bench, number=2)).says
    assert (await bench.office.intents.get("i1")).state is State.PROPOSED
    assert (await pressed(bench, LEE)).intent.state is State.APPROVED


async def test_a_late_press_hears_who_decided(bench):
    """Whoever comes second is told the name; the log has one approval, and that somebody was too late."""
    await approved(bench)
    answer = await pressed(bench, LEE)
    assert answer.is_late
    assert f"<@{DANA}>" in answer.says
    assert await bench.events() == ["approved", "refused"]
    assert "too_late" in (await chain_holds(bench))[-1].detail


async def test_the_same_press_delivered_twice_is_one(bench):
    """Slack's redelivery is recognised before anything is done."""
    await bench.proposed()
    press = bench.press()
    assert await take(bench.office, press)
    assert not await take(bench.office, press)


async def test_the_same_press_delivered_again_after_the_decision_is_none_either(bench):
    """Nobody is told about their own approval as if somebody else had been faster."""
    await approved(bench)
    assert not await take(bench.office, bench.press())


async def test_a_press_that_was_taken_is_never_lost(bench):
    """A process that dies between taking and deciding leaves the press for the sweep."""
    await bench.proposed()
    await take(bench.office, bench.press())
    assert (await swept(bench, seconds=16)).state is State.DONE
    assert bench.receipts.deletes() == 1


async def test_a_press_in_time_is_not_lost_to_the_end_of_that_time(bench):
    """Acknowledged a second before, and its process died: the sweep does not expire the card over it."""
    await bench.proposed()
    bench.clock.forward(minutes=29, seconds=59)
    await take(bench.office, bench.press())
    assert (await swept(bench, seconds=5)).state is State.PROPOSED
    assert (await swept(bench, seconds=30)).state is State.DONE


async def test_a_press_left_behind_waits_for_slack(bench):
    """It was acknowledged, so Slack being down at the restart does not lose it."""
    await bench.proposed()
    await take(bench.office, bench.press())
    bench.people.down = True
    assert (await swept(bench, seconds=16)).state is State.PROPOSED
    bench.people.down = False
    assert (await swept(bench, seconds=30)).state is State.DONE


async def test_declining_needs_a_reason_and_ends_it(bench):
    """An approver's no is final and says why."""
    await bench.proposed()
    assert (await pressed(bench, verb=Verb.DECLINE)).fault is Fault.NO_REASON
    answer = await pressed(bench, verb=Verb.DECLINE, number=2, reason="These are two sales.")
    assert (answer.intent.state, answer.intent.reason) == (State.DENIED, "These are two sales.")
    assert "Already decided" in (await pressed(bench, LEE)).says


async def test_only_who_asked_can_take_it_back(bench):
    """The asker withdraws, also after the approval, as long as nothing was sent."""
    await approved(bench)
    assert (await pressed(bench, LEE, Verb.WITHDRAW)).fault is Fault.NOT_PROPOSER
    await join(bench.office, "i1", KIT)
    assert (await pressed(bench, KIT, Verb.WITHDRAW)).fault is Fault.NOT_PROPOSER
    assert (await pressed(bench, ASKER, Verb.WITHDRAW)).intent.state is State.WITHDRAWN
    assert (await act(bench.office, "i1")).state is State.WITHDRAWN
    assert bench.receipts.deletes() == 0


async def test_what_may_have_been_removed_cannot_be_taken_back(bench):
    """METRC was asked once and was busy; from then on it is no longer the asker's to call off."""
    bench.receipts.script.append("429")
    assert (await act(bench.office, await approved(bench))).state is State.APPROVED
    assert (await pressed(bench, ASKER, Verb.WITHDRAW)).is_late
    assert (await swept(bench, seconds=60)).state is State.DONE


# --- looking again ----------------------------------------------------------------------------------------------------


def change(record, fact, value):
    def apply(bench):
        bench.receipts.overrides[record] = {fact: value}

    return apply


def setting(name, value):
    def apply(bench):
        setattr(bench.receipts, name, value)

    return apply


KEEP = TWIN[:-1]
CHANGES = {
    "removed by somebody else": (lambda bench: bench.receipts.void(TWIN), "already removed by somebody else"),
    "its twin removed": (lambda bench: bench.receipts.void(KEEP), f"{KEEP}: standing was active and is now voided"),
    "it is not there": (change(TWIN, "there", "no"), "no longer there"),
    "its twin is not there": (change(KEEP, "there", "no"), "no longer there"),
    "its lines": (change(TWIN, "lines", "2 Each"), "lines was"),
    "its twin's lines": (change(KEEP, "lines", "2 Each"), "lines was"),
    "its total": (change(TWIN, "total", "90"), "total was 45 and is now 90"),
    "its number": (change(TWIN, "number", "POS-2"), "number was POS-1 and is now POS-2"),
    "its sale time": (change(TWIN, "sale time", "2026-03-02T18:01:00-07:00"), "sale time was"),
    "finalized": (lambda bench: bench.receipts.journal.add(f"final {TWIN}"), "finalized was no and is now yes"),
    "its twin finalized": (lambda bench: bench.receipts.journal.add(f"final {KEEP}"), "finalized was no"),
    "the difference": (setting("drift", Decimal(1)), "amount was 1 and is now 2"),
    "on hold": (setting("hold", "on hold"), "hold was none and is now on hold"),
    "no twin any more": (setting("untwinned", {TWIN}), "no longer found to be a twin"),
    "something on its way": (setting("waiting", {TWIN}), "still be on its way"),
}


@pytest.mark.parametrize("name", CHANGES)
async def test_what_changed_since_the_card_refuses_the_act(name, bench):
    """Nothing is sent, and the card says what was and what is."""
    await approved(bench)
    spoil, told = CHANGES[name]
    spoil(bench)
    intent = await act(bench.office, "i1")
    assert (intent.state, bench.receipts.deletes()) == (State.REFUSED, 0)
    assert told in intent.says
    assert (await bench.events())[-1] == "refused"


async def test_an_approver_who_lost_the_role_approves_nothing(bench):
    """The role is asked again right before the act, and not from memory."""
    await approved(bench)
    bench.policy = replace(ACTING, approvers=(LEE,))
    intent = await act(bench.office, "i1")
    assert (intent.state, bench.receipts.deletes()) == (State.REFUSED, 0)
    assert "Dana may no longer approve" in intent.says


async def test_an_approver_who_was_deactivated_approves_nothing(bench):
    """An account closed between press and act counts as no approver."""
    await approved(bench)
    bench.people.persons[DANA] = Person(DANA, "Dana", HOME, is_deactivated=True)
    assert (await act(bench.office, "i1")).state is State.REFUSED


async def test_the_act_does_not_ask_the_memory_who_may(bench):
    """What was remembered at the press may be half a minute old; the act asks Slack itself."""
    remembered = RememberingDirectory(bench.people, bench.clock)
    office = replace(bench.office, directory=remembered)
    await bench.proposed()
    await decide(office, bench.press())
    bench.people.persons[DANA] = Person(DANA, "Dana", HOME, is_deactivated=True)
    assert not (await remembered.person(DANA)).is_deactivated
    assert (await act(office, "i1")).state is State.REFUSED


STRICTER = {
    "somebody else has to approve": replace(ACTING, approvers=(ASKER,)),
    "approval of 2 people": replace(ACTING, second_person=False, approvers=(ASKER,), two_approvals_over=0),
}


@pytest.mark.parametrize("told", STRICTER)
async def test_a_shop_that_has_become_stricter_since_the_press_refuses_the_act(told, bench):
    """The asker could approve alone then, and can no longer."""
    bench.policy = replace(ACTING, second_person=False, approvers=(ASKER,))
    await bench.proposed()
    assert (await pressed(bench, ASKER)).taken
    bench.policy = STRICTER[told]
    intent = await act(bench.office, "i1")
    assert (intent.state, bench.receipts.deletes()) == (State.REFUSED, 0)
    assert told in intent.says


async def test_a_removal_that_was_altered_in_the_database_is_not_carried_out(bench):
    """The record to remove is another one than on the card that was approved."""
    await approved(bench)
    kept = await bench.office.intents.get("i1")
    other = bench.intent("77772")
    altered = replace(kept, targets=other.targets, sight=other.sight, revision=kept.revision + 1)
    await bench.office.intents.save(kept, altered, ())
    bench.receipts.records = ("77772",)
    intent = await act(bench.office, "i1")
    assert (intent.state, bench.receipts.deletes()) == (State.REFUSED, 0)
    assert "not what was approved" in intent.says


async def test_an_approval_that_runs_out_during_the_look_sends_nothing(bench):
    """Its time is looked at after METRC was read, not only before."""
    await approved(bench)
    bench.clock.forward(minutes=29, seconds=59)
    living = bench.receipts.look

    async def slow(intent, targets):
        bench.clock.forward(seconds=1)
        return await living(intent, targets)

    bench.receipts.look = slow
    assert (await act(bench.office, "i1")).state is State.EXPIRED
    assert bench.receipts.deletes() == 0


@pytest.mark.parametrize("change", ["time", "act", "role"])
async def test_a_second_request_needs_all_that_the_first_one_needed(change, bench):
    """A request was lost; before the next one the approval runs out, or ends otherwise: a person looks, nothing is sent."""
    bench.receipts.script.append("lost_before")
    await act(bench.office, await approved(bench))
    if change == "time":
        bench.receipts.down = True
        await swept(bench, minutes=31)
        bench.receipts.down = False
        intent = await swept(bench, hours=1)
    else:
        bench.policy = replace(ACTING, **({"act": False} if change == "act" else {"approvers": (LEE,)}))
        intent = await swept(bench, seconds=61)
    assert (intent.state, bench.receipts.deletes()) == (State.UNKNOWN, 1)
    assert intent.with_person_since is not None
    bench.receipts.void(TWIN)
    assert (await swept(bench, hours=1)).state is State.DONE


async def test_slack_being_down_at_the_act_postpones_it(bench):
    """Whoever cannot be asked about is not taken for an approver; when Slack is back the act goes on."""
    await approved(bench)
    bench.people.down = True
    assert (await act(bench.office, "i1")).state is State.APPROVED
    bench.people.down = False
    assert (await swept(bench, seconds=30)).state is State.DONE


async def test_what_cannot_be_read_is_not_acted_on(bench):
    """METRC down: nothing is sent; when it is back the act goes on; when the approval runs out, it ends."""
    await approved(bench)
    bench.receipts.down = True
    assert (await act(bench.office, "i1")).state is State.APPROVED
    assert (await swept(bench, minutes=31)).state is State.EXPIRED
    assert bench.receipts.deletes() == 0


async def test_an_uncertain_search_is_not_acted_on(bench):
    """Where the search for duplicates could not read everything, the act waits."""
    await approved(bench)
    bench.receipts.certain = False
    assert (await act(bench.office, "i1")).state is State.APPROVED
    bench.receipts.certain = True
    assert (await swept(bench, seconds=30)).state is State.DONE


async def test_the_kill_switch_is_read_at_the_claim(bench):
    """On: nothing is claimed or sent. Off again in time: it goes on."""
    await approved(bench)
    bench.policy = replace(ACTING, read_only=True)
    intent = await act(bench.office, "i1")
    assert (intent.state, intent.fence, bench.receipts.journal.lines()) == (State.APPROVED, 0, [])
    bench.policy = ACTING
    assert (await swept(bench, seconds=30)).state is State.DONE


async def test_the_kill_switch_is_read_again_before_each_request(bench):
    """Switched on while METRC is looked at: nothing is sent."""
    await approved(bench)
    living = bench.receipts.look

    async def switched(intent, targets):
        bench.policy = replace(ACTING, read_only=True)
        return await living(intent, targets)

    bench.receipts.look = switched
    assert (await act(bench.office, "i1")).state is State.APPROVED
    assert bench.receipts.deletes() == 0


async def test_a_shop_that_no_longer_lets_the_bot_act_gets_the_steps(bench):
    """``act`` switched off between approval and act: a person is asked to do it."""
    await approved(bench)
    bench.policy = replace(ACTING, act=False)
    intent = await act(bench.office, "i1")
    assert (intent.state, intent.way, bench.receipts.deletes()) == (State.APPROVED, Way.PERSON, 0)


# --- unknown outcomes -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["lost", "504"])
async def test_an_effect_without_an_answer_is_found_by_reading(way, bench):
    """Done although the answer was lost: known at once, one request, and the doubt about who did it is noted."""
    bench.receipts.script.append(way)
    intent = await act(bench.office, await approved(bench))
    assert (intent.state, bench.receipts.deletes()) == (State.DONE, 1)
    assert intent.targets[0].unsure


@pytest.mark.parametrize("way", ["late", "504_late"])
async def test_an_effect_that_lands_late_is_waited_for(way, bench):
    """Landing 45 s after the time ran out, or after a 504: known within three minutes, with one request."""
    bench.receipts.script.append(way)
    start = bench.clock.now()
    intent = await act(bench.office, await approved(bench))
    assert intent.state is State.UNKNOWN
    intent = await settled(bench)
    assert (intent.state, bench.receipts.deletes(), bench.receipts.effects(TWIN)) == (State.DONE, 1, 1)
    assert bench.clock.now() - start <= timedelta(minutes=3)


async def test_a_request_that_never_arrived_is_made_once_more(bench):
    """After METRC was read again and the record is still there; then it is done."""
    bench.receipts.script.append("lost_before")
    await act(bench.office, await approved(bench))
    assert bench.receipts.deletes() == 1
    assert (await swept(bench, seconds=30)).state is State.UNKNOWN
    assert (await swept(bench, seconds=30)).state is State.DONE
    assert bench.receipts.deletes() == 2


async def test_two_lost_requests_hand_it_to_a_person_within_three_minutes(bench):
    """No third request, ever; a person is told, and may settle it."""
    bench.receipts.script += ["lost_before", "lost_before"]
    start = bench.clock.now()
    await act(bench.office, await approved(bench))
    assert (await settled(bench)).with_person_since is not None
    assert bench.clock.now() - start <= timedelta(minutes=3)
    for _ in range(30):
        intent = await swept(bench, hours=1)
    assert (intent.state, bench.receipts.deletes()) == (State.UNKNOWN, 2)
    bench.receipts.void(TWIN)
    assert (await pressed(bench, KIT, Verb.CHECK)).intent.state is State.DONE


async def test_a_lost_request_and_a_metrc_that_cannot_be_read_are_told_to_a_person_within_three_minutes(bench):
    """Nobody can know what came of it, so somebody is told; once METRC can be read it is known."""
    bench.receipts.script.append("lost")
    start = bench.clock.now()
    await approved(bench)
    living = bench.receipts.gone

    async def down(*_):
        raise MetrcServerFault("METRC failed.", status=503)

    bench.receipts.gone = down
    intent = await act(bench.office, "i1")
    assert intent.state is State.UNKNOWN
    intent = await settled(bench)
    assert intent.with_person_since is not None
    assert bench.clock.now() - start <= timedelta(minutes=3)
    bench.receipts.gone = living
    assert (await swept(bench, hours=1)).state is State.DONE
    assert bench.receipts.deletes() == 1


async def test_what_is_with_a_person_can_be_given_up(bench):
    """An approver ends what nobody can settle; nothing is sent any more."""
    bench.receipts.script += ["lost_before", "lost_before"]
    await act(bench.office, await approved(bench))
    await swept(bench, seconds=60)
    answer = await pressed(bench, LEE, Verb.ABANDON, reason="METRC support has it.")
    assert answer.intent.state is State.ABANDONED
    assert (await swept(bench, days=2)).state is State.ABANDONED


async def test_a_person_in_a_hurry_does_not_bring_the_second_request_forward(bench):
    """“Check again” right after a timeout reads METRC, and sends nothing while the first request may still land."""
    bench.receipts.script.append("lost_before")
    await act(bench.office, await approved(bench))
    bench.clock.forward(seconds=5)
    await pressed(bench, KIT, Verb.CHECK)
    assert bench.receipts.deletes() == 1


@pytest.mark.parametrize("way", ["400", "401"])
async def test_a_refusal_by_metrc_is_final(way, bench):
    """METRC said no and still shows the record: refused with its words, not asked again."""
    bench.receipts.script.append(way)
    intent = await act(bench.office, await approved(bench))
    assert (intent.state, bench.receipts.deletes()) == (State.REFUSED, 1)
    assert "METRC refused" in intent.says


async def test_an_answer_without_effect_is_not_believed(bench):
    """200, but METRC still shows the receipt: unknown, and read again."""
    bench.receipts.script.append("200_nothing")
    assert (await act(bench.office, await approved(bench))).state is State.UNKNOWN


async def test_a_busy_metrc_is_left_alone_as_long_as_it_asks(bench):
    """429: nothing was done; the next try comes after the wait, and is the second and last."""
    bench.receipts.script += ["429"]
    intent = await act(bench.office, await approved(bench))
    assert intent.due_at == bench.clock.now() + timedelta(seconds=7)
    assert (await swept(bench, seconds=60)).state is State.DONE
    assert bench.receipts.deletes() == 2


async def test_removed_by_others_after_our_request_was_lost_counts_as_done(bench):
    """Nobody can tell who was first; the record is gone and the log says that it is unsure."""
    bench.receipts.script.append("lost_before")
    await act(bench.office, await approved(bench))
    bench.receipts.void(TWIN)
    intent = await swept(bench, seconds=60)
    assert (intent.state, intent.targets[0].unsure, bench.receipts.deletes()) == (State.DONE, True, 1)


# --- several processes ------------------------------------------------------------------------------------------------


async def test_a_dead_process_is_taken_over_after_its_lease(bench):
    """Until then nobody touches the intent; afterwards the next process finishes it."""
    await approved(bench)

    async def dies(*_):
        raise KeyboardInterrupt

    bench.receipts.look, living = dies, bench.receipts.look
    with pytest.raises(KeyboardInterrupt):
        await act(bench.office, "i1")
    bench.receipts.look = living
    other = bench.process("p2")
    bench.clock.forward(seconds=119)
    assert await recover(other) == ()
    bench.clock.forward(seconds=1)
    (intent,) = await recover(other)
    assert (intent.state, bench.receipts.deletes()) == (State.DONE, 1)


async def test_a_slow_process_that_lost_its_lease_sends_nothing(bench):
    """Its next step finds the row moved on, and it stops."""
    await approved(bench)
    other = bench.process("p2")
    living = bench.receipts.look

    async def slow(intent, targets):
        sight = await living(intent, targets)
        bench.receipts.look = living
        bench.clock.forward(seconds=121)
        await recover(other)
        return sight

    bench.receipts.look = slow
    intent = await act(bench.office, "i1")
    assert (intent.state, bench.receipts.deletes()) == (State.DONE, 1)
    assert (await bench.events()).count("sent") == 1


# --- several records --------------------------------------------------------------------------------------------------

MANY = tuple(f"88{number:03d}2" for number in range(5))


@pytest.fixture
def many(books):
    """Five receipts too many, on one card."""
    return Bench(books, Receipts(Clock(), records=MANY))


async def test_a_list_of_twins_goes_one_by_one(many):
    """One approval, five requests in order; what we removed ourselves is not taken for somebody's change."""
    intent = await act(many.office, await approved(many))
    assert (intent.state, intent.removed) == (State.DONE, MANY)
    assert [line for line in many.receipts.journal.lines() if line.startswith("DELETE")] == [
        f"DELETE {r}" for r in MANY
    ]
    assert (await many.events()).count("removed") == 4


async def test_a_list_stops_at_the_first_surprise(many):
    """What was removed stays removed, the rest is not touched, the card says how far it came."""
    await approved(many)
    many.receipts.overrides[MANY[2]] = {"total": "90"}
    intent = await act(many.office, "i1")
    assert (intent.state, intent.removed) == (State.REFUSED, MANY[:2])
    assert intent.says.startswith("Stopped. ")
    assert "2 of 5 were removed before" in intent.says
    assert many.receipts.deletes() == 2
    rest = await many.proposed(*MANY[2:], intent_id="i2")
    assert rest.id == "i2"


async def test_a_list_goes_on_where_it_was_left(many):
    """A lost answer in the middle: settled by reading, then the rest."""
    many.receipts.script += ["ok", "ok", "late"]
    await act(many.office, await approved(many))
    assert (await swept(many, seconds=61)).state is State.DONE
    assert many.receipts.deletes() == 5


# --- by hand ----------------------------------------------------------------------------------------------------------


async def test_by_hand_the_approval_is_recorded_and_nothing_is_sent(bench):
    """The approval is in the log; the bot does nothing; “done, check again” reads before it believes."""
    await approved(bench, way=Way.PERSON)
    assert (await act(bench.office, "i1")).state is State.APPROVED
    assert "still there" in (await pressed(bench, KIT, Verb.CHECK)).says
    bench.receipts.void(TWIN)
    answer = await pressed(bench, KIT, Verb.CHECK, number=2)
    assert (answer.intent.state, answer.intent.held, bench.receipts.deletes()) == (State.DONE, True, 0)


async def test_by_hand_and_forgotten_is_abandoned_after_a_week(bench):
    """Nothing stays open for ever."""
    await approved(bench, way=Way.PERSON)
    assert (await swept(bench, days=6, hours=23)).state is State.APPROVED
    assert (await swept(bench, hours=1)).state is State.ABANDONED


async def test_a_check_that_cannot_read_everything_says_so(bench):
    """Neither METRC down nor an uncertain search lets “done” pass."""
    await approved(bench, way=Way.PERSON)
    bench.receipts.void(TWIN)
    bench.receipts.down = True
    assert not (await pressed(bench, KIT, Verb.CHECK)).taken
    bench.receipts.down, bench.receipts.certain = False, False
    assert not (await pressed(bench, KIT, Verb.CHECK, number=2)).taken


# --- propose ----------------------------------------------------------------------------------------------------------


async def test_an_unknown_answer_proposes_nothing(bench):
    """No diagnosis of this id: no card."""
    assert await propose(bench.office, "nope", askers=(ASKER,), team=HOME) == ()


async def test_check_leaves_alone_what_is_not_due(bench):
    """A verification is made by whoever comes when it is due, and nobody else."""
    await approved(bench)
    assert (await check(bench.office, "i1")).state is State.APPROVED
    assert await check(bench.office, "nope") is None
    assert Policy().act is False
