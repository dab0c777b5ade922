"""Alerts in Slack, over signed HTTP: one message with buttons, presses that show a name, an end that says so."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from bot import attend
from bot.errors import ChatError
from bot.serve import health_only, send_now, voices
from bot.watch import ONCE
from demo.world import World
from tests.handlers.removal_shop import FAR, GUEST, KIT, LEE, opened
from tests.store import NOW

MINUTES, HOUR = timedelta(minutes=1), timedelta(hours=1)


@pytest.fixture
async def shop(tmp_path, empty_database):
    """A healthy shop that nobody has asked anything."""
    async with opened(tmp_path, empty_database, World.healthy(NOW)) as shop:
        yield shop


async def round_of(shop, *, minutes=0):
    """One round a little later, and everything it has to say."""
    shop.clock.at += minutes * MINUTES
    await shop.bot.watch(ONCE)
    await send(shop)


async def send(shop):
    await send_now(shop.bot)


def texts(shop):
    return [shop.slack.message_as_text(message) for message in shop.slack.messages()]


async def press(shop, action_id, user=LEE, *, message=0):
    result = await shop.slack.press(shop.slack.messages()[message].ts, action_id, user)
    await shop.settle()
    return result


async def test_a_dead_key_is_one_message_that_shows_who_has_it_and_how_it_ended(shop):
    """The whole way: told once with what to do, taken in hand by name, rewritten at the end, and said in its thread."""
    shop.world.kill_key()
    await round_of(shop)
    await round_of(shop, minutes=5)
    [card] = texts(shop)
    assert card.startswith("● Harbor Street: METRC refuses the user key (")
    assert "generate a new one" in card
    assert "countlast doctor" in card
    assert "[ Acknowledge ] [ Snooze 1 hour ]" in card
    assert "[ Renewed on… ]" in card
    assert (await press(shop, "acknowledge_alert")).acked
    await send(shop)
    [card] = texts(shop)
    assert "Acknowledged by @Lee Marsh, asks again" in card
    assert "[ Acknowledge ]" not in card
    shop.world.keys[0].alive = True
    await round_of(shop, minutes=20)
    card, end = texts(shop)
    assert card.startswith("✓ Harbor Street: METRC refuses the user key (")
    assert "over after 25 min" in card
    assert "attended to by @Lee Marsh" in card
    assert "[ " not in card
    assert end == "It is over after 25 min."
    assert shop.slack.messages()[1].thread_ts == shop.slack.messages()[0].ts
    assert [event for event in await shop.events() if event[0].startswith("alert")] == [
        ("alert_opened", "countlast"),
        ("alert_acknowledged", LEE),
        ("alert_closed", "countlast"),
    ]


async def test_only_members_of_this_workspace_attend(shop):
    """Guests and people of other workspaces are told so alone; the card stays as it was."""
    shop.world.kill_key()
    await round_of(shop)
    before = texts(shop)
    for user in (GUEST, FAR):
        assert (await press(shop, "acknowledge_alert", user)).acked
        assert "can" in shop.told(user)
    assert texts(shop) == before
    assert shop.told(FAR) == "Only members of this workspace can attend to alerts."


async def test_who_is_not_in_the_channel_is_told_so(shop):
    """A member of the workspace who looks in from outside changes nothing; once invited they may, at once."""
    shop.world.kill_key()
    await round_of(shop)
    before = texts(shop)
    await press(shop, "acknowledge_alert", KIT)
    assert shop.told(KIT) == "Only people in #floor can attend to this alert. Join the channel, or ask somebody in it."
    await press(shop, "alert_key_renewed", KIT)
    [view] = shop.slack.workspace.stack(KIT)
    await shop.slack.submit_view(view.id, {"renewed_on": {"renewed_on": "2026-03-02"}}, KIT)
    await shop.settle()
    assert await shop.bot.books.memory.recall("key_issued_on") == {}
    assert texts(shop) == before
    change_floor(shop, members=floor(shop).members | {KIT})
    await press(shop, "acknowledge_alert", KIT)
    assert "Acknowledged by @Kit Voss" in texts(shop)[0]


async def test_where_nobody_may_see_who_is_in_the_channel_pressing_there_is_enough(shop):
    """The scope for it is missing: on-call is not kept waiting for it."""
    shop.world.kill_key()
    await round_of(shop)
    shop.slack.faults.refuse("missing_scope", calls=9, method="conversations.members")
    await press(shop, "acknowledge_alert")
    assert "Acknowledged by @Lee Marsh" in texts(shop)[0]


async def test_a_lost_channel_is_told_to_on_call_with_how_to_mend_it(tmp_path, empty_database):
    """Archived: the shop's contact gets the alert directly, takes it in hand there, and hears of its end there."""
    async with opened(tmp_path, empty_database, World.healthy(NOW), contact="U0DANA") as shop:
        change_floor(shop, is_archived=True)
        shop.world.kill_key()
        await round_of(shop)
        await round_of(shop, minutes=5)
        [card] = direct(shop)
        told = shop.slack.message_as_text(card)
        assert told.startswith("● Harbor Street: METRC refuses the user key (")
        assert "#floor is archived. Bring it back, or give the shop another channel in the facilities file." in told
        assert await shop.bot.books.outbox.waiting() == ()
        await shop.slack.press(card.ts, "acknowledge_alert", "U0DANA")
        await shop.settle()
        shop.world.keys[0].alive = True
        await round_of(shop, minutes=20)
        card, end = direct(shop)
        assert shop.slack.message_as_text(card).startswith("✓ Harbor Street")
        assert (end.text, end.thread_ts) == ("It is over after 25 min.", card.ts)


async def test_a_channel_that_is_lost_later_keeps_no_end_from_being_told(tmp_path, empty_database):
    """The first message is in the channel and can be rewritten no more; its end goes to on-call."""
    async with opened(tmp_path, empty_database, World.healthy(NOW), contact="U0DANA") as shop:
        shop.world.kill_key()
        await round_of(shop)
        change_floor(shop, is_archived=True)
        [alert] = await shop.bot.books.alerts.known(shop.clock.now())
        await attend.acknowledge(shop.bot.attending(), alert.id, LEE)
        await send(shop)
        shop.world.keys[0].alive = True
        await round_of(shop, minutes=5)
        assert await shop.bot.books.outbox.waiting() == ()
        [end] = direct(shop)
        assert end.text == "It is over after 5 min."


async def test_a_direct_message_whose_answer_was_lost_is_not_sent_twice(tmp_path, empty_database):
    """It is looked for where it went."""
    async with opened(tmp_path, empty_database, World.healthy(NOW), contact="U0DANA") as shop:
        change_floor(shop, is_archived=True)
        shop.world.kill_key()
        shop.slack.faults.lose_answers(method="chat.postMessage")
        await round_of(shop)
        shop.clock.at += MINUTES
        await send(shop)
        assert len(direct(shop)) == 1
        assert await shop.bot.books.outbox.waiting() == ()


async def test_without_anybody_on_call_a_letter_waits_for_its_channel(shop):
    """Nothing is dropped: it goes out when the channel is back."""
    change_floor(shop, is_archived=True)
    shop.world.kill_key()
    await round_of(shop)
    [(_, problem)] = await shop.bot.books.outbox.waiting()
    assert "is_archived" in problem
    change_floor(shop, is_archived=False)
    shop.clock.at += MINUTES
    await send(shop)
    assert len(texts(shop)) == 1


def floor(shop):
    return shop.slack.workspace.channels["C0FLOOR"]


def change_floor(shop, **changes):
    shop.slack.workspace.channels["C0FLOOR"] = replace(floor(shop), **changes)


def direct(shop):
    return [message for message in shop.slack.workspace.everything() if message.channel.startswith("D")]


async def test_the_second_press_is_told_who_was_first(shop):
    """Nothing changes, and the second presser hears why."""
    shop.world.kill_key()
    await round_of(shop)
    seen = shop.slack.messages()[0]
    await press(shop, "acknowledge_alert", LEE)
    await shop.slack.press(seen.ts, "acknowledge_alert", "U0DANA", as_seen=seen)
    await shop.settle()
    assert shop.told("U0DANA") == "@Lee Marsh already has it in hand."
    alert = (await shop.bot.books.alerts.known(shop.clock.now()))[0]
    attended = await attend.acknowledge(shop.bot.attending(), alert.id, "U0DANA")
    assert (attended.taken, attended.alert.by) == (False, LEE)


async def test_a_snooze_shows_until_when_and_speaks_again_after_it(shop):
    """Only if it is still so."""
    shop.world.kill_key()
    await round_of(shop)
    await press(shop, "snooze_alert_hour")
    await send(shop)
    [card] = texts(shop)
    assert "Snoozed by @Lee Marsh until" in card
    assert "Snooze" not in card.replace("Snoozed", "")
    await round_of(shop, minutes=30)
    assert len(texts(shop)) == 1
    await round_of(shop, minutes=31)
    assert texts(shop)[1].startswith("Still so: Harbor Street: METRC refuses")
    assert "[ Acknowledge ]" in texts(shop)[0]


async def test_a_renewed_key_is_a_date_and_nothing_else(shop):
    """The form asks for the day, keeps it with a name, and the thread hears of it."""
    shop.world.kill_key()
    await round_of(shop)
    await press(shop, "alert_key_renewed")
    opening = next(c for c in shop.slack.api.calls if c.method == "views.open")
    assert opening.arguments["view"]["callback_id"] == "alert_key_renewed_form"
    [view] = shop.slack.workspace.stack(LEE)
    result = await shop.slack.submit_view(view.id, {"renewed_on": {"renewed_on": "2030-01-01"}}, LEE)
    assert "today or earlier" in str(result.answer["errors"])
    assert (await shop.slack.submit_view(view.id, {"renewed_on": {"renewed_on": "2026-03-02"}}, LEE)).acked
    await shop.settle()
    assert texts(shop)[1] == "@Lee Marsh renewed the METRC key on 2026-03-02. The next round tries it."
    assert await shop.bot.books.memory.recall("key_issued_on") == {"402R-X0042": '"2026-03-02"'}
    assert ("key_renewed", LEE) in await shop.events()


async def test_closed_today_is_quiet_until_the_shop_opens(tmp_path, empty_database):
    """Silence of a shop that stays closed is none; its name stands on the card."""
    world = World.healthy(NOW)
    for minutes in (65, 50, 40, 30, 20):
        world.sale_never_posted(world.labels()[0], age=minutes * MINUTES)
    async with opened(tmp_path, empty_database, world, opening_hours="Mo-Su 09:00-21:00") as shop:
        await round_of(shop)
        first, chart = shop.slack.messages()
        card = shop.slack.message_as_text(first)
        assert card.startswith("● Harbor Street: 5 sales wait")
        [file] = chart.files
        assert file["alt_txt"].startswith("Chart: receipts METRC recorded at Harbor Street hour by hour")
        assert chart.thread_ts == first.ts
        assert shop.slack.api.files.file(file["id"]).content.startswith(b"\x89PNG")
        assert "[ Closed today ]" in card
        await press(shop, "alert_closed_today")
        [alert] = await shop.bot.books.alerts.known(shop.clock.now())
        assert alert.asks_again_at.isoformat() == "2026-03-03T16:00:00+00:00"
        assert "Snoozed by @Lee Marsh" in texts(shop)[0]
        assert ("closed_day", LEE) in await shop.events()


async def test_a_letter_whose_answer_was_lost_is_found_and_not_repeated(shop):
    """Slack took the message and the answer never came: the next try finds it by its key."""
    shop.world.kill_key()
    shop.slack.faults.lose_answers(method="chat.postMessage")
    await round_of(shop)
    assert len(texts(shop)) == 1
    [(_, problem)] = await shop.bot.books.outbox.waiting()
    assert problem
    shop.clock.at += MINUTES
    await send(shop)
    assert await shop.bot.books.outbox.waiting() == ()
    assert len(texts(shop)) == 1


async def test_who_cannot_look_marks_what_may_be_a_repeat(shop):
    """A workspace that grants no history gets the message rather than none, and is told."""
    shop.world.kill_key()
    shop.slack.faults.lose_answers(method="chat.postMessage")
    shop.slack.faults.refuse("missing_scope", method="conversations.history")
    await round_of(shop)
    shop.clock.at += MINUTES
    await send(shop)
    assert len(texts(shop)) == 2
    assert "This may be a repeat" in texts(shop)[1]


async def test_a_busy_slack_puts_letters_off(shop):
    """429 is obeyed by waiting, in the outbox and not here."""
    shop.world.kill_key()
    shop.slack.faults.rate_limit(1, retry_after=30, method="chat.postMessage")
    await round_of(shop)
    assert texts(shop) == []
    shop.clock.at += timedelta(seconds=29)
    await send(shop)
    assert texts(shop) == []
    shop.clock.at += timedelta(seconds=2)
    await send(shop)
    assert len(texts(shop)) == 1


async def test_a_person_who_hears_late_gets_a_button_too(tmp_path, empty_database):
    """Nobody acknowledged for half an hour: the second address gets it, and can take it in hand."""
    async with opened(tmp_path, empty_database, World.healthy(NOW), escalate_to="U0DANA") as shop:
        shop.world.kill_key()
        await round_of(shop)
        await round_of(shop, minutes=31)
        [told] = [shop.slack.message_as_text(message) for message in direct(shop)]
        assert told.startswith("Nobody has acknowledged this: Harbor Street")
        assert "[ Acknowledge ]" in told
        await shop.slack.press(direct(shop)[0].ts, "acknowledge_alert", "U0DANA")
        await shop.settle()
        await send(shop)
        assert "Acknowledged by @Dana" in texts(shop)[0]
        assert ("alert_escalated", "countlast") in await shop.events()


@pytest.fixture
async def silent(tmp_path, empty_database):
    """A shop whose sales of the last hour do not reach METRC."""
    world = World.healthy(NOW)
    for minutes in (65, 50, 40, 30, 20):
        world.sale_never_posted(world.labels()[0], age=minutes * MINUTES)
    async with opened(tmp_path, empty_database, world) as shop:
        yield shop


async def test_a_chart_that_fails_is_tried_again_and_stops_nothing(silent):
    """The alert is told at once, and so is what follows; the picture comes when Slack takes files again, once."""
    silent.slack.faults.refuse("internal_error", calls=2, method="files.getUploadURLExternal")
    await round_of(silent)
    [card] = texts(silent)
    assert card.startswith("● Harbor Street: 5 sales wait")
    await press(silent, "acknowledge_alert")
    await send(silent)
    assert "Acknowledged by @Lee Marsh" in texts(silent)[0]
    for _ in range(3):
        silent.clock.at += MINUTES
        await send(silent)
    card, chart = silent.slack.messages()
    assert (chart.files[0]["name"], chart.thread_ts) == ("silence.png", card.ts)
    assert await silent.bot.books.outbox.waiting() == ()


async def test_a_chart_whose_answer_was_lost_is_not_shown_twice(silent):
    """It is found in the thread by its file."""
    silent.slack.faults.lose_answers(method="files.completeUploadExternal")
    await round_of(silent)
    silent.clock.at += MINUTES
    await send(silent)
    assert len([message for message in silent.slack.messages() if message.files]) == 1
    assert await silent.bot.books.outbox.waiting() == ()


async def test_a_chart_that_cannot_be_shown_is_left_out_after_an_hour(silent):
    """Slack takes no files: the text alone says it all."""
    silent.slack.faults.refuse("missing_scope", calls=99, method="files.getUploadURLExternal")
    await round_of(silent)
    assert len(await silent.bot.books.outbox.waiting()) == 1
    silent.clock.at += 61 * MINUTES
    await send(silent)
    assert await silent.bot.books.outbox.waiting() == ()
    assert len(texts(silent)) == 1


async def test_a_chart_whose_shop_was_taken_out_of_the_configuration_is_left_out(silent):
    """Its facts cannot be gathered any more: that ends no pass, and after an hour the chart is left out."""
    silent.slack.faults.refuse("internal_error", calls=1, method="files.getUploadURLExternal")
    await round_of(silent)
    silent.bot.settings = replace(silent.bot.settings, facilities=())
    silent.clock.at += MINUTES
    await send(silent)
    [(_, problem)] = await silent.bot.books.outbox.waiting()
    assert "is not configured" in problem
    silent.clock.at += HOUR
    await send(silent)
    assert await silent.bot.books.outbox.waiting() == ()
    assert len(texts(silent)) == 1


async def test_an_escalation_to_nobody_keeps_the_card_no_secret(tmp_path, empty_database):
    """``escalate_to`` names somebody who is gone: the floor's card still shows the end, and its thread hears of it."""
    async with opened(tmp_path, empty_database, World.healthy(NOW), escalate_to="U0GONE") as shop:
        shop.world.kill_key()
        await round_of(shop)
        await round_of(shop, minutes=31)
        assert len(await shop.bot.books.outbox.waiting()) == 1
        shop.world.keys[0].alive = True
        await round_of(shop, minutes=5)
        card, end = texts(shop)
        assert card.startswith("✓ Harbor Street")
        assert end == "It is over after 36 min."
        assert await shop.bot.books.outbox.waiting() == ()


# --- status -----------------------------------------------------------------------------------------------------------


async def test_status_tells_keys_syncs_posting_alerts_and_approvals(tmp_path, empty_database):
    """Only whoever asks sees it, and METRC is not asked for it."""
    async with opened(tmp_path, empty_database, World.healthy(NOW)) as shop:
        await round_of(shop)
        shop.world.kill_key()
        await round_of(shop, minutes=5)
        await shop.ask("status", LEE)
        told = shop.told(LEE)
        assert told.startswith("● Harbor Street · 402R-X0042")
        assert "Key: expiry not known" in told
        assert "sales, packages, transfers" in told
        assert "deliveries, adjustments, items never" in told
        assert "Posting: half of" in told
        assert "Alerts: METRC refuses the user key" in told
        assert "Approvals: none waiting" in told


async def test_status_of_one_shop_and_of_none(shop):
    """A name or license picks one; one that nobody knows is answered with those that are."""
    await shop.ask("status at Harbor Street", LEE)
    assert "402R-X0042" in shop.told(LEE)
    await shop.ask("status nowhere", LEE)
    assert "nowhere" in shop.told(LEE)
    assert "Harbor Street" in shop.told(LEE)


# --- a process of its own ---------------------------------------------------------------------------------------------


async def test_a_worker_shows_its_health_and_takes_nothing_from_slack(shop):
    """It is ready although no socket stands, for it needs none."""
    shop.bot.settings = replace(shop.bot.settings, slack=replace(shop.bot.settings.slack, app_token="xapp-1"))
    transport = httpx.ASGITransport(health_only(shop.bot, shop.side))
    async with httpx.AsyncClient(transport=transport, base_url="http://worker") as client:
        assert (await client.get("/readyz")).status_code == 200
        assert (await client.get("/healthz")).text == "ok"
        assert (await client.post("/slack/events")).status_code == 404


async def test_the_digest_is_one_message_with_its_chart_and_is_not_said_twice(shop):
    """Also when another process tries the same week again."""
    await round_of(shop)
    for _ in range(2):
        _, charting = voices(shop.bot)
        await charting.tell_week("C0FLOOR", "digest/C0FLOOR/2026-03-02")
    first, chart = shop.slack.messages()
    told = shop.slack.message_as_text(first)
    assert told.startswith("The last seven days · Harbor Street")
    assert "Half of the sales were in METRC after" in told
    assert "Alerts: 0 (before: 0)" in told
    assert chart.files[0]["alt_txt"].startswith("Charts over 8 weeks, oldest first.")
    assert chart.thread_ts == first.ts


async def test_a_digest_s_chart_that_failed_is_tried_again_and_after_an_hour_left_out(shop):
    """The text is there from the first try on, once; a picture that cannot be had holds nothing up for ever."""
    await round_of(shop)
    _, charting = voices(shop.bot)
    key = "digest/C0FLOOR/2026-03-02"
    shop.slack.faults.refuse("missing_scope", calls=2, method="files.getUploadURLExternal")
    for _ in range(2):
        with pytest.raises(ChatError):
            await charting.tell_week("C0FLOOR", key)
    assert len(shop.slack.messages()) == 1
    await charting.tell_week("C0FLOOR", key)
    first, chart = shop.slack.messages()
    assert chart.thread_ts == first.ts
    shop.slack.faults.refuse("missing_scope", calls=99, method="files.getUploadURLExternal")
    another = "digest/C0FLOOR/2026-02-23"
    with pytest.raises(ChatError):
        await charting.tell_week("C0FLOOR", another)
    shop.clock.at = datetime.fromtimestamp(float(shop.slack.messages()[-1].ts), UTC) + HOUR
    await charting.tell_week("C0FLOOR", another)
    assert len(shop.slack.messages()) == 3


async def test_a_digest_of_a_process_that_died_is_found_days_later(shop):
    """It was posted, its slot was never finished, and nobody came back for days: all of the week is looked through."""
    await round_of(shop)
    _, charting = voices(shop.bot)
    shop.slack.faults.refuse("missing_scope", calls=1, method="files.getUploadURLExternal")
    with pytest.raises(ChatError):
        await charting.tell_week("C0FLOOR", "digest/C0FLOOR/2026-03-02")
    shop.clock.at += timedelta(days=4)
    await charting.tell_week("C0FLOOR", "digest/C0FLOOR/2026-03-02")
    assert [message.text[:20] for message in shop.slack.messages() if not message.is_reply] == ["The last seven days "]
    looks = [call.arguments["oldest"] for call in shop.slack.api.calls if call.method == "conversations.history"]
    # to the beginning of its slot's day, whoever comes when
    assert [datetime.fromtimestamp(float(since), UTC) for since in looks] == [datetime(2026, 3, 2, tzinfo=UTC)] * 2


async def test_a_digest_whose_chart_failed_is_not_said_twice_where_the_bot_may_not_look(shop):
    """It could not tell whether the text is there, so the chart is not worth another try."""
    await round_of(shop)
    _, charting = voices(shop.bot)
    shop.slack.faults.refuse("missing_scope", calls=1, method="conversations.history")
    shop.slack.faults.refuse("missing_scope", calls=1, method="files.getUploadURLExternal")
    await charting.tell_week("C0FLOOR", "digest/C0FLOOR/2026-03-02")
    assert len(shop.slack.messages()) == 1
