"""Chains whose answers are known: which of them serve which cell, and which are asked anew."""

from __future__ import annotations

import itertools
from collections import Counter
from typing import Any

import pytest

import labkit as lk

SAME = [{"text": "x", "id": str(n)} for n in range(3)]
"""Samples that ask the same."""


class Asked:
    """Models that answer the first step all alike, and later ones each time otherwise, and count."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self._numbers = itertools.count()

    def model(self, name: str, version: str | None = "1") -> lk.Model:
        """One of them; without a version it has no identity."""

        def reply(request: Any) -> str:
            text = request.messages[-1]["content"]
            self.counts[f"{name}:{text[0]}"] += 1
            return "same" if text.startswith("A") else f"{next(self._numbers)} {text}"

        return lk.Model(f"scripted/{name}", client=lk.Script(reply, version=version))

    def told(self) -> dict[str, int]:
        """How often each model was asked each step since this was called last."""
        told, self.counts = dict(self.counts), Counter()
        return told


@pytest.fixture
def asked() -> Asked:
    return Asked()


CHAIN = lk.Chain(
    "c", lk.Step("a", "A {{ text }}"), lk.Step("b", "B {{ a }}"), lk.Step("c", "C {{ b }} {{ a }}")
)


def texts(run: lk.Run) -> dict[Any, str]:
    """What was answered, by cell."""
    frame = run.generations().set_index(["model", "sample_id", "repeat"])
    return dict(frame["text"].items())


def test_equal_answers_keep_their_own(lab: lk.Lab, asked: Asked) -> None:
    """Where the first step answers several cells alike, each keeps what followed for it, on every replay."""
    a, b = asked.model("a"), asked.model("b")
    crossed = lk.per_step(a=[a, b], b=[a, b], c=b)
    plan = lab.plan(prompts=[CHAIN], models=[crossed], dataset=SAME, repeats=2)
    first = texts(plan.run(progress="none"))
    assert len(set(first.values())) == len(first) == 24
    asked.told()
    run = plan.run(progress="none")
    assert texts(run) == first
    assert asked.told() == {}
    original = lab.sql(
        "select generation_id, text, replayed_from from generations where replayed_from is not null"
    )
    of = dict(
        lab.sql("select generation_id, text from generations where replayed_from is null").itertuples(
            index=False
        )
    )
    assert all(of[row.replayed_from] == row.text for row in original.itertuples())
    assert len(set(original["replayed_from"])) == len(original) == 24


def test_a_sample_that_is_left_out_takes_no_answer_along(lab: lk.Lab, asked: Asked) -> None:
    """With fewer or more samples that ask the same, those that were there keep their answers where their draw
    is the same, and only what is new is asked."""
    a = asked.model("a")
    everything = texts(lab.plan(prompts=[CHAIN], models=[a], dataset=SAME).run(progress="none"))
    asked.told()
    fewer = texts(lab.plan(prompts=[CHAIN], models=[a], dataset=SAME[:2]).run(progress="none"))
    assert fewer.items() <= everything.items()
    more = lab.plan(prompts=[CHAIN], models=[a], dataset=[*SAME, {"text": "x", "id": "3"}]).run(
        progress="none"
    )
    assert everything.items() <= texts(more).items()
    assert asked.told() == {"a:A": 1, "a:B": 1, "a:C": 1}


def test_shared_answers_are_followed_once(lab: lk.Lab, asked: Asked) -> None:
    """With duplicates="share", cells that ask the same share the whole chain, and its row says of which it
    is a copy; a fresh run asks all of it anew, once."""
    a = asked.model("a")
    for fresh in (False, True):
        plan = lab.plan(prompts=[CHAIN], models=[a], dataset=SAME, repeats=2, duplicates="share")
        run = plan.run(progress="none", fresh=fresh)
        assert asked.told() == {"a:A": 2, "a:B": 2, "a:C": 2}
        frame = run.generations()
        assert set(frame["status"]) == {"done"}
        for _, same in frame.groupby("repeat"):
            assert same["text"].nunique() == 1
            (original,) = same.loc[same["replayed_from"].isna(), "generation_id"]
            assert set(same["replayed_from"].dropna()) == {original}
            assert same["latency_s"].notna().sum() == 1


@pytest.mark.parametrize(
    ("without", "again"),
    [
        ("abc", {"u:A": 3, "u:B": 3, "u:C": 3}),
        ("a", {"u:A": 3, "a:B": 3, "a:C": 3}),
        ("b", {"u:B": 3, "a:C": 3}),
        ("c", {"u:C": 3}),
    ],
)
def test_a_step_without_identity_is_asked_anew(
    without: str, again: dict[str, int], lab: lk.Lab, asked: Asked
) -> None:
    """A model whose answers cannot be identified is asked in every run, and so is all that follows it; what
    is before it is replayed."""
    a, u = asked.model("a"), asked.model("u", version=None)
    plan = lab.plan(
        prompts=[CHAIN],
        models=[lk.per_step(**{step: u if step in without else a for step in "abc"})],
        dataset=SAME,
    )
    plan.run(progress="none")
    asked.told()
    run = plan.run(progress="none")
    assert asked.told() == again
    assert set(run.generations()["status"]) == {"done"}
    assert run.generations()["latency_s"].isna().all() == (without in "bc")


def test_a_study_of_chains_grows(lab: lk.Lab, asked: Asked) -> None:
    """More rows, repeats and models ask what is new and nothing else; again tells the grown plan, and asks
    nothing."""
    a, b, c = map(asked.model, "abc")
    rows = [{"text": f"x{n}"} for n in range(6)]
    chain = CHAIN.replace(steps=CHAIN.steps[:2])
    plan = lab.plan(prompts=[chain], models=[lk.per_step(a=[a, b], b=[a, b])], dataset=rows)
    run = plan.sample(3).run(progress="none")
    assert asked.told() == {"a:A": 3, "b:A": 3, "a:B": 6, "b:B": 6}
    run = run.more(rows=2, progress="none")
    assert asked.told() == {"a:A": 2, "b:A": 2, "a:B": 4, "b:B": 4}
    run = run.more(repeats=1, progress="none")
    assert asked.told() == {"a:A": 5, "b:A": 5, "a:B": 10, "b:B": 10}
    run = run.more(models=[lk.per_step(a=a, b=c)], progress="none")
    assert asked.told() == {"c:B": 10}
    frame = run.generations()
    assert len(frame) == 5 * 5 * 2
    assert set(frame["status"]) == {"done"}
