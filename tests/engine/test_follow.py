"""What follows an answer: asked once that is on disk, with the money that was set aside for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from dataclasses import replace as changed
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from labkit.catalog.model import Model
from labkit.engine.job import Job
from labkit.engine.retry import Policy
from labkit.errors import ConnectionLost, InvalidRequest, LabkitError, Overloaded
from labkit.providers.script import Reply, Script
from labkit.records import Generation, Usage

QUICK = Policy(backoff_s=0.001, backoff_cap_s=0.005, timeout_s=5, deadline_s=20)
USD = 0.1
"""A token; an answer of ten to a question of ten costs two dollars, which is the most it may cost."""


def model(answer: Any = "yes", name: str = "a", **more: Any) -> Model:
    """A model of this process that answers with ten tokens to ten."""

    def reply(request: Any) -> Any:
        said = answer(request) if callable(answer) else answer
        if not isinstance(said, str):
            return said
        return Reply(said, usage=Usage(input_tokens=10, output_tokens=10))

    return Model(f"scripted/{name}", client=Script(reply), **{"concurrency": 1, **more})


def later(job: Job, number: int, *, bound: int = 10, later_usd: Sequence[float] = ()) -> Job:
    """A job that follows `job`."""
    name = f"{job.cell.generation_id}~{number}"
    cell = replace(job.cell, generation_id=name, sample_id=name, step=job.cell.step + 1)
    request = replace(job.request, messages=({"role": "user", "content": name},))
    return changed(job, cell=cell, request=request, input_bound_tokens=bound, later_usd=tuple(later_usd))


@dataclass
class Tree:
    """Follows each done answer of `first` with jobs of its own."""

    first: Sequence[Job]
    followers: int = 1
    bound: int = 10
    heard: list[Generation] = field(default_factory=list)

    @property
    def jobs(self) -> list[Job]:
        """The jobs to begin with, and what is to be set aside for what follows them."""
        return [changed(job, later_usd=(2.0,) * self.followers) for job in self.first]

    def follow(self, row: Generation) -> list[Job]:
        """What is asked once a row is there."""
        self.heard.append(row)
        if row.status != "done" or row.step:
            return []
        (job,) = (one for one in self.first if one.cell.generation_id == row.generation_id)
        first = changed(job, cell=replace(job.cell, step=1))
        return [later(first, number, bound=self.bound) for number in range(self.followers)]


def test_what_follows_goes_ahead(kit: Any, ask: Callable[..., Any]) -> None:
    """What follows an answer is asked before what waited already, and after that answer is on disk."""
    asked: list[str] = []
    sink = kit.MemorySink()

    def answer(request: Any) -> str:
        text = request.messages[-1]["content"]
        if "~" in text:
            assert text.partition("~")[0] in {row.generation_id for row in sink.generations}
        asked.append(text)
        return "yes"

    a = model(answer)
    tree = Tree(kit.jobs_for([a], 20))
    ran = ask([a], tree.jobs, follow=tree.follow, sink=sink)
    assert ran.sink.statuses() == {"done": 40}
    assert len(tree.heard) == 40
    # One is sent while a row is on its way to disk; no more overtake.
    behind = [asked.index(f"g-scripted/a-{n}~0") - asked.index(f"question {n}") for n in range(20)]
    assert max(behind) <= 3


def test_nobody_else_gets_the_money_of_what_follows(kit: Any, ask: Callable[..., Any]) -> None:
    """What was set aside for what follows an answer is there when that is asked, however many wait for
    money: each line is asked whole or not at all."""
    a, b = model(name="a", concurrency=8), model(name="b", concurrency=8)
    tree = Tree(kit.jobs_for([a, b], 20, usd=USD), followers=2)
    ran = ask([a, b], tree.jobs, follow=tree.follow, budget_usd=41.0)
    done = [row.generation_id for row in ran.sink.generations if row.status == "done"]
    first = [name for name in done if "~" not in name]
    assert len(first) == 6
    assert sorted(done) == sorted([name for one in first for name in (one, f"{one}~0", f"{one}~1")])
    assert ran.executor.budget.spent_usd == pytest.approx(36.0)
    assert ran.executor.budget.reserved_usd == 0


def test_what_waits_holds_no_money_for_ever(kit: Any, ask: Callable[..., Any]) -> None:
    """A request that has to be sent again, and has no money for it but what is set aside for what follows
    it, does not wait for that: the run ends, or goes on with it."""
    said = iter([ConnectionLost("paid for, and lost")])
    a = model(lambda request: next(said, "yes"))
    for budget_usd, done in ((4.5, 0), (6.0, 2)):
        said = iter([ConnectionLost("paid for, and lost")])
        tree = Tree(kit.jobs_for([a], 1, usd=USD))
        ran = ask([a], tree.jobs, follow=tree.follow, budget_usd=budget_usd, policy=QUICK, timeout_s=10)
        assert ran.sink.statuses()["done"] == done
        assert ran.executor.budget.reserved_usd == 0
    said = iter([ConnectionLost("paid for, and lost"), ConnectionLost("paid for, and lost")])
    a = model(lambda request: next(said, "yes"), concurrency=2)
    tree = Tree(kit.jobs_for([a], 2, usd=USD))
    ran = ask([a], tree.jobs, follow=tree.follow, budget_usd=8.5, policy=QUICK, timeout_s=10)
    assert ran.sink.statuses() == {"done": 2, "stopped": 1}
    assert ran.executor.budget.reserved_usd == 0


def test_what_has_money_waits_for_nobody(kit: Any, ask: Callable[..., Any]) -> None:
    """A follower that turns out dearer than was set aside waits for money behind those that have theirs,
    never before them, where both would wait for each other."""
    a = model(concurrency=2)
    tree = Tree(kit.jobs_for([a], 2, usd=USD), followers=2, bound=40)
    ran = ask([a], tree.jobs, follow=tree.follow, budget_usd=12.0, timeout_s=10)
    assert ran.sink.statuses() == {"done": 4, "stopped": 2}
    assert ran.executor.budget.reserved_usd == 0


def test_what_is_free_goes_on_without_money(kit: Any, ask: Callable[..., Any]) -> None:
    """Of a free model, an empty budget stops what something dear follows, and nothing else."""
    free, dear = model(name="free"), model(name="dear")
    jobs = kit.jobs_for([free], 40)
    followed = jobs[::2]
    (last,) = kit.jobs_for([dear], 1, usd=USD)

    def follow(row: Generation) -> list[Job]:
        first = [job for job in followed if job.cell.generation_id == row.generation_id]
        if row.status != "done" or not first:
            return []
        cell = replace(
            last.cell, generation_id=f"{row.generation_id}~", sample_id=f"{row.sample_id}~", step=2
        )
        return [changed(last, cell=cell)]

    asked = [changed(job, later_usd=(2.0,)) if job in followed else job for job in jobs]
    ran = ask([free, dear], asked, follow=follow, budget_usd=7.0, timeout_s=10)
    done = {row.generation_id for row in ran.sink.generations if row.status == "done"}
    assert {job.cell.generation_id for job in jobs[1::2]} <= done
    assert len(done) == 20 + 3 + 3
    assert ran.sink.statuses() == {"done": 26, "stopped": 17}
    assert ran.executor.budget.reserved_usd == 0


def test_money_of_what_does_not_follow_is_free(kit: Any, ask: Callable[..., Any]) -> None:
    """Where an answer fails, what was set aside for what follows it is free for others."""
    a = model(lambda request: InvalidRequest("no") if "question 0" in str(request.messages) else "yes")
    tree = Tree(kit.jobs_for([a], 2, usd=USD))
    ran = ask([a], tree.jobs, follow=tree.follow, budget_usd=4.0)
    assert ran.sink.statuses() == {"done": 2, "failed": 1}
    assert ran.executor.budget.reserved_usd == 0


def test_a_fault_of_what_follows_ends_the_run(kit: Any, ask: Callable[..., Any]) -> None:
    """What tells what follows may fail: the run ends in order, with all rows on disk, and says it; even an
    exception that nobody should raise does not leave it hanging."""
    for fault in (ZeroDivisionError("oh"), KeyboardInterrupt(), SystemExit(3)):
        a = model()
        sink = kit.MemorySink()

        def follow(row: Generation, fault: BaseException = fault) -> Sequence[Job]:
            raise fault

        with pytest.raises(type(fault) if isinstance(fault, Exception) else LabkitError):
            ask([a], kit.jobs_for([a], 50), follow=follow, sink=sink, timeout_s=10)
        counts = sink.statuses()
        assert counts["done"] < 50
        assert counts["done"] == len(sink.attempts)


@pytest.mark.parametrize("way", ["stop", "abort", "stop_model"])
def test_stopped_between_two_steps(way: str, kit: Any, ask: Callable[..., Any]) -> None:
    """Stopped between an answer and what follows it, that gets a row which says why, and no money stays set
    aside."""
    a = model()
    tree = Tree(kit.jobs_for([a], 5, usd=USD))
    ran: list[Any] = []

    def follow(row: Generation) -> list[Job]:
        jobs = tree.follow(row)
        if len(tree.heard) == 1:
            stops[way](ran[0])
        return jobs

    stops: Mapping[str, Callable[[Any], None]] = {
        "stop": lambda executor: executor.stop("enough"),
        "abort": lambda executor: executor.abort(),
        "stop_model": lambda executor: executor.stop_model("scripted/a", "enough"),
    }
    done = ask([a], tree.jobs, follow=follow, before=ran.append, budget_usd=100.0)
    counts = done.sink.statuses()
    assert counts["done"] <= 3
    assert len({row.generation_id for row in done.sink.generations}) == len(done.sink.generations)
    asked = {row.generation_id for row in done.sink.generations}
    followed = {row.generation_id for row in done.sink.generations if row.status == "done" and not row.step}
    assert {f"{name}~0" for name in followed} <= asked
    assert done.executor.budget.reserved_usd == 0


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    seed=st.integers(0, 2**32),
    budget_usd=st.floats(0, 60),
    concurrency=st.integers(1, 64),
    bound=st.integers(1, 60),
    planned_usd=st.floats(0, 4),
    fails=st.floats(0, 0.4),
)
def test_a_budget_holds_for_what_follows(
    kit: Any, ask: Callable[..., Any], seed: int, budget_usd: float, concurrency: int, bound: int,
    planned_usd: float, fails: float,
) -> None:  # fmt: skip
    """With any bounds of what follows, planned right or wrong, any usages, faults, prices and number in
    flight, a run comes to its end, never spends more than its budget, and leaves nothing set aside."""
    random = Random(seed)
    spent_usd = 0.0

    def answer(request: Any) -> Any:
        nonlocal spent_usd
        drawn = random.random()
        if drawn < fails:
            return random.choice(
                [ConnectionLost("paid for, and lost"), InvalidRequest("no"), Overloaded("busy")]
            )
        counts = random.randint(1, 10), random.randint(1, 10)
        spent_usd += sum(counts) * (USD if request.model == "scripted/dear" else 0)
        return Reply("yes", usage=Usage(input_tokens=counts[0], output_tokens=counts[1]))

    dear = Model("scripted/dear", client=Script(answer), concurrency=concurrency)
    free = Model("scripted/free", client=Script(answer), concurrency=concurrency)
    jobs = {
        job.cell.generation_id: changed(job, later_usd=(planned_usd,) * random.randint(0, 3))
        for job in (*kit.jobs_for([dear], 15, usd=USD), *kit.jobs_for([free], 15, usd=0.0))
    }
    pricers = {one.model: job.pricer for job in jobs.values() for one in (job.request,)}

    def follow(row: Generation) -> list[Job]:
        job = jobs.get(row.generation_id)
        if row.status != "done" or job is None:
            return []
        found = []
        for number in range(len(job.later_usd)):
            who = random.choice(["scripted/dear", "scripted/free"])
            one = later(job, number, bound=random.randint(10, 10 + bound))
            more = (planned_usd,) if one.cell.step == 1 and number == 0 else ()
            one = changed(
                one,
                cell=replace(one.cell, model=who),
                request=replace(one.request, model=who),
                pricer=pricers[who],
                later_usd=more,
            )
            jobs[one.cell.generation_id] = one
            found.append(one)
        return found

    asked = list(jobs.values())
    random.shuffle(asked)
    ran = ask([dear, free], asked, follow=follow, budget_usd=budget_usd, policy=QUICK, timeout_s=20)
    assert spent_usd <= ran.executor.budget.spent_usd + 1e-9
    assert ran.executor.budget.spent_usd <= budget_usd
    assert ran.executor.budget.reserved_usd == 0
    assert len(ran.sink.generations) == len({row.generation_id for row in ran.sink.generations}) == len(jobs)
