"""Chains against a server that keeps its own account: killed, failing, under a budget, by the clock."""

from __future__ import annotations

import asyncio
import random
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import pandas as pd
import pytest

import labkit as lk
from labkit.engine.retry import Policy
from tests.faults.test_clocks import sdk_s
from tests.faults.test_kills import Nursery
from tests.faults.test_kills import asker as asker  # a fixture

STEPS = 3
QUICK = Policy(backoff_s=0.01, backoff_cap_s=0.05, timeout_s=5.0, deadline_s=20.0)
USD_MTOK = {"input": 300.0, "output": 1500.0}
INPUT_TO, OUTPUT_TO = 60, 40
"""Less than the bound of any request here; the server draws its counts up to these."""
BUDGET_USD = 10.0
"""About half of what all of the run costs."""


def chain_of(steps: int, *, name: str = "told", times: int = 1) -> lk.Chain:
    """A chain whose steps see the one before them, so many times."""
    before = [""] + [f"{{{{ {letter} }}}} " * times for letter in "abc"]
    texts = [f"{'ABCD'[n]} {before[n]}{{{{ n }}}}" for n in range(steps)]
    return lk.Chain(name, *(lk.Step("abcd"[n], text) for n, text in enumerate(texts)))


def rows(count: int) -> list[dict[str, str]]:
    """So many samples."""
    return [{"n": f"n{number}"} for number in range(count)]


def text_of(one: dict[str, Any]) -> str:
    """What a request that the server saw asked."""
    return str(one["body"]["messages"][-1]["content"])


@dataclass
class Line:
    """One lab with a run of a chain, its place at the server, and what was found after each launch."""

    home: Path
    channel: Any
    asker: ModuleType
    launches: int = 0
    kills: int = 0
    in_flight: int = 0
    failed: int = 0
    done: set[str] = field(default_factory=set)

    def prepare(self, chance: random.Random) -> None:
        """What the server answers to each step, however often it is asked; some fail first."""
        faults = [{"status": 500}, {"cut_after": 2}, {"status": 429, "headers": {"retry-after": "0"}}]
        by: dict[str, list[dict[str, Any]]] = {}
        for row in self.asker.CHAIN_ROWS:
            for asked, answer in self.answers(row["n"]):
                how = {"text": answer, "first_s": 0.03}
                by[asked] = [chance.choice(faults), *[how] * 20] if chance.random() < 0.03 else [how] * 20
        self.channel.script(by=by)

    @staticmethod
    def answers(n: str) -> list[tuple[str, str]]:
        """What each step of a row asks, and is answered."""
        facts, draft, told = f"f{n}", f"d{n} {{{{ n }}}}", f"t{n}"
        return [(f"A {n}", facts), (f"B {n} {facts}", draft), (f"C {n} {draft} {facts}", told)]

    def launch(self, nursery: Nursery) -> int:
        """Begin to ask, or go on."""
        self.launches += 1
        address = str(self.channel.model().base_url)
        return nursery.spawn(f"launch-{self.launches}", str(self.home), address, False, True)

    def live(self, nursery: Nursery, chance: random.Random, kills: int) -> None:
        """Be killed at random moments until that was often enough, or the run has come to its end."""
        self.prepare(chance)
        while True:
            pid = self.launch(nursery)
            if self.kills < kills:
                while nursery.lives(pid) and not nursery.marks[nursery.phases.index("asking")]:
                    time.sleep(0.001)  # another process can only be polled
                time.sleep(chance.random() * 0.5)  # the moment is to be any
                killed = nursery.kill(pid)
            else:
                nursery.gone(pid)
                killed = False
            self.kills += killed
            # Where it was killed after its end, another launch were another run, of replays.
            if self.look(nursery, ended=not killed) == "finished":
                return

    def look(self, nursery: Nursery, *, ended: bool) -> str:
        """Compare what the server saw with what the lab says; what the run's status is."""
        assert [path.read_text() for path in nursery.folder.glob("error-*")] == []
        lab = lk.Lab(self.home / "lab.duckdb")
        while any(one["ended"] is None for one in self.channel.seen()):
            time.sleep(0.005)  # the server can only be polled, until it notices that the killed one is gone
        seen = self.channel.seen()
        latest = {
            text_of(one) for one in seen if one["headers"]["authorization"].endswith(f"-{self.launches}")
        }
        assert not self.done & latest, "a step that had its answer was asked again"
        steps = lab.sql("select sample_id, step, status, text, parent_id, generation_id from steps")
        answers = {(row.sample_id, row.step): row.text for row in steps.itertuples() if row.status == "done"}
        assert len(answers) == (steps["status"] == "done").sum()
        ids = {row["n"]: sample for row, sample in zip(self.asker.CHAIN_ROWS, self.samples(lab), strict=True)}
        asked = {text_of(one) for one in seen}
        self.done = set()
        for n, sample in ids.items():
            for step, (text, answer) in enumerate(self.answers(n), 1):
                if step > 1 and text in asked:
                    assert (sample, step - 1) in answers, (
                        "a step was sent before the one before it was on disk"
                    )
                if (sample, step) in answers:
                    assert answers[sample, step] == answer
                    self.done.add(text)
        assert not asked - {text for n in ids for text, _ in self.answers(n)}, "something else was asked"
        acknowledged = set((self.home / "acks").read_text().split()) if len(steps) else set()
        assert acknowledged <= set(steps["generation_id"]), "an acknowledged row is lost"
        self.in_flight += 0 if ended else nursery.in_flight()
        failed = len(lab.sql("from attempts where error_type is not null"))
        again = sum(Counter(map(text_of, seen)).values()) - len(asked)
        assert again <= failed + self.in_flight, "more was asked again than failed or was in flight"
        runs = list(lab.runs()["status"])
        assert len(runs) <= 1
        self.chains(lab, answers, ended=ended or runs == ["finished"])
        return runs[0] if runs else "nothing"

    def chains(self, lab: lk.Lab, answers: dict[tuple[str, int], str], *, ended: bool) -> None:
        """Each row of a chain is that of a line with all its answers; at the end each line has one."""
        whole = lab.sql("from generations")
        assert whole["sample_id"].is_unique
        for row in whole.itertuples():
            assert (row.status, row.steps, row.step) == ("done", STEPS, 0)
            assert row.text == answers[row.sample_id, STEPS]
            assert row.failed_step is None or row.failed_step != row.failed_step
        counts = Counter(sample for sample, _ in answers)
        if ended:
            assert set(counts.values()) == {STEPS}
            assert len(whole) == len(counts) == len(self.asker.CHAIN_ROWS)
            (run,) = lab.runs().itertuples()
            assert (run.status, run.done) == ("finished", STEPS * len(self.asker.CHAIN_ROWS))
            assert len(self.done) == run.done
        else:
            assert set(whole["sample_id"]) <= {sample for sample, count in counts.items() if count == STEPS}

    def samples(self, lab: lk.Lab) -> list[str]:
        """The ids of the samples, in their order."""
        model = lk.Model("faulty/m", base_url=str(self.channel.model().base_url))
        plan = lab.plan(prompts=[self.asker.CHAIN], models=[model], dataset=self.asker.CHAIN_ROWS)
        return [sample.id for sample in plan.design.dataset.samples]


def killed(
    kills: int,
    folder: Path,
    asker: ModuleType,
    channel_for: Callable[[str], Any],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Let labs live until so many kills fell into their runs."""
    seed = random.SystemRandom().randrange(2**30)
    chance, began = random.Random(seed), time.monotonic()
    lines: list[Line] = []
    nursery = Nursery(folder, asker.PHASES)
    try:
        while (left := kills - sum(line.kills for line in lines)) > 0:
            home = folder / f"lab-{len(lines)}"
            home.mkdir()
            lines.append(Line(home, channel_for("openai"), asker))
            lines[-1].live(nursery, chance, left)
    finally:
        nursery.close()
    asked = sum(len(line.channel.seen()) for line in lines)
    with capsys.disabled():
        print(
            f"\n{sum(line.kills for line in lines)} kills of chains (seed {seed}) in {len(lines)} labs; "
            f"{sum(len(line.done) for line in lines)} steps answered by {asked} requests, "
            f"{sum(line.in_flight for line in lines)} in flight then, {time.monotonic() - began:.0f} s"
        )


needs_proc = pytest.mark.skipif(sys.platform != "linux", reason="it looks into /proc")


@needs_proc
def test_killed_chains_go_on(
    tmp_path: Path,
    asker: ModuleType,
    channel_for: Callable[[str], Any],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A chain of three steps over 200 rows, killed at random moments and run again until it is done: each
    step is asked exactly once more at most what was in flight, none before the one before it is on disk."""
    killed(3, tmp_path, asker, channel_for, capsys)


@needs_proc
@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_many_killed_chains_go_on(
    tmp_path: Path,
    asker: ModuleType,
    channel_for: Callable[[str], Any],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The same with 50 kills."""
    killed(50, tmp_path, asker, channel_for, capsys)


@pytest.mark.parametrize(("steps", "requests"), [(1, 3), (2, 12), (3, 39)])
def test_shared_beginnings_are_asked_once(
    steps: int, requests: int, channel_for: Callable[[str], Any], lab: lk.Lab
) -> None:
    """With three models on each step, two steps are 12 requests a sample and three are 39, for each repeat,
    by the server's own list; a second run asks none, a fresh one all."""
    channel = channel_for("openai")
    models = [channel.model(name, key_env="") for name in "xyz"]
    chain = chain_of(steps)
    crossed = lk.per_step(**{step.name: models for step in chain.steps})
    plan = lab.plan(prompts=[chain], models=[crossed], dataset=rows(2), repeats=2)
    run = plan.run(progress="none", policy=QUICK)
    assert len(channel.seen()) == requests * 2 * 2
    by_model = Counter(one["body"]["model"] for one in channel.seen())
    assert set(by_model.values()) == {requests * 4 // 3}
    assert len(run.generations()) == 3**steps * 2 * 2
    assert len(run.generations(steps=True)) == len(channel.seen())
    plan.run(progress="none", policy=QUICK)
    assert len(channel.seen()) == requests * 4
    plan.run(progress="none", policy=QUICK, fresh=True)
    assert len(channel.seen()) == 2 * requests * 4


def test_a_failed_step_ends_its_line(channel_for: Callable[[str], Any], lab: lk.Lab) -> None:
    """Where a step fails in 30 of 100 rows, what follows is never sent there; the chain's row says which step
    failed, the run is finished, and a resume asks exactly those rows anew from the step that failed."""
    channel = channel_for("openai")
    bad = {f"n{n}" for n in range(0, 90, 3)}
    refused = {"status": 400, "body": {"error": {"message": "no"}}}
    channel.script(then={"text": "yes"}, by={f"B yes {n}": [refused] for n in bad})
    model = channel.model(key_env="")
    run = lab.plan(prompts=[chain_of(3)], models=[model], dataset=rows(100)).run(
        progress="none", policy=QUICK
    )
    asked = Counter(map(text_of, channel.seen()))
    assert set(asked.values()) == {1}
    assert len(asked) == 100 + 100 + 70
    frame = run.generations().set_index("sample_id")
    failed = frame[frame["status"] == "failed"]
    assert len(failed) == len(bad)
    assert set(failed["failed_step"]) == {"b"}
    assert failed["text"].isna().all()
    assert (frame["status"] == "done").sum() == 70
    assert frame.loc[frame["status"] == "done", "failed_step"].isna().all()
    steps = run.generations(steps=True)
    assert steps.groupby(["step_name", "status"]).size().to_dict() == {
        ("a", "done"): 100, ("b", "done"): 70, ("b", "failed"): 30, ("c", "done"): 70, ("c", "stopped"): 30
    }  # fmt: skip
    assert run.status == "finished"
    again = run.resume(progress="none")
    later = Counter(map(text_of, channel.seen())) - asked
    assert set(later) == {f"{text} {n}" for n in bad for text in ("B yes", "C yes")}
    assert set(again.generations()["status"]) == {"done"}


def test_a_step_is_asked_again(channel_for: Callable[[str], Any], lab: lk.Lab) -> None:
    """A step that is refused for a while is asked again by itself; the step before it is not, and the chain's
    row sums attempts, waits and what may have been paid for."""
    channel = channel_for("openai")
    channel.script(then={"text": "yes"}, by={"B yes n0": [{"cut_after": 2}, {"status": 503}]})
    model = channel.model(key_env="")
    run = lab.plan(prompts=[chain_of(3)], models=[model], dataset=rows(1)).run(progress="none", policy=QUICK)
    assert list(map(text_of, channel.seen())) == ["A n0", "B yes n0", "B yes n0", "B yes n0", "C yes n0"]
    (whole,) = run.generations().itertuples()
    steps = run.generations(steps=True)
    assert (whole.status, whole.attempts, whole.maybe_paid) == ("done", 5, 1)
    for name in ("queue_s", "latency_s", "retry_s", "attempts", "input_tokens", "output_tokens"):
        assert getattr(whole, name) == pytest.approx(steps[name].sum())


@pytest.mark.parametrize("fault", ["key", "model", "gone"])
def test_a_step_whose_model_cannot_be_asked(
    fault: str, channel_for: Callable[[str], Any], lab: lk.Lab
) -> None:
    """A model that refuses its key, is not known, or cannot be reached ends the steps it was to answer and
    what follows them; other lines come to their end, and no request is sent in vain to others."""
    channel, lost = channel_for("openai"), channel_for("openai")
    channel.script(then={"text": "yes"})
    refusal = {
        "key": {"status": 401, "body": {"error": {"message": "bad key"}}},
        "model": {"status": 404, "body": {"error": {"message": "no such model", "code": "model_not_found"}}},
        "gone": {"reset": True},
    }[fault]
    lost.script(then=refusal)
    good, bad = channel.model("good", key_env=""), lost.model("bad", key_env="")
    per_step = lk.per_step(a=good, b=[good, bad], c=good)
    plan = lab.plan(prompts=[chain_of(3)], models=[per_step], dataset=rows(20))
    run = plan.run(
        progress="none", policy=Policy(backoff_s=0.01, backoff_cap_s=0.02, deadline_s=2, timeout_s=1)
    )
    assert Counter(text_of(one)[0] for one in channel.seen()) == {"A": 20, "B": 20, "C": 20}
    frame = run.generations()
    assert (frame["status"] == "done").sum() == 20
    rest = frame[frame["status"] != "done"]
    assert len(rest) == 20
    assert set(rest["failed_step"]) == {"b"}
    assert set(rest["model"]) == {"a: faulty/good, b: faulty/bad, c: faulty/good"}
    steps = run.generations(steps=True)
    assert len(steps) == 20 * 5
    lost.script(then={"text": "yes"})
    again = run.resume(progress="none")
    assert set(again.generations()["status"]) == {"done"}
    assert Counter(text_of(one)[0] for one in channel.seen()) == {"A": 20, "B": 20, "C": 40}


@pytest.mark.parametrize("how", ["stop", "stop_model"])
def test_stopped_and_resumed(how: str, channel_for: Callable[[str], Any], lab: lk.Lab) -> None:
    """Stopped in the middle, a run of chains has a row for every step and chain, asks nothing more, and a
    resume asks exactly what has no answer."""
    channel = channel_for("openai")
    channel.script(then={"text": "yes", "first_s": 0.02})
    model = channel.model(key_env="", concurrency=8)
    run = lab.plan(prompts=[chain_of(3)], models=[model], dataset=rows(60)).start(
        progress="none", policy=QUICK
    )
    while len(channel.seen()) < 70:
        time.sleep(0.005)  # the server can only be polled
    run.stop("enough", model="faulty/m" if how == "stop_model" else None)
    run.wait(20)
    before = Counter(map(text_of, channel.seen()))
    steps, whole = run.generations(steps=True), run.generations()
    assert (len(steps), len(whole)) == (180, 60)
    assert run.status == "stopped"
    done = steps[steps["status"] == "done"]
    assert 40 <= len(done) <= len(before) < 180
    assert set(whole["status"]) <= {"done", "stopped", "partial"}
    assert whole.loc[whole["status"] != "done", "failed_step"].notna().all()
    again = run.resume(progress="none")
    after = Counter(map(text_of, channel.seen())) - before
    assert after.total() == 180 - len(done)
    assert set(again.generations()["status"]) == {"done"}
    assert len(again.generations(steps=True)) == 180


def charged(seen: list[dict[str, Any]]) -> float:
    """What the server's own account comes to: model `free` costs nothing."""
    counts = [one["usage"] for one in seen if one["usage"] and one["body"]["model"] != "free"]
    return sum(made * USD_MTOK["input"] + said * USD_MTOK["output"] for made, said in counts) / 1e6


@pytest.mark.parametrize(
    ("first", "text", "times"),
    [("costs", "short", 1), ("free", "漢" * 300, 3), ("costs", "x" * 2000, 3)],
    ids=["short", "many bytes", "long"],
)
def test_a_budget_holds_for_chains(
    first: str, text: str, times: int, channel_for: Callable[[str], Any], lab: lk.Lab,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """With 64 in flight, a plain prompt beside a chain, broken streams, and answers of more bytes than was
    planned for, the server's account never exceeds the budget; nothing stays set aside, and a resume with
    more asks the rest."""
    from labkit.engine.executor import Executor
    from labkit.run import launch

    ran: list[Executor] = []

    def kept(*what: Any, **more: Any) -> Executor:
        ran.append(Executor(*what, **more))
        return ran[-1]

    monkeypatch.setattr(launch, "Executor", kept)
    channel = channel_for("openai")
    faults = [{"reset": True}, {"usage_to": [INPUT_TO, OUTPUT_TO], "cut_after": 5, "hard": True}]
    storm = {"share": 0.03, "of": faults, "for_s": 60}
    channel.script(
        then={"usage_to": [INPUT_TO, OUTPUT_TO], "text": text, "first_s": [0.01, 0.1], "storm": storm}
    )
    prices = {"dear": USD_MTOK, "costs": USD_MTOK, "free": {"input": 0.0, "output": 0.0}}
    dear, other = (
        channel.model(name, key_env="", concurrency=64, prices=prices[name]) for name in ("dear", first)
    )
    plan = lab.plan(
        prompts=[chain_of(3, times=times), lk.Prompt("plain", "P {{ n }}")],
        models=[lk.per_step(a=other, b=dear, c=[dear, other]), dear],
        dataset=rows(80),
        params={"max_tokens": OUTPUT_TO},
    )
    run = plan.run(progress="none", budget_usd=BUDGET_USD, policy=QUICK)
    assert charged(channel.seen()) <= BUDGET_USD
    assert run.status == "stopped"
    assert "BudgetExhausted" in set(run.generations()["error_type"])
    assert charged(channel.seen()) > BUDGET_USD / 4
    channel.script(then={"usage_to": [INPUT_TO, OUTPUT_TO], "text": text})
    more = run.resume(budget_usd=200.0, progress="none")
    assert charged(channel.seen()) <= 200.0
    assert set(more.generations()["status"]) <= {"done", "failed"}
    assert (more.generations()["status"] == "done").mean() > 0.9
    assert [executor.budget.reserved_usd for executor in ran] == [0, 0]


def apart(channel: Any, lab: lk.Lab, name: str) -> list[float]:
    """By how much of what is allowed (10 ms, 5 %, or what a stopwatch around the SDK differs for three
    requests) the latency of each chain differs from the server's clock, sorted."""
    allowed_s = max(0.010, STEPS * asyncio.run(sdk_s(channel)))
    channel.script(then={"text": "yes", "first_s": [0.05, 0.4], "gap_s": 0.01})
    model = channel.model(key_env="", concurrency=4)
    plan = lab.plan(prompts=[chain_of(STEPS, name=name)], models=[model], dataset=rows(24))
    frame = plan.run(progress="none", policy=QUICK).generations()
    took: Counter[str] = Counter()
    for one in channel.seen():
        took[text_of(one).split()[-1]] += one["ended"] - one["at"]
    names = {sample.id: sample.fields["n"] for sample in plan.design.dataset.samples}
    true_s = [took[names[row.sample_id]] for row in frame.itertuples()]
    return sorted(
        abs(mine - true) / max(allowed_s, 0.05 * true)
        for mine, true in zip(frame["latency_s"], true_s, strict=True)
    )


@pytest.mark.alone
def test_a_chain_takes_as_long_as_its_line(channel_for: Callable[[str], Any], lab: lk.Lab) -> None:
    """A chain's latency is the server's for its three requests, for four rows in five and in one of three
    rounds, as for single requests (`test_clocks`): machines have slow minutes."""
    rounds = (apart(channel_for("openai"), lab, f"told-{number}") for number in range(3))
    assert any(shares[len(shares) * 4 // 5] <= 1 for shares in rounds)


def test_a_chain_s_latency_is_the_sum_of_its_requests(channel: Any, lab: lk.Lab) -> None:
    """A chain's latency adds up its steps' own; what is replayed has none, nor has a chain with a replayed
    step."""
    channel.script(then={"text": "yes", "first_s": [0.01, 0.05]})
    model = channel.model(key_env="", concurrency=4)
    plan = lab.plan(prompts=[chain_of(STEPS)], models=[model], dataset=rows(24))
    run = plan.run(progress="none", policy=QUICK)
    frame, steps = run.generations(), run.generations(steps=True)
    summed = steps.groupby("sample_id")["latency_s"].sum()
    assert frame.set_index("sample_id")["latency_s"].to_dict() == pytest.approx(summed.to_dict(), rel=1e-12)
    assert (frame["queue_s"] >= 0).all()
    assert (frame["retry_s"] == 0).all()
    again = plan.run(progress="none").generations()
    assert pd.isna(again["latency_s"]).all()
    chain = chain_of(3).replace(steps=[*chain_of(3).steps[:2], lk.Step("c", "C again {{ b }} {{ n }}")])
    asked = lab.plan(prompts=[chain], models=[model], dataset=rows(24)).run(progress="none")
    assert Counter(text_of(one)[0] for one in channel.seen()) == {"A": 24, "B": 24, "C": 48}
    assert pd.isna(asked.generations()["latency_s"]).all()
    assert asked.generations(steps=True).query("step_name == 'c'")["latency_s"].notna().all()
