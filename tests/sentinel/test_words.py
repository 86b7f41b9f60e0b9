"""labkit.sentinel.words: each sentence says what its interval says, and reads as a person would say it."""

from __future__ import annotations

from typing import Any

import pytest

from labkit.sentinel.causes import Cause
from labkit.sentinel.finding import Finding
from labkit.sentinel.words import Told, sentence, sentences

MODEL = Cause("the resolved model", "gpt-4o-2026-08 → gpt-4o-2026-11")
PROMPT = Cause("the prompt", "version 3 → version 4")
LONGER = Cause("the length of answers", "38 % more tokens", is_part=True)
LIST = Cause("the price list", is_part=True)
SINCE = "2026-11-20T02:15:00+00:00"


def told(metric: str, said: str, *, score: bool = True, **given: Any) -> str:
    """The sentence of one finding, without its name."""
    beside: dict[str, Any] = {
        "baseline": "2026-11",
        "margin": 0.02 if score else 1.1,
        "better": "higher",
        "causes": (),
        "unsure": "",
        "list_factor": None,
        "unit": score,
        "nearer": False,
        "confirmed": True,
    }
    beside |= {name: given.pop(name) for name in list(given) if name in beside and name != "better"}
    if "better" in given:
        beside["better"] = given["better"]
    if score and "change" in given:
        given |= {"before": 0.81, "now": 0.81 + given["change"]}
    finding = Finding(
        prompt="ask", model="m", metric=metric, said=said, samples=given.pop("samples", 100), **given
    )
    said_of, _, rest = sentence(finding, Told(**beside)).partition(": ")
    assert said_of == f"ask · m, {'exact' if score else 'price' if metric == 'cost' else metric}"
    return rest


SCORES = [
    (
        {"said": "worse", "by": "quick", "change": -0.08, "low": -0.126, "high": -0.041, "causes": (MODEL,)},
        "worse by 4 to 13 points than baseline 2026-11 (0.810 then, 0.730 now, 100 rows, re-asked "
        "and confirmed). Changed: the resolved model (gpt-4o-2026-08 → gpt-4o-2026-11)."
    ),
    (
        {"said": "worse", "by": "slow", "change": -0.03, "low": -0.052, "high": -0.011},
        "worse by 1 to 6 points than baseline 2026-11 (0.810 then, 0.780 now, 100 rows, seven "
        "nights pooled). Nothing that labkit records changed since the baseline.",
    ),
    (
        {
            "said": "worse", "by": "quick", "change": -0.08, "low": -0.126, "high": -0.041,
            "causes": (MODEL, PROMPT),
        },
        "worse by 4 to 13 points than baseline 2026-11 (0.810 then, 0.730 now, 100 rows, re-asked "
        "and confirmed). Changed: the resolved model (gpt-4o-2026-08 → gpt-4o-2026-11), the prompt "
        "(version 3 → version 4). Which of them did it cannot be told apart.",
    ),
    (
        {
            "said": "worse", "by": "quick", "stands": True, "since": SINCE, "change": -0.07, "low": -0.12,
            "high": -0.02,
        },
        "still worse by 2 to 12 points than baseline 2026-11 (0.810 then, 0.740 now, 100 rows, "
        "since 2026-11-20). Nothing that labkit records changed since the baseline.",
    ),
    (
        {
            "said": "worse", "by": "quick", "stands": True, "since": SINCE, "change": -0.01, "low": -0.06,
            "high": 0.04, "nearer": True,
        },
        "the alarm of 2026-11-20 stands; tonight is nearer to the baseline, and one more such night"
        " in a row ends it (0.810 then, 0.800 now, 100 rows).",
    ),
    (
        {
            "said": "worse", "by": "slow", "stands": True, "since": SINCE, "change": 0.0, "low": -0.05,
            "high": 0.05,
        },
        "the alarm of 2026-11-20 stands, though tonight alone does not show it (0.810 as before, "
        "100 rows).",
    ),
    (
        {"said": "not shown to be worse", "change": -0.01, "low": -0.045, "high": 0.025},
        "not shown to be worse (0.810 then, 0.800 now, 100 rows); a drop of up to 5 points could "
        "have gone unseen.",
    ),
    (
        {"said": "not shown to be worse", "change": 0.0, "low": -0.015, "high": 0.015},
        "at most 1.5 points worse, within the margin of 2 points (0.810 as before, 100 rows).",
    ),
    (
        {"said": "not shown to be worse", "change": -0.01, "low": -0.018, "high": -0.004},
        "worse by 0.4 to 1.8 points, within the margin of 2 points (0.810 then, 0.800 now, 100 "
        "rows).",
    ),
    (
        {"said": "not shown to be worse", "change": 0.06, "low": 0.02, "high": 0.1},
        "better by 2 to 10 points than baseline 2026-11 (0.810 then, 0.870 now, 100 rows).",
    ),
    (
        {
            "said": "not shown to be worse", "change": -0.05, "low": -0.1, "high": 0.0,
            "unsure": "it looked worse, and asked once more it did not",
        },
        "not shown to be worse (0.810 then, 0.760 now, 100 rows); a drop of up to 10 points could "
        "have gone unseen. It looked worse, and asked once more it did not.",
    ),
    (
        {"said": "not shown to be worse", "change": 1.0, "samples": 1},
        "not shown to be worse (0.810 then, 1.81 now, 1 row); how far it may have fallen cannot be "
        "told.",
    ),
    (
        {"said": "cannot tell", "unsure": "31 of 100 rows have no fresh answer (RateLimited: 28)"},
        "cannot tell: 31 of 100 rows have no fresh answer (RateLimited: 28).",
    ),
    ({"said": "absent", "unsure": "the baseline has none"}, "nothing to measure (the baseline has none)."),
]  # fmt: skip


@pytest.mark.parametrize(("given", "expected"), SCORES, ids=range(len(SCORES)))
def test_what_is_said_of_a_score(given: dict[str, Any], expected: str) -> None:
    """In points, rounded outwards, with what it rests on and what changed."""
    assert told("score.exact", **given) == expected


RATIOS = [
    (
        "cost",
        {
            "said": "worse", "by": "quick", "change": 1.4, "low": 1.31, "high": 1.58, "causes": (LONGER,),
        },
        "worse: an answer costs 1.40× as much as in baseline 2026-11 (1.31× to 1.58×), 100 rows, "
        "re-asked and confirmed. The price list did not change. Changed: the length of answers (38 "
        "% more tokens).",
    ),
    (
        "cost",
        {
            "said": "worse", "by": "quick", "change": 1.8, "low": 1.6, "high": 2.0, "list_factor": 1.3,
            "causes": (LONGER, LIST),
        },
        "worse: an answer costs 1.80× as much as in baseline 2026-11 (1.60× to 2.00×), 100 rows, "
        "re-asked and confirmed. The price list alone makes it 1.30×. Changed: the length of "
        "answers (38 % more tokens), the price list.",
    ),
    (
        "cost",
        {
            "said": "worse", "by": "certain", "change": 1.5, "low": 1.5, "high": 1.5, "list_factor": 1.5,
            "causes": (LIST,),
        },
        "worse: an answer costs 1.50× as much as in baseline 2026-11 (the same for every row), 100 "
        "rows, by the price list. Changed: the price list.",
    ),
    (
        "cost",
        {"said": "not shown to be worse", "change": 1.02, "low": 0.98, "high": 1.06},
        "an answer costs 1.02× as much as in baseline 2026-11 (0.98× to 1.06×)."
    ),
    (
        "latency",
        {"said": "not shown to be worse", "change": 1.2, "low": 0.9, "high": 1.6, "margin": 1.25},
        "an answer takes 1.20× as long as in baseline 2026-11 (0.90× to 1.60×); not shown to be "
        "slower than 1.25×."
    ),
    (
        "latency",
        {
            "said": "worse", "by": "quick", "stands": True, "since": SINCE, "change": 0.9, "low": 0.8,
            "high": 1.0, "nearer": True, "margin": 1.25,
        },
        "the alarm of 2026-11-20 stands; tonight is nearer to the baseline, and one more such night"
        " in a row ends it: an answer takes 0.90× as long as in baseline 2026-11 (0.80× to 1.00×).",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("metric", "given", "expected"), RATIOS, ids=range(len(RATIOS)))
def test_what_is_said_of_a_price_or_a_time(metric: str, given: dict[str, Any], expected: str) -> None:
    """As a ratio, with how much of a price is the list's."""
    assert told(metric, score=False, **given) == expected


def test_a_score_that_is_better_when_lower_is_told_by_how_much_it_rose() -> None:
    """And without points where it was not declared from 0 to 1."""
    said = told(
        "score.exact",
        "worse",
        by="quick",
        change=4.0,
        low=3.1,
        high=5.2,
        better="lower",
        unit=False,
        margin=1.0,
    )
    assert said.startswith("worse by 3 to 6 than baseline 2026-11")


def test_what_is_worse_stands_first_and_what_is_absent_is_left_out() -> None:
    """Then what cannot be told."""
    kinds: tuple[Any, ...] = ("not shown to be worse", "absent", "cannot tell", "worse")
    found = [Finding(prompt="p", model="m", metric="cost", said=one, sentence=one) for one in kinds]
    assert sentences(found) == ["worse", "cannot tell", "not shown to be worse"]
