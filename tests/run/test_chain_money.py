"""What chains cost is told once, wherever it is told: each request counts once, and a chain is the sum of its
line.
"""

from __future__ import annotations

from typing import Any

import pytest

import labkit as lk
from labkit.dollars import usd
from labkit.errors import InvalidRequest
from labkit.providers.script import Reply
from labkit.records import Usage

CHAIN = lk.Chain("c", lk.Step("a", "A {{ t }}"), lk.Step("b", "B {{ a }} {{ t }}"), lk.Step("c", "C {{ b }}"))
USD_MTOK = {"input": 1.0, "output": 10.0}
USD = 0.011
"""What each answer costs."""


class Priced:
    """Models whose answers cost alike; while `refuses` is set, step b is refused for the second sample."""

    def __init__(self) -> None:
        self.refuses = True

    def model(self, name: str) -> lk.Model:
        """One of them."""

        def reply(request: Any) -> Any:
            text = request.messages[-1]["content"]
            if self.refuses and text.startswith("B") and text.endswith("x1"):
                return InvalidRequest("no")
            return Reply(f"{text[0]} answered", usage=Usage(input_tokens=1000, output_tokens=1000))

        return lk.Model(f"scripted/{name}", client=lk.Script(reply, version="1"), prices=USD_MTOK)


def test_money_counts_by_requests(lab: lk.Lab) -> None:
    """A run, its resume, its progress and a repricing tell what the requests cost, each once; a chain whose
    step was refused cost what came before that."""
    priced = Priced()
    a, b = priced.model("a"), priced.model("b")
    plan = lab.plan(
        prompts=[CHAIN, lk.Prompt("plain", "P {{ t }}")],
        models=[a, lk.per_step(a=[a, b], b=b, c=b)],
        dataset=[{"t": f"x{n}"} for n in range(4)],
    )
    run = plan.run(progress="none")
    steps, whole = run.generations(steps=True), run.generations()
    asked = (steps["status"] == "done").sum()
    assert steps["cost_usd"].sum() == pytest.approx(asked * USD)
    chains = whole[whole["prompt"] == "c"]
    assert list(chains.loc[chains["status"] == "done", "cost_usd"].round(6)) == [3 * USD] * 9
    assert list(chains.loc[chains["status"] == "failed", "cost_usd"].round(6)) == [USD] * 3
    assert lab.runs()["cost_usd"][0] == pytest.approx(asked * USD)
    assert f"USD {usd(asked * USD)}" in repr(run)
    priced.refuses = False
    again = run.resume(progress="none")
    spent_usd = len(again.generations(steps=True)) * USD
    assert lab.runs()["cost_usd"][0] == pytest.approx(spent_usd)
    assert f"USD {usd(spent_usd)}, USD {usd(spent_usd - asked * USD)} of it by this launch" in repr(again)
    assert lab.store.spent(run.run_id) == pytest.approx(spent_usd)
    assert lab.reprice(by="run_id", prices={"scripted/a": USD_MTOK})["cost_usd"].sum() == pytest.approx(
        spent_usd
    )
