"""labkit.plan.token_counts: input tokens, counted and set right."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import labkit as lk
from labkit.catalog.model import Model
from labkit.datasets import load
from labkit.design import build
from labkit.plan.past_answers import Seen
from labkit.plan.token_counts import Counts, _line, count
from labkit.prompts import Prompt

SCRIPTED = Model("scripted/m", client=lk.Script(["x"], version="1"))


def made(rows: int = 20, model: Model = SCRIPTED) -> Any:
    """A design over samples of growing length."""
    return build(
        experiment="e",
        workspace="w",
        prompts=[Prompt("p", "Say {{ n }}")],
        models=[model],
        params=[{}],
        dataset=load([{"id": f"s{n}", "n": "word " * (n + 5)} for n in range(rows)]),
    )


def counted(past: Seen | None, *, rows: int = 20) -> Counts:
    """Counts for the second half of the samples."""
    design = made(rows)
    return Counts(design, design.places[rows // 2 :], past=past)


def told(factor: float, samples: int, *, spread: float = 0.0) -> Seen:
    """A provider that counts `factor` times what the text's length says, give or take."""
    design, plain = made(), counted(None)
    true = {}
    for n in range(samples):
        wobble = 1 + spread * (1 if n % 2 else -1)
        true[design.dataset.samples[n].id] = plain.of(n)[2] * factor * wobble
    return Seen(answers=samples, output_tokens=(1.0,) * samples, input_tokens=true)


def test_a_count_from_length_is_a_quarter_wide() -> None:
    """Without any answer the ends lie a quarter apart from the middle each way, and the way is named."""
    counts = counted(None)
    low, high, likely = counts.of(15)
    assert low == pytest.approx(likely * 0.75, abs=1)
    assert high == pytest.approx(likely * 1.25, abs=1)
    assert counts.ways == {"estimated: 4 bytes a token"}


def test_answers_set_a_count_right() -> None:
    """Where a provider counts half as much again, as for other languages, later counts follow it."""
    plain, right = counted(None), counted(told(1.5, 10))
    low, high, likely = right.of(15)
    assert likely == pytest.approx(plain.of(15)[2] * 1.5)
    assert low == pytest.approx(likely, rel=0.03)
    assert high == pytest.approx(likely, rel=0.03)
    assert low < likely < high  # true counts are whole numbers: where they agree, the next may be one more
    assert right.right == "set right by what the provider counted for 10 answers, if the rest are alike"
    assert plain.right == ""


def test_what_a_provider_adds_to_each_request_is_no_factor() -> None:
    """Forty tokens more for each request, as for tools it tells of, are forty more for a longer one too."""
    plain, past = counted(None), told(1.0, 10)
    added = {sample: true + 40 for sample, true in past.input_tokens.items()}
    right = counted(replace(past, input_tokens=added))
    assert right.of(19)[2] == pytest.approx(plain.of(19)[2] + 40)


def test_samples_of_one_length_have_no_line() -> None:
    """Where all counts seen are equal their mean ratio sets the others right, as wide as it scatters."""
    even = _line([(20.0, 30.0), (20.0, 32.0), (20.0, 31.0), (20.0, 30.0), (20.0, 32.0)], [20.0] * 8, 0.9)
    assert (even.more, even.times) == (0.0, pytest.approx(1.55))
    assert 0 < even.off < 0.1


@pytest.mark.parametrize("answers", [5, 20, 50])
def test_the_sum_of_the_input_holds(answers: int) -> None:
    """Lognormal lengths of which a provider counts 12 and a share that varies: the sum lies in the range."""
    rng, held, studies = np.random.default_rng(answers), 0, 300
    for _ in range(studies):
        counted_ = np.ceil(50 * np.exp(rng.normal(size=answers + 200))) + 4
        true = np.round(12 + counted_ * 0.9 * np.exp(0.1 * rng.normal(size=len(counted_))))
        pairs = list(zip(counted_[:answers], true[:answers], strict=True))
        line = _line(pairs, list(counted_[answers:]), 0.92)
        total = counted_[answers:].sum()
        held += abs(true[answers:].sum() - 200 * line.more - total * line.times) <= total * line.off
    # Three standard errors below .92; the mean of true ÷ counted held in 89, 13 and none of a hundred.
    assert held / studies >= 0.873


def test_what_answers_do_not_agree_on_stays_open() -> None:
    """The more the true counts scatter about the counted ones, the wider the ends; never below nothing."""
    tight, loose = counted(told(1.0, 10, spread=0.02)), counted(told(1.0, 10, spread=0.3))
    assert tight.of(15)[1] - tight.of(15)[0] < loose.of(15)[1] - loose.of(15)[0]
    assert counted(told(1.0, 6, spread=0.99)).of(15)[0] >= 0


def test_few_answers_set_nothing_right() -> None:
    """Up to four answers, or answers to samples that are not here, leave the count as it is."""
    assert counted(told(3.0, 4)).of(15) == counted(None).of(15)
    strange = Seen(answers=9, output_tokens=(1.0,) * 9, input_tokens={f"x{n}": 9.0 for n in range(9)})
    assert counted(strange).of(15) == counted(None).of(15)


def test_an_exact_count_is_left_alone() -> None:
    """What a model's own tokenizer counted needs no setting right."""

    def exact(model: Model, messages: Any) -> tuple[int, int, str]:
        return 7, 7, "its own tokenizer"

    counts = Counts(made(), made().places[10:], counter=exact, past=told(2.0, 10))
    assert counts.of(15) == (7, 7, 7)
    assert counts.ways == {"its own tokenizer"}


def test_each_sample_is_counted_once() -> None:
    """Asking twice for a sample counts its messages once."""
    calls = []

    def counting(model: Model, messages: Any) -> tuple[int, int, str]:
        calls.append(messages)
        return count(model, messages)

    counts = Counts(made(), made().places[10:], counter=counting)
    assert counts.of(3) == counts.of(3)
    assert len(calls) == 1
