"""labkit.verdict.several: several scores in one value, each as sure as it says beside the others."""

from __future__ import annotations

from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit.errors import DefinitionError
from labkit.verdict import Verdict, Verdicts, verdict

A, B, C = "x/A", "x/B", "x/C"
SCALES = {"exact": (0, 1, 1), "tone": (1, 5, 1)}


def _study(seed: int, *, n: int = 30, models: int = 3, better: float = 0.0) -> pd.DataFrame:
    """A study by two declared scores and one without bounds; the last model is better by `exact`."""
    rng = np.random.default_rng(seed)
    rows = [
        {
            "prompt": "p",
            "model": f"x/{'ABCD'[model]}",
            "sample_id": f"s{sample}",
            "status": "done",
            "cost_usd": 0.001 * (1 + model),
            "score.exact": float(rng.random() < 0.4 + better * (model == models - 1)),
            "score.tone": int(rng.integers(1, 6)),
            "score.length": float(rng.integers(20, 80)),
        }
        for model in range(models)
        for sample in range(n)
    ]
    frame = pd.DataFrame(rows)
    frame.attrs["scales"] = dict(SCALES)
    return frame


@given(seed=st.integers(0, 10_000), score=st.sampled_from(["exact", "tone", "length"]))
@settings(max_examples=8, deadline=None)
def test_one_score_in_a_list_is_its_verdict(seed: int, score: str) -> None:
    """The same sentences, notes, numbers and table: a list of one corrects for nothing more."""
    frame = _study(seed, better=0.3)
    alone, found = verdict(frame, score), verdict(frame, [score])
    assert isinstance(alone, Verdict)
    assert isinstance(found, Verdicts)
    (one,) = found
    pd.testing.assert_frame_equal(one.frame(), alone.frame())
    assert str(one) == str(alone)
    assert one._repr_html_() == alone._repr_html_()


@given(seed=st.integers(0, 10_000), better=st.sampled_from([0.0, 0.2, 0.4]))
@settings(max_examples=10, deadline=None)
def test_more_scores_decide_no_more(seed: int, better: float) -> None:
    """What is decided beside other scores is decided alone, and its ranges hold those told alone."""
    frame = _study(seed, better=better)
    found = verdict(frame, ["exact", "tone", "length"], margin={"exact": 0.1})
    for one in found:
        alone = verdict(frame, one.scorer, margin=one.margin).frame()
        beside = one.frame()
        assert beside[["first", "second"]].equals(alone[["first", "second"]])
        assert (alone["decided"] | ~beside["decided"]).all()
        assert (beside["p_holm"] >= alone["p_holm"]).all()
        assert (beside["all_low"] <= alone["all_low"]).all()
        assert (beside["all_high"] >= alone["all_high"]).all()
        if one.margin is not None:
            assert ((beside["answer"] == alone["answer"]) | (beside["answer"] == "cannot tell")).all()


def test_all_pairs_of_all_scores_are_one_family() -> None:
    """Holm's p values over the rows of the whole frame, and Bonferroni's ranges over their number."""
    found = verdict(_study(3, better=0.4), ["exact", "tone", "length"])
    frame = found.frame()
    assert frame.columns[0] == "score"
    assert frame["score"].tolist() == ["exact"] * 3 + ["tone"] * 3 + ["length"] * 3
    order = np.argsort(frame["p_value"].to_numpy())
    right = np.minimum(1, np.maximum.accumulate(frame["p_value"].to_numpy()[order] * np.arange(9, 0, -1)))
    assert frame["p_holm"].to_numpy()[order].tolist() == pytest.approx(right.tolist())
    assert frame["decided"].tolist() == (frame["p_holm"] < 0.05).tolist()
    alone = verdict(_study(3, better=0.4), "tone", level=1 - 0.05 / 9).frame()
    assert frame.loc[3:5, "all_low"].tolist() == pytest.approx(alone["low"].tolist())


def test_each_sentence_says_by_which_score() -> None:
    """Headlines, sentences and notes carry the score's name; what is so for all is told once."""
    found = verdict(_study(1, n=200, models=2, better=0.4), ["exact", "length"], better={"length": "lower"})
    assert found.headline.splitlines()[0] == "By exact: x/B is the better model, over 200 samples."
    assert found.headline.splitlines()[1].startswith("By length: Which model is best is undecided")
    assert [said.partition(":")[0] for said in found.sentences] == ["exact", "length"]
    assert sum("Holm's correction over 2 pairs of all scores" in note for note in found.notes) == 1
    assert "length: no bounds declared, lower is better" in found.notes
    assert str(found).startswith(found.headline.splitlines()[0])
    assert found["exact"].headline == verdict(_study(1, n=200, models=2, better=0.4), "exact").headline
    assert repr(found) == "Verdicts(exact, length by model: 2 pairs, 1 decided)"
    assert found["length"].better == "lower"
    assert [one.scorer for one in found] == ["exact", "length"]
    assert len(found) == 2


def test_a_conclusion_by_several_scores_says_once_what_follows_by_several() -> None:
    """Which to use by the score that decides; what is cheapest where none does, behind the names of those."""
    found = verdict(_study(1, n=60, better=0.4), ["exact", "tone", "length"])
    assert found.conclusion == (
        "exact: Use x/C: it costs USD 3.00 for 1,000 answers.",
        "exact: It is dearer than x/A (3.00× the price, throughout) and than 1 other.",
        "tone, length: The cheapest is x/A: USD 1.00 for 1,000 answers, against USD 2.00 to 3.00.",
    )
    assert verdict(_study(1), ["tone", "length"]).conclusion == verdict(_study(1), "tone").conclusion


def test_a_study_that_grew_is_watched_where_it_can_be() -> None:
    """Bounded scores are watched, the others say that their looks are not counted; both count together."""
    frame = _study(2, n=60, models=2, better=0.5)
    frame.attrs["grown"] = {"rows": 1, "others": 0}
    found = verdict(frame, ["exact", "length"])
    assert found["exact"].watched
    assert not found["length"].watched
    assert any(
        note.startswith("exact: ranges of scores are") and "2 pairs of all scores" in note
        for note in found.notes
    )
    assert any("which its ranges do not count" in note for note in found.notes)
    alone = verdict(frame, "exact").frame().iloc[0]
    beside = found["exact"].frame().iloc[0]
    assert beside["all_high"] - beside["all_low"] > alone["all_high"] - alone["all_low"]
    plain = verdict(frame, "length").frame()["p_value"].iloc[0]
    assert found["length"].frame()["p_holm"].iloc[0] == pytest.approx(min(1, 2 * plain))


@pytest.mark.parametrize(
    ("wish", "words"),
    [
        ({"score": ["none", "exact", "exact", 3]}, ["no score 'none'", "no score 3", "'exact' twice"]),
        ({"score": []}, ["name at least one"]),
        ({"score": ["exact", "tone"], "better": {"length": "lower"}}, ["better= names 'length'"]),
        ({"score": ["exact", "tone"], "margin": 0.1}, ["different scales", "margin={'exact': …, 'tone': …}"]),
        ({"score": ["exact", "length"], "watched": True}, ["score 'length' has no declared bounds"]),
        (
            {"score": ["exact", "tone"], "margin": {"exact": -1}, "better": {"tone": "up"}},
            ["margin is -1", "better='up'"],
        ),
    ],
)
def test_wrong_wishes_are_refused_with_all_that_is_wrong(wish: dict[str, Any], words: list[str]) -> None:
    """Names, settings by score and margins, before anything is compared."""
    with pytest.raises(DefinitionError) as refused:
        verdict(_study(0), **wish)
    assert all(word in str(refused.value) for word in words)


def test_a_score_that_is_not_there_is_named() -> None:
    """Picking one by name says which there are."""
    with pytest.raises(DefinitionError, match="no verdict by 'tone' here; scores: 'exact', 'length'"):
        verdict(_study(0), ["exact", "length"])["tone"]


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.add(tag)


def test_its_html_is_escaped(frame: Callable[..., pd.DataFrame]) -> None:
    """A score and models with hostile names make no tag of their own."""
    name = "<script>alert(1)</script>\u202e"
    hostile = frame({"x/<img src=q>": [1, 0] * 10, B: [1, 1] * 10})
    hostile[f"score.{name}"] = hostile["score.exact"]
    found = verdict(hostile, ["exact", name])
    page = _Tags()
    page.feed(found._repr_html_())
    assert not page.tags & {"script", "img"}
    assert "\u202e" not in found._repr_html_() + str(found) + repr(found)
    assert "\n" not in repr(found)
