"""What the bot counts about itself. One registry for each instance, so that nothing is shared or built at import."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest


class Metrics:
    """Counters of the Slack side. Labels hold only words of our own, never a record, a person or a license."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.commands = Counter(
            "countlast_commands", "Slash commands received, repeats included.", registry=self.registry
        )
        self.repeats = Counter(
            "countlast_repeats", "Deliveries that were seen before and had no effect.", registry=self.registry
        )
        self.acks = Histogram(
            "countlast_ack_seconds",
            "Seconds from a delivery by Slack to its acknowledgement.",
            ["transport"],
            buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 3),
            registry=self.registry,
        )
        self.running = Gauge("countlast_questions_running", "Questions being answered now.", registry=self.registry)
        self.answers = Counter("countlast_answers", "Questions answered.", ["cause"], registry=self.registry)
        self.failures = Counter("countlast_failures", "Questions that got no answer.", ["kind"], registry=self.registry)
        self.posts_failed = Counter(
            "countlast_slack_posts_failed", "Messages Slack did not take.", ["reason"], registry=self.registry
        )

    def text(self) -> bytes:
        """All of it in the text format that Prometheus reads."""
        return generate_latest(self.registry)
