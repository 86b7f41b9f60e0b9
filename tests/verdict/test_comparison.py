"""labkit.verdict.comparison: two runs on the same cells."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from labkit.errors import DefinitionError
from labkit.verdict.comparison import compare


def _run(rate, *, seed, n=150, model="x/m", prompt="p", **columns):
    scores = (np.random.default_rng(seed).random(n) < rate) * 1.0
    frame = pd.DataFrame(
        {
            "generation_id": [f"{seed}-{i}" for i in range(n)],
            "prompt": prompt,
            "prompt_version": 1,
            "model": model,
            "sample_id": [str(i) for i in range(n)],
            "status": "done",
            "response_model": "m-2026-01",
            "price_id": "list:1",
            "request_id": [f"r{i}" for i in range(n)],
            "replayed_from": None,
            "latency_s": np.random.default_rng(seed + 1).lognormal(0, 0.2, n),
            "cost_usd": 0.001 * np.random.default_rng(seed + 2).lognormal(0, 0.2, n),
            "output_tokens": 20,
            "score.ok": scores,
        }
    )
    return frame.assign(**columns)


def test_nothing_changed_is_undecided():
    """Two runs at one rate differ by chance; that is undecided, and nothing recorded had changed."""
    found = compare(_run(0.7, seed=1), _run(0.7, seed=9))
    row = found.frame().iloc[0]
    assert (row["decided"], row["cause"], row["changed"]) == (False, "undecided", "")
    assert "is undecided: " in found.sentences[0]
    assert "Nothing that labkit records changed." in found.sentences[0]


def test_a_changed_resolved_model_explains_a_drop():
    """One thing changed and the score fell for certain: that is the cause, with both names."""
    found = compare(_run(0.9, seed=1), _run(0.6, seed=9, response_model="m-2026-10"))
    assert found.frame()["cause"].item() == "resolved model"
    assert "became worse by" in found.sentences[0]
    assert "the resolved model (m-2026-01 → m-2026-10)" in found.sentences[0]


def test_two_changes_at_once_cannot_be_told_apart():
    """Prompt and resolved model changed: the difference is told, its cause is not."""
    after = _run(0.95, seed=9, response_model="new", prompt_version=2, request_id="r-new")
    found = compare(_run(0.6, seed=1), after)
    assert found.frame()["cause"].item() == "several at once"
    assert "Which of them did it cannot be told." in found.sentences[0]
    assert "became better" in found.sentences[0]


def test_a_price_changes_the_cost_and_not_the_score():
    """A new price list is told with the ratio of costs, and never as the cause of a score."""
    after = _run(0.7, seed=9, price_id="list:2")
    after["cost_usd"] = after["cost_usd"] * 3
    found = compare(_run(0.7, seed=1), after)
    assert "the price (list:1 → list:2)" in found.sentences[0]
    assert "costs 3." in found.sentences[0] or "costs 2." in found.sentences[0]
    assert found.frame()["cause"].item() == "undecided"
    fallen = compare(_run(0.95, seed=1), _run(0.5, seed=9, price_id="list:2"))
    assert fallen.frame()["cause"].item() == "nothing that labkit records"


def test_changed_params_are_seen_by_the_request():
    """Another request under the same prompt version means params, endpoint or sample changed."""
    found = compare(_run(0.9, seed=1), _run(0.5, seed=9, request_id="other"))
    assert found.frame()["cause"].item() == "params, endpoint or sample"


def test_copies_are_left_out():
    """A replay of run A's answer in run B is no second answer: it is counted and left out."""
    before = _run(0.7, seed=1)
    copies = before.assign(replayed_from=before["generation_id"], generation_id="new", latency_s=None)
    assert "every answer of B is a replay of A's" in compare(before, copies).sentences[0]
    half = copies.copy()
    fresh = _run(0.7, seed=9)
    half.iloc[:75] = fresh.iloc[:75]
    found = compare(before, half)
    assert found.frame()["copies"].item() == 75
    assert found.frame()["samples"].item() == 75
    assert any("75 answers of run B replayed from run A" in note for note in found.notes)


def test_one_prompt_in_place_of_another_is_its_successor():
    """A renamed prompt is compared with the one it replaced, and named as what changed."""
    found = compare(_run(0.6, seed=1), _run(0.95, seed=9, prompt="p2", request_id="q"))
    row = found.frame().iloc[0]
    assert row["prompt"] == "p2"
    assert "prompt" in row["changed"]


def test_cells_of_one_run_only_are_counted():
    """Rows that the other run does not have are left out and said."""
    found = compare(_run(0.7, seed=1, n=100), _run(0.7, seed=9, n=60))
    assert found.frame()["samples"].item() == 60
    assert any("40 cells only in run A" in note for note in found.notes)


def test_runs_that_share_nothing_or_were_not_scored_are_refused():
    """Nothing in common, or no common scorer, is a DefinitionError."""
    other = pd.concat([_run(0.5, seed=3, model=f"y/{i}") for i in range(2)], ignore_index=True)
    with pytest.raises(DefinitionError, match="share no prompt and model"):
        compare(_run(0.5, seed=1), other)
    renamed = _run(0.5, seed=2).rename(columns={"score.ok": "score.other"})
    with pytest.raises(DefinitionError, match="no score in common: run A has 'ok', run B has 'other'"):
        compare(_run(0.5, seed=1), renamed)
    with pytest.raises(DefinitionError, match="run B: there is no score 'ok'"):
        compare(_run(0.5, seed=1), renamed, score="ok")


def test_a_run_whose_scorer_failed_says_so():
    """Throughout or on some answers: the notes name the run, the scorer and the reason."""
    before, after = _run(0.7, seed=1, n=40), _run(0.7, seed=9, n=40)
    told = {"answers": 40, "failed": 40, "reason": "KeyError: 'x'", "reasons": 1}
    after.attrs["failures"] = {"ok": told}
    some = compare(before, after).notes
    assert "run B: scorer 'ok' failed on 40 of 40 answers: KeyError: 'x'" in some
    every = compare(before, after.assign(**{"score.ok": float("nan")})).notes
    assert "run B has no score: scorer 'ok' failed on 40 of 40 answers: KeyError: 'x'" in every


@pytest.mark.parametrize("studies", [20, pytest.param(400, marks=pytest.mark.soak)])
def test_false_alarms_stay_at_the_level(studies):
    """Two equal runs over three models raise an alarm in no more than a few per cent (level 5 %)."""
    alarms = 0
    for seed in range(studies):
        before, after = (
            pd.concat([_run(0.6, seed=s + i, n=40, model=f"x/{i}") for i in range(3)], ignore_index=True)
            for s in (seed * 10, 5_000 + seed * 10)
        )
        alarms += bool(compare(before, after).frame()["decided"].any())
    assert alarms <= 0.05 * studies + 2.5 * (0.05 * studies) ** 0.5


def test_it_shows_itself_escaped():
    """HTML and text hold no markup of names."""
    found = compare(_run(0.9, seed=1, model="x/<b>"), _run(0.5, seed=9, model="x/<b>"))
    assert "<b>" not in found._repr_html_()
    assert repr(found) == "Comparison(ok: 1 rows, 1 decided)"


def test_notes_call_the_runs_by_their_names():
    """What was left out, and of which run, is told by the names given, made safe to show."""
    before, after = _run(0.7, seed=1, n=100), _run(0.7, seed=9, n=60)
    found = compare(before, after, names=("monday", "tues\u202eday"))
    assert "40 cells only in run monday, left out" in found.notes
    assert "\u202e" not in str(found) + found._repr_html_()
    copies = before.assign(replayed_from=before["generation_id"], generation_id="new")
    again = compare(before, copies, names=("monday", "tuesday"))
    assert "every answer of tuesday is a replay of monday's" in again.sentences[0]
    assert any("of run tuesday replayed from run monday" in note for note in again.notes)


def test_only_a_run_that_grew_is_said_to_have_grown():
    """A run's frame tells how often it grew; that it never did is no reason for a note."""
    before, after = _run(0.7, seed=1), _run(0.7, seed=9)
    before.attrs["grown"], after.attrs["grown"] = {"rows": 0, "others": 0}, {"rows": 0, "others": 1}
    said = [note for note in compare(before, after).notes if "made larger" in note]
    assert [note.split()[1] for note in said] == ["B"]


def test_latencies_of_runs_at_other_times_are_named_as_not_compared():
    """Two runs a day apart tell no ratio of times, and a note says why."""
    at = pd.Timestamp("2026-11-23", tz="UTC")
    before, after = _run(0.7, seed=1, started_at=at), _run(0.7, seed=9, started_at=at + pd.Timedelta(days=1))
    found = compare(before, after.assign(latency_s=after["latency_s"] * 3))
    assert "latencies are not compared: the two runs were not asked at the same time" in found.notes
    assert "as long" not in found.sentences[0]


def test_a_run_that_failed_throughout_is_counted():
    """No score in common: how many pairs of answers lack one."""
    before, after = _run(0.7, seed=1, n=40), _run(0.7, seed=9, n=40)
    found = compare(before, after.assign(status="failed", **{"score.ok": None}))
    assert "no sample has a score in both runs; 40 pairs of answers lack one." in found.sentences[0]


def test_two_runs_without_a_score_are_compared_by_what_there_is():
    """Answers, prices and tokens, and what had changed; which is better is not said, and what to do is."""
    before, after = (_run(0.7, seed=seed).drop(columns="score.ok") for seed in (1, 2))
    after.loc[:4, ["status", "cost_usd", "output_tokens"]] = ["failed", None, None]
    after["cost_usd"] *= 2
    found = compare(before, after, names=("monday", "tuesday"))
    (said,) = found.sentences
    answered = "p · x/m answered 150 of 150 in monday and 145 of 150 in tuesday. Nothing that labkit records"
    assert said.startswith(answered)
    assert "An answer now costs 2" in said
    assert said.endswith("not shown to differ.")
    assert found.notes[0].startswith("neither run was scored, so which is better is not said")
    assert found.scorer is None
    assert repr(found) == "Comparison(no score: 1 rows, 0 decided)"
    assert "cost_ratio" in found._repr_html_()
    assert not any(word in str(found) for word in ("nan", "None", "a score", "score:"))
    with pytest.raises(DefinitionError, match="no score in common"):
        compare(before, _run(0.7, seed=1))
