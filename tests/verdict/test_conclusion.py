"""labkit.verdict.conclusion: what follows for use claims no more than the pairs show."""

from __future__ import annotations

import re

import pandas as pd
import pytest

from labkit.verdict import verdict
from tests.verdict import studies

A, B, C = "x/A", "x/B", "x/C"


@pytest.fixture
def scores(ones):
    """Three models of which C is the best by far."""
    return {A: ones(0.3, 200, seed=1), B: ones(0.5, 200, seed=2), C: ones(0.9, 200, seed=3)}


def test_the_best_is_told_with_its_price_its_time_and_who_is_cheaper_and_faster(frame, scores):
    """Each with the ratio and range that the pair's own sentence has."""
    costs, seconds = {A: 0.001, B: 0.002, C: 0.004}, {A: 0.5, B: 1.5, C: 1.0}
    found = verdict(frame(scores, cost_usd=costs, latency_s=seconds))
    use, dearer, slower = found.conclusion
    row = found.contenders.iloc[0]
    assert use.startswith(f"Use x/C: it costs USD {row['cost_per_1k_usd']:.2f} for 1,000 answers and takes ")
    assert re.fullmatch(r"It is dearer than x/A \(.*\) and than 1 other\.", dearer)
    assert re.fullmatch(r"It is slower than x/A \(.*\)\.", slower)
    (pair,) = [said for said in found.sentences if said.startswith("x/C beats x/A")]
    assert dearer.partition("(")[2].partition("×")[0] + "× the price" in pair
    assert slower.partition("(")[2].partition("×")[0] + "× the time" in pair


def test_the_cheapest_and_fastest_best_is_said_to_be_both(frame, scores):
    """Cheaper and faster than both others, by the interval of each pair."""
    given = frame(scores, cost_usd={C: 0.0001}, latency_s={C: 0.1})
    assert verdict(given).conclusion[1:] == (
        "It is cheaper than both others.",
        "It is faster than both others.",
    )


def test_where_no_difference_is_shown_none_is_claimed(frame, scores):
    """Prices and times by chance alone; where they are not known, nothing is said of them."""
    assert verdict(frame(scores)).conclusion[1:] == ("None of the others is shown to be cheaper or faster.",)
    silent = verdict(frame(scores, cost_usd=dict.fromkeys(scores), latency_s=dict.fromkeys(scores)))
    assert silent.conclusion == ("Use x/C.",)


def test_what_missing_answers_could_overturn_is_no_plain_advice(frame, ones):
    """And of two the pair's sentence tells the rest."""
    given = frame({A: ones(0.5, 100, seed=1), B: [None] * 30 + ones(0.8, 70, seed=2)})
    (said,) = verdict(given).conclusion
    assert said.startswith("As far as is known, use x/B: it costs ")


def test_between_those_that_are_left_the_cheapest_and_the_fastest_are_named(frame, ones):
    """By what is shown of all pairs of them; the beaten are not among them."""
    scores = {A: ones(0.1, 200, seed=1), B: ones(0.8, 200, seed=2), C: ones(0.82, 200, seed=3)}
    found = verdict(frame(scores, cost_usd={A: 1e-6, B: 0.001, C: 0.003}, latency_s={B: 2.0, C: 1.0}))
    assert "undecided between x/C and x/B" in found.headline
    assert found.conclusion[0].startswith("Of those not beaten, the cheaper is x/B: USD 1.")
    assert found.conclusion[1].startswith("Of those not beaten, the faster is x/C: ")


def test_one_free_model_charges_nothing():
    """Two prompts on one free model are called by the model's name, in the singular."""
    rows = [
        {"prompt": prompt, "model": model, "sample_id": sample, "status": "done", "score.ok": sample % 2,
         "cost_usd": cost, "latency_s": 1.0}
        for prompt in ("ask", "steps") for model, cost in (("x/free", 0.0), ("x/paid", 0.02))
        for sample in range(12)
    ]  # fmt: skip
    said = verdict(pd.DataFrame(rows), by=["prompt", "model"], bounds=(0, 1), step=1).conclusion[0]
    assert said == "x/free charges nothing, the others USD 20.0 for 1,000 answers."


def test_free_models_are_told_once_and_by_their_own_names():
    """Of nine combinations the local ones charge nothing; their three prompts are not named."""
    found = studies.nine_combinations()
    assert found.conclusion[0].startswith("examples · fake/dept-1 beats ask · SmolLM2 135M Instruct by ")
    assert "charge nothing, the others USD 0.0" in found.conclusion[1]
    (free,) = [note for note in found.notes if "charge nothing" in note]
    assert free.startswith("Gemma 3 270M and SmolLM2 135M Instruct charge nothing; for 1,000 answers ")
    assert not any("charge" in said for said in found.sentences)


def test_what_all_pairs_share_stands_once_in_the_notes():
    """Conditions of timing, the samples, what more samples mean: no sentence tells them, none is lost."""
    found = studies.nine_combinations()
    (conditions,) = [note for note in found.notes if note.startswith("timed under other conditions")]
    assert "over HTTP, 4 in flight: fake/dept-1; inside labkit, 1 in flight: Gemma 3 270M" in conditions
    for said in found.sentences:
        assert len(said) < 300
        assert not re.search("in flight|over 30 samples|with chance", said)
        local = "fake/dept-1" not in said
        assert not (local and "under other conditions" in said)
        if " the time (" in said and not local:
            assert said.endswith(", timed under other conditions.")
    assert " over 30 samples: " in found.headline
    assert sum("with chance 0.8" in note for note in found.notes) == 1


def test_one_contender_has_one_name_on_a_page():
    """Short labels in sentences and in the table of pairs, the whole one in the summary's; ids nowhere."""
    page = studies.nine_combinations().html()
    assert "local/" not in page
    assert page.count("Gemma 3 270M (few-shot base model)") == 3
    assert page.count("<tr>") == 1 + 9 + 1 + 36
    assert "<summary>All 36 pairs, one by one</summary>" in page


def test_a_notebook_folds_many_pairs_and_a_report_has_all(frame, ones):
    """Of fifteen models a notebook shows 66 of 105 pairs and says where the others are."""
    found = verdict(frame({f"x/m{i:02d}": ones(0.3 + 0.04 * i, 60, seed=i) for i in range(15)}))
    assert "and 39 more pairs, in .frame() and in a report" in found._repr_html_()
    assert "more pairs" not in found.html()
    assert found.html().count("<li>") == len(found.ranks) + 105


def test_labels_alike_give_ids_in_the_summary_too(frame, ones):
    """Two models with one label are told apart in every table."""
    given = frame({A: ones(0.5, 60, seed=1), B: ones(0.8, 60, seed=2)})
    given.attrs["labels"] = {A: "GPT", B: "GPT"}
    page = verdict(given).html()
    assert "GPT" not in page
    assert isinstance(verdict(given).contenders, pd.DataFrame)
