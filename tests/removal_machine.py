"""A shop where everything goes wrong in any order, as a Hypothesis state machine over a real database.

Whatever happens: METRC is asked to remove a record only after enough people approved who may, of what the card showed,
and at most twice; it goes once; the log is a chain; and when the trouble is over, nothing stays open but what a person
was told of.

``run(url, runs)`` plays it; tests play a few, the benchmark two thousand.
"""

from __future__ import annotations

import asyncio
import itertools
import json
from collections import Counter, deque
from dataclasses import replace

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test
from sqlalchemy import text

from bot.approve import act, decide, join, recover, take
from bot.audit import Walk
from bot.errors import CountlastError
from bot.removals import FINALIZED, Press, Seen, State, Target, Verb, Way, receipt_name
from storage.books import SqlBooks, open_books
from tests.dying import watched
from tests.removing import ACTING, ASKER, DANA, KIT, LEE, Bench, Clock, Receipts, keep_of

# most presses are what people do most: an approver approves
PEOPLE = (DANA, DANA, LEE, LEE, ASKER, KIT)
VERBS = (*[Verb.APPROVE] * 10, *Verb)
OUTCOMES = ("lost_before", "200_nothing", "429", "lost", "504", "late", "504_late", "400", "ok")
# the asker has the role too, so that only having asked stands in the way
STRICT = replace(ACTING, approvers=(DANA, LEE, ASKER))
SPANS = (1, 5, 20, 31, 61, 61, 121, 121, 1801, 86_400)


class Died(BaseException):
    """The process is gone: nothing of it runs on."""


class Doom:
    """Lets a process die after so many points."""

    def __init__(self) -> None:
        self.left: int | None = None

    def at(self, _point: str) -> None:
        if self.left is None:
            return
        self.left -= 1
        if self.left < 0:
            self.left = None
            raise Died


class World:
    """What all runs share: one database, one event loop, and numbers that never repeat."""

    def __init__(self, url: str) -> None:
        self.loop = asyncio.new_event_loop()
        self.books: SqlBooks = self.run(open_books(url))
        self.numbers = itertools.count(1000)
        self.runs = 0
        self.deletes = 0
        self.ends: Counter[State] = Counter()

    def run(self, work):
        return self.loop.run_until_complete(work)

    def close(self) -> None:
        self.run(self.books.close())
        self.loop.close()


class StrictReceipts(Receipts):
    """Receipts that look at every request to change one: was it approved, and is it still what the card showed?"""

    bench: Bench

    async def void_receipt(self, receipt_id: int, deadline: float) -> None:
        target = await self._approved(str(receipt_id))
        assert 1 <= target.requests <= 2
        await super().void_receipt(receipt_id, deadline)

    async def unfinalize_receipt(self, receipt_id: int, deadline: float) -> None:
        target = await self._approved(str(receipt_id))
        assert 1 <= target.unfinalizes <= 2
        await super().unfinalize_receipt(receipt_id, deadline)

    async def _approved(self, record: str) -> Target:
        held = await self.bench.books.intents.holding("402R-X0042", "metrc", "sales_receipt", record)
        assert held is not None, "a record that no open intent holds"
        assert held.state is State.SENDING
        approvers = {approval.person for approval in held.approvals}
        assert len(approvers) >= held.needed
        assert {approval.digest for approval in held.approvals} == {held.digest}
        assert self.clock.now() < held.expires_at
        assert not approvers & set(held.askers) or held.way is Way.PERSON
        assert approvers <= set(self.bench.policy.approvers)
        assert self.bench.policy.act
        assert not self.bench.policy.read_only
        assert record not in self.voided()
        for one in (record, keep_of(record)):
            assert _told(held.sight.of(receipt_name(one))) == _told(self._seen(one, set()))
        return next(target for target in held.targets if target.record_id == record)


def _told(seen: Seen | None) -> dict[str, str] | None:
    """What others may not have changed since the card; whether it is finalized the removal itself may change."""
    assert seen is not None
    return None if seen.facts is None else {name: fact for name, fact in seen.facts if name != FINALIZED}


def machine(world: World) -> type[RuleBasedStateMachine]:  # noqa: C901 - its rules are counted as its branches
    """The machine's class over this world."""

    class Removal(RuleBasedStateMachine):
        @initialize(
            count=st.integers(1, 3),
            needed=st.sampled_from((1, 1, 2)),
            final=st.booleans(),
            joined=st.sampled_from((None, None, DANA, LEE)),
            early=st.sampled_from(((DANA, LEE), (DANA,), (LEE,), (ASKER,), ())),
            acted=st.booleans(),
            mind=st.sampled_from(("none", "none", "no_approvers", "read_only", "no_act")),
            outcomes=st.lists(st.sampled_from(OUTCOMES), min_size=1, max_size=4),
        )
        def begin(self, *, count, needed, final, joined, early, acted, mind, outcomes):
            world.runs += 1
            self.records = tuple(str(next(world.numbers)) + "2" for _ in range(count))
            self.receipts = StrictReceipts(Clock(), records=self.records, script=deque())
            self.bench = self.receipts.bench = Bench(world.books, self.receipts, STRICT)
            self.doom = Doom()
            self.offices = [watched(self.bench.process(owner), self.doom.at) for owner in ("p1", "p2")]
            self.start = world.run(world.books.audit.head())
            self.ids: list[str] = []
            self.presses: list[Press] = []
            self.askers = {ASKER}
            if final:
                self.receipts.journal.add(f"final {self.records[0]}")
            self.propose(needed)
            self.receipts.script += outcomes
            if joined is not None:
                self.play(join(self.offices[0], self.ids[0], joined))
            presses = [self.bench.press(person, intent_id=self.ids[0], number=person) for person in early]
            self.play(*map(decide, self.offices, presses))
            if acted:
                self.play(act(self.offices[0], self.ids[0]))
            self.decide_as(mind)

        def decide_as(self, switch):
            approvers = () if switch == "no_approvers" else STRICT.approvers
            acts, read_only = switch != "no_act", switch == "read_only"
            self.bench.policy = replace(STRICT, act=acts, read_only=read_only, approvers=approvers)

        def propose(self, needed):
            intent_id = f"i{next(world.numbers)}"
            intent = self.bench.intent(*self.records, intent_id=intent_id, needed=needed)
            kept = world.run(world.books.intents.add(intent, lambda _kept: ()))
            if kept.id == intent_id:
                self.ids.append(intent_id)

        def play(self, *steps):
            """Steps of processes that may die; whatever else is raised is a fault."""

            async def together():
                return await asyncio.gather(*steps, return_exceptions=True)

            for outcome in world.run(together()):
                if isinstance(outcome, BaseException) and not isinstance(outcome, Died | CountlastError):
                    raise outcome

        async def pressed(self, office, press):
            if await take(office, press):
                answer = await decide(office, press)
                if answer.taken and answer.intent.state is State.APPROVED:
                    await act(office, press.intent_id)

        # --- people

        @rule(
            person=st.sampled_from(PEOPLE),
            verb=st.sampled_from(VERBS),
            twice=st.booleans(),
            data=st.data(),
        )
        def press(self, person, verb, twice, data):
            number = next(world.numbers)
            intent_id = data.draw(st.sampled_from(self.ids))
            press = self.bench.press(person, verb, intent_id, number=number, reason="Because.")
            self.presses.append(press)
            copy = replace(press, id=f"{press.id}b")
            again = data.draw(st.sampled_from((press, copy, replace(copy, person=LEE), replace(copy, person=DANA))))
            self.play(*(self.pressed(self.offices[n], one) for n, one in enumerate((press, again)[: 1 + twice])))

        @precondition(lambda self: self.presses)
        @rule(data=st.data())
        def slack_delivers_again(self, data):
            self.play(self.pressed(self.offices[1], data.draw(st.sampled_from(self.presses))))

        @rule(needed=st.sampled_from((1, 2)), person=st.sampled_from((ASKER, LEE)))
        def ask_again(self, needed, person):
            self.propose(needed)
            self.play(join(self.offices[0], self.ids[-1], person))

        # --- processes

        @rule(seconds=st.sampled_from(SPANS))
        def time_passes(self, seconds):
            self.receipts.clock.forward(seconds=seconds)

        @rule(both=st.booleans(), seconds=st.sampled_from((0, 30, 30, 121)))
        def sweep(self, both, seconds):
            self.receipts.clock.forward(seconds=seconds)
            self.play(*(recover(office) for office in self.offices[: 1 + both]))

        @rule(points=st.integers(0, 14))
        def a_process_will_die(self, points):
            self.doom.left = points

        # --- METRC, Slack, the shop

        @rule(outcome=st.sampled_from(OUTCOMES))
        def metrc_will_answer(self, outcome):
            self.receipts.script.append(outcome)

        @rule(data=st.data())
        def somebody_removes_it_in_metrc(self, data):
            self.receipts.void(data.draw(st.sampled_from(self.records)))

        @rule(fact=st.sampled_from(("lines", "total", "number")), twin=st.booleans(), data=st.data())
        def somebody_changes_it_in_metrc(self, fact, twin, data):
            record = data.draw(st.sampled_from(self.records))
            self.receipts.overrides[keep_of(record) if twin else record] = {fact: f"changed {next(world.numbers)}"}

        @rule(down=st.booleans())
        def metrc_is_down(self, down):
            self.receipts.down = down

        @rule(down=st.booleans())
        def slack_is_down(self, down):
            self.bench.people.down = down

        @rule(switch=st.sampled_from(("none", "none", "none", "read_only", "no_approvers", "no_act")))
        def the_shop_changes_its_mind(self, switch):
            self.decide_as(switch)

        # --- the end

        def teardown(self):
            if not getattr(self, "ids", None):
                return
            self.doom.left, self.receipts.down, self.bench.people.down = None, False, False
            self.bench.policy = STRICT
            for seconds in (121, 121, 121, 1801, 121, 121, 121):
                self.receipts.clock.forward(seconds=seconds)
                world.run(recover(self.offices[0]))
            ended = [world.run(world.books.intents.get(intent_id)) for intent_id in self.ids]
            for intent in ended:
                world.ends[intent.state] += 1
                self.settled(intent)
            for record in self.records:
                assert self.receipts.effects(record) <= 1
            world.deletes += self.receipts.deletes()
            world.run(self.chain_holds({i.id: [one.person for one in i.approvals] for i in ended if i.approvals}))
            world.run(self.leave())

        async def leave(self):
            """The next run has another METRC, so what is left here is none of its business."""
            async with world.books.database.writing() as connection:
                await connection.execute(text("UPDATE removal SET due_at = NULL"))
                await connection.execute(text("UPDATE removal_press SET is_answered = true"))

        def settled(self, intent):
            assert not intent.state.is_open or intent.with_person_since is not None, intent
            for target in intent.targets:
                assert max(target.requests, self.receipts.deletes(target.record_id)) <= 2
                assert not target.is_done or target.record_id in self.receipts.voided()
            if intent.state is State.DONE:
                assert all(target.is_done for target in intent.targets)

        async def chain_holds(self, approvals):
            walk = Walk([await world.books.audit.head()], self.start)
            sent, approved = Counter(), {}
            async for row in world.books.audit.rows(self.start.seq):
                walk.feed(row)
                if row.event == "approved":
                    approved.setdefault(row.intent, []).append(row.actor)
                    assert row.actor in {DANA, LEE}
                if row.event == "withdrawn":
                    assert row.actor == ASKER
                if row.event == "sent":
                    sent[json.loads(row.detail)["record"]] += 1
                    assert row.intent in approved
            assert walk.verdict().holds
            assert approved == approvals
            # written before it leaves, so there may be one more than METRC has seen, and never one less
            assert all(self.receipts.deletes(record) <= sent[record] for record in self.records)

    return Removal


def run(url: str, runs: int, *, steps: int = 25, seed_free: bool = False) -> World:
    """Play so many runs; raises what a run found. The world comes back closed, with its counts."""
    world = World(url)
    phases = (Phase.generate,) if seed_free else (Phase.generate, Phase.shrink)
    how = settings(
        report_multiple_bugs=False,
        max_examples=runs,
        stateful_step_count=steps,
        deadline=None,
        database=None,
        phases=phases,
        derandomize=not seed_free,
        suppress_health_check=list(HealthCheck),
    )
    try:
        run_state_machine_as_test(machine(world), settings=how)
    finally:
        world.close()
    return world
