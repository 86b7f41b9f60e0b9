"""The executor: one stored row for every job, whatever happens."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from math import inf
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from labkit.catalog.model import Model
from labkit.engine import event_loop
from labkit.engine.executor import Executor
from labkit.engine.retry import Policy
from labkit.errors import (
    AuthenticationFailed,
    ConnectionFailed,
    ConnectionLost,
    InvalidRequest,
    MalformedAnswer,
    Overloaded,
    ProviderError,
    QuotaExceeded,
    RateLimited,
    TimedOut,
)
from labkit.providers.script import Cut, Reply, Script, Stall
from labkit.records import Usage

QUICK = Policy(backoff_s=0.001, backoff_cap_s=0.005, timeout_s=5, deadline_s=20)


def scripted(name: str = "a", answers: Any = "yes", **more: Any) -> Model:
    """A scripted model."""
    concurrency = more.pop("concurrency", None)
    script = Script([answers] if isinstance(answers, str) else answers, **more)
    return Model(f"scripted/{name}", client=script, concurrency=concurrency)


def test_every_job_has_its_row(ask: Callable[..., Any], kit: Any) -> None:
    """Each cell is asked once, stored once and shown once, in clocks that make sense."""
    models = [scripted("a", first_token_s=0.001), scripted("b", delay_s=0.002, answers="one two three")]
    ran = ask(models, kit.jobs_for(models, 100))
    assert ran.sink.statuses() == {"done": 200}
    assert len(ran.sink.by_sample()) == len(ran.sink.intents) == len(ran.sink.attempts) == 200
    assert len(ran.memory.named("queued")) == len(ran.memory.named("ended")) == 200
    for row in ran.sink.generations:
        assert (row.attempts, row.maybe_paid, row.retry_s) == (1, 0, 0.0)
        assert 0 <= row.first_event_s <= row.ttft_s <= row.latency_s
        assert row.queue_s >= 0
        assert row.started_at.tzinfo is not None
        assert 1 <= row.in_flight <= 32
        assert row.text == ("yes" if row.model == "scripted/a" else "one two three")
        assert row.replayed_from is None


def test_an_intent_goes_before_every_request(kit: Any) -> None:
    """Nothing is sent before the sink was told that it will be, with what is set aside for it."""
    order: list[str] = []

    class Sink(kit.MemorySink):
        def intent(self, intent: Any) -> None:
            order.append(f"intent {intent.attempt}")
            assert intent.reserved_usd == 2.0
            super().intent(intent)

    def answer(request: Any) -> Any:
        order.append("asked")
        return RateLimited("slow") if len(order) < 3 else "yes"

    model = scripted(answers=answer)
    sink = Sink()
    executor = Executor({model.id: model}, {}, sink=sink, policy=QUICK)
    event_loop.run(executor.execute(kit.jobs_for([model], 1, usd=0.1))).result(10)
    assert order == ["intent 1", "asked", "intent 2", "asked"]
    assert [attempt.attempt for attempt in sink.attempts] == [1, 2]


def test_no_jobs_is_a_run_too(ask: Callable[..., Any]) -> None:
    """Without jobs, or without models, it ends at once."""
    assert ask([scripted()], []).sink.generations == []
    assert ask([], []).sink.generations == []


def test_jobs_are_taken_as_they_are_needed(kit: Any) -> None:
    """Many jobs are not as many tasks: they are taken from their iterator as they are needed."""
    model = scripted(answers=lambda request: "yes", first_token_s=0.005, concurrency=8)
    taken = 0

    def jobs() -> Iterator[Any]:
        nonlocal taken
        for job in kit.jobs_for([model], 3000):
            taken += 1
            yield job

    sink = kit.MemorySink()
    ahead: list[int] = []
    tasks: list[int] = []

    class Watching(kit.Memory):
        def ended(self, generation: Any) -> None:
            ahead.append(taken - len(sink.generations))
            tasks.append(len(asyncio.all_tasks()))
            if len(ahead) == 200:
                executor.stop("seen enough")

    executor = Executor({model.id: model}, {}, sink=sink, watcher=Watching())
    event_loop.run(executor.execute(jobs())).result(30)
    assert max(ahead[:150]) <= 600
    assert max(tasks) < 40
    assert len(sink.generations) == 3000


def test_a_slow_model_holds_up_nobody(ask: Callable[..., Any], kit: Any) -> None:
    """While one model's places are all taken, the other's cells are asked to the end."""
    slow = scripted("slow", first_token_s=0.5, concurrency=1)
    fast = scripted("fast", concurrency=1)
    ended: list[str] = []
    memory = kit.Memory(on={"ended": lambda row: ended.append(row.model)})
    ask([slow, fast], kit.jobs_for([slow, fast], 3), memory=memory)
    assert ended[:3] == ["scripted/fast"] * 3


def test_concurrency_is_kept(kit: Any, ask: Callable[..., Any]) -> None:
    """Never more requests are out than the model's concurrency, and as many as that when there is work."""
    model = scripted(first_token_s=0.005, concurrency=7)
    ran = ask([model], kit.jobs_for([model], 80))
    assert max(row.in_flight for row in ran.sink.generations) == 7
    assert ran.executor.limits()[0]["ceiling"] == 7


def test_a_wait_holds_no_place(kit: Any, ask: Callable[..., Any]) -> None:
    """While one request waits for its second attempt, the only place serves the others."""
    model = scripted(faults=[RateLimited("slow", retry_after_s=0.3)], concurrency=1)
    ran = ask([model], kit.jobs_for([model], 10), policy=QUICK)
    first = ran.sink.by_sample()["scripted/a#0"]
    assert ran.sink.generations[-1].sample_id == first.sample_id
    assert first.retry_s >= 0.3
    assert first.latency_s < first.retry_s


# -- failures ------------------------------------------------------------------------------------


def test_any_exception_is_a_row(kit: Any, ask: Callable[..., Any]) -> None:
    """A provider that breaks in its own way costs one cell, and its message says how."""

    def answer(request: Any) -> str:
        if request.messages[-1]["content"].endswith("3"):
            raise ZeroDivisionError("my own fault")
        return "yes"

    model = scripted(answers=answer)
    ran = ask([model], kit.jobs_for([model], 8), policy=QUICK)
    assert ran.sink.statuses() == {"done": 7, "failed": 1}
    broken = ran.sink.by_sample()["scripted/a#3"]
    assert "ZeroDivisionError" in broken.error_message


def test_partial_text_is_kept(kit: Any, ask: Callable[..., Any]) -> None:
    """When the last attempt broke after some text, the row is partial and holds it; no cost is claimed."""
    model = scripted(answers="one two three four", faults=[Cut(after=1), Cut(after=3)])
    (row,) = ask([model], kit.jobs_for([model], 1, usd=0.1), policy=QUICK).sink.generations
    assert (row.status, row.text) == ("partial", "one two three")
    assert (row.error_type, row.attempts, row.maybe_paid) == ("ConnectionLost", 2, 2)
    assert row.cost_usd is None
    assert row.stop_reason is None


def test_a_model_that_cannot_be_connected_is_rows(kit: Any, ask: Callable[..., Any]) -> None:
    """A model whose provider cannot be made has rows that say why; the others are asked."""
    broken = Model("scripted/broken", client="no script")
    fine = scripted()
    ran = ask([broken, fine], kit.jobs_for([broken, fine], 5))
    assert ran.sink.statuses() == {"done": 5, "stopped": 5}
    assert "has no script" in ran.sink.by_sample()["scripted/broken#0"].error_message


@pytest.mark.parametrize("refusal", [AuthenticationFailed("bad key"), QuotaExceeded("empty")])
def test_a_dead_account_stops_its_model_only(
    kit: Any, ask: Callable[..., Any], refusal: ProviderError
) -> None:
    """The first such refusal ends that model, also what waits to be asked again; the other goes on."""
    bad = scripted("bad", faults=[RateLimited("wait", retry_after_s=60), refusal], concurrency=1)
    good = scripted("good")
    ran = ask([bad, good], kit.jobs_for([bad, good], 6))
    assert ran.sink.statuses() == {"done": 6, "failed": 1, "stopped": 5}
    waited = ran.sink.by_sample()["scripted/bad#0"]
    assert "Last failure: wait" in waited.error_message
    assert waited.attempts == 1


def test_a_silent_watcher_and_a_broken_one(kit: Any, ask: Callable[..., Any], caplog: Any) -> None:
    """A watcher that raises is reported once and left out; the run goes on without it."""

    def broken(*what: Any) -> None:
        raise ValueError("looking on is hard")

    model = scripted()
    ran = ask([model], kit.jobs_for([model], 20), memory=kit.Memory(on={"sent": broken}))
    assert ran.sink.statuses() == {"done": 20}
    assert len([one for one in caplog.records if "watcher" in one.message]) == 1
    assert len(ran.memory.named("sent")) == 1


faults = st.sampled_from(
    [
        None,
        RateLimited("slow"),
        RateLimited("slow", retry_after_s=0.01),
        Overloaded("busy"),
        TimedOut("late"),
        ConnectionFailed("down"),
        ConnectionLost("cut"),
        MalformedAnswer("html"),
        InvalidRequest("no"),
        Cut(after=1),
        Cut(after=0),
    ]
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(faults, max_size=40), st.lists(faults, max_size=40), st.integers(1, 9), st.booleans())
def test_whatever_goes_wrong_the_counts_agree(
    kit: Any, ask: Callable[..., Any], one: list[Any], two: list[Any], concurrency: int, stops: bool
) -> None:
    """Under any faults each job has one row, each request an intent and an attempt, and the sums agree."""
    models = [
        scripted("a", answers="one two three", faults=one, concurrency=concurrency),
        scripted("b", answers="one two three", faults=two, concurrency=3),
    ]
    memory = kit.Memory()
    if stops:
        calls: list[Any] = []

        def stop(cell: Any, attempt: int) -> None:
            calls.append(cell)
            if len(calls) == 15:
                before[0].stop("enough")

        memory.on["sent"] = stop
    before: list[Executor] = []
    ran = ask(models, kit.jobs_for(models, 15), memory=memory, before=before.append, policy=QUICK)
    rows = ran.sink.generations
    assert sorted(row.generation_id for row in rows) == sorted({row.generation_id for row in rows})
    assert len(rows) == 30
    requests = sum(len(model.client.asked) for model in models)
    assert requests == len(ran.sink.intents) == len(ran.sink.attempts) == sum(row.attempts for row in rows)
    paid = sum(attempt.maybe_paid for attempt in ran.sink.attempts)
    assert paid == sum(row.maybe_paid for row in rows)
    for row in rows:
        assert (row.stop_reason is not None) == (row.status == "done")
        assert (row.error_type is None) == (row.status == "done")
        assert row.text == "one two three" if row.status == "done" else row.text in (None, "one")
    if not stops:
        assert not ran.sink.statuses()["stopped"]
    assert ran.executor.in_flight == 0


# -- stopping ------------------------------------------------------------------------------------


def test_stop_keeps_what_is_in_flight(kit: Any, ask: Callable[..., Any]) -> None:
    """After a stop nothing is sent, what is out is finished and kept, and the rest says why."""
    model = scripted(first_token_s=0.1, concurrency=4)
    held: list[Executor] = []
    memory = kit.Memory()
    memory.on["sent"] = lambda *what: held[0].stop("Ctrl-C") if len(memory.named("sent")) == 4 else None
    ran = ask([model], kit.jobs_for([model], 50), memory=memory, before=held.append)
    assert ran.sink.statuses() == {"done": 4, "stopped": 46}
    stopped = next(row for row in ran.sink.generations if row.status == "stopped")
    assert (stopped.error_type, stopped.attempts) == ("RunStopped", 0)
    assert "Ctrl-C" in stopped.error_message
    assert stopped.started_at is None
    assert stopped.latency_s is None


def test_a_stop_before_the_beginning_asks_nothing(kit: Any, ask: Callable[..., Any]) -> None:
    """A run stopped before it began sends nothing, and every cell says so."""
    model = scripted()
    ran = ask([model], kit.jobs_for([model], 5), before=lambda executor: executor.stop("changed my mind"))
    assert ran.sink.statuses() == {"stopped": 5}
    assert model.client.asked == []


def test_a_paused_run_sends_nothing_until_it_goes_on(kit: Any, ask: Callable[..., Any]) -> None:
    """Paused, nothing leaves, also nothing that had waited for its second attempt; then all is asked."""
    model = scripted(faults=[RateLimited("slow", retry_after_s=0.05)], concurrency=2)
    held: list[Executor] = []
    memory = kit.Memory()
    sent_at: list[float] = []

    def waiting(*what: Any) -> None:
        held[0].pause()
        threading.Timer(0.3, held[0].go_on).start()
        sent_at.append(time.monotonic())

    memory.on["waiting"] = waiting
    memory.on["sent"] = lambda *what: sent_at.append(time.monotonic())
    ran = ask([model], kit.jobs_for([model], 20), memory=memory, before=held.append, policy=QUICK)
    assert ran.sink.statuses() == {"done": 20}
    assert max(b - a for a, b in pairwise(sent_at)) >= 0.28
    paused = held[0]
    paused.pause()
    paused.go_on()


def test_a_run_can_begin_paused(kit: Any, ask: Callable[..., Any]) -> None:
    """A run paused before its beginning waits, and can still be stopped."""

    def before(executor: Executor) -> None:
        executor.pause()
        threading.Timer(0.2, lambda: executor.stop("enough")).start()

    model = scripted()
    assert ask([model], kit.jobs_for([model], 5), before=before).sink.statuses() == {"stopped": 5}
    assert model.client.asked == []


@pytest.mark.alone
def test_stop_ends_waits(kit: Any, ask: Callable[..., Any]) -> None:
    """A request that waits a minute for its second attempt does not hold up a stop."""
    model = scripted(faults=lambda request: RateLimited("slow", retry_after_s=60))
    held: list[Executor] = []
    memory = kit.Memory()
    memory.on["waiting"] = lambda *what: held[0].stop("enough") if len(memory.named("waiting")) == 3 else None
    begun = time.monotonic()
    ran = ask([model], kit.jobs_for([model], 3), memory=memory, before=held.append)
    assert time.monotonic() - begun < 5
    assert ran.sink.statuses() == {"stopped": 3}
    assert all("Last failure: slow" in row.error_message for row in ran.sink.generations)


def test_stop_model_leaves_the_others(kit: Any, ask: Callable[..., Any]) -> None:
    """One model can be stopped by hand; the others are asked to the end."""
    one, other = scripted("one", first_token_s=0.02, concurrency=1), scripted("two")
    held: list[Executor] = []
    memory = kit.Memory()
    memory.on["sent"] = lambda *what: held[0].stop_model("scripted/one", "too dear")
    ran = ask([one, other], kit.jobs_for([one, other], 10), memory=memory, before=held.append)
    statuses = {(row.model, row.status) for row in ran.sink.generations}
    assert ("scripted/two", "done") in statuses
    assert ("scripted/two", "stopped") not in statuses
    assert ("scripted/one", "stopped") in statuses


@pytest.mark.alone
def test_abort_ends_quickly_and_keeps_the_text(kit: Any, ask: Callable[..., Any]) -> None:
    """What is out is cancelled within two seconds; its text is kept, and it may have been paid for."""
    model = scripted(answers="one two three", faults=lambda request: Stall(after=2), concurrency=5)
    held: list[Executor] = []
    memory = kit.Memory()
    memory.on["text"] = lambda *what: held[0].abort() if len(memory.named("text")) == 10 else None
    begun = time.monotonic()
    ran = ask([model], kit.jobs_for([model], 20), memory=memory, before=held.append)
    assert time.monotonic() - begun < 2
    assert ran.sink.statuses() == {"partial": 5, "stopped": 15}
    partial = [row for row in ran.sink.generations if row.status == "partial"]
    assert {(row.text, row.maybe_paid, row.error_type) for row in partial} == {("one two", 1, "RunAborted")}


def test_abort_of_one_model_leaves_the_others(kit: Any, ask: Callable[..., Any]) -> None:
    """What one model answers now is cancelled, its text kept and its row says why; the others go on."""
    stalled = scripted("one", answers="one two three", faults=lambda request: Stall(after=2), concurrency=2)
    other = scripted("two", first_token_s=0.2)
    held: list[Executor] = []
    memory = kit.Memory()
    memory.on["text"] = lambda *what: (
        held[0].stop_model("scripted/one", "too dear", abort=True) if len(memory.named("text")) == 4 else None
    )
    ran = ask([stalled, other], kit.jobs_for([stalled, other], 5), memory=memory, before=held.append)
    assert ran.sink.statuses() == {"partial": 2, "stopped": 3, "done": 5}
    partial = {(row.text, row.error_type, row.error_message) for row in ran.sink.generations if row.text}
    why = "scripted/one was stopped: too dear"
    assert ("one two", "ModelStopped", why) in partial


def test_abort_in_the_very_moment_of_sending_loses_nothing(kit: Any, ask: Callable[..., Any]) -> None:
    """Requests cancelled before their first step have their rows like all others."""
    model = scripted(first_token_s=0.2, concurrency=10)
    ran = ask([model], kit.jobs_for([model], 30), before=lambda executor: None, memory=kit.Memory(on={}))
    assert ran.sink.statuses() == {"done": 30}
    held: list[Executor] = []
    memory = kit.Memory(on={"queued": lambda cell: held[0].abort()})
    ran = ask([model], kit.jobs_for([model], 30), memory=memory, before=held.append)
    assert len(ran.sink.generations) == 30
    assert not ran.sink.statuses()["done"]


@pytest.mark.alone
def test_cancelling_execute_is_an_abort(kit: Any) -> None:
    """Who cancels the run's future gets it back in time, and the rows are in the sink."""
    model = scripted(faults=lambda request: Stall(), concurrency=3)
    sink, memory = kit.MemorySink(), kit.Memory()
    sent = threading.Event()
    memory.on["sent"] = lambda *what: sent.set()
    executor = Executor({model.id: model}, {}, sink=sink, watcher=memory)
    future = event_loop.run(executor.execute(kit.jobs_for([model], 6)))
    assert sent.wait(5)
    future.cancel()
    deadline = time.monotonic() + 2
    while len(sink.generations) < 6 and time.monotonic() < deadline:
        threading.Event().wait(0.01)
    assert sink.statuses() == {"stopped": 6}


# -- the sink ------------------------------------------------------------------------------------


def test_a_sink_that_refuses_ends_the_run(kit: Any) -> None:
    """When rows can no longer be written, asking stops and the sink's own error is raised."""
    model = scripted(first_token_s=0.01, concurrency=2)
    sink = kit.MemorySink(fails_at=5)
    executor = Executor({model.id: model}, {}, sink=sink)
    with pytest.raises(OSError, match="no space left"):
        event_loop.run(executor.execute(kit.jobs_for([model], 500))).result(20)
    assert len(model.client.asked) < 20


@pytest.mark.alone
def test_a_sink_in_trouble_stops_the_asking(kit: Any) -> None:
    """A sink that says it cannot write, and never acknowledges, is noticed within a second."""

    class Stuck(kit.MemorySink):
        trouble: OSError | None = None

        def generation(self, generation: Any, stored: Any) -> None:
            self.generations.append(generation)
            if len(self.generations) < 5:
                stored()
            else:
                self.trouble = OSError("disk full")

    model = scripted(first_token_s=0.05, concurrency=2)
    executor = Executor({model.id: model}, {}, sink=Stuck())
    begun = time.monotonic()
    with pytest.raises(OSError, match="disk full"):
        event_loop.run(executor.execute(kit.jobs_for([model], 500))).result(20)
    assert time.monotonic() - begun < 3
    assert len(model.client.asked) < 60


def test_a_slow_disk_is_waited_for(kit: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """When rows pile up before a slow disk, asking waits, and goes on when they are stored."""
    from labkit.engine import runner as module

    monkeypatch.setattr(module, "_UNSTORED", 20)
    held: list[Callable[[], None]] = []
    piled: list[int] = []

    class Slow(kit.MemorySink):
        def generation(self, generation: Any, stored: Any) -> None:
            self.generations.append(generation)
            held.append(stored)
            piled.append(len(held))
            if len(held) == 25:
                threading.Timer(0.05, self.flush).start()

        def flush(self) -> None:
            while held:
                held.pop()()

    model = scripted(concurrency=4)
    sink = Slow()
    executor = Executor({model.id: model}, {}, sink=sink)
    future = event_loop.run(executor.execute(kit.jobs_for([model], 200)))
    while not future.done():
        threading.Event().wait(0.02)
        sink.flush()
    future.result()
    assert len(sink.generations) == 200
    assert max(piled) <= 30


def test_a_row_is_shown_only_when_it_is_stored(kit: Any) -> None:
    """The watcher hears of a row's end after the sink acknowledged it, never before."""
    stored_ids: set[str] = set()

    class Careful(kit.MemorySink):
        def generation(self, generation: Any, stored: Any) -> None:
            def later() -> None:
                stored_ids.add(generation.generation_id)
                stored()

            super().generation(generation, later)

    early: list[str] = []
    memory = kit.Memory()
    memory.on["ended"] = lambda row: (
        None if row.generation_id in stored_ids else early.append(row.generation_id)
    )
    model = scripted()
    executor = Executor({model.id: model}, {}, sink=Careful(), watcher=memory)
    event_loop.run(executor.execute(kit.jobs_for([model], 100))).result(10)
    assert early == []
    assert len(memory.named("ended")) == 100


def test_jobs_that_cannot_be_made_end_the_run(kit: Any) -> None:
    """An iterator that raises ends the run in order: what was asked is stored, then it is raised."""
    model = scripted(first_token_s=0.01)

    def jobs() -> Iterator[Any]:
        yield from kit.jobs_for([model], 10)
        raise KeyError("no such column")

    sink = kit.MemorySink()
    executor = Executor({model.id: model}, {}, sink=sink)
    with pytest.raises(KeyError, match="no such column"):
        event_loop.run(executor.execute(jobs())).result(10)
    assert len(sink.generations) == 10


# -- money ---------------------------------------------------------------------------------------


def test_a_budget_ends_the_run_in_order(kit: Any, ask: Callable[..., Any]) -> None:
    """When the next worst case does not fit, the rest is stopped, and the row says what is missing."""
    model = scripted(answers=[Reply("x", usage=Usage(input_tokens=5, output_tokens=5))])
    ran = ask([model], kit.jobs_for([model], 30, usd=0.01), budget_usd=1.0)
    done = ran.sink.statuses()["done"]
    assert done == 9
    assert ran.executor.budget.spent_usd == pytest.approx(0.9)
    stopped = [row for row in ran.sink.generations if row.status == "stopped"]
    assert len(stopped) == 21
    assert {row.error_type for row in stopped} == {"BudgetExhausted"}
    assert "USD 0.10 of the budget of USD 1.00 are left" in stopped[0].error_message
    assert "may cost up to USD 0.20" in stopped[0].error_message


def test_money_spent_before_counts(kit: Any, ask: Callable[..., Any]) -> None:
    """A resumed run begins with what it has spent already."""
    model = scripted()
    ran = ask([model], kit.jobs_for([model], 5, usd=0.01), budget_usd=1.0, spent_usd=0.85)
    assert ran.sink.statuses() == {"stopped": 5}


def test_free_models_go_on_without_money(kit: Any, ask: Callable[..., Any]) -> None:
    """An empty budget stops what costs money, not what is free."""
    dear, free = scripted("dear"), scripted("free")
    jobs = kit.jobs_for([dear], 10, usd=1.0) + kit.jobs_for([free], 10, usd=0.0)
    ran = ask([dear, free], jobs, budget_usd=0.5)
    assert ran.sink.statuses() == {"done": 10, "stopped": 10}
    assert {row.model for row in ran.sink.generations if row.status == "done"} == {"scripted/free"}


def test_unknown_prices_are_refused_under_a_budget(kit: Any, ask: Callable[..., Any]) -> None:
    """Without a price or a bound a cell is not asked under a budget, unless that is said to be right."""
    model = scripted()
    ran = ask([model], kit.jobs_for([model], 3, usd=None), budget_usd=1.0)
    assert ran.sink.statuses() == {"stopped": 3}
    assert {row.error_type for row in ran.sink.generations} == {"CostUnknown"}
    ran = ask([model], kit.jobs_for([model], 3, usd=0.1, params={}), budget_usd=1.0)
    assert ran.sink.statuses() == {"stopped": 3}
    ran = ask([model], kit.jobs_for([model], 3, usd=None), budget_usd=1.0, allow_unpriced=True)
    assert ran.sink.statuses() == {"done": 3}
    assert {row.cost_usd for row in ran.sink.generations} == {None}
    assert ask([model], kit.jobs_for([model], 3, usd=None)).sink.statuses() == {"done": 3}


def test_unknown_usage_keeps_its_reservation(kit: Any, ask: Callable[..., Any]) -> None:
    """An answer without counts, and one that broke off, stay paid for in full."""
    model = scripted(
        answers=[Reply("x", usage=Usage())], faults=[Cut(after=1), RateLimited("no"), ConnectionFailed("no")],
        concurrency=1,
    )  # fmt: skip
    ran = ask([model], kit.jobs_for([model], 1, usd=0.01), budget_usd=10.0, policy=QUICK)
    assert ran.sink.statuses() == {"done": 1}
    assert ran.executor.budget.spent_usd == pytest.approx(0.4)
    assert ran.executor.budget.reserved_usd == 0


def test_a_dear_model_is_not_starved_by_a_cheap_one(kit: Any, ask: Callable[..., Any]) -> None:
    """While a dear request waits for money, cheap ones do not take what comes free before it."""
    dear = scripted("dear", first_token_s=0.01, concurrency=1)
    cheap = scripted("cheap", first_token_s=0.01, concurrency=8)
    jobs = kit.jobs_for([dear], 3, usd=0.04) + kit.jobs_for([cheap], 200, usd=0.005)
    ran = ask([dear, cheap], jobs, budget_usd=1.3)
    assert sum(row.status == "done" and row.model == "scripted/dear" for row in ran.sink.generations) == 3


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 2**32), st.floats(0.01, 3.0), st.integers(1, 256))
def test_the_budget_is_never_passed(
    kit: Any, ask: Callable[..., Any], seed: int, budget_usd: float, concurrency: int
) -> None:
    """With any usages, faults and number in flight, what was really spent stays within the budget."""
    random = Random(seed)
    true_tokens = 0

    def answer(request: Any) -> Any:
        nonlocal true_tokens
        kind = random.random()
        if kind < 0.1:
            return RateLimited("slow")
        used = Usage(input_tokens=random.randint(1, 10), output_tokens=random.randint(0, 10))
        true_tokens += used.input_tokens + used.output_tokens
        if kind < 0.2:
            return ConnectionLost("paid for, and lost")
        return Reply("x", usage=used if kind < 0.9 else Usage())

    model = scripted(answers=answer, concurrency=concurrency)
    ran = ask([model], kit.jobs_for([model], 200, usd=0.001), budget_usd=budget_usd, policy=QUICK)
    assert len(ran.sink.generations) == 200
    assert true_tokens * 0.001 <= ran.executor.budget.spent_usd + 1e-9
    assert ran.executor.budget.spent_usd <= budget_usd
    assert ran.executor.budget.reserved_usd == 0
    known = sum(row.cost_usd or 0 for row in ran.sink.generations)
    assert known <= budget_usd + 1e-9


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.integers(0, 2**32),
    st.floats(0.1, 3.0),
    st.integers(1, 64),
    st.sampled_from([(1, 0), (1, 300), (10, 0), (40, 100)]),
)
def test_a_liar_costs_what_was_in_flight_at_its_first_lie(
    kit: Any, ask: Callable[..., Any], seed: int, budget_usd: float, concurrency: int, lie: tuple[int, int]
) -> None:
    """A provider that bills so many times the bound, or so much more, passes the budget by no more than that
    excess of the requests that were out when it first did; an honest one does not pass it."""
    random, times, more = Random(seed), *lie
    billed, out_at_first = 0.0, 0
    from_then = random.randint(0, 20)
    begun = 0

    def answer(request: Any) -> Any:
        nonlocal billed, begun
        begun += 1
        tokens = 20 * times + more if begun > from_then else random.randint(1, 20)
        billed += tokens * 0.001
        return Reply("x", usage=Usage(input_tokens=tokens, output_tokens=0))

    model = scripted(answers=answer, concurrency=concurrency)
    ran = ask([model], kit.jobs_for([model], 150, usd=0.001), budget_usd=budget_usd, policy=QUICK)
    assert len(ran.sink.generations) == 150
    excess_usd = (20 * times + more - 20) * 0.001
    over = [row for row in ran.sink.generations if (row.cost_usd or 0) > 0.0201]
    out_at_first = max((row.in_flight or 0 for row in over), default=0)
    assert billed <= budget_usd + min(out_at_first, concurrency) * excess_usd + 1e-9
    (limits,) = ran.executor.limits()
    if over:
        assert limits["bound_times"] == pytest.approx(times + more / 20)
    else:
        assert limits["bound_times"] is None
        assert billed <= budget_usd + 1e-9


def test_after_a_lie_the_last_reservation_fits(kit: Any, ask: Callable[..., Any]) -> None:
    """One at a time, each billed five times its bound: the first is the only one that was not set aside, and
    the row of those that were not asked says why."""
    model = scripted(answers=[Reply("x", usage=Usage(input_tokens=90, output_tokens=10))], concurrency=1)
    ran = ask([model], kit.jobs_for([model], 30, usd=0.001), budget_usd=0.55)
    assert ran.sink.statuses() == {"done": 5, "stopped": 25}
    assert ran.executor.budget.spent_usd == pytest.approx(0.5)
    (why,) = {row.error_message for row in ran.sink.generations if row.status == "stopped"}
    assert "billed up to 5.0 times the most that its request could cost" in why
    assert "may cost up to USD 0.10" in why


def test_limits_can_be_seen_and_changed(kit: Any, ask: Callable[..., Any]) -> None:
    """The state of the limits is readable while a run goes, and the concurrency can be set."""
    model = scripted(first_token_s=0.02, concurrency=1)
    held: list[Executor] = []
    seen: list[Any] = []

    def look(row: Any) -> None:
        seen.append(held[0].limits()[0])
        held[0].limit("scripted/a", concurrency=5)

    ran = ask([model], kit.jobs_for([model], 20), memory=kit.Memory(on={"ended": look}), before=held.append)
    assert seen[0]["ceiling"] == 1
    assert seen[-1]["ceiling"] == 5
    assert max(row.in_flight for row in ran.sink.generations) == 5
    with pytest.raises(ValueError, match="at least one"):
        held[0].limit("scripted/a", concurrency=0)
    assert "0 in flight" in repr(held[0])


def test_a_limit_of_the_user_s_own_never_puts_a_model_aside(kit: Any, ask: Callable[..., Any]) -> None:
    """However slow it is to be asked, a model is put aside for what its provider says only."""
    model = scripted(answers="yes", concurrency=1)
    executors: list[Executor] = []

    def change(row: Any) -> None:
        if len(ended) == 0:
            executors[0].limit("scripted/a", per_minute={"requests": 0.01})
        ended.append(row)
        threading.Timer(1.2, executors[0].limit, ["scripted/a"], {"per_minute": {"requests": inf}}).start()

    ended: list[Any] = []
    memory = kit.Memory(on={"ended": change})
    ran = ask([model], kit.jobs_for([model], 4), memory=memory, before=executors.append, policy=QUICK)
    assert ran.sink.statuses() == {"done": 4}
