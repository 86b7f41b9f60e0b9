"""A scripted provider whose nights are planted: how often it is right, who answers, how fast, how dear."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import labkit as lk
from labkit.errors import InvalidRequest
from labkit.providers.script import Reply
from labkit.records import Request, Usage
from labkit.run import Run
from labkit.sentinel.sentinel import Sentinel

ROWS = 60
PRICES = {"input": 1.0, "output": 4.0, "cache_read": 0.1}


@dataclass
class Planted:
    """One lab with a scripted model, whose behaviour is set between nights."""

    folder: Path
    rows: int = ROWS
    models: Sequence[str] = ("m",)
    right: float = 1.0
    """The share of rows that is answered right: the first so many, always the same."""
    luck: float = 0.0
    """With which chance an answer is the other one."""
    model: str = "m-2026-08"
    fingerprint: str | None = None
    words: int = 10
    cached: int = 0
    delay_s: float = 0.0
    broken: float = 0.0
    """The share of rows that fail, the last so many."""
    prices: dict[str, float] = field(default_factory=lambda: dict(PRICES))
    data: list[dict[str, Any]] = field(default_factory=list)
    text: str = "Say {{ n }}"
    score: Any = None
    asked: int = 0

    def __post_init__(self) -> None:
        self.chance = random.Random(20261129)
        self.data = self.data or [{"id": str(n), "n": n, "target": "yes"} for n in range(self.rows)]
        self.lab = lk.Lab(self.folder / "lab.duckdb", workspace="nightly")

    def answer(self, request: Request) -> Reply | InvalidRequest:
        """As the night is planted."""
        self.asked += 1
        n = int(request.messages[-1]["content"].split()[-1])
        if n >= self.rows * (1 - self.broken):
            return InvalidRequest("scripted: refused")
        right = n < round(self.right * self.rows)
        right ^= self.chance.random() < self.luck
        return Reply(
            "yes" if right else "no",
            usage=Usage(input_tokens=100, cache_read_tokens=self.cached, output_tokens=self.words),
            response_model=self.model,
            raw=None if self.fingerprint is None else f'{{"system_fingerprint": "{self.fingerprint}"}}',
            first_token_s=self.delay_s,
        )

    def plan(self, **wanted: Any) -> lk.Plan:
        """The plan of a night."""
        script = lk.Script(self.answer, version="1")
        models = [lk.Model(f"scripted/{name}", client=script, prices=self.prices) for name in self.models]
        given: dict[str, Any] = {
            "prompts": [lk.Prompt("ask", self.text)],
            "models": models,
            "dataset": self.data,
            "scorers": self.score or [lk.exact("target")],
            "experiment": "tickets",
        }
        return self.lab.plan(**given | wanted)

    def night(self, *, budget_usd: float | None = None, fresh: bool = True, **wanted: Any) -> Run:
        """A run of it, asked afresh."""
        return self.plan(**wanted).run(fresh=fresh, budget_usd=budget_usd, progress="none")

    def watch(
        self, name: str = "nightly", *, repeats: int = 3, accept: bool = True, **wanted: Any
    ) -> Sentinel:
        """A sentinel over it, with a baseline of these repeats; clocks of a scripted model say nothing."""
        watch = self.lab.sentinel(name, **{"latency": None, **wanted})
        return watch.accept(self.night(repeats=repeats)) if accept else watch


Plant = Callable[..., Planted]
