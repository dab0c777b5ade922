"""How fast Slack is acknowledged while METRC is slow, against the same request when nothing has to be done."""

from __future__ import annotations

import statistics

from benchmarks.table import Row, Scale
from demo.run import store


async def acks(scale: Scale) -> list[Row]:
    """Commands one after another, with METRC at three seconds a call, against ``help``."""
    async with store() as shop:
        for _ in range(3):
            await shop.slack.command("help")
        helped = [(await shop.slack.command("help")).ack_seconds for _ in range(scale.commands)]
        shop.world.slow(3.0)
        asked = [
            (await shop.slack.command(f"package 1A4FF01000000220000{number:05d}")).ack_seconds
            for number in range(scale.commands)
        ]
        shop.world.recover()
    return [
        Row("acknowledging a question, METRC at 3 s a call, p50", _ms(asked, 50), "ms", _ms(helped, 50), "help"),
        Row("acknowledging a question, METRC at 3 s a call, p99", _ms(asked, 99), "ms", _ms(helped, 99), "help"),
    ]


def _ms(seconds: list[float], percent: int) -> float:
    if len(seconds) < 2:
        return seconds[0] * 1000
    return statistics.quantiles(seconds, n=100, method="inclusive")[percent - 1] * 1000
