"""What the engine is given to do: a job per cell, and how its answers are priced.

Values and protocols only; nothing here asks, waits or counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from labkit.catalog.model import Model
from labkit.records import Cell, Request, Usage
from labkit.served import Served


class Price(Protocol):
    """What one answer cost. `cost_usd` None: not known, and `price_id` says why."""

    @property
    def cost_usd(self) -> float | None: ...

    @property
    def price_id(self) -> str: ...


class Pricer(Protocol):
    """Prices one model's answers at one date."""

    def price(self, usage: Usage, served: Served) -> Price: ...

    def worst_usd(self, input_tokens: int, output_tokens: int) -> float | None: ...


@dataclass(frozen=True, slots=True)
class Job:
    """One cell to be answered: what to send, how to price it, and the most its input can count."""

    cell: Cell
    request: Request
    pricer: Pricer
    input_bound_tokens: int
    later_usd: tuple[float, ...] = ()
    """The most that each of the requests can cost that follow its answer: set aside before it is sent."""


_OUTPUT_PARAMS = ("max_completion_tokens", "max_tokens", "max_output_tokens")


def output_bound_tokens(request: Request, model: Model) -> int | None:
    """The most tokens an answer can have: the request's own limit, else the model's; None: no limit known."""
    limits: list[Any] = [request.params.get(name) for name in _OUTPUT_PARAMS]
    known = [limit for limit in limits if isinstance(limit, int) and limit >= 0]
    return max(known) if known else model.max_output


def worst_usd(job: Job, model: Model) -> float | None:
    """The most that answering `job` once can cost; None where price or bound are not known."""
    return bound_usd(job.request, model, job.pricer, job.input_bound_tokens)


def bound_usd(request: Request, model: Model, pricer: Pricer, input_tokens: int) -> float | None:
    """The most that one answer to so many tokens can cost; None where price or bound are not known."""
    output = output_bound_tokens(request, model)
    if output is None:
        free = pricer.worst_usd(input_tokens, 1_000_000)
        return 0.0 if free == 0 else None
    return pricer.worst_usd(input_tokens, output)
