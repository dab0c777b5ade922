"""Who people are, out of what Slack says; whatever it does not say clearly counts against them."""

from types import SimpleNamespace

import pytest
from slack_sdk.web.async_client import AsyncWebClient

from bot.errors import ChatError
from bot.removals import Fault, Person, person_fault
from demo.slack import SlackStandIn, User
from handlers.directory import SlackDirectory, person_of

HOME = "T0DEMO"
DANA = {"id": "U0DANA", "team_id": HOME, "name": "dana", "real_name": "Dana Orrin", "deleted": False, "is_bot": False}
FAULTS = {
    "a guest": ({"is_restricted": True}, Fault.GUEST),
    "a guest of one channel": ({"is_ultra_restricted": True}, Fault.GUEST),
    "a bot": ({"is_bot": True}, Fault.BOT),
    "a workflow": ({"is_workflow_bot": True}, Fault.BOT),
    "Slackbot": ({"id": "USLACKBOT"}, Fault.BOT),
    "somebody who left": ({"deleted": True}, Fault.DEACTIVATED),
    "of another workspace": ({"team_id": "T0OTHER"}, Fault.STRANGER),
    "out of a shared channel": ({"is_stranger": True}, Fault.STRANGER),
    "of no workspace at all": ({"team_id": None}, Fault.STRANGER),
    "of the organisation, elsewhere": ({"team_id": "E0ORG", "enterprise_user": {"teams": ["T0X"]}}, Fault.STRANGER),
    "of the organisation, here": ({"team_id": "E0ORG", "enterprise_user": {"teams": ["T0X", HOME]}}, None),
    "healthy": ({}, None),
}


@pytest.mark.parametrize("who", FAULTS)
def test_who_may_never_decide_is_seen(who):
    """One thing is wrong with an otherwise ordinary member."""
    changes, fault = FAULTS[who]
    assert person_fault(person_of(DANA | changes, HOME), HOME) is fault


def test_the_name_is_the_one_people_see():
    """The display name, else the real one, else the handle, else the id."""
    assert person_of(DANA | {"profile": {"display_name": "Dana O."}}, HOME).name == "Dana O."
    assert person_of(DANA, HOME) == Person("U0DANA", "Dana Orrin", HOME)
    assert person_of({"id": "U0DANA", "name": "dana"}, HOME).name == "dana"
    assert person_of({"id": "U0DANA"}, HOME) == Person("U0DANA", "U0DANA", HOME)
    with pytest.raises(ChatError, match="no_id"):
        person_of({}, HOME)


@pytest.fixture
async def slack():
    slack = SlackStandIn(signing_secret="s", bot_token="xoxb-1")
    async with slack.serving():
        yield slack


@pytest.fixture
def directory(slack):
    client = AsyncWebClient(token="xoxb-1", base_url=f"{slack.base_url}/api/", retry_handlers=[])
    return SlackDirectory(client)


async def test_people_and_groups_are_asked_of_slack(slack, directory):
    """As Slack says now; which workspace this is, is asked once."""
    slack.workspace.users["U0FAR"] = User("U0FAR", "far", "Far Away", team="T0OTHER")
    assert await directory.person("U0DANA") == Person("U0DANA", "dana", HOME)
    assert (await directory.person("U0SAM")).is_guest
    assert (await directory.person("U0FAR")).team == ""
    assert await directory.members("S0MANAGERS") == {"U0DANA", "U0LEE"}
    assert [call.method for call in slack.api.calls].count("auth.test") == 1


@pytest.mark.parametrize("code", ["ratelimited", "missing_scope", "internal_error"])
async def test_no_answer_is_an_error_and_never_an_empty_group(slack, directory, code):
    """Whoever asks takes it for a no."""
    for ask in (directory.home, lambda: directory.person("U0DANA"), lambda: directory.members("S0MANAGERS")):
        slack.faults.refuse(code)
        with pytest.raises(ChatError) as refused:
            await ask()
        assert refused.value.code == code
    with pytest.raises(ChatError, match="user_not_found"):
        await directory.person("U0NOBODY")


async def test_a_group_without_a_list_of_its_people_is_no_answer():
    """Slack says that all is well and names nobody: that is not the same as a group of nobody."""

    class Silent:
        async def usergroups_users_list(self, *, usergroup):
            return SimpleNamespace(data={"ok": True})

    with pytest.raises(ChatError, match="no_users"):
        await SlackDirectory(Silent()).members("S0MANAGERS")


async def test_a_slack_that_is_not_there_is_an_error(slack):
    """Nothing listens at the address."""
    client = AsyncWebClient(token="xoxb-1", base_url="http://127.0.0.1:1/api/", retry_handlers=[])
    with pytest.raises(ChatError) as refused:
        await SlackDirectory(client).home()
    assert refused.value.code == "unreachable"
