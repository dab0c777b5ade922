"""“Wait until 14:35”: the bot looks again then, and answers in the same thread, once, also after a restart."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from bot.clock import do
from bot.duties import promising, rota
from bot.follow_ups import FARTHEST, MOST_ROUNDS, follow_up
from bot.model import ActionKind
from bot.recheck import Desk, keep_promises
from bot.serve import voices
from demo.pos import write_books
from demo.world import TAG, World
from handlers.rechecking import Rechecking
from tests.handlers.removal_shop import ASKER, opened
from tests.handlers.values import DOUBLE_RECEIPT
from tests.store import NOW

MINUTES = timedelta(minutes=1)
LABEL = f"{TAG}3001"


@pytest.fixture
async def shop(tmp_path, empty_database):
    """A sale of four minutes ago that METRC does not have yet."""
    world = World.healthy(NOW)
    world.sale_pending(LABEL)
    async with opened(tmp_path, empty_database, world) as shop:
        yield shop


async def tick(shop):
    letters, _ = voices(shop.bot)
    chore = promising(shop.bot, Rechecking(shop.bot.settings, letters).say)
    await do(chore, rota(shop.bot))


def replies(shop):
    return [shop.slack.message_as_text(m) for m in shop.slack.messages() if m.is_reply]


async def test_it_looks_again_when_it_said_it_would(shop):
    """Not before; in the thread that asked, naming who asked; and not a second time."""
    await shop.ask(f"package {LABEL}", ASKER)
    before = len(replies(shop))
    assert any("Look again at" in text for text in replies(shop))
    await tick(shop)
    assert len(replies(shop)) == before
    shop.clock.at += timedelta(hours=2)
    shop.world.now = shop.clock.at
    write_books(shop.world, shop.bot.settings.facilities[0].pos.directory, shop.clock.at)
    await tick(shop)
    [again] = replies(shop)[before:]
    assert again.startswith("Looked again, as promised. @Dana")
    shop.clock.at += timedelta(hours=2)
    await tick(shop)
    assert len(replies(shop)) == before + 1


async def test_an_answer_that_went_out_is_not_said_again(shop):
    """Slack took it and the confirmation was lost: the next try finds it in the thread."""
    await shop.ask(f"package {LABEL}", ASKER)
    before = len(replies(shop))
    shop.clock.at += timedelta(hours=2)
    shop.slack.faults.lose_answers(method="chat.postMessage")
    await tick(shop)
    assert len(replies(shop)) == before + 1
    shop.clock.at += 6 * MINUTES
    await tick(shop)
    assert len(replies(shop)) == before + 1


def waiting(**changes):
    action = replace(DOUBLE_RECEIPT.action, kind=ActionKind.WAIT, not_before=NOW + 20 * MINUTES)
    return replace(DOUBLE_RECEIPT, asked_at=NOW, action=replace(action, **changes))


def test_only_what_says_when_is_promised():
    """No time, another remedy, or a time too far away: nothing is promised."""
    assert follow_up(waiting(), "C", "1.1", "U").due_at == NOW + 21 * MINUTES
    assert follow_up(waiting(not_before=None), "C", "1.1", "U") is None
    assert follow_up(waiting(kind=ActionKind.RESEND), "C", "1.1", "U") is None
    assert follow_up(waiting(not_before=NOW + FARTHEST + MINUTES), "C", "1.1", "U") is None


async def test_what_was_counted_is_not_forgotten(shop):
    """The count that came with the question is compared again whenever it is asked again."""
    await shop.slack.command("", user=ASKER)
    await shop.settle()
    [form] = shop.slack.workspace.stack(ASKER)
    typed = {"what": {"what": f"package {LABEL}"}, "shelf": {"shelf": "19"}}
    assert (await shop.slack.submit_view(form.id, typed, ASKER)).acked
    await shop.settle()
    shop.clock.at += timedelta(hours=2)
    claimed = await shop.bot.books.rechecks.claim("one", shop.clock.now(), timedelta(minutes=2))
    assert claimed.recheck.shelf == 19
    asked = []

    async def ask(question):
        asked.append(question)
        return waiting()

    async def say(_claimed, _diagnosis):
        """Said."""

    shop.clock.at += timedelta(minutes=3)
    rechecks = shop.bot.books.rechecks
    await keep_promises(Desk(rechecks, ask, say, shop.clock, "two", timedelta(minutes=2)))
    # the answer said "wait" again, and the promise of that keeps the count too
    assert [question.shelf for question in asked] == [19, 19]


def test_it_does_not_go_on_for_ever():
    """An answer that says “wait” again is looked at again, some times."""
    recheck = None
    for _ in range(MOST_ROUNDS):
        recheck = follow_up(waiting(), "C", "1.1", "U", before=recheck)
    assert recheck.round == MOST_ROUNDS
    assert follow_up(waiting(), "C", "1.1", "U", before=recheck) is None
