"""labkit.plan.past_answers: which earlier answers tell how long the next ones will be."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import labkit as lk
from labkit.plan.past_answers import history

Echo = Callable[..., Any]
ROWS = [{"n": f"number {n}"} for n in range(8)]


def seen(plan: lk.Plan) -> Any:
    """What the lab saw of a plan's prompts and models."""
    return history(plan.design, plan.services.store)


def planned(
    lab: lk.Lab, model: Any, *, prompt: Any = "Say {{ n }}", rows: Any = ROWS, **more: Any
) -> lk.Plan:
    """A plan of one prompt and one model."""
    return lab.plan(prompts=[prompt], models=[model], dataset=rows, **more)


def test_an_empty_lab_saw_nothing(lab: lk.Lab, echo: Echo) -> None:
    """Without answers there is no history."""
    assert seen(planned(lab, echo())) == {}


def test_answers_of_the_same_prompt_and_model_count(lab: lk.Lab, echo: Echo) -> None:
    """Each sample has one length, its input and the mean latency; all are of the design's own samples."""
    plan = planned(lab, echo(), repeats=2)
    plan.run()
    (found,) = seen(plan).values()
    assert found.answers == 16
    assert len(found.output_tokens) == len(found.input_tokens) == 8
    assert found.own
    assert found.by_sample
    assert found.latency_s is not None


@pytest.mark.parametrize(
    ("params", "counts"),
    [({"seed": 7}, True), ({"temperature": 0.5}, False), ({"max_tokens": 9}, False)],
)
def test_params_that_decide_the_length_must_agree(
    lab: lk.Lab, echo: Echo, params: dict[str, Any], counts: bool
) -> None:
    """Another seed leaves the history as it is; another temperature, limit or effort begins a new one."""
    planned(lab, echo()).run()
    assert bool(seen(planned(lab, echo(), params=params))) is counts


def test_the_text_counts_and_not_the_name(lab: lk.Lab, echo: Echo) -> None:
    """A prompt edited under its name has no history; the same text under another name has it."""
    planned(lab, echo(), prompt=lk.Prompt("say", "Say {{ n }}")).run()
    assert not seen(planned(lab, echo(), prompt=lk.Prompt("say", "Shout {{ n }}")))
    assert seen(planned(lab, echo(), prompt=lk.Prompt("tell", "Say {{ n }}")))


def test_another_model_or_version_has_no_history(lab: lk.Lab, echo: Echo) -> None:
    """Answers of another model, or of another version behind the same id, say nothing."""
    planned(lab, echo("a")).run()
    assert not seen(planned(lab, echo("b")))
    assert not seen(planned(lab, echo("a", version="2")))


def test_failures_and_replays_do_not_count(lab: lk.Lab, echo: Echo) -> None:
    """Only what was really answered counts, and once."""
    plan = planned(lab, echo())
    plan.run()
    planned(lab, echo(), experiment="again").run()
    (found,) = seen(plan).values()
    assert found.answers == 8
    broken = planned(lab, echo("broken", answers=lambda request: 1 / 0))
    broken.run()
    assert not seen(broken)


def test_other_samples_count_until_there_are_enough_own(lab: lk.Lab, echo: Echo) -> None:
    """Answers to another dataset serve until five of the own samples are answered."""
    planned(lab, echo(), rows=[{"n": f"other {n}"} for n in range(6)], experiment="other").run()
    plan = planned(lab, echo())
    (found,) = seen(plan).values()
    assert (found.own, len(found.output_tokens), dict(found.input_tokens)) == (False, 6, {})
    plan.head(3).run()
    (found,) = seen(plan).values()
    assert (found.own, len(found.output_tokens), len(found.input_tokens)) == (False, 9, 3)
    plan.head(5).run()
    (found,) = seen(plan).values()
    assert (found.own, len(found.output_tokens)) == (True, 5)


def test_repeats_of_few_samples_count_each(lab: lk.Lab, echo: Echo) -> None:
    """A prompt without variables has one sample, so each of its answers is one to learn from."""
    plan = lab.plan(prompts=["Tell me a story"], models=[echo()], repeats=6)
    plan.run()
    (found,) = seen(plan).values()
    assert not found.by_sample
    assert len(found.output_tokens) == found.answers == 6
