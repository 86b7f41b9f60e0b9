"""Chains against a server that keeps its own account: killed, failing, under a budget, by the clock."""

from __future__ import annotations

import random
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import labkit as lk
from tests.faults.test_kills import Nursery
from tests.faults.test_kills import asker as asker  # a fixture

STEPS = 3


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
                    time.sleep(0.001)
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
            time.sleep(
                0.005
            )  # until the server has noticed that the killed one is gone: it can only be polled
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
            f"\nkills of asking chains (seed {seed}): {sum(line.kills for line in lines)} in {len(lines)} labs; "
            f"{sum(len(line.done) for line in lines)} steps answered by {asked} requests, "
            f"{sum(line.in_flight for line in lines)} in flight at the kills; {time.monotonic() - began:.0f} s"
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
    killed(4, tmp_path, asker, channel_for, capsys)


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
