"""What is wrong at each shop, from what one round has read. Pure: facts in, conditions out.

A monitor answers with what it found, with nothing (looked, all is well), or with None: it could not look. What could not
be looked at is never "all is well", so it closes no alert.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Final

from bot.alerts import Condition, Kind, Seen
from bot.errors import Problem, ProblemKind
from bot.hours import next_nightly
from bot.model import (
    Facility,
    Feed,
    MetrcDelivery,
    MetrcReceipt,
    PosPackage,
    PosSaleLine,
    Posting,
    PostingDelays,
    Reading,
    Shop,
    Submission,
)
from bot.numbers import bare
from bot.opening import Opening, spoken
from bot.posting import NIGHTLY_GRACE, RETRY_LIMIT, PosSale, is_near, may_arrive_until, sales_of
from bot.silence import Law, Posted, Rhythm, Verdict, backlog, cadence, drifted, unseen, waiting_posts

TOLD_AFTER: Final = 30
"""So many days after an end there is no further step: whoever lives without it has decided so."""

STEPS: Final = (30, 14, 7, 3, 1)
"""Days before an end at which it is told; from the last one on daily."""

PATIENCE: Final = timedelta(minutes=15)
"""Three rounds without a successful reading; then we do not see."""

BLIND_ROUNDS: Final = 3
"""So many looks in vain in a row, however far apart; then we do not see either."""

PILE: Final = 3
"""So many failed posts are a pile, and not a till's slip."""

LISTED: Final = 5

FAMILIES: Final = {
    Feed.RECEIPTS_ACTIVE: "sales",
    Feed.RECEIPTS_INACTIVE: "sales",
    Feed.PACKAGES_ACTIVE: "packages",
    Feed.TRANSFERS_INCOMING: "transfers",
}
"""The feeds that a round reads, and the right that each needs."""

SYNCED: Final = {
    Feed.PACKAGES_ON_HOLD: "packages on hold",
    Feed.PACKAGES_INACTIVE: "inactive packages",
    Feed.PACKAGES_IN_TRANSIT: "packages in transit",
    Feed.PACKAGES_TRANSFERRED: "transferred packages",
    Feed.DELIVERIES_ACTIVE: "deliveries",
    Feed.DELIVERIES_INACTIVE: "voided deliveries",
    Feed.TRANSFERS_OUTGOING: "outgoing transfers",
    Feed.TRANSFERS_REJECTED: "rejected transfers",
    Feed.ADJUSTMENTS: "adjustments",
    Feed.ITEMS: "items",
}
"""The feeds that only the sync reads, in a shop's words."""

SYNC_PATIENCE: Final = timedelta(hours=1)
"""The sync comes every ten minutes, and nobody waits for these."""

NEVER_OFFERED: Final = frozenset({ProblemKind.NOT_FOUND, ProblemKind.NOT_OFFERED})
"""What a state's METRC does not have is nothing that could be lost."""

# Without these nothing can be compared; a shop may well do without the others.
_NEEDED: Final = frozenset({"sales", "packages"})
_URGENT: Final = frozenset({Kind.METRC_OUTAGE, Kind.DEAD_KEY, Kind.LOST_RIGHT})


@dataclass(frozen=True, slots=True)
class Watched:
    """What the configuration says about a shop. ``host``: METRC's; ``key``: where the user key is kept, never the key.

    ``pos``: the kind of POS, which shops of one make share.
    """

    shop: Shop
    host: str
    key: str
    opening: Opening
    pos: str = "csv"
    channel: str | None = None
    key_issued_on: date | None = None
    key_max_age_days: int = 365
    false_alarms_per_year: float = 1.0
    escalate_to: str | None = None
    escalate_after: timedelta = timedelta(minutes=30)


@dataclass(frozen=True, slots=True)
class Learned:
    """What a shop's last 8 weeks teach; None where there is too little of it."""

    on: date
    law: Law | None = None
    rhythm: Rhythm | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    """All that one round has read of one shop. Monitors see this and nothing else.

    ``facilities``: what the key sees, the first rung. ``feeds``: until when each feed is held now, or why not.
    ``read_at``: when each of METRC's lists was last read, those of the sync too; what never was is left out. ``refused``:
    what METRC said when the last sync could not read one. ``sync_begun``: when one was begun last.
    ``last_seen``: when METRC was last read; ``watching_since``: since when the bot has been running without a break.
    ``families``: the rights that were there before. ``posts``: the POS's sales with METRC's records; None: the POS
    cannot tell. ``failed``: those that will not arrive by themselves. ``behind``: whether METRC's list of packages is; None: nobody can tell.
    ``recent``: the newest posting delays.
    ``unmapped``, ``duplicates``, ``unheld``: news since they were last looked at; None: not looked. ``filling``: the
    sales of the last days are not all held yet, so nothing can be said about them. ``late``: its turn did not come.
    """

    watched: Watched
    at: datetime
    facilities: Reading[tuple[Facility, ...]]
    feeds: dict[Feed, Reading[datetime]]
    watching_since: datetime
    last_seen: datetime | None = None
    read_at: Mapping[Feed, datetime] = field(default_factory=dict)
    refused: Mapping[Feed, str] = field(default_factory=dict)
    sync_begun: datetime | None = None
    families: frozenset[str] = frozenset()
    exported: Reading[datetime] | None = None
    posts: tuple[Posted, ...] | None = None
    failed: tuple[str, ...] = ()
    newest_record: datetime | None = None
    behind: Verdict | None = None
    recent: tuple[timedelta, ...] = ()
    learned: Learned | None = None
    unmapped: tuple[str, ...] | None = None
    duplicates: tuple[str, ...] | None = None
    unheld: tuple[str, ...] | None = None
    filling: bool = False
    late: bool = False
    blind: int = 0

    @property
    def license(self) -> str:
        """Whose facts these are."""
        return self.watched.shop.license

    @property
    def unasked(self) -> bool:
        """Whether METRC was not asked about this shop at all, because its turn did not come."""
        problem = self.facilities.problem
        return self.late and problem is not None and problem.kind is ProblemKind.DEADLINE

    @property
    def law(self) -> Law | None:
        """How long this shop's posts take; None: too little history."""
        return self.learned.law if self.learned else None

    @property
    def sales_read_at(self) -> datetime | None:
        """As of when METRC's receipts are known in this round; None: they were not read, or not enough of them."""
        if self.filling:
            return None
        readings = [self.feeds.get(feed) for feed in (Feed.RECEIPTS_ACTIVE, Feed.RECEIPTS_INACTIVE)]
        times = [reading.value for reading in readings if reading is not None and reading.was_read]
        return min((at for at in times if at), default=None) if len(times) == len(readings) else None


Answer = tuple[Condition, ...] | None
"""What a monitor found; None: it could not look."""


def seen(every: Sequence[Facts]) -> Seen:
    """Every condition at every shop, and what could not be judged."""
    down = hosts_down(every)
    found: list[Condition] = []
    unknown: set[tuple[Kind, str]] = set()
    for facts in every:
        for kind, monitor in MONITORS.items():
            answer = monitor(facts) if _can_judge(facts, kind, down) else None
            if answer is None:
                unknown.add((kind, facts.license))
            found += (_complete(condition, facts) for condition in answer or ())
        if facts.watched.host in down:
            found.append(_complete(_outage(facts), facts))
        elif facts.unasked:
            unknown.add((Kind.METRC_OUTAGE, facts.license))
    return Seen(tuple(found), frozenset(unknown))


def _can_judge(facts: Facts, kind: Kind, down: frozenset[str]) -> bool:
    """Without METRC only what needs none of it; without a turn only what needs nothing that is read at a turn."""
    if facts.late and kind in _AT_A_TURN:
        return False
    return facts.watched.host not in down or kind in _LOCAL


def _complete(condition: Condition, facts: Facts) -> Condition:
    """What is the same for every condition of a shop; what can wait until it opens does."""
    watched = facts.watched
    urgent = condition.kind in _URGENT or (condition.step is not None and condition.step <= 1)
    opens = None if urgent or watched.opening.is_open(facts.at) else watched.opening.next_opening(facts.at)
    return replace(
        condition,
        channel=watched.channel,
        quiet_until=opens,
        escalate_to=watched.escalate_to,
        escalate_after=watched.escalate_after,
    )


def _found(facts: Facts, kind: Kind, cause: str, says: str, remedy: str) -> Condition:
    shop = facts.watched.shop
    return Condition(kind=kind, license=shop.license, name=shop.name, cause=cause, says=says, remedy=remedy)


# --- METRC itself -----------------------------------------------------------------------------------------------------


def hosts_down(every: Iterable[Facts]) -> frozenset[str]:
    """METRC hosts that fail whoever asks.

    A host is down when most of the shops that were asked about get no answer from it; or when it refuses every key of
    several, for keys of different shops do not die in one round, and nobody must be told to renew a good one.
    """
    by_host: dict[str, list[Facts]] = defaultdict(list)
    for facts in every:
        if not facts.unasked:
            by_host[facts.watched.host].append(facts)
    return frozenset(host for host, own in by_host.items() if _is_down(own))


def _is_down(shops: Sequence[Facts]) -> bool:
    return 2 * sum(map(_no_answer, shops)) > len(shops) or _all_keys_refused(shops)


def _all_keys_refused(shops: Sequence[Facts]) -> bool:
    """Whether METRC refuses every key, of which several died together: at a time, however long ago that is."""
    keys = {facts.watched.key for facts in shops}
    refused = {facts.watched.key for facts in shops if _refused_by_metrc(facts.facilities.problem)}
    return refused == keys and len(_last_alive(shops)) > 1


def _last_alive(shops: Sequence[Facts]) -> set[str]:
    """The keys that were alive to the end; one that died before the others did not die with them."""
    seen_at = {facts.watched.key: facts.last_seen for facts in shops if facts.last_seen is not None}
    newest = max(seen_at.values(), default=None)
    return {key for key, at in seen_at.items() if newest is not None and newest - at <= PATIENCE}


def _refused_by_metrc(problem: Problem | None) -> bool:
    """A key that cannot be read has never come to METRC."""
    return problem is not None and problem.kind.is_refusal and problem.status is not None


def _no_answer(facts: Facts) -> bool:
    problem = facts.facilities.problem
    if problem is not None:
        return problem.kind.is_outage
    failed = [reading.problem for reading in facts.feeds.values() if reading.problem is not None]
    return bool(failed) and len(failed) == len(facts.feeds) and all(one.kind.is_outage for one in failed)


def _refused(problem: Problem | None) -> bool:
    return problem is not None and problem.kind.is_refusal


def _outage(facts: Facts) -> Condition:
    if _refused_by_metrc(facts.facilities.problem):
        says = f"METRC ({facts.watched.host}) refuses every key since the same moment."
        remedy = (
            "User keys of different shops do not die together, so renew none of them. Either METRC's login is down, or "
            "what they share has ended: the vendor key, or one METRC user behind all of them. Ask METRC's support."
        )
        return _found(facts, Kind.METRC_OUTAGE, facts.watched.host, says, remedy)
    says = f"METRC ({facts.watched.host}) does not answer."
    remedy = "Nothing is wrong with your keys: do not renew them. Keep selling, and count nothing until it is back."
    return _found(facts, Kind.METRC_OUTAGE, facts.watched.host, says, remedy)


def dead_key(facts: Facts) -> Answer:
    """METRC answers, and refuses this key even for the question that needs no right."""
    problem = facts.facilities.problem
    if problem is None:
        return ()
    if not problem.kind.is_refusal:
        return None
    key = facts.watched.key
    says = f"METRC refuses the user key ({key})."
    if problem.status is None:  # it never came to METRC
        return (_found(facts, Kind.DEAD_KEY, key, f"The key cannot be read: {problem.says}.", _where(key)),)
    return (_found(facts, Kind.DEAD_KEY, key, says, refused_key(key)),)


def _where(reference: str) -> str:
    return f"Put the key back where {reference} points, then run countlast doctor; no restart is needed."


def refused_key(reference: str) -> str:
    """What to do about a key that METRC refuses: a new one comes last."""
    return (
        "Look first in METRC whether somebody has made a new key: then only that one is missing here. A dead software "
        f"(vendor) key looks the same, at every shop. Else: {renewal(reference)}"
    )


def renewal(reference: str) -> str:
    """How to renew a key without it ever passing through Slack."""
    return (
        f"Make a new key in METRC, put it where {reference} points, and run countlast doctor; no restart is needed. "
        "A new key kills the old one at once, everywhere it is used, so update the POS in the same minute. "
        "Never paste a key into Slack."
    )


def lost_right(facts: Facts) -> Answer:
    """The key lives, but something it could read before is refused, or it no longer sees the license."""
    if not facts.facilities.was_read:
        return None
    sees = {facility.license for facility in facts.facilities.value or ()}
    if facts.license not in sees:
        return (_lost_license(facts),)
    refused = {FAMILIES[feed] for feed, reading in facts.feeds.items() if _refused(reading.problem)}
    lost = sorted(refused & (facts.families | _NEEDED))
    unread = any(_untold(reading.problem) for reading in facts.feeds.values())
    return tuple(_lost(facts, family) for family in lost) or (None if unread else ())


def _untold(problem: Problem | None) -> bool:
    """Whether the answer might still be a refusal; what a state does not offer is no right that could be lost."""
    return problem is not None and not problem.kind.is_refusal and problem.kind not in NEVER_OFFERED


def _lost_license(facts: Facts) -> Condition:
    key = facts.watched.key
    says = f"The METRC key ({key}) no longer sees license {facts.license}."
    remedy = "Ask the license's owner to add the key's user to this facility again in METRC. The key itself is alive."
    return _found(facts, Kind.LOST_RIGHT, f"{key}/{facts.license}", says, remedy)


def _lost(facts: Facts, family: str) -> Condition:
    says = f"METRC no longer lets the key ({facts.watched.key}) read {family}."
    remedy = "Give the key's user this right again in METRC, under the employee's permissions. The key itself is alive."
    found = _found(facts, Kind.LOST_RIGHT, f"{facts.watched.key}/{family}", says, remedy)
    return replace(found, family=family)


def cannot_see(facts: Facts) -> Answer:
    """We did not look: no successful reading for a quarter of an hour, while the bot was running."""
    since = facts.last_seen or facts.watching_since
    # whoever looks by hand once in a while has no unbroken watch, but has looked in vain all the same
    in_vain = facts.blind >= BLIND_ROUNDS and facts.at - since > PATIENCE
    if not in_vain and not unseen(facts.last_seen, facts.watching_since, PATIENCE, facts.at):
        return ()
    problems = [facts.facilities.problem, *(reading.problem for reading in facts.feeds.values())]
    why = next((problem.says for problem in problems if problem), "It was not asked.")
    says = f"METRC has not been read for {spoken(facts.at - since)}. {why}"
    remedy = "Until it is read again nobody knows whether sales arrive. Run countlast doctor."
    found = _found(facts, Kind.CANNOT_SEE, facts.license, says, remedy)
    # a host that asks everybody to wait is told once
    return (replace(found, since=since, kin=facts.watched.host),)


def feed_unread(facts: Facts) -> Answer:
    """METRC answers, but one of its lists has not been read for long: what is known of it grows old unseen."""
    if facts.facilities.problem is not None or facts.late or cannot_see(facts):
        return None
    found = tuple(_unread(facts, name, since, why) for name, (since, why) in _unread_lists(facts).items())
    return found + _never_ending(facts)


def _unread_lists(facts: Facts) -> dict[str, tuple[datetime, str]]:
    """Since when each is not read, and what METRC says. The rights that a round needs have an alert of their own."""
    found: dict[str, tuple[datetime, str]] = {}
    for feed, reading in facts.feeds.items():
        last = facts.read_at.get(feed)
        if _untold(reading.problem) and unseen(last, facts.watching_since, PATIENCE, facts.at):
            found.setdefault(FAMILIES[feed], (last or facts.watching_since, _says(reading.problem)))
    for feed, why in facts.refused.items():
        last = facts.read_at.get(feed)  # what was never held is a right that this key never had
        if feed in SYNCED and last is not None and unseen(last, facts.watching_since, SYNC_PATIENCE, facts.at):
            found[SYNCED[feed]] = (last, why)
    return found


def _never_ending(facts: Facts) -> tuple[Condition, ...]:
    """Syncs are begun, and some lists are not read all the same; one condition, however many they are."""
    if facts.sync_begun is None or facts.at - facts.sync_begun > SYNC_PATIENCE:
        return ()
    old = {
        SYNCED[feed]: last
        for feed, last in facts.read_at.items()
        if feed in SYNCED and feed not in facts.refused
        if unseen(last, facts.watching_since, SYNC_PATIENCE, facts.at)
    }
    if not old:
        return ()
    since = min(old.values())
    says = f"METRC's {_listed(sorted(old))} have not been read for {spoken(facts.at - since)}: the sync does not get to them."
    remedy = "What is told about them may be that old. Look at the bot's log, and run countlast sync by hand."
    found = _found(facts, Kind.FEED_UNREAD, f"{facts.license}/sync", says, remedy)
    return (replace(found, since=since, family="sync", kin=f"{facts.watched.host}/sync"),)


def _says(problem: Problem | None) -> str:
    return "" if problem is None else problem.says


def _unread(facts: Facts, name: str, since: datetime, why: str) -> Condition:
    says = (
        f"METRC's {name} have not been read for {spoken(facts.at - since)}, while its other lists have. {why}".strip()
    )
    remedy = f"What is told about {name} may be that old. Run countlast doctor; it tells whether a right is missing."
    found = _found(facts, Kind.FEED_UNREAD, f"{facts.license}/{name}", says, remedy)
    return replace(found, since=since, family=name, kin=f"{facts.watched.host}/{name}")


# --- is the sync silent? ----------------------------------------------------------------------------------------------


def sync_silent(facts: Facts) -> Answer:
    """What the shop sells does not reach METRC. Judged on a fresh reading only, by the best detector there is."""
    as_of = facts.sales_read_at
    if as_of is None:
        return None
    if facts.posts == ():
        return None  # nothing was sold for days: that is no sign that what waited before has arrived
    verdict = judged(facts, as_of)
    if verdict is None:
        return None
    if not verdict.silent:
        return ()
    remedy = (
        "Look at the POS's METRC connection and its list of failed posts before anybody counts or adjusts. "
        "The METRC key was tried just now and is alive."
    )
    found = _found(facts, Kind.SYNC_SILENT, facts.license, verdict.says, remedy)
    kin = f"{facts.watched.pos}@{facts.watched.host}"
    return (replace(found, since=verdict.since, family="sales", kin=kin),)


def judged(facts: Facts, as_of: datetime) -> Verdict | None:
    """The verdict of the best detector; None: neither the POS nor METRC has ever shown a sale."""
    watched = facts.watched
    if facts.posts is not None:
        if watched.shop.posting is Posting.NIGHTLY:
            return _nightly(facts, as_of)
        plain = RETRY_LIMIT.get(watched.shop.posting, RETRY_LIMIT[Posting.BATCH])
        return backlog(facts.posts, facts.law, plain, watched.false_alarms_per_year, as_of)
    if facts.newest_record is None:
        return None
    if watched.shop.posting is Posting.NIGHTLY and watched.shop.nightly_at:
        return _last_run(watched, watched.shop.nightly_at, facts.newest_record, as_of)
    rhythm = facts.learned.rhythm if facts.learned else None
    return cadence(rhythm, watched.opening, facts.newest_record, watched.false_alarms_per_year, as_of)


def _nightly(facts: Facts, as_of: datetime) -> Verdict:
    """A POS that posts at night is late only after its run."""
    waiting = waiting_posts(facts.posts or (), as_of)
    late = [post for post in waiting if may_arrive_until(post.sold_at, facts.watched.shop, None) < as_of]
    if not late:
        return Verdict(silent=False, since=None, says="Every nightly run has brought its sales to METRC.")
    says = f"The nightly run left {len(late)} sale{'s' if len(late) > 1 else ''} behind."
    return Verdict(silent=True, since=late[0].sold_at, says=says, waiting=len(late))


def changes_silent(facts: Facts) -> Answer:
    """METRC records sales, and its list of packages shows no change."""
    reading = facts.feeds.get(Feed.PACKAGES_ACTIVE)
    if facts.sales_read_at is None or facts.behind is None or reading is None or not reading.was_read:
        return None
    if not facts.behind.silent:
        return ()
    remedy = (
        "Quantities in METRC's lists may be old until it goes on; adjust nothing. Asking about a package by its label reads "
        "it afresh. If METRC's own screen is behind too, tell METRC's support."
    )
    found = _found(facts, Kind.CHANGES_SILENT, f"{facts.license}/packages", facts.behind.says, remedy)
    return (replace(found, since=facts.behind.since, family="packages", kin=facts.watched.host),)


def _last_run(watched: Watched, nightly_at: str, newest: datetime, as_of: datetime) -> Verdict:
    """Of a POS that posts at night and cannot be read: whether the last run after an open day left anything in METRC."""
    day = timedelta(days=1)
    run = next_nightly(nightly_at, as_of - NIGHTLY_GRACE - day - timedelta(seconds=1))
    before = next_nightly(nightly_at, run - day - timedelta(hours=2))
    if newest >= run or not watched.opening.open_time(before, run):
        return Verdict(silent=False, since=newest, says="The last nightly run has brought sales to METRC.")
    says = f"The last nightly run, {spoken(as_of - run)} ago, has brought nothing to METRC."
    return Verdict(silent=True, since=run, says=says)


def posts_failing(facts: Facts) -> Answer:
    """Single sales fail while others arrive."""
    if facts.sales_read_at is None or facts.posts is None:
        return None
    if len(facts.failed) < PILE:
        return ()
    says = f"{len(facts.failed)} sales will not reach METRC by themselves: {_listed(facts.failed)}."
    remedy = "Open the POS's list of failed posts, mend what it names and send them again; adjust nothing."
    return (replace(_found(facts, Kind.POSTS_FAILING, facts.license, says, remedy), family="sales"),)


def delay_grown(facts: Facts) -> Answer:
    """Posts arrive, but far slower than they used to."""
    law = facts.law
    if facts.sales_read_at is None or law is None:
        return None
    if not drifted(facts.recent, law):
        return ()
    median = sorted(facts.recent)[len(facts.recent) // 2]
    says = f"Sales now take {spoken(median)} to reach METRC; {spoken(law.usual)} is usual here."
    remedy = "Expect packages to read as missing for that long; ask the POS's support whether posting is held up."
    return (replace(_found(facts, Kind.DELAY_GROWN, facts.license, says, remedy), family="sales"),)


def export_stale(facts: Facts) -> Answer:
    """The POS's export has not been renewed while the shop was open."""
    if facts.exported is None:
        return ()
    limit = timedelta(minutes=facts.watched.shop.max_age_minutes)
    remedy = "Start the POS's export again; until then every answer about the POS is provisional."
    if facts.exported.problem is not None:
        says = f"The POS cannot be read: {facts.exported.problem.says}"
        return (_found(facts, Kind.EXPORT_STALE, facts.license, says, remedy),)
    made = facts.exported.value
    if made is None or facts.watched.opening.open_time(made, facts.at) <= limit:
        return ()
    says = f"The newest POS export is {spoken(facts.at - made)} old; {spoken(limit)} is allowed."
    return (replace(_found(facts, Kind.EXPORT_STALE, facts.license, says, remedy), since=made),)


# --- what comes nearer day by day -------------------------------------------------------------------------------------


def step_of(days: int) -> int | None:
    """The tightest step that so many days left have reached; from one day on each day is a step. None: not yet."""
    if days < STEPS[-1]:
        return max(days, -TOLD_AFTER)
    return next((step for step in reversed(STEPS) if days <= step), None)


def key_ends(watched: Watched) -> date | None:
    """The last day of the user key; None: nobody told when it was made."""
    if watched.key_issued_on is None:
        return None
    return watched.key_issued_on + timedelta(days=watched.key_max_age_days)


def key_expiry(facts: Facts) -> Answer:
    """METRC tells no date: the day of issue and the greatest age are typed in by a person."""
    watched = facts.watched
    ends = key_ends(watched)
    cause = f"{watched.key}/{watched.key_issued_on}"
    says = f"The METRC user key ({watched.key})"
    return _ending(facts, _found(facts, Kind.KEY_EXPIRY, cause, says, renewal(watched.key)), ends)


def license_end(facts: Facts) -> Answer:
    """METRC's own end of the license."""
    facility = _own(facts)
    if facility is None:
        return None
    remedy = "Renew the license with the state; when it has ended METRC takes no sale."
    found = _found(facts, Kind.LICENSE_END, facts.license, "The license", remedy)
    return _ending(facts, found, facility.license_ends_on)


def support_end(facts: Facts) -> Answer:
    """METRC's own end of support for the facility."""
    facility = _own(facts)
    if facility is None:
        return None
    remedy = "Renew METRC's support for this facility; without it calls about problems are not answered."
    found = _found(facts, Kind.SUPPORT_END, facts.license, "METRC's support", remedy)
    return _ending(facts, found, facility.support_expires_on)


def _own(facts: Facts) -> Facility | None:
    return next((one for one in facts.facilities.value or () if one.license == facts.license), None)


def _ending(facts: Facts, found: Condition, ends: date | None) -> Answer:
    """``found.says`` names what ends."""
    if ends is None:
        return ()
    days = (ends - facts.watched.opening.day_of(facts.at)).days
    step = step_of(days)
    if step is None:
        return ()
    return (replace(found, says=f"{found.says} {_when(days)}, on {ends.isoformat()}.", step=step),)


def _when(days: int) -> str:
    if days < 0:
        return f"ended {-days} day{'s' if days < -1 else ''} ago"
    return {0: "ends today", 1: "ends tomorrow"}.get(days, f"ends in {days} days")


# --- news -------------------------------------------------------------------------------------------------------------


def mapping_drift(facts: Facts) -> Answer:
    """Products that came into the POS without a METRC item."""
    says = "New in the POS without a METRC item"
    remedy = "Map them in the POS before they are sold; their sales would be refused."
    return _news(facts, Kind.MAPPING_DRIFT, facts.unmapped, says, remedy)


def new_duplicates(facts: Facts) -> Answer:
    """Records that the nightly search found twice."""
    says = "New duplicates in METRC"
    remedy = "Ask about one of their packages to see which record to keep; adjust nothing."
    return _news(facts, Kind.NEW_DUPLICATES, facts.duplicates, says, remedy)


def fix_not_held(facts: Facts) -> Answer:
    """A removal that was done, and is undone."""
    says = "A fix did not hold"
    remedy = "Something posts it again: look at the POS's list of failed posts before removing it once more."
    return _news(facts, Kind.FIX_NOT_HELD, facts.unheld, says, remedy)


def _news(facts: Facts, kind: Kind, news: tuple[str, ...] | None, says: str, remedy: str) -> Answer:
    if news is None:
        return None
    return (_found(facts, kind, facts.license, f"{says}: {_listed(news)}.", remedy),) if news else ()


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
    return ", ".join(names[:LISTED]) + more


MONITORS: Final[dict[Kind, Callable[[Facts], Answer]]] = {
    Kind.DEAD_KEY: dead_key,
    Kind.LOST_RIGHT: lost_right,
    Kind.CANNOT_SEE: cannot_see,
    Kind.FEED_UNREAD: feed_unread,
    Kind.CHANGES_SILENT: changes_silent,
    Kind.SYNC_SILENT: sync_silent,
    Kind.POSTS_FAILING: posts_failing,
    Kind.DELAY_GROWN: delay_grown,
    Kind.EXPORT_STALE: export_stale,
    Kind.KEY_EXPIRY: key_expiry,
    Kind.LICENSE_END: license_end,
    Kind.SUPPORT_END: support_end,
    Kind.MAPPING_DRIFT: mapping_drift,
    Kind.NEW_DUPLICATES: new_duplicates,
    Kind.FIX_NOT_HELD: fix_not_held,
}
# These need no answer from METRC.
_LOCAL: Final = frozenset(
    {Kind.EXPORT_STALE, Kind.KEY_EXPIRY, Kind.MAPPING_DRIFT, Kind.NEW_DUPLICATES, Kind.FIX_NOT_HELD}
)

# These are judged by what is read last of a shop: its POS, its past, its news.
_AT_A_TURN: Final = _LOCAL - {Kind.KEY_EXPIRY} | {
    Kind.CHANGES_SILENT,
    Kind.SYNC_SILENT,
    Kind.POSTS_FAILING,
    Kind.DELAY_GROWN,
}


# --- POS sales beside METRC's records ---------------------------------------------------------------------------------


def posted(
    lines: Iterable[PosSaleLine], receipts: Sequence[MetrcReceipt], deliveries: Sequence[MetrcDelivery], zone: str
) -> tuple[tuple[Posted, ...], frozenset[str]]:
    """Every POS sale with when METRC recorded it, and the ids of those the POS says were refused.

    By number, else by the receipt id that the POS stores, else by the moment: nearest first, a record for one sale each.
    METRC tells the wall clock of ``zone``, where one hour of the year comes twice.
    """
    sales = sales_of(lines)
    by_number = {_key(r.external_number): r for r in receipts if r.external_number}
    by_id = {str(r.id): r for r in receipts}
    own = {sale.sale_id: _own_receipt(sale, by_number, by_id) for sale in sales}
    taken = {receipt.id for receipt in own.values() if receipt}
    loose = sorted(
        [(r.sold_at, r.recorded_at or r.sold_at) for r in receipts if r.id not in taken and r.sold_at]
        + [(d.sold_at, d.recorded_at or d.sold_at) for d in deliveries if d.sold_at]
    )
    found = tuple(_post(sale, own[sale.sale_id], loose, zone) for sale in sales)
    refused = {s.sale_id for s, p in zip(sales, found, strict=True) if s.submission is Submission.FAILED and _open(p)}
    return found, frozenset(refused)


def _own_receipt(
    sale: PosSale, by_number: dict[str, MetrcReceipt], by_id: dict[str, MetrcReceipt]
) -> MetrcReceipt | None:
    stored = (by_id.get(bare(receipt)) for receipt in sale.receipt_ids)
    return by_number.get(_key(sale.sale_id)) or next((receipt for receipt in stored if receipt), None)


def _post(sale: PosSale, receipt: MetrcReceipt | None, loose: list[tuple[datetime, datetime]], zone: str) -> Posted:
    recorded = (receipt.recorded_at or receipt.sold_at or sale.sold_at) if receipt else _by_moment(sale, loose, zone)
    parked = sale.is_void or sale.submission is Submission.FAILED
    return Posted(sale.sale_id, sale.sold_at, recorded, parked)


def _by_moment(sale: PosSale, loose: list[tuple[datetime, datetime]], zone: str) -> datetime | None:
    """Take the nearest record of the same moment off the list."""
    for fold in _FOLDS:
        at = bisect_left(loose, (sale.sold_at + fold, sale.sold_at + fold))
        near = [place for place in (at - 1, at) if 0 <= place < len(loose)]
        best = min(near, key=lambda place: abs(loose[place][0] - sale.sold_at - fold), default=None)
        if best is not None and is_near(loose[best][0], sale.sold_at, zone):
            return loose.pop(best)[1]
    return None


# An hour that comes twice is taken for its first time.
_FOLDS: Final = (timedelta(0), -timedelta(hours=1), timedelta(hours=1))


def _open(post: Posted) -> bool:
    return post.recorded_at is None


def failed(
    posts: Sequence[Posted], refused: frozenset[str], shop: Shop, law: Law | None, as_of: datetime
) -> tuple[str, ...]:
    """Sales that will not arrive by themselves: refused, or overtaken by later ones and past their time."""
    newest = max((post.sold_at for post in posts if post.recorded_at), default=None)
    delays = None if law is None else _delays(law)
    late = {
        post.sale_id
        for post in posts
        if _open(post) and not post.parked and newest is not None and post.sold_at < newest
        if may_arrive_until(post.sold_at, shop, delays) < as_of
    }
    return tuple(post.sale_id for post in posts if post.sale_id in late | refused)


def _delays(law: Law) -> PostingDelays:
    p50, p95, p999 = (law.longer_than(share) for share in (0.5, 0.05, 0.001))
    return PostingDelays(law.count, p50, p95, p999)


def _key(number: str | None) -> str:
    return (number or "").strip().casefold()


def unmapped(stock: Iterable[PosPackage]) -> frozenset[str] | None:
    """Products of the POS without a METRC item; None: this export tells no items at all, so nothing can be said.

    Whether METRC knows an item that is named there cannot be said either: its list tells only those that changed lately.
    """
    rows = tuple(stock)
    if not any(row.metrc_item for row in rows):
        return None
    return frozenset(row.product_name for row in rows if row.metrc_item is None)
