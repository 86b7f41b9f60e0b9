"""Budgets against a server that keeps its own account of what it answered."""

from __future__ import annotations

import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import labkit as lk
from labkit.engine.retry import Policy

pytestmark = pytest.mark.alone

USD_MTOK = {"input": 300.0, "output": 1500.0}
MOST = {"max_tokens": 40}
INPUT_TO = 60
"""Less than the bound of any request here; the server draws its counts up to this and up to `max_tokens`."""
ROWS, FIRST_USD, THEN_USD = 800, 25.0, 80.0
"""An answer may cost nine cents and costs four, so that the first budget has room for 256 at once, and
ends before the rows do."""


def charged(seen: list[dict[str, Any]]) -> float:
    """What the server's own account comes to, answers that broke off included."""
    counts = [one["usage"] for one in seen if one["usage"]]
    return sum(made * USD_MTOK["input"] + said * USD_MTOK["output"] for made, said in counts) / 1e6


def asked(seen: list[dict[str, Any]]) -> Counter[str]:
    """How often each question came, and was answered as a whole."""
    return Counter(one["body"]["messages"][-1]["content"] for one in seen if one["whole"])


@pytest.mark.parametrize("dialect", ["openai", "anthropic"])
def test_a_budget_holds_at_256_in_flight(
    dialect: str, channel_for: Callable[[str], Any], lab: lk.Lab
) -> None:
    """With 256 requests out, random counts and broken streams the server's account never exceeds
    the budget; the run stops, says what is missing and what that costs, and resumed with that much more
    asks exactly the rest."""
    channel = channel_for(dialect)
    faults = [
        {"reset": True},
        {"usage_to": [INPUT_TO, 40], "cut_after": 5, "hard": True},
        {"usage_to": [INPUT_TO, 40], "truncate_after": 4},
    ]
    storm = {"share": 0.05, "of": faults, "for_s": 60}
    channel.script(then={"usage_to": [INPUT_TO, 40], "first_s": [0.4, 0.9], "storm": storm})
    model = channel.model(concurrency=256, prices=USD_MTOK, key_env="")
    plan = lab.plan(
        prompts=["Say {{ n }}."], models=[model], dataset=[{"n": str(n)} for n in range(ROWS)], params=MOST
    )
    run = plan.run(budget_usd=FIRST_USD, policy=Policy(backoff_s=0.02, backoff_cap_s=0.1))
    first = channel.seen()
    assert channel.peak() > 128
    assert charged(first) <= FIRST_USD
    assert run.status == "stopped"
    frame = run.generations()
    counts = frame["status"].value_counts()
    assert set(counts.index) - {"partial", "failed"} == {"done", "stopped"}
    assert run.left.startswith(
        f"{counts['stopped']} cells were not asked: The next request may cost up to USD"
    )
    lacking = (frame["error_type"] == "BudgetExhausted").sum()
    which = f"remaining {lacking}" if lacking == counts["stopped"] else f"{lacking} that lack money"
    assert f"The {which} cost at most USD" in run.left
    likely_usd = float(run.left.partition("about USD ")[2].split()[0])
    assert run.left in repr(run)
    channel.script(then={"usage_to": [INPUT_TO, 40], "first_s": [0.4, 0.9]})
    again = run.resume(budget_usd=THEN_USD)
    assert again.status == "finished"
    assert again.left is None
    rest = channel.seen()[len(first) :]
    done, left = asked(first), asked(rest)
    assert set(done) | set(left) == {f"Say {n}." for n in range(ROWS)}
    assert not set(done) & set(left)
    assert set((done + left).values()) == {1}
    assert len(rest) == ROWS - counts["done"]
    assert charged(rest) == pytest.approx(likely_usd * len(rest) / lacking, rel=0.15)
    assert charged(channel.seen()) <= THEN_USD
    frame = again.generations()
    assert set(frame["status"]) == {"done"}
    clean = frame["maybe_paid"] == 0
    known = charged([one for one in channel.seen() if one["whole"]])
    assert frame["cost_usd"].sum() == pytest.approx(known)
    assert clean.sum() > ROWS / 2


KILLED = """
import sys
import labkit as lk
model = lk.Model("faulty/m", dialect="openai", base_url=sys.argv[1], key_env="", concurrency=4,
    prices={"input": 300.0, "output": 1500.0})
plan = lk.Lab("lab.duckdb", models=[model]).plan(prompts=["Say {{ n }}."], models=[model],
    dataset=[{"n": str(n)} for n in range(200)], params={"max_tokens": 40}, experiment="killed")
plan.run(progress="none", **({"budget_usd": float(sys.argv[2])} if len(sys.argv) > 2 else {}))
"""


def test_a_budget_outlives_a_kill(channel_for: Callable[[str], Any], here: Path) -> None:
    """A run that is killed under a budget, and whose cell is run again without a word of one, never charges
    more than that budget, by the server's own account; what was out at the kill counts at its most."""
    channel = channel_for("openai")
    channel.script(then={"usage_to": [INPUT_TO, 40], "first_s": [0.05, 0.1]})
    address = channel.model().base_url
    command = [sys.executable, "-c", KILLED, address]
    victim = subprocess.Popen([*command, "2"], cwd=here)
    while len(channel.seen()) < 15:
        assert victim.poll() is None, "it ended before it could be killed"
        time.sleep(0.02)  # between two looks at what the server was asked: it can only be polled
    victim.kill()
    victim.wait()
    before = len(channel.seen())
    subprocess.run(command, cwd=here, check=True, timeout=120)
    assert len(channel.seen()) > before
    assert 1 < charged(channel.seen()) <= 2
    run = lk.Lab(here / "lab.duckdb").run("latest")
    assert run.status == "stopped"
    assert "of the budget of USD 2.00 are left" in run.left
