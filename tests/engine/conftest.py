"""What the engine's tests share: a sink in memory, a watcher that remembers, and jobs by the dozen."""

from __future__ import annotations

import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import pytest

from labkit.catalog.model import Model
from labkit.engine import event_loop
from labkit.engine.executor import Executor, Job
from labkit.records import Attempt, Cell, Generation, Intent, Request, Usage
from labkit.served import Served


@dataclass(frozen=True)
class Priced:
    """What an answer cost."""

    cost_usd: float | None
    price_id: str = "test"


@dataclass(frozen=True)
class FlatPricer:
    """So many dollars for a token, in or out; None: no price is known."""

    usd: float | None = 0.0

    def price(self, usage: Usage, served: Served) -> Priced:
        if self.usd is None or usage.input_tokens is None or usage.output_tokens is None:
            return Priced(None, "unknown: not in the test")
        return Priced((usage.input_tokens + usage.output_tokens) * self.usd)

    def worst_usd(self, input_tokens: int, output_tokens: int) -> float | None:
        return None if self.usd is None else (input_tokens + output_tokens) * self.usd


@dataclass
class MemorySink:
    """Keeps everything in memory and acknowledges from a thread of its own, in small groups."""

    intents: list[Intent] = field(default_factory=list)
    attempts: list[Attempt] = field(default_factory=list)
    generations: list[Generation] = field(default_factory=list)
    fails_at: int | None = None

    def intent(self, intent: Intent) -> None:
        self.intents.append(intent)

    def attempt(self, attempt: Attempt) -> None:
        self.attempts.append(attempt)

    def generation(self, generation: Generation, stored: Callable[[], None]) -> None:
        if self.fails_at is not None and len(self.generations) >= self.fails_at:
            raise OSError("no space left on device")
        self.generations.append(generation)
        threading.Thread(target=stored).start()

    def by_sample(self) -> dict[str, Generation]:
        return {generation.sample_id: generation for generation in self.generations}

    def statuses(self) -> Counter[str]:
        return Counter(generation.status for generation in self.generations)


@dataclass
class Memory:
    """A watcher that remembers what it was told."""

    told: list[tuple[Any, ...]] = field(default_factory=list)
    on: dict[str, Callable[..., None]] = field(default_factory=dict)

    def _tell(self, name: str, *what: Any) -> None:
        self.told.append((name, *what))
        if name in self.on:
            self.on[name](*what)

    def planned(self, total: Any, settled: Any) -> None:
        self._tell("planned", total, settled)

    def queued(self, cell: Cell) -> None:
        self._tell("queued", cell)

    def sent(self, cell: Cell, attempt: int) -> None:
        self._tell("sent", cell, attempt)

    def text(self, cell: Cell, delta: str) -> None:
        self._tell("text", cell, delta)

    def waiting(self, cell: Cell, seconds: float, why: str) -> None:
        self._tell("waiting", cell, seconds, why)

    def ended(self, generation: Generation) -> None:
        self._tell("ended", generation)

    def named(self, name: str) -> list[tuple[Any, ...]]:
        return [told[1:] for told in self.told if told[0] == name]


def jobs_for(
    models: Sequence[Model],
    count: int,
    *,
    params: dict[str, Any] | None = None,
    usd: float | None = 0.0,
    bound: int = 10,
) -> list[Job]:
    """`count` jobs per model, the models taking turns."""
    pricer = FlatPricer(usd)
    jobs = []
    for number in range(count):
        for model in models:
            jobs.append(
                Job(
                    cell=Cell(
                        generation_id=f"g-{model.id}-{number}",
                        run_id="run-1",
                        experiment="test",
                        workspace="test",
                        prompt="p",
                        prompt_version=1,
                        model=model.id,
                        provider=model.provider,
                        sample_id=f"{model.id}#{number}",
                        repeat=0,
                        request_id=f"r1:{number}",
                        draw=0,
                    ),
                    request=Request(
                        request_id=f"r1:{number}",
                        provider=model.provider,
                        dialect=model.dialect,
                        endpoint="test",
                        model=model.id,
                        name=model.name,
                        messages=({"role": "user", "content": f"question {number}"},),
                        params={"max_tokens": 10} if params is None else params,
                    ),
                    pricer=pricer,
                    input_bound_tokens=bound,
                )
            )
    return jobs


@dataclass
class Ran:
    """An executor that ran, and what came of it."""

    executor: Executor
    sink: MemorySink
    memory: Memory


@pytest.fixture
def kit() -> ModuleType:
    """This module: the classes and functions above."""
    return sys.modules[__name__]


@pytest.fixture
def ask() -> Callable[..., Ran]:
    """Run jobs to their end and give what came of it."""

    def run(
        models: Sequence[Model],
        jobs: Iterable[Job],
        *,
        sink: MemorySink | None = None,
        memory: Memory | None = None,
        before: Callable[[Executor], None] | None = None,
        keys: dict[str, Any] | None = None,
        follow: Callable[[Generation], Sequence[Job]] | None = None,
        timeout_s: float = 60,
        **settings: Any,
    ) -> Ran:
        sink = sink if sink is not None else MemorySink()
        memory = memory if memory is not None else Memory()
        executor = Executor(
            {model.id: model for model in models},
            keys or {model.id: None for model in models},
            sink=sink,
            watcher=memory,
            seed=1,
            **settings,
        )
        if before is not None:
            before(executor)
        event_loop.run(executor.execute(jobs, follow=follow)).result(timeout_s)
        return Ran(executor, sink, memory)

    return run
