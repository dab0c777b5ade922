"""A week of some shops → one message. Pure. The chart in its thread shows the weeks before."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from bot.alerts import TITLES
from bot.digest import Digest, Week
from bot.opening import spoken
from handlers.render.blocks import Message, bold, context, cut, listed, section

MOST_NAMED = 6


def render_digest(digest: Digest, command: str) -> Message:
    """What the last week brought; a figure beside the one before where that tells something."""
    this, before = digest.weeks[-1], digest.weeks[-2]
    names = listed([cut(name, 60) for name in digest.names], MOST_NAMED)
    lines = [_differences(this, before), _delay(this, before), _alerts(this, before), *_open(digest)]
    head = f"{bold('The last seven days', 60)} · {names}"
    return Message(
        text=f"The last seven days at {names}: {this.discrepancies} differences explained.",
        blocks=(
            section("\n".join([head, *(f"• {line}" for line in lines)])),
            context(f"Weeks are compared with the one before. {cut(command, 40)} status shows how things stand now."),
        ),
    )


def _differences(this: Week, before: Week) -> str:
    counts = {cause.value.replace("_", " "): n for cause, n in this.causes.items()}
    return f"Differences explained: {this.discrepancies} (before: {before.discrepancies}){_of(counts)}"


def _alerts(this: Week, before: Week) -> str:
    counts = {TITLES[kind]: n for kind, n in this.alerts.items()}
    return f"Alerts: {sum(this.alerts.values())} (before: {sum(before.alerts.values())}){_of(counts)}"


def _of(counts: Mapping[str, int]) -> str:
    ordered = sorted(counts.items(), key=lambda one: (-one[1], one[0]))
    return ": " + listed([f"{n} {name}" for name, n in ordered], MOST_NAMED) if ordered else ""


def _delay(this: Week, before: Week) -> str:
    if this.delay is None:
        return "METRC recorded no sale"
    was = f" (before: {_span(before.delay[0])} and {_span(before.delay[1])})" if before.delay else ""
    return f"Half of the sales were in METRC after {_span(this.delay[0])}, 95 of 100 after {_span(this.delay[1])}{was}"


def _span(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 60 else spoken(timedelta(seconds=seconds))


def _open(digest: Digest) -> list[str]:
    if not digest.open:
        return []
    return [f"Open now: {listed([cut(alert.headline, 200) for alert in digest.open], 3, between='; ')}"]
