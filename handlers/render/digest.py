"""A week of some shops → one message. Pure. The chart in its thread shows the weeks before."""

from __future__ import annotations

from collections.abc import Mapping

from bot.alerts import TITLES
from bot.digest import Digest, Week
from handlers.render import words
from handlers.render.blocks import Message, bold, context, cut, section
from handlers.render.words import listed

MOST_NAMED = 6


def render_digest(digest: Digest, command: str) -> Message:
    """What the last week brought; a figure beside the one before where that tells something."""
    this, before = digest.weeks[-1], digest.weeks[-2]
    names = listed([cut(name, 60) for name in digest.names], MOST_NAMED)
    lines = [_differences(this, before), _delay(this, before), _alerts(this, before), *_open(digest)]
    head = f"{bold(words.DIGEST_TITLE, 60)} · {names}"
    return Message(
        text=words.digest_short(names, this.discrepancies),
        blocks=(
            section("\n".join([head, *(f"• {line}" for line in lines)])),
            context(words.digest_note(command)),
        ),
    )


def _differences(this: Week, before: Week) -> str:
    counts = {cause.value.replace("_", " "): n for cause, n in this.causes.items()}
    return words.digest_differences(this.discrepancies, before.discrepancies) + _of(counts)


def _alerts(this: Week, before: Week) -> str:
    counts = {TITLES[kind]: n for kind, n in this.alerts.items()}
    return words.digest_alerts(sum(this.alerts.values()), sum(before.alerts.values())) + _of(counts)


def _of(counts: Mapping[str, int]) -> str:
    ordered = sorted(counts.items(), key=lambda one: (-one[1], one[0]))
    return ": " + listed([f"{n} {name}" for name, n in ordered], MOST_NAMED) if ordered else ""


def _delay(this: Week, before: Week) -> str:
    return words.digest_delay(this.delay, before.delay)


def _open(digest: Digest) -> list[str]:
    if not digest.open:
        return []
    return [words.digest_open([alert.headline for alert in digest.open])]
