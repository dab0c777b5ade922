"""Presses on a removal's card, over signed HTTP: who may, what follows, and that none is lost."""

import asyncio
import re
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.errors import StorageError
from bot.removals import State
from bot.serve import in_rounds
from demo.pos import write_books
from demo.world import World
from handlers.decisions import reason_of
from handlers.payloads import presser_of
from tests.handlers.removal_shop import ASKER, FAR, GUEST, KIT, LABEL, LEE, asked, opened, opened_again, sold_twice
from tests.handlers.test_commands import texts
from tests.store import NOW

BUTTONS = ("remove_duplicate", "decline_removal", "withdraw_removal")


@pytest.fixture(scope="module")
def before(tmp_path_factory, empty_database):
    """What one question about that sale has left, in the database and in the channel."""
    return asyncio.run(asked(tmp_path_factory.mktemp("asked"), empty_database))


@pytest.fixture
async def shop(tmp_path, before):
    """A sale that is in METRC twice, and a card that offers to void the later receipt."""
    async with opened_again(tmp_path, before) as shop:
        shop.keep, shop.remove = before.keep, before.remove
        yield shop


# --- the good path ----------------------------------------------------------------------------------------------------


async def test_a_second_person_approves_and_it_goes_once(shop):
    """The card says what goes and why, then that METRC is looked at again, then who, when and what came of it."""
    before = shop.card()
    assert f"Void receipt {shop.remove} in METRC and keep {shop.keep}?" in before
    assert "Difference of …3001: +1 → 0 Each" in before
    assert "Needs somebody who neither asked nor joined: @Lee Marsh" in before
    assert (await shop.press()).acked
    drawn = [call.arguments["text"] for call in shop.slack.api.calls if call.method == "chat.update"]
    assert any("Looking again at METRC…" in text for text in drawn)
    after = shop.card()
    assert f"✓ Receipt {shop.remove} removed" in after
    assert "Approved by @Lee Marsh" in after
    assert "The fix held." in after
    assert "[ " not in after
    assert shop.writes() == [f"DELETE /sales/v2/receipts/{shop.remove}"]
    assert shop.slack.ephemerals(LEE) == []
    (reply,) = shop.replies()
    assert reply.startswith(f"<@{ASKER}> <@{LEE}> Receipt {shop.remove} was removed. The fix held.")
    assert [event for event, _ in await shop.events()] == [
        "asked", "proposed", "approved", "claimed", "sent", "done", "verified",
    ]  # fmt: skip


async def test_a_button_holds_an_id_and_nothing_else(shop):
    """Every value is the same opaque name; what it stands for is only in the database."""
    intent = await shop.intent()
    (row,) = [block for block in shop.cards()[0].blocks if block["type"] == "actions"]
    assert [element["action_id"] for element in row["elements"]] == list(BUTTONS)
    assert {element["value"] for element in row["elements"]} == {intent.id}
    assert re.fullmatch(r"[0-9a-f]{16}", intent.id)


async def test_one_press_delivered_ten_times_has_one_effect(shop):
    """All are acknowledged; one approval, one DELETE, and nobody is told off for what Slack repeats."""
    card = shop.cards()[0]
    moment = shop.slack.workspace.next_ts()
    shop.slack.workspace.next_ts = lambda: moment
    results = await asyncio.gather(*(shop.slack.press(card.ts, "remove_duplicate", LEE) for _ in range(10)))
    await shop.settle()
    assert all(result.acked for result in results)
    assert len(shop.writes()) == 1
    assert [event for event, actor in await shop.events() if actor == LEE] == ["approved"]
    assert shop.slack.ephemerals(LEE) == []


# --- who may not ------------------------------------------------------------------------------------------------------


async def test_whoever_may_not_is_refused_in_private_and_written_down(shop):
    """The requester, a guest, one who is no approver, a bot, a stranger, one who left, and a forged value."""
    card, told = shop.cards()[0], {}

    async def refused(user, **changes):
        if changes:
            shop.slack.workspace.change_user(user, **changes)
            shop.clock.forward(seconds=31)
        assert (await shop.slack.press(card.ts, "remove_duplicate", user)).acked
        await shop.settle()
        told[len(told)] = shop.told(user)

    await refused(ASKER)
    await refused(GUEST)
    await refused(KIT)
    await refused(FAR)
    await refused(KIT, is_bot=True)
    await refused(KIT, is_bot=False, is_deleted=True)
    forged = [
        {**block, "elements": [element | {"value": "' or 1=1;--"} for element in block["elements"]]}
        if block["type"] == "actions"
        else block
        for block in card.blocks
    ]
    shop.slack.workspace.put(replace(card, blocks=tuple(forged)))
    await refused(LEE)
    assert [sentence.split(",")[0].split(".")[0] for sentence in told.values()] == [
        "You asked or joined this question",
        "Guests cannot decide this",
        "You are not among the approvers of this shop",
        "Only people of this workspace may decide this",
        "A bot cannot decide this",
        "A deactivated account cannot decide this",
        "This button belongs to no removal that Countlast knows",
    ]
    assert await shop.faults() == ["asked", "guest", "no_approver", "stranger", "bot", "deactivated", "no_such_card"]
    assert shop.writes() == []
    assert (await shop.intent()).state is State.PROPOSED


async def test_when_slack_does_not_say_who_may_nobody_may(tmp_path, empty_database):
    """A user group that cannot be looked up denies; when it can, its members may."""
    async with opened(tmp_path, empty_database, approvers=("S0MANAGERS",)) as shop:
        await shop.ask()
        assert "<!subteam^S0MANAGERS>" in str(shop.cards()[0].blocks)
        shop.slack.faults.refuse("ratelimited", method="usergroups.users.list")
        await shop.press()
        assert "Slack did not say whether you may decide this" in shop.told(LEE)
        assert (await shop.faults(), shop.writes()) == (["cannot_tell"], [])
        await shop.press()
        assert len(shop.writes()) == 1


async def test_a_late_press_hears_who_decided(shop):
    """A card that was drawn before the decision still has its button; it answers in private and does nothing."""
    stale = shop.cards()[0]
    await shop.press()
    shop.slack.workspace.put(stale)
    await shop.press(user=KIT)
    assert shop.told(KIT).startswith("Already decided by @Lee Marsh ")
    shop.slack.workspace.put(stale)
    await shop.press("decline_removal", LEE)
    assert shop.told(LEE).startswith("Already decided by @Lee Marsh ")
    assert shop.slack.workspace.stack(LEE) == ()
    assert await shop.faults() == ["too_late", "too_late"]
    assert len(shop.writes()) == 1


async def test_an_expired_card_approves_nothing(shop):
    """Whether or not the round has closed it already; and the card says how to go on."""
    shop.clock.forward(minutes=30)
    await shop.press()
    assert "This proposal has expired" in shop.told(LEE)
    await shop.side.unfinished.cards.recover_round()
    assert "expired, nothing was removed" in shop.card()
    assert "Ask again" in shop.card()
    assert (await shop.faults(), shop.writes()) == (["expired"], [])


# --- nothing is lost --------------------------------------------------------------------------------------------------


async def test_a_press_that_was_acknowledged_is_never_lost(shop, monkeypatch):
    """The process dies right after the acknowledgement: the next round decides, acts and draws the card."""
    monkeypatch.setattr(shop.side.work, "start", lambda *_: None)
    assert (await shop.press()).acked
    assert shop.writes() == []
    shop.clock.forward(seconds=16)
    await shop.side.unfinished.cards.recover_round()
    assert len(shop.writes()) == 1
    assert "The fix held." in shop.card()


async def test_rounds_begin_at_once_and_go_on_until_the_end():
    """The first does not wait; the end is not waited for."""
    stop, rounds = asyncio.Event(), []

    async def one():
        rounds.append(stop.is_set())
        if len(rounds) == 3:
            stop.set()

    await in_rounds(one, stop, every=0)
    assert rounds == [False, False, False]


async def test_a_press_that_cannot_be_kept_is_not_acknowledged(shop, monkeypatch):
    """Slack shows its own warning, the presser is told in words, and nothing is decided."""

    async def broken(_press):
        raise StorageError("The disk is full.")

    monkeypatch.setattr(shop.side.unfinished.cards.office.intents, "take", broken)
    assert not (await shop.press()).acked
    assert "could not be kept, so nothing was decided" in shop.told(LEE)
    assert (await shop.intent()).state is State.PROPOSED


async def test_a_card_that_slack_did_not_take_is_drawn_later(shop):
    """Slack refuses every edit while the removal happens; the round brings the card in line."""
    shop.slack.faults.refuse("internal_error", calls=20, method="chat.update")
    await shop.press()
    assert len(shop.writes()) == 1
    assert "[ Remove duplicate… ]" in shop.card()
    shop.slack.faults.pending.clear()
    await shop.side.unfinished.cards.recover_round()
    assert "The fix held." in shop.card()
    calls = len(shop.slack.api.calls)
    await shop.side.unfinished.cards.recover_round()
    assert len(shop.slack.api.calls) == calls


async def test_a_card_whose_place_was_never_written_down_is_found_by_its_press(shop, monkeypatch):
    """Killed between posting the card and remembering where: pressing it makes it known again."""

    async def lost(*_):
        raise StorageError("Killed.")

    with monkeypatch.context() as killed:
        killed.setattr(shop.side.unfinished.cards.office.intents, "place", lost)
        await shop.ask(user=KIT)
    await shop.press()
    assert [("removed" in shop.card(number)) for number in (0, 1)] == [True, True]


async def test_a_card_that_was_deleted_is_not_drawn_for_ever(shop):
    """A person deleted the message; the removal goes on, and no round asks for it again."""
    shop.slack.faults.refuse("message_not_found", calls=20, method="chat.update")
    await shop.press()
    assert len(shop.writes()) == 1
    assert await shop.bot.books.intents.places(10) == ()


# --- declining, taking back -------------------------------------------------------------------------------------------


async def test_an_approver_declines_with_a_reason(shop):
    """A form asks why; “something else” needs words; the card and the log say who and why."""
    await shop.press("decline_removal")
    (view,) = shop.slack.workspace.stack(LEE)
    await shop.slack.submit_view(view.id, {"reason": {"reason": "other"}}, LEE)
    (view,) = shop.slack.workspace.stack(LEE)
    assert view.errors == {"note": "Say in a few words what else it is."}
    typed = {"reason": {"reason": "both_real"}, "note": {"note": "Two people,\ntwo packs <!channel>"}}
    assert (await shop.slack.submit_view(view.id, typed, LEE)).acked
    await shop.settle()
    assert shop.slack.workspace.stack(LEE) == ()
    assert "declined, nothing was removed" in shop.card()
    assert "Both records are real: Two people, two packs <!channel>" in shop.card()
    assert "&lt;!channel&gt;" in str(shop.cards()[0].blocks)
    assert ("denied", LEE) in await shop.events()
    assert shop.writes() == []


async def test_whoever_may_not_decline_is_refused_when_the_form_comes_back(shop):
    """Opening the form decides nothing; sending it is judged like any press."""
    await shop.press("decline_removal", KIT)
    (view,) = shop.slack.workspace.stack(KIT)
    await shop.slack.submit_view(view.id, {}, KIT)
    await shop.settle()
    assert "You are not among the approvers" in shop.told(KIT)
    assert (await shop.intent()).state is State.PROPOSED


async def test_only_who_asked_takes_it_back(shop):
    """Lee may approve, but it is not Lee's question."""
    await shop.press("withdraw_removal", LEE)
    assert "Only who asked the question can take it back" in shop.told(LEE)
    await shop.press("withdraw_removal", ASKER)
    assert "Taken back by @Dana Orrin" in shop.card()
    assert (await shop.intent()).state is State.WITHDRAWN


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({}, ""),
        ({"reason": None, "note": []}, ""),
        ({"reason": {"reason": {"selected_option": {"value": "wrong_one"}}}}, "The other record should go"),
        ({"reason": {"reason": {"selected_option": {"value": "forged"}}}, "note": {"note": {"value": " x "}}}, "x"),
    ],
)
def test_what_comes_back_from_the_form_is_not_taken_for_granted(values, reason):
    """Only reasons from our own list count by name."""
    assert reason_of({"state": {"values": values}}) == reason


@pytest.mark.parametrize(("own", "told"), [("T0FAR", "T0FAR"), (None, "T0HOME")])
def test_in_a_shared_channel_the_presser_is_of_their_own_workspace(own, told):
    """The button's workspace is taken only where the payload names no other for the person."""
    body = {"user": {"id": "U0FAR", "team_id": own}, "team": {"id": "T0HOME"}}
    assert presser_of(body) == (told, "U0FAR")


# --- policies ---------------------------------------------------------------------------------------------------------


async def test_where_the_bot_may_not_act_the_approval_is_recorded_and_the_steps_are_given(tmp_path, empty_database):
    """Nothing is sent; “done, check again” believes METRC and not the presser."""
    world, sale = sold_twice()
    async with opened(tmp_path, empty_database, world, act=False) as shop:
        await shop.ask()
        assert "[ Record removal… ]" in shop.card()
        await shop.press()
        assert f"Void receipt {sale.receipts[1].id}." in shop.card()
        assert "[ Done, check again ]" in shop.card()
        await shop.press("check_removal", KIT)
        assert "is still there" in shop.told(KIT)
        world.void_receipt(sale.receipts[1], shop.clock.now())
        shop.clock.forward(minutes=5)
        await shop.press("check_removal", KIT)
        assert "removed" in shop.card()
        assert "The fix held." in shop.card()
        assert shop.writes() == []


async def test_the_kill_switch_keeps_an_approval_waiting(shop, monkeypatch):
    """Nothing is sent while it is on, and the card says why; it goes when it is off."""
    office = shop.side.unfinished.cards.office
    policy = office.policy
    with monkeypatch.context() as switched:
        switched.setitem(office.__dict__, "policy", lambda shop: replace(policy(shop), read_only=True))
        await shop.press()
        assert "switched off" in shop.card()
        assert "[ Take back ]" in shop.card()
    assert shop.writes() == []
    shop.clock.forward(minutes=1)
    await shop.side.unfinished.cards.recover_round()
    assert (len(shop.writes()), "The fix held." in shop.card()) == (1, True)


async def test_what_changed_since_the_card_is_told_and_nothing_is_done(shop):
    """Somebody voided it by hand in the meantime."""
    receipt = next(one for one in shop.world.receipts if str(one.id) == shop.remove)
    shop.world.void_receipt(receipt, shop.clock.now() - timedelta(seconds=1))
    await shop.press()
    assert f"✗ Receipt {shop.remove} was not removed" in shop.card()
    assert "already removed by somebody else" in shop.card()
    assert "[ " not in shop.card()
    assert shop.writes() == []


async def test_a_list_needs_two_people_goes_one_by_one_and_stops_at_the_first_surprise(
    tmp_path, empty_database, monkeypatch
):
    """One card for three receipts; somebody voids the second while the first goes, so the third is not touched."""
    world = World.healthy(NOW)
    twins = [world.post_twice(world.sell(LABEL, at=NOW - timedelta(hours=hours))) for hours in (5, 6, 7)]
    async with opened(tmp_path, empty_database, world, approvers=(LEE, KIT), two_approvals_over=2) as shop:
        await shop.ask()
        assert "Void 3 receipts in METRC?" in shop.card()
        assert "Needs 2 people: @Lee Marsh or @Kit Voss" in shop.card()
        await shop.press(user=LEE)
        assert "1 more needed" in shop.card()
        assert shop.writes() == []
        await shop.press(user=LEE)
        assert "You have approved this already; 1 more needed" in shop.told(LEE)
        order = [target.record_id for target in (await shop.intent()).targets]
        second = next(twin for twin in twins if str(twin.id) == order[1])
        void = world.void_receipt

        def both(receipt, at):
            void(receipt, at)
            void(second, at)

        monkeypatch.setattr(world, "void_receipt", both)
        monkeypatch.setattr(shop.side.unfinished.cards, "_sleep", lambda _seconds: asyncio.sleep(0))
        await shop.press(user=KIT)
        assert shop.writes() == [f"DELETE /sales/v2/receipts/{order[0]}"]
        assert "1 of 3 removed" in shop.card()
        drawn = [call.arguments["text"] for call in shop.slack.api.calls if call.method == "chat.update"]
        assert any(f"Request 1 to remove {order[0]} was sent." in text for text in drawn)
        assert "the rest was not removed" in shop.card()
        assert "already removed by somebody else" in shop.card()


async def test_a_fix_that_does_not_hold_is_told_in_the_thread(tmp_path, empty_database):
    """Somebody posts the sale once more; a day later the card says so, and those who asked and approved are called."""
    world, sale = sold_twice()
    async with opened(tmp_path, empty_database, world) as shop:
        await shop.ask()
        await shop.press()
        world.post_twice(sale, after=NOW + timedelta(hours=1) - sale.receipts[0].recorded_at)
        shop.clock.forward(hours=24)
        write_books(world, tmp_path / "pos", shop.clock.now())
        for _ in range(2):
            await shop.side.unfinished.cards.recover_round()
        assert "did not hold" in shop.card()
        held, not_held = shop.replies()
        assert "was removed. The fix held." in held
        assert not_held.startswith(f"<@{ASKER}> <@{LEE}> The fix did not hold: ")


# --- joining ----------------------------------------------------------------------------------------------------------


async def test_whoever_asks_the_same_joins_and_every_thread_shows_what_came_of_it(shop):
    """Two threads, one removal: Lee asked as well and may not approve; Kit, who may by now, settles both cards."""
    facility = shop.bot.settings.facilities[0]
    object.__setattr__(facility, "approvers", (LEE, KIT))
    await shop.ask(user=LEE)
    assert len(shop.cards()) == 2
    assert "Asked by @Dana Orrin, @Lee Marsh" in shop.card(0)
    await shop.press(user=LEE)
    assert "You asked or joined this question" in shop.told(LEE)
    await shop.press(user=KIT, card=0)
    assert all("The fix held." in shop.card(number) for number in (0, 1))
    assert len(shop.writes()) == 1


# --- lists ------------------------------------------------------------------------------------------------------------


async def test_what_is_open_and_what_there_was_can_be_asked_for(shop):
    """Privately, with a link to the card; afterwards it is history, also by label."""
    await shop.ask("pending", user=KIT)
    assert "1 open removal" in shop.told(KIT)
    assert "asked by @Dana Orrin" in shop.told(KIT)
    assert f"/archives/C0FLOOR/p{shop.cards()[0].ts.replace('.', '')}" in str(shop.slack.ephemerals(KIT)[-1].blocks)
    await shop.press()
    await shop.ask("pending", user=KIT)
    assert "No removal waits for anybody." in shop.told(KIT)
    await shop.ask(f"history {LABEL} at Harbor Street", user=KIT)
    assert f"receipt {shop.remove} (" in shop.told(KIT)
    assert "(…3001): removed by @Lee Marsh" in shop.told(KIT)
    await shop.ask("history 1A4FF0100000022000009999", user=KIT)
    assert "No removal was ever proposed for 1A4FF0100000022000009999" in shop.told(KIT)
    await shop.ask("pending at nowhere", user=KIT)
    assert "I do not know the license nowhere" in shop.told(KIT)


# --- other versions' buttons ------------------------------------------------------------------------------------------


async def test_an_unknown_button_gets_a_hint(bot):
    """A button of another version is acknowledged and explained."""
    assert (await bot.press("of_another_version")).status_code == 200
    assert "does not know that" in texts(bot.slack.whispers[0])


async def test_forms_and_shortcuts_of_other_versions_are_acknowledged(bot):
    """Slack shows no error for anything that is signed."""
    view = {"type": "modal", "callback_id": "x", "id": "V1", "state": {"values": {}}}
    for changes in (
        {"type": "view_submission", "view": view},
        {"type": "view_closed", "view": view},
        {"type": "shortcut", "callback_id": "x"},
        {"type": "message_action", "callback_id": "x"},
        {"type": "block_suggestion", "action_id": "x", "block_id": "b", "value": ""},
    ):
        assert (await bot.press(**changes)).status_code == 200
