"""S01, S03, S04, S25 and their neighbours: what keeps the bot, or the POS, from METRC."""

from __future__ import annotations

import socket

import pytest

from tests.blackbox.command import Asker, Store, sale, second_facility, stock
from tests.blackbox.metrc_files import SHOP, TORN, USER_KEY, Answer, failure
from tests.blackbox.rows import add_receipt, package, receipt
from tests.blackbox.shape import Answered, outcomes

OTHER_USER = "PLANTED-USER-of-another-shop-0123456789abcdef"


def fill(store: Store) -> None:
    """One healthy package of 10 with one posted sale."""
    store.metrc.lists["packages/v2/active"].append(package(1, 10))
    store.inventory.append(stock(1, 10))
    add_receipt(store.metrc, receipt(900001, "POS-1", "2026-03-01T12:00:00.000", "2026-03-01T19:00:03+00:00", (1, 1)))
    store.sales.append(sale("POS-1", 1, 1, "2026-03-01T12:00:00-07:00", trace_receipt_id="900001"))


def is_gate(answer: Answered) -> bool:
    """Whether nothing behind authentication was judged."""
    return set(list(outcomes(answer).values())[1:]) == {"not_reached"}


async def test_the_healthy_shop_is_healthy(ask: Asker, store: Store) -> None:
    """Before anything is broken, every check is clear and the count is not to be touched."""
    fill(store)
    answer = await ask(store, 1)
    assert set(outcomes(answer).values()) == {"clear"}
    assert (answer["cause"], answer["confidence"], answer["provisional"]) == ("none", "certain", False)
    assert answer["gap"]["difference"] == "0"


async def test_a_dead_key_is_an_authentication_problem(ask: Asker, store: Store) -> None:
    """S01: 401 on the call that needs no right closes the gate, and no number is told."""
    fill(store)
    store.metrc.keys.clear()
    answer = await ask(store, 1)
    assert (answer["cause"], answer["action"]["kind"], answer["gap"]) == ("authentication", "fix_key", None)
    assert is_gate(answer)


async def test_a_key_of_another_shop_that_works_shows_that_the_user_key_is_dead(ask: Asker, store: Store) -> None:
    """S01: the vendor key works with another user key, so it is this user's key."""
    fill(store)
    store.metrc.keys = {OTHER_USER: ["402R-X0043"]}
    store.extra_toml = second_facility(store.metrc.base_url, "env:BLACKBOX_OTHER")
    answer = await ask(store, 1, BLACKBOX_OTHER=OTHER_USER)
    assert (answer["cause"], answer["confidence"]) == ("authentication", "certain")
    assert "user" in answer["code"]
    assert is_gate(answer)


async def test_a_dead_user_key_is_not_claimed_when_no_unrelated_key_works(ask: Asker, store: Store) -> None:
    """S01: several unrelated keys refused at once is not one user's fault, and nobody is told to renew theirs."""
    fill(store)
    store.metrc.keys.clear()
    store.extra_toml = second_facility(store.metrc.base_url, "env:BLACKBOX_OTHER")
    answer = await ask(store, 1, BLACKBOX_OTHER=OTHER_USER)
    assert answer["cause"] in {"authentication", "outage"}
    assert "user-key" not in answer["code"]
    assert "renew_key" in answer["must_not"]
    assert is_gate(answer)


@pytest.mark.parametrize("family", ["sales/v2", "transfers/v2", "packages/v2"])
@pytest.mark.parametrize("name", ["401-empty-body", "401-message-object", "403-sandbox-endpoint-in-production"])
async def test_one_refused_family_is_a_missing_right(ask: Asker, store: Store, family: str, name: str) -> None:
    """S03: the key lives, the license is listed, one family is refused."""
    fill(store)
    store.metrc.overrides[family] = failure(name)
    answer = await ask(store, 1)
    assert (answer["cause"], answer["action"]["kind"]) == ("authentication", "fix_permission")
    assert is_gate(answer)


@pytest.mark.parametrize("message", ["Unauthorized Metrc error", "401 Unauthorized", "UNAUTHORIZED"])
async def test_posts_refused_for_a_right_are_found_and_the_later_checks_run(
    ask: Asker, store: Store, message: str
) -> None:
    """S03: the bot can read all; the POS's two posts were refused, and they are the whole difference."""
    fill(store)
    store.inventory[-1]["quantity"] = 7
    for number, quantity in ((2, 2), (3, 1)):
        failed = sale(f"POS-{number}", 1, quantity, f"2026-03-02T1{number}:00:00-07:00")
        store.sales.append(failed | {"trace_status": "Failed", "trace_message": message})
    answer = await ask(store, 1)
    assert answer["cause"] == "authentication"
    assert answer["action"]["kind"] in {"fix_permission", "fix_key"}
    assert outcomes(answer)["authentication"] == "found"
    assert "not_reached" not in outcomes(answer).values()
    assert (answer["gap"]["difference"], answer["gap"]["unexplained"]) == ("-3", "0")


async def test_a_license_off_by_a_digit_is_told_with_the_right_one(ask: Asker, store: Store) -> None:
    """S04: the key sees a license that differs by one digit from the configured one."""
    fill(store)
    store.metrc.keys = {USER_KEY: ["402R-X0024", "999R-00001"]}
    answer = await ask(store, 1)
    assert (answer["cause"], answer["action"]["kind"]) == ("wrong_license", "fix_license")
    assert "402R-X0024" in answer["headline"] + answer["action"]["text"]
    assert is_gate(answer)


@pytest.mark.parametrize("listed", [[], ["999R-00001"], ["402R-X0042-A"]])
async def test_a_license_that_is_not_on_the_key_is_wrong(ask: Asker, store: Store, listed: list[str]) -> None:
    """S04: facilities answers 200 and does not list the license."""
    fill(store)
    store.metrc.keys = {USER_KEY: listed}
    answer = await ask(store, 1)
    assert (answer["cause"], answer["action"]["kind"]) == ("wrong_license", "fix_license")
    assert SHOP in answer["headline"]
    assert is_gate(answer)


DOWN = {
    "503 HTML": failure("503-html"),
    "504 text": failure("504-text"),
    "500": failure("500-message-object"),
    "200 HTML": Answer(200, "<html><body>Maintenance</body></html>", (("Content-Type", "text/html"),)),
    "torn": TORN,
}


@pytest.mark.parametrize("way", DOWN)
async def test_a_host_that_answers_nonsense_is_down(ask: Asker, store: Store, way: str) -> None:
    """S25: nothing is judged, nobody is told to renew a key, and it is to be tried again later."""
    fill(store)
    store.metrc.everything = DOWN[way]
    answer = await ask(store, 1)
    assert (answer["cause"], answer["action"]["kind"], answer["gap"]) == ("outage", "retry_later", None)
    assert is_gate(answer)


async def test_a_host_that_never_answers_is_down(ask: Asker, store: Store) -> None:
    """S25: timeouts on every call."""
    fill(store)
    store.metrc.latency = 2.0
    answer = await ask(store, 1)
    assert (answer["cause"], answer["action"]["kind"]) == ("outage", "retry_later")
    assert is_gate(answer)


async def test_a_refused_connection_is_down(ask: Asker, store: Store) -> None:
    """S25: nobody listens on the port."""
    fill(store)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        store.metrc.base_url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        answer = await ask(store, 1)
    assert answer["cause"] == "outage"
    assert is_gate(answer)


@pytest.mark.parametrize("family", ["packages/v2", "sales/v2", "transfers/v2"])
async def test_one_family_that_is_down_is_never_called_clear(ask: Asker, store: Store, family: str) -> None:
    """S25, in part: 503 on one family is never a missing right, and an equal count proves nothing meanwhile."""
    fill(store)
    store.metrc.overrides[family] = failure("503-html")
    answer = await ask(store, 1)
    assert answer["cause"] in {"outage", "unknown", "none"}
    assert outcomes(answer)["authentication"] != "clear"
    assert answer["provisional"] or is_gate(answer)
    assert "nothing is wrong" not in answer["headline"].lower()


@pytest.mark.parametrize("family", ["packages/v2", "sales/v2"])
async def test_a_difference_is_unknown_while_one_family_is_down(ask: Asker, store: Store, family: str) -> None:
    """S25, in part: what the unread receipts may explain is unknown, and no count error."""
    fill(store)
    store.inventory[-1]["quantity"] = 9
    store.metrc.overrides[family] = failure("500-message-object")
    answer = await ask(store, 1)
    assert answer["cause"] in {"outage", "unknown"}
    assert answer["action"]["kind"] == "retry_later"


@pytest.mark.parametrize("name", ["429-no-retry-after", "429-with-retry-after"])
async def test_a_rate_limit_is_no_authentication_problem(ask: Asker, store: Store, name: str) -> None:
    """429 for everything: not read, hence unknown, whatever the wait that METRC asks for."""
    fill(store)
    store.metrc.everything = failure(name)
    answer = await ask(store, 1)
    assert answer["cause"] not in {"authentication", "wrong_license", "none", "count_error"}
    assert answer["gap"] is None
    assert answer["action"]["kind"] == "retry_later"


async def test_an_unknown_label_is_no_authentication_problem(ask: Asker, store: Store) -> None:
    """METRC answers 401 for a label it does not know; the ladder passed, so the key is fine."""
    fill(store)
    for _ in range(2):
        answer = await ask(store, 777)
        assert outcomes(answer)["authentication"] == "clear"
        assert (answer["gap"]["pos"], answer["gap"]["metrc"]) == (None, None)
