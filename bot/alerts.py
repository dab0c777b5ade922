"""Which alerts should be open, and what is to be said about them: facts and the time in, changes and letters out. Pure.

An alert is one problem, told once. Its life: ``pending`` (held back, so that its cause can arrive first or the shop can open), ``open``,
``acknowledged`` or ``snoozed`` by a named person until a stated time, ``closed``. Four things keep it from crying wolf:

* a cause silences its consequences, and goes on doing so for a while after it ended (``CHAIN``);
* shops that share a cause and a channel share the alert; so do shops of one make that fall silent together;
* it closes only after good readings in a row, and one that returns soon is the same alert again;
* what cannot be judged now (not read, or explained by something else) neither opens nor closes anything.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from bot.audit import PROGRAM, Entry, Event
from bot.errors import QuestionError
from bot.opening import Opening, spoken

LISTED: Final = 20
REPEATS: Final = (timedelta(hours=4), timedelta(days=1))
ASK_AGAIN: Final = timedelta(hours=8)
REOPENS: Final = timedelta(minutes=30)
AFTERMATH: Final = timedelta(hours=2)
# A cause may be noticed this much later than what it brought about.
CAUSE_FOLLOWS: Final = timedelta(hours=1)
# What begins this near to a cause's end may still be of its making, but not for longer than the time below it.
NEAR_THE_END: Final = timedelta(minutes=15)
LAST_TRACES: Final = timedelta(hours=1)
ESCALATIONS: Final = 5
# From this step on nothing waits.
LAST_STEP: Final = 1
FLAPS: Final = 6
FLAPS_WITHIN: Final = timedelta(hours=24)
# One that comes and goes all day is the same alert for longer, and over only when it has been calm for so long.
CALM: Final = timedelta(hours=4)
DIGEST: Final = timedelta(hours=1)
LONGEST_SNOOZE: Final = timedelta(days=7)


class Kind(StrEnum):
    """What an alert is about."""

    METRC_OUTAGE = "metrc_outage"
    DEAD_KEY = "dead_key"
    LOST_RIGHT = "lost_right"
    CANNOT_SEE = "cannot_see"
    FEED_UNREAD = "feed_unread"
    CHANGES_SILENT = "changes_silent"
    SYNC_SILENT = "sync_silent"
    POSTS_FAILING = "posts_failing"
    DELAY_GROWN = "delay_grown"
    EXPORT_STALE = "export_stale"
    KEY_EXPIRY = "key_expiry"
    LICENSE_END = "license_end"
    SUPPORT_END = "support_end"
    MAPPING_DRIFT = "mapping_drift"
    NEW_DUPLICATES = "new_duplicates"
    FIX_NOT_HELD = "fix_not_held"


CHAIN: Final = (
    Kind.METRC_OUTAGE,
    Kind.DEAD_KEY,
    Kind.LOST_RIGHT,
    Kind.CANNOT_SEE,
    Kind.FEED_UNREAD,
    Kind.CHANGES_SILENT,
    Kind.SYNC_SILENT,
    Kind.POSTS_FAILING,
    Kind.DELAY_GROWN,
)
"""A cause silences what stands behind it, at the same shop.

That the bot itself was down stands before them all, and is for an outside heartbeat to tell. It needs no alert here:
whoever judges nothing without a fresh reading has nothing to silence afterwards.
"""

# What a cause leaves behind and what then goes away by itself.
_TRACES: Final = frozenset(
    {
        Kind.CANNOT_SEE,
        Kind.FEED_UNREAD,
        Kind.CHANGES_SILENT,
        Kind.SYNC_SILENT,
        Kind.POSTS_FAILING,
        Kind.DELAY_GROWN,
    }
)


class State(StrEnum):
    """Where an alert is in its life."""

    PENDING = "pending"
    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    SNOOZED = "snoozed"
    CLOSED = "closed"


class What(StrEnum):
    """What a letter does: ``FIRE`` and ``ESCALATE`` are messages, ``REWRITE`` edits the first one, the rest reply.

    ``CHART`` shows a picture; the text says everything without it, so no other letter waits for one.
    """

    FIRE = "fire"
    ESCALATE = "escalate"
    REWRITE = "rewrite"
    REPEAT = "repeat"
    STEP = "step"
    JOIN = "join"
    REFIRE = "refire"
    FLAPPING = "flapping"
    RESOLVE = "resolve"
    CHART = "chart"


@dataclass(frozen=True, slots=True)
class Condition:
    """Something is wrong at a shop now.

    ``cause``: what shops would share (a METRC host, a key's reference), else the license and the feed. ``says``: one
    sentence without the shop's name; ``remedy``: what to do. ``family``: what kind of records is concerned; None: all.
    ``kin``: shops of one make, that share an alert when they fall ill together. ``step``: days left, for what comes
    nearer day by day. ``quiet_until``: not worth waking anybody before then.
    """

    kind: Kind
    license: str
    name: str
    cause: str
    says: str
    remedy: str = ""
    channel: str | None = None
    since: datetime | None = None
    family: str | None = None
    kin: str = ""
    step: int | None = None
    quiet_until: datetime | None = None
    escalate_to: str | None = None
    escalate_after: timedelta = timedelta(minutes=30)


@dataclass(frozen=True, slots=True)
class Seen:
    """What one round found. ``unknown``: what could not be judged, as kind and license."""

    conditions: tuple[Condition, ...] = ()
    unknown: frozenset[tuple[Kind, str]] = frozenset()


@dataclass(frozen=True, slots=True)
class Member:
    """One shop's share in an alert. ``good``: rounds in a row that found nothing at this shop, while others are ill."""

    license: str
    name: str
    cause: str
    says: str
    since: datetime
    family: str | None = None
    good: int = 0


@dataclass(frozen=True, slots=True)
class Alert:
    """One episode of one problem.

    ``key`` is the same in every episode, ``id`` is not. ``good``: rounds in a row that found nothing.
    ``asks_again_at``: when an acknowledgement or snooze ends. ``changes``: when it fired or closed in the last day.
    ``letters`` counts what was written about it, ``version`` counts its changes. ``held``: what it was when it ended, where
    somebody had it in hand or had put it off.
    """

    key: str
    kind: Kind
    channel: str | None
    members: tuple[Member, ...]
    since: datetime
    state: State = State.PENDING
    remedy: str = ""
    kin: str = ""
    step: int | None = None
    good: int = 0
    fired_at: datetime | None = None
    closed_at: datetime | None = None
    by: str | None = None
    asks_again_at: datetime | None = None
    repeat_at: datetime | None = None
    repeats: int = 0
    escalate_to: str | None = None
    escalate_after: timedelta = timedelta(minutes=30)
    escalate_at: datetime | None = None
    escalations: int = 0
    quiet_until: datetime | None = None
    changes: tuple[datetime, ...] = ()
    letters: int = 0
    version: int = 0
    held: State | None = None

    @property
    def id(self) -> str:
        """Unique among all episodes."""
        return f"{self.key}@{self.since:%Y%m%dT%H%M%S.%fZ}"

    @property
    def is_live(self) -> bool:
        """Whether the problem is still there, told or not."""
        return self.state is not State.CLOSED

    @property
    def is_told(self) -> bool:
        """Whether people have been told, or are about to be."""
        return self.fired_at is not None and self.state is not State.PENDING

    @property
    def licenses(self) -> tuple[str, ...]:
        """The shops it concerns."""
        return tuple(dict.fromkeys(member.license for member in self.members))

    @property
    def headline(self) -> str:
        """One sentence that names the shop, or how many there are and the first of them."""
        names = list(dict.fromkeys(member.name for member in self.members))
        if len(names) == 1:
            return f"{names[0]}: {self.members[0].says}"
        more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
        return f"{len(names)} shops ({', '.join(names[:LISTED])}{more}): {self.members[0].says}"

    @property
    def is_flapping(self) -> bool:
        """Whether it comes and goes so often that only a digest is bearable."""
        return len(self.changes) > FLAPS


@dataclass(frozen=True, slots=True)
class Letter:
    """Something to be said in Slack, once. ``channel`` may be a person. ``alert``: as it was then, for its card.

    ``key`` is unique for ever and travels with the message, so that a message that did go out is found again.
    """

    key: str
    seq: int
    what: What
    channel: str
    text: str
    alert: Alert


@dataclass(frozen=True, slots=True)
class Claim:
    """A letter in one sender's hand. ``fence`` tells this claim from every other one.

    ``tried_since``: when an earlier try began, so the message may be out already; None: nobody has tried.
    ``thread``: the alert's first message, once that is out.
    """

    letter: Letter
    fence: int
    tried_since: datetime | None = None
    thread: str | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """What to write in one transaction. ``before`` None: a new alert; ``after`` None: forget it, nobody was told."""

    before: Alert | None
    after: Alert | None
    letters: tuple[Letter, ...] = ()


@dataclass(frozen=True, slots=True)
class Policy:
    """``hold``: how long a problem must last before its first message; ``good_rounds``: how many end it."""

    hold: timedelta = timedelta(seconds=60)
    good_rounds: int = 2


@dataclass(slots=True)
class _Draft:
    """An alert on its way through one round, and what will be said."""

    alert: Alert
    told: list[tuple[What, str]] = field(default_factory=list)

    def become(self, **changes: Any) -> None:  # noqa: ANN401 - the alert's own fields
        self.alert = replace(self.alert, **changes)

    def say(self, what: What, text: str) -> None:
        if self.alert.channel is not None and not any(said is what for said, _ in self.told):
            self.told.append((what, text))


# --- one round --------------------------------------------------------------------------------------------------------


def decide(known: Iterable[Alert], seen: Seen, now: datetime, policy: Policy) -> tuple[Change, ...]:
    """Compare what is wrong with what is known: every alert that changes, with what is to be said.

    ``known``: all live alerts, and those closed within the last day.
    """
    alerts = tuple(known)
    causes = _by_license(_causes(alerts, seen, now))
    speaking = [c for c in seen.conditions if not _explained(_of_condition(c, now), causes, now)]
    placed = _place(alerts, speaking, now)
    drafts = {alert.id: _Draft(alert) for alert in placed.alerts}
    for alert in placed.alerts:
        if alert.is_live or placed.conditions[alert.id]:
            _advance(drafts[alert.id], placed.conditions[alert.id], _View(seen, causes, now, policy))
        else:
            _calm_down(drafts[alert.id], now)
    before = {alert.id: alert for alert in alerts}
    changes = (_change(before.get(draft.alert.id), draft) for draft in drafts.values())
    return tuple(change for change in changes if change is not None)


def next_due(alerts: Iterable[Alert], policy: Policy) -> datetime | None:
    """When a round would have something to say although nothing changed; None: never."""
    return min((moment for alert in alerts if alert.is_live for moment in _moments(alert, policy)), default=None)


def overdue(alerts: Iterable[Alert], policy: Policy, now: datetime) -> datetime | None:
    """The newest moment that has come and cannot wait for the next round: a hold is over, or nobody has acknowledged.

    None: there is none. What is only said once more may come some minutes late.
    """
    moments = (moment for alert in alerts for moment in _urgent(alert, policy))
    return max((moment for moment in moments if moment <= now), default=None)


def _urgent(alert: Alert, policy: Policy) -> Iterator[datetime]:
    if alert.state is State.PENDING:
        yield from _moments(alert, policy)
    elif alert.state is State.OPEN and alert.escalate_at:
        yield alert.escalate_at


def _moments(alert: Alert, policy: Policy) -> Iterator[datetime]:
    if alert.state is State.PENDING:
        yield max(alert.since + policy.hold, alert.quiet_until or alert.since)
        return
    if alert.state is State.OPEN:
        yield from (moment for moment in (alert.repeat_at, alert.escalate_at) if moment)
    elif alert.asks_again_at:
        yield alert.asks_again_at


@dataclass(frozen=True, slots=True)
class _View:
    """What an alert may look at in a round."""

    seen: Seen
    causes: _Causes
    now: datetime
    policy: Policy


# --- causes and consequences ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Cause:
    """Something that explains what stands behind it in the chain.

    ``ended_at``: it has ended, its traces have not. ``began``: when it says that it began; None: it does not say.
    """

    kind: Kind
    license: str
    family: str | None
    since: datetime
    ended_at: datetime | None = None
    began: datetime | None = None


def _causes(alerts: Iterable[Alert], seen: Seen, now: datetime) -> Iterator[_Cause]:
    for alert in alerts:
        if alert.is_live or (alert.closed_at is not None and now - alert.closed_at < AFTERMATH):
            yield from (_of_member(alert, member) for member in alert.members)
    yield from (_of_condition(condition, now) for condition in seen.conditions)


def _of_member(alert: Alert, member: Member) -> _Cause:
    return _Cause(alert.kind, member.license, member.family, member.since, alert.closed_at)


def _of_condition(condition: Condition, now: datetime) -> _Cause:
    since = condition.since
    return _Cause(condition.kind, condition.license, condition.family, since or now, began=since)


_Causes = Mapping[str, Sequence[_Cause]]


def _by_license(causes: Iterable[_Cause]) -> _Causes:
    found: dict[str, list[_Cause]] = defaultdict(list)
    for cause in causes:
        found[cause.license].append(cause)
    return found


def _explained(effect: _Cause, causes: _Causes, now: datetime) -> _Cause | None:
    found = (cause for cause in causes.get(effect.license, ()) if _explains(cause, effect))
    return next((cause for cause in found if not _is_its_own(effect, cause, now)), None)


def _is_its_own(effect: _Cause, cause: _Cause, now: datetime) -> bool:
    """Whether it began after the cause had ended; about then: whether it has lasted too long for a trace."""
    if cause.ended_at is None or effect.began is None:
        return False
    after = effect.began - cause.ended_at
    return after > NEAR_THE_END or (after > -NEAR_THE_END and now - effect.began >= LAST_TRACES)


def _explains(cause: _Cause, effect: _Cause) -> bool:
    """Both are of one shop."""
    if cause.family not in {None, effect.family}:
        return False
    if cause.kind is Kind.DEAD_KEY and effect.kind is Kind.KEY_EXPIRY:
        return True
    if cause.kind not in CHAIN or effect.kind not in CHAIN or (cause.ended_at and effect.kind not in _TRACES):
        return False
    return CHAIN.index(cause.kind) < CHAIN.index(effect.kind)


# --- which condition belongs to which alert ---------------------------------------------------------------------------


@dataclass(slots=True)
class _Placed:
    alerts: list[Alert]
    conditions: dict[str, list[Condition]]


def _place(known: Sequence[Alert], conditions: Sequence[Condition], now: datetime) -> _Placed:
    """Each condition's alert: the one that has it, the one it had lately, one that begins together with it, a new one."""
    placed = _Placed(list(known), defaultdict(list))
    holders = _holders(known, now)
    for condition in conditions:
        address = (condition.kind, condition.cause, condition.channel)
        alert = holders.get(address) or _beginning(placed.alerts, condition) or _namesake(placed.alerts, condition, now)
        if alert is None:
            alert = _new(condition, known, now)
            placed.alerts.append(alert)
        holders[address] = alert
        placed.conditions[alert.id].append(condition)
    return placed


def _holders(known: Sequence[Alert], now: datetime) -> dict[tuple[Kind, str, str | None], Alert]:
    """By what they hold: live alerts before those that may open again, the newest first."""
    ordered = sorted((a for a in known if _may_hold(a, now)), key=lambda a: (a.is_live, a.since))
    return {(alert.kind, member.cause, alert.channel): alert for alert in ordered for member in alert.members}


def _may_hold(alert: Alert, now: datetime) -> bool:
    """Whether it is live, or ended so lately that what returns is the same alert again."""
    if alert.is_live or alert.closed_at is None or not alert.is_told:
        return alert.is_live
    return now - alert.closed_at <= (CALM if alert.is_flapping else REOPENS)


def _beginning(alerts: Iterable[Alert], condition: Condition) -> Alert | None:
    """An alert nobody was told of yet, of shops of the same make."""
    if not condition.kin:
        return None
    same = (condition.kind, condition.channel, condition.kin)
    found = (a for a in alerts if a.state is State.PENDING and (a.kind, a.channel, a.kin) == same)
    return next(found, None)


def _namesake(alerts: Iterable[Alert], condition: Condition, now: datetime) -> Alert | None:
    """One that began with this shop and goes on, or may go on again, with others of its make: a key is live once."""
    return next((alert for alert in alerts if alert.key == _key(condition) and _may_hold(alert, now)), None)


def _key(condition: Condition) -> str:
    return f"{condition.kind}/{condition.cause}/{condition.channel or '-'}"


def _new(condition: Condition, known: Sequence[Alert], now: datetime) -> Alert:
    """It remembers how often its problem has come and gone today."""
    key = _key(condition)
    episodes = sorted((alert for alert in known if alert.key == key), key=lambda alert: alert.since)
    return Alert(
        key=key,
        kind=condition.kind,
        channel=condition.channel,
        members=(),
        since=now,
        kin=condition.kin,
        changes=_recent(episodes[-1], now) if episodes else (),
    )


# --- one alert --------------------------------------------------------------------------------------------------------


def _advance(draft: _Draft, conditions: Sequence[Condition], view: _View) -> None:
    kept, cause = _undecided(draft.alert, conditions, view)
    if not conditions and not kept:
        _recover(draft, cause, view)
        return
    _update(draft, conditions, kept, view.now)
    if not conditions:
        return  # not judged in this round, so nothing is said about it
    if draft.alert.state is State.CLOSED:
        draft.become(state=State.PENDING, closed_at=None)
    if draft.alert.state is State.PENDING:
        _fire(draft, view)
    else:
        _remind(draft, view.now)


def _undecided(alert: Alert, conditions: Sequence[Condition], view: _View) -> tuple[tuple[Member, ...], _Cause | None]:
    """The members that stay although their condition was not found, and the cause that explains those that do not."""
    found = {(condition.license, condition.cause) for condition in conditions}
    kept, leaving, absorbed = [], [], None
    for member in alert.members if alert.is_live else ():
        if (member.license, member.cause) in found:
            continue
        is_unknown = (alert.kind, member.license) in view.seen.unknown
        cause = _explained(_of_member(alert, member), view.causes, view.now)
        if cause and cause.ended_at and not is_unknown and not _is_there(alert, member, view.seen):
            cause = None  # it was looked at, so its own end is seen
        if cause and (not alert.is_told or (alert.kind in _TRACES and cause.since <= member.since + CAUSE_FOLLOWS)):
            absorbed = cause
        elif cause or is_unknown:
            kept.append(member)
        elif alert.is_told and member.good + 1 < view.policy.good_rounds:
            leaving.append(replace(member, good=member.good + 1))
    # where all leave, the alert's own count tells when it is over
    return (*kept, *(leaving if conditions or kept else ())), absorbed


def _is_there(alert: Alert, member: Member, seen: Seen) -> bool:
    own = (alert.kind, member.license, member.cause)
    return any((c.kind, c.license, c.cause) == own for c in seen.conditions)


def _update(draft: _Draft, conditions: Sequence[Condition], kept: tuple[Member, ...], now: datetime) -> None:
    alert = draft.alert
    old = {(member.license, member.cause): member for member in alert.members}
    fresh = [_member(c, old.get((c.license, c.cause)), now) for c in conditions]
    members = tuple(sorted((*fresh, *kept), key=lambda m: (m.since, m.name, m.cause)))
    if alert.is_told and alert.is_live and {(m.license, m.cause) for m in members} != set(old):
        draft.say(What.REWRITE, "")
        _welcome(draft, [m for m in members if (m.license, m.cause) not in old])
    draft.become(members=members, good=0)
    if conditions:
        first = conditions[0]
        draft.become(
            remedy=first.remedy,
            quiet_until=min((c.quiet_until for c in conditions if c.quiet_until), default=None)
            if all(c.quiet_until for c in conditions)
            else None,
        )
        _address(draft, conditions, kept, now)
        _step(draft, min((c.step for c in conditions if c.step is not None), default=None), now)


def _address(draft: _Draft, conditions: Sequence[Condition], kept: Sequence[Member], now: datetime) -> None:
    """Whom it escalates to, as the configuration says now; any shop's word counts, and one shop's stays."""
    alert = draft.alert
    options = {c.escalate_to: c for c in sorted(conditions, key=lambda c: c.license, reverse=True) if c.escalate_to}
    if not options:
        if not kept:
            draft.become(escalate_to=None, escalate_at=None)
        return
    to = alert.escalate_to if alert.escalate_to in options else list(options)[-1]
    after = min(c.escalate_after for c in conditions if c.escalate_to == to)
    draft.become(escalate_to=to, escalate_after=after)
    if alert.state is State.OPEN and alert.escalate_at is None and alert.escalations < ESCALATIONS:
        draft.become(escalate_at=now + after)


def _member(condition: Condition, old: Member | None, now: datetime) -> Member:
    since = old.since if old else condition.since or now
    return Member(condition.license, condition.name, condition.cause, condition.says, since, condition.family)


def _welcome(draft: _Draft, joined: Sequence[Member]) -> None:
    """A shop that shares the cause is listed; one with a cause of its own is news."""
    causes = {member.cause for member in draft.alert.members}
    news = [member for member in joined if member.cause not in causes]
    if news:
        draft.say(What.JOIN, " ".join(f"{member.name}: {member.says}" for member in news[:LISTED]))


def _step(draft: _Draft, step: int | None, now: datetime) -> None:
    """A tighter step is announced, whoever had acknowledged the one before; after downtime only the tightest one is.

    Where the shop is closed or somebody has put it off it waits, but for the last day.
    """
    alert = draft.alert
    if step is None or alert.step == step:
        return
    if alert.is_told and alert.is_live and alert.step is not None and step < alert.step:
        is_snoozed = alert.state is State.SNOOZED and alert.asks_again_at is not None and now < alert.asks_again_at
        if step > LAST_STEP and (is_snoozed or _is_quiet(alert, now)):
            return
        draft.become(step=step, state=State.OPEN, by=None, asks_again_at=None)
        _start_clocks(draft, now)
        draft.say(What.STEP, _text(draft.alert))
        draft.say(What.REWRITE, "")
    elif alert.held is State.ACKNOWLEDGED or step <= LAST_STEP:
        draft.become(held=None)
    draft.become(step=step)


def _fire(draft: _Draft, view: _View) -> None:
    alert, now = draft.alert, view.now
    if now < max(alert.since + view.policy.hold, alert.quiet_until or alert.since):
        return
    if alert.fired_at is not None:
        _reopen(draft, now)
        return
    draft.become(state=State.OPEN, fired_at=now, changes=(*_recent(alert, now), now))
    _start_clocks(draft, now)
    is_flapping = draft.alert.is_flapping
    draft.say(What.FIRE, _flapping(draft.alert) if is_flapping else _text(draft.alert))
    if is_flapping:
        draft.become(repeat_at=now + DIGEST)
    if alert.kind is Kind.SYNC_SILENT:
        draft.say(What.CHART, "")


def _reopen(draft: _Draft, now: datetime) -> None:
    """One that returns soon is the same alert again, in the same thread."""
    old = draft.alert
    changes = (*_recent(old, now), now)
    if old.held and old.asks_again_at is not None and now < old.asks_again_at:
        draft.become(state=old.held, held=None, changes=changes)
        draft.say(What.REWRITE, "")
        return
    draft.become(state=State.OPEN, held=None, changes=changes, by=None, asks_again_at=None)
    _start_clocks(draft, now)
    if not draft.alert.is_flapping:
        draft.say(What.REFIRE, f"It is back: {_text(draft.alert)}")
    elif old.is_flapping:
        draft.become(repeat_at=old.repeat_at)
    else:
        draft.say(What.FLAPPING, _flapping(draft.alert))
        draft.become(repeat_at=now + DIGEST)
    draft.say(What.REWRITE, "")


def _remind(draft: _Draft, now: datetime) -> None:
    alert = draft.alert
    if alert.quiet_until is not None and now < alert.quiet_until:
        _wait(draft, alert.quiet_until)
        return
    if alert.state in {State.ACKNOWLEDGED, State.SNOOZED}:
        if alert.asks_again_at is None or now < alert.asks_again_at:
            return
        draft.become(state=State.OPEN, by=None, asks_again_at=None)
        _start_clocks(draft, now)
        draft.say(What.REPEAT, f"Still so: {_text(alert)}")
        draft.say(What.REWRITE, "")
        return
    _repeat(draft, now)
    _escalate(draft, now)


def _wait(draft: _Draft, opens: datetime) -> None:
    """A night in which nobody was there to acknowledge anything does not count."""
    alert = draft.alert
    if alert.escalate_at is not None:
        draft.become(escalate_at=max(alert.escalate_at, opens + alert.escalate_after))


def _repeat(draft: _Draft, now: datetime) -> None:
    alert = draft.alert
    if alert.repeat_at is None or now < alert.repeat_at:
        return
    draft.become(changes=_recent(alert, now))
    alert = draft.alert
    draft.say(What.REPEAT, _flapping(alert) if alert.is_flapping else f"Still so: {_text(alert)}")
    repeats = alert.repeats + 1
    pause = DIGEST if alert.is_flapping else REPEATS[min(repeats, len(REPEATS) - 1)]
    draft.become(repeats=repeats, repeat_at=now + pause)


def _escalate(draft: _Draft, now: datetime) -> None:
    alert = draft.alert
    if alert.escalate_at is None or now < alert.escalate_at:
        return
    draft.say(What.ESCALATE, f"Nobody has acknowledged this: {_text(alert)}")
    count = alert.escalations + 1
    draft.become(escalations=count, escalate_at=now + alert.escalate_after if count < ESCALATIONS else None)


def _is_quiet(alert: Alert, now: datetime) -> bool:
    return alert.quiet_until is not None and now < alert.quiet_until


def _start_clocks(draft: _Draft, now: datetime) -> None:
    """What comes nearer day by day repeats by its steps, not by the clock."""
    alert = draft.alert
    draft.become(
        repeat_at=None if alert.step is not None else now + REPEATS[0],
        repeats=0,
        escalate_at=now + alert.escalate_after if alert.escalate_to else None,
        escalations=0,
    )


def _recover(draft: _Draft, cause: _Cause | None, view: _View) -> None:
    alert = draft.alert
    if not alert.is_live:
        return
    if cause is None and alert.is_told and alert.good + 1 < view.policy.good_rounds:
        draft.become(good=alert.good + 1)
        return
    held = alert.state if alert.state in {State.ACKNOWLEDGED, State.SNOOZED} else alert.held
    draft.become(held=held)
    draft.become(state=State.CLOSED, closed_at=view.now, good=0, changes=(*_recent(alert, view.now), view.now))
    if alert.is_told:
        _say_the_end(draft, cause, view.now)


def _say_the_end(draft: _Draft, cause: _Cause | None, now: datetime) -> None:
    lasted = spoken(now - draft.alert.since)
    if cause is not None:
        draft.say(What.RESOLVE, f"This is explained by another alert: {TITLES[cause.kind]}.")
    elif not draft.alert.is_flapping:
        draft.say(What.RESOLVE, f"It is over after {lasted}.")
    draft.say(What.REWRITE, "")


def _calm_down(draft: _Draft, now: datetime) -> None:
    """The end of one that came and went is said when it has not come back for some hours."""
    alert = draft.alert
    if alert.is_flapping and alert.is_told and alert.closed_at is not None and now - alert.closed_at > CALM:
        draft.become(changes=())
        draft.say(What.RESOLVE, f"It is over: it has not come back for {spoken(CALM)}.")


def _recent(alert: Alert, now: datetime) -> tuple[datetime, ...]:
    return tuple(at for at in alert.changes if now - at < FLAPS_WITHIN)


def _change(before: Alert | None, draft: _Draft) -> Change | None:
    after = draft.alert
    if after == before:
        return None
    if not after.is_told and not after.is_live:
        return Change(before, None) if before is not None else None
    return _written(before, after, draft.told)


def _written(before: Alert | None, after: Alert, told: Sequence[tuple[What, str]]) -> Change:
    final = replace(after, version=after.version + 1, letters=after.letters + len(told))
    letters = (
        Letter(
            key=f"{final.id}/{after.letters + place}",
            seq=after.letters + place,
            what=what,
            channel=_addressee(final, what),
            text=text or _text(final),
            alert=final,
        )
        for place, (what, text) in enumerate(told, start=1)
    )
    return Change(before, final, tuple(letters))


def _addressee(alert: Alert, what: What) -> str:
    other = alert.escalate_to if what is What.ESCALATE else None
    return other or alert.channel or ""


# --- what people do ---------------------------------------------------------------------------------------------------


def acknowledge(alert: Alert, by: str, now: datetime) -> Change:
    """Somebody has it in hand; it asks again after 8 hours. Raises ``QuestionError`` for one that has ended."""
    _refuse_ended(alert)
    after = replace(alert, state=State.ACKNOWLEDGED, by=by, asks_again_at=now + ASK_AGAIN)
    return _written(alert, after, _rewrite(alert))


def snooze(alert: Alert, by: str, until: datetime, now: datetime) -> Change:
    """Quiet until then; it speaks again only if it is still so. Raises ``QuestionError``: ended, past, over a week."""
    _refuse_ended(alert)
    if not now < until <= now + LONGEST_SNOOZE:
        raise QuestionError("An alert can be snoozed until a time within the next 7 days.")
    return _written(alert, replace(alert, state=State.SNOOZED, by=by, asks_again_at=until), _rewrite(alert))


def snoozes(opening: Opening, now: datetime) -> tuple[tuple[str, datetime], ...]:
    """The lengths that are offered: an hour, until the shop opens next, until tomorrow's opening; none beyond a week."""
    ahead = opening.next_opening(now)
    tomorrow = opening.next_opening(opening.midnight_after(now))
    offered = (("1 hour", now + timedelta(hours=1)), ("until we open", ahead), ("until tomorrow", tomorrow))
    return tuple((label, until) for label, until in offered if until and now < until <= now + LONGEST_SNOOZE)


def _refuse_ended(alert: Alert) -> None:
    if not alert.is_live:
        raise QuestionError("This alert has already ended.")


def _rewrite(alert: Alert) -> tuple[tuple[What, str], ...]:
    return ((What.REWRITE, ""),) if alert.channel and alert.is_told else ()


# --- what is written down -----------------------------------------------------------------------------------------------


def entries(changes: Iterable[Change], now: datetime) -> tuple[Entry, ...]:
    """The audit log's rows of these changes: what people were told, what they did about it, and the end."""
    return tuple(entry for change in changes for entry in _entries(change, now))


def _entries(change: Change, now: datetime) -> Iterator[Entry]:
    before, after = change.before, change.after
    if after is None:
        return
    was_told = before is not None and before.is_told and before.is_live
    if after.is_told and after.is_live and not was_told:
        yield entry(Event.ALERT_OPENED, after, now, headline=after.headline)
    if before is not None and after.asks_again_at and after.asks_again_at != before.asks_again_at:
        event = Event.ALERT_SNOOZED if after.state is State.SNOOZED else Event.ALERT_ACKNOWLEDGED
        yield entry(event, after, now, actor=after.by or PROGRAM, until=after.asks_again_at.isoformat())
    if any(letter.what is What.ESCALATE for letter in change.letters):
        yield entry(Event.ALERT_ESCALATED, after, now, to=after.escalate_to or "", times=after.escalations)
    if was_told and not after.is_live:
        yield entry(Event.ALERT_CLOSED, after, now, lasted_seconds=int((now - after.since).total_seconds()))


def entry(event: Event, alert: Alert, now: datetime, *, actor: str = PROGRAM, **detail: object) -> Entry:
    """One row about an alert; shops that share it are all named in its detail."""
    shops = {"facilities": list(alert.licenses)} if len(alert.licenses) > 1 else {}
    return Entry(now, event, actor, alert.licenses[0], alert.id, alert.kind.value, {**detail, **shops})


# --- words ------------------------------------------------------------------------------------------------------------

TITLES: Final = {
    Kind.METRC_OUTAGE: "METRC does not answer",
    Kind.DEAD_KEY: "METRC refuses the key",
    Kind.LOST_RIGHT: "a METRC right is gone",
    Kind.CANNOT_SEE: "METRC could not be read",
    Kind.FEED_UNREAD: "a part of METRC could not be read",
    Kind.CHANGES_SILENT: "METRC's list of packages is behind",
    Kind.SYNC_SILENT: "sales do not reach METRC",
    Kind.POSTS_FAILING: "posts to METRC are failing",
    Kind.DELAY_GROWN: "posting has become slow",
    Kind.EXPORT_STALE: "the POS export is old",
    Kind.KEY_EXPIRY: "the METRC key expires",
    Kind.LICENSE_END: "the license ends",
    Kind.SUPPORT_END: "METRC support ends",
    Kind.MAPPING_DRIFT: "products without a METRC item",
    Kind.NEW_DUPLICATES: "new duplicates in METRC",
    Kind.FIX_NOT_HELD: "a fix did not hold",
}


def _text(alert: Alert) -> str:
    return f"{alert.headline} {alert.remedy}".strip()


def _flapping(alert: Alert) -> str:
    return f"It comes and goes: {len(alert.changes)} changes within 24 hours. {_text(alert)}"
