"""Pressing the red button, and pressing what nobody knows."""

from tests.handlers.test_commands import texts
from tests.handlers.values import LABEL


async def test_a_press_changes_nothing_and_says_so(bot):
    """The presser alone is told that approvals come later; nothing is posted, edited or looked up."""
    response = await bot.press()
    assert (response.status_code, response.text) == (200, "")
    (whisper,) = bot.slack.whispers
    assert texts(whisper) == "Approvals come with the next version; nothing was changed."
    assert (whisper["response_type"], whisper["replace_original"]) == ("ephemeral", False)
    assert bot.slack.calls == []
    assert bot.answer.questions == []


async def test_the_posted_button_is_the_one_that_is_answered(bot):
    """The action id in the thread is the one that is listened to, and its value does not matter."""
    await bot.command(f"package {LABEL}")
    answer = bot.slack.posts()[2]
    (button,) = [e for block in answer["blocks"] if block["type"] == "actions" for e in block["elements"]]
    action = {"type": "button", "action_id": button["action_id"], "value": "' or 1=1;--", "action_ts": "9.9"}
    await bot.press(actions=[action])
    assert "Approvals come with the next version" in texts(bot.slack.whispers[-1])


async def test_one_press_delivered_ten_times_is_answered_once(bot):
    """Repeats of one press are acknowledged and change nothing."""
    for _ in range(10):
        assert (await bot.press()).status_code == 200
    assert len(bot.slack.whispers) == 1


async def test_a_press_without_particulars_is_still_answered(bot):
    """What a payload does not say is not taken for granted."""
    await bot.press(container=None, team=None, actions=[{"type": "button", "action_id": "remove_duplicate"}])
    assert len(bot.slack.whispers) == 1


async def test_an_unknown_button_gets_a_hint(bot):
    """A button of another version is acknowledged and explained."""
    assert (await bot.press("acknowledge_alert")).status_code == 200
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
