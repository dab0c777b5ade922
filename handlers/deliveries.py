"""What Slack delivers once or several times, and has one effect."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from handlers import trouble
from handlers.metrics import Metrics
from handlers.services import Services


async def first_time(services: Services, delivery: str) -> bool:
    """Whether this delivery was not seen before; one that bears no key is taken for new."""
    if not delivery or await services.ledger.first_time(delivery, services.clock.now()):
        return True
    services.metrics.repeats.inc()
    return False


@contextmanager
def counted(metrics: Metrics) -> Iterator[None]:
    """Count a question while it runs, and how it failed if it does."""
    with metrics.running.track_inprogress():
        try:
            yield
        except Exception as error:
            metrics.failures.labels(kind=trouble.kind(error)).inc()
            raise
