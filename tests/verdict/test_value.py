"""labkit.verdict: the sentences on the constructed cases, read one by one, and what holds for all of them."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit.errors import DefinitionError
from labkit.verdict import Verdict, verdict
from tests.verdict import frames

A, B, C = "x/A", "x/B", "x/C"
OVERTURN = "Missing answers could overturn that."
COSTS = {A: 0.002, B: 0.0012, C: 0.001}


def test_a_clear_win_names_range_price_and_time(frame, ones):
    """Better, cheaper and faster is said with a range for each, rounded outwards."""
    scores = {A: ones(0.55, 200, seed=1), B: ones(0.75, 200, seed=2)}
    found = verdict(frame(scores, cost_usd=COSTS, latency_s={A: 1.0, B: 0.7}))
    assert found.headline == "x/B is the better model, over 200 samples."
    assert found.sentences == (
        "x/B beats x/A by 10 to 30 points over 200 samples at 0.58× the price (0.54× to 0.62×). "
        "x/B took 0.67× the time (0.61× to 0.74×).",
    )
    row = found.frame().iloc[0]
    assert row["all_low"] * 100 >= 10
    assert row["all_high"] * 100 <= 30


def test_a_tie_claims_nothing_and_asks_for_a_margin(frame, ones):
    """Two equal rates are no proof of equality: the range is told, and what would be needed to say more."""
    found = verdict(frame({A: ones(0.5, 40, seed=1), B: ones(0.5, 40, seed=2)}))
    assert found.headline == "Which model is best is undecided between x/A and x/B."
    assert (
        "they are level over 40 samples, but anything from x/A 24 points behind to 24 points ahead"
        in (found.sentences[0])
    )
    assert "name a margin=" in found.sentences[0]
    assert "equal" not in found.headline


def test_undecided_says_how_many_more_samples(frame, ones):
    """An open pair is told with both ends, and with about how many samples would settle it."""
    found = verdict(frame({A: ones(0.5, 60, seed=1), B: ones(0.6, 60, seed=2)}, cost_usd=COSTS))
    (said,) = found.sentences
    assert said.startswith(
        "x/B against x/A is undecided: ahead by 10 points over 60 samples, but "
        "anything from 10 points behind to 29 points ahead fits. "
        "If the true difference is the one seen, about 380 more samples settle it with chance 0.8."
    )
    assert "beats" not in said


def test_cheaper_and_equal_needs_a_margin_to_be_said(frame):
    """With a margin two alike are called equal and the cheaper is named; without one they are undecided."""
    scores = {A: [1] * 190 + [0] * 210, B: [0] + [1] * 190 + [0] * 209}
    given = frame(scores, cost_usd={A: 0.002, B: 0.0006})
    found = verdict(given, margin=0.05)
    assert found.headline == "x/A and x/B are equal within 5 points over 400 samples."
    assert found.conclusion[0].startswith("The cheaper is x/B: USD 0.")
    assert (
        "are equal within 5 points over 400 samples (anything from x/A 1.0 points behind"
        in found.sentences[0]
    )
    assert "undecided" in verdict(given).headline
    assert "equal within" not in str(verdict(given))


def test_better_by_less_than_the_margin_is_both(frame):
    """A difference that is certain and does not matter is told as both."""
    scores = {A: [1] * 940 + [0] * 60, B: [1] * 960 + [0] * 40}
    found = verdict(frame(scores), margin=0.05)
    assert re.search(
        r"x/B beats x/A by .* points over 1,000 samples \(less than 5 points\)", found.sentences[0]
    )


def test_an_unknown_price_is_said_and_never_a_ratio(frame, ones):
    """What one costs is not known: no ratio with it, but one between those that are known."""
    scores = {A: ones(0.5, 200, seed=1), B: ones(0.7, 200, seed=2), C: ones(0.5, 200, seed=7)}
    found = verdict(frame(scores, cost_usd={A: None, B: 0.002}))
    with_a = [said for said in found.sentences if "x/A" in said]
    assert not any("price" in said or "costs" in said for said in with_a)
    assert any("the price (" in said for said in found.sentences if "x/A" not in said)
    assert "(not every answer of x/A has a known cost)" in str(found)
    both = verdict(frame({A: scores[A], B: scores[B]}, cost_usd={A: None}))
    assert "what x/A costs is not known" in both.sentences[0]
    nobody = verdict(frame({A: scores[A], B: scores[B]}, cost_usd={A: None, B: None}))
    assert "(what they cost is not known)" in str(nobody)
    assert "not known" not in nobody.sentences[0]


def test_missing_rows_are_counted_and_bounded(frame, ones):
    """Few missing answers leave the claim standing; many could overturn it, as the headline says."""
    few = verdict(frame({A: ones(0.5, 200, seed=1), B: [None] * 5 + ones(0.8, 195, seed=2)}))
    assert (
        "x/B is better whatever the missing scores of 5 of 200 pairs of answers would have been."
        in (few.sentences[0])
    )
    many = verdict(frame({A: ones(0.5, 100, seed=1), B: [None] * 30 + ones(0.8, 70, seed=2)}))
    assert many.headline == "x/B is the better model, over 70 samples. Missing answers could overturn that."
    assert "But 30 of 100 pairs of answers lack a score: from their worst to their best" in many.sentences[0]
    assert "without a score: 30 of 100 of x/B (30 failed)" in many.notes


def test_one_sample_says_nothing_about_others(frame):
    """With one sample in common there is no interval, and no claim."""
    found = verdict(frame({A: [0], B: [1]}))
    assert found.sentences == (
        "x/B and x/A have one sample in common (x/B ahead by 100 points); "
        "that says nothing about other samples.",
    )
    assert "undecided" in found.headline


def test_all_failed_is_said_per_model(frame, ones):
    """Where nothing was answered there is nothing to compare, and each model's failures are counted."""
    found = verdict(frame({A: [None] * 5, B: [None] * 5}))
    assert found.headline == (
        "No model has a scored answer, so there is nothing to compare: none of 10 requests got an "
        'answer (10 failed; run.generations()["error_message"] tells why).'
    )
    assert (
        found.sentences[0] == "x/A has no scored answer (of 5 asked, 5 failed), so nothing can be said of it."
    )
    one = verdict(frame({A: [None] * 20, B: ones(0.5, 20)}))
    assert one.headline.startswith("Only x/B has scored answers: 50 points (29 to 71) over 20 samples.")


def test_identical_answers_are_not_called_equal(frame, ones):
    """The same score on every sample still leaves a range that fits."""
    found = verdict(frame({A: ones(0.5, 40), B: ones(0.5, 40)}))
    assert (
        "scored the same on all 40 samples; a true difference of up to 7 points either way still fits"
        in (found.sentences[0])
    )


def test_forty_models_lead_with_the_best(frame, ones):
    """780 pairs: the headline names who is left, the text shows ranks, sentences and frame have all pairs."""
    found = verdict(frame({f"x/m{i:02d}": ones(0.3 + 0.015 * i, 100, seed=i) for i in range(40)}))
    assert re.fullmatch(
        r"Which model is best is undecided over 100 samples: x/m39 has the best mean, "
        r"\d+ others are not shown to be worse; \d+ other models are beaten\.",
        found.headline,
    )
    assert len(found.frame()) == len(found.sentences) == 780
    assert all(said.startswith("x/m39") for said in found.sentences[:12])
    assert "All 780 pairs: see .sentences and .frame()." in str(found)
    assert len(str(found).splitlines()) < 30


def test_free_models_are_told_as_free(frame, ones):
    """A cost of 0 is known and makes no ratio: who charges what is said."""
    scores = {"local/a": ones(0.5, 100, seed=1), "openai/b": ones(0.7, 100, seed=2)}
    found = verdict(frame(scores, cost_usd={"local/a": 0.0}))
    assert "openai/b charges USD 1.08 for 1,000 answers, local/a nothing." in found.sentences[0]
    free = {"local/a": scores["local/a"], "local/b": scores["openai/b"]}
    both = verdict(frame(free, cost_usd={"local/a": 0.0, "local/b": 0.0}))
    assert "neither charges for an answer" in both.sentences[0]


def test_prompts_are_held_equal_when_models_are_compared(frame, ones):
    """Over two prompts, samples stay the units: 100 samples count as 100, not 200."""
    first = frame({A: ones(0.5, 100, seed=1), B: ones(0.7, 100, seed=2)}, prompt="p")
    second = frame({A: ones(0.6, 100, seed=1), B: ones(0.75, 100, seed=2)}, prompt="q")
    both = pd.concat([first, second], ignore_index=True)
    row = verdict(both).frame().iloc[0]
    assert (row["n"], row["samples"]) == (200, 100)
    assert row["wins"] + row["ties"] + row["losses"] == 100
    assert "prompts held equal" in verdict(both).notes[0]
    assert verdict(both, by="prompt").headline == "q is the better prompt, over 100 samples."
    assert len(verdict(both, by=["prompt", "model"]).frame()) == 6


def test_a_missing_prompt_of_one_model_does_not_bend_the_comparison(frame):
    """Where a model lacks answers under the easy prompt, only cells that both have are compared."""
    easy, hard = frame({A: [1] * 50, B: [1] * 50}), frame({A: [0] * 50, B: [0] * 50}, prompt="hard")
    easy.loc[easy["model"] == A, ["score.exact", "status"]] = [None, "failed"]
    row = verdict(pd.concat([easy, hard], ignore_index=True)).frame().iloc[0]
    assert row["difference"] == 0
    assert row["missing"] == 50


def test_scores_without_bounds_and_lower_is_better(frame):
    """Differences come in the score's own units; with better='lower' the smaller one wins."""
    rng = np.random.default_rng(0)
    given = frame({A: list(rng.normal(20, 5, 100)), B: [None, *rng.normal(24, 5, 99)]}, scale=None)
    assert verdict(given).headline == "x/B is the better model, over 99 samples. " + OVERTURN
    found = verdict(given, better="lower")
    assert found.headline == "x/A is the better model, over 99 samples. " + OVERTURN
    assert "the score has no declared bounds, so the worst case cannot be told" in found.sentences[0]
    assert "points" not in found.sentences[0]
    assert "lower is better" in found.notes[0]
    assert found.contenders["name"].tolist() == [A, B]


def test_holm_may_decide_what_the_joint_range_does_not_bound(frame, ones):
    """A pair that only Holm decides is told with an upper end alone, in the table too; a note says why."""
    for seed in range(60):
        scores = {
            A: ones(0.5, 80, seed=seed),
            B: ones(0.66, 80, seed=seed + 100),
            C: ones(0.95, 80, seed=seed + 200),
        }
        found = verdict(frame(scores))
        rows = found.frame()
        hit = rows[rows["decided"] & (rows["all_low"] <= 0)]
        if len(hit):
            place = int(hit.index[0])
            assert " by up to " in found.sentences[place]
            assert re.search(r"\(above 0 to \d+\)</td><td[^>]*>yes<", found.html())
            assert any("gives it no lower limit" in note for note in found.notes)
            return
    pytest.fail("no such study among 60")


def test_a_watched_study_uses_intervals_that_hold_at_any_moment(frame, ones):
    """They are wider, decide alone, give no p value, and the notes say so."""
    given = frame({A: ones(0.5, 200, seed=1), B: ones(0.8, 200, seed=2)})
    plain, watched = verdict(given).frame().iloc[0], verdict(given, watched=True).frame().iloc[0]
    assert watched["all_low"] < plain["all_low"] < plain["all_high"] < watched["all_high"]
    assert np.isnan(watched["p_holm"])
    assert bool(watched["decided"]) == (watched["all_low"] > 0)
    assert "at any moment of stopping" in str(verdict(given, watched=True))
    given.attrs["scales"] = {}
    with pytest.raises(DefinitionError, match="no declared bounds"):
        verdict(given, watched=True)


def test_decided_pairs_never_contradict_their_intervals(frame, ones):
    """In random studies: 'beats' only where Holm decides, never where the pair's own interval has 0."""
    rng = np.random.default_rng(11)
    for seed in range(30):
        scores = {f"x/{n}": ones(rng.uniform(0.2, 0.9), int(rng.integers(12, 90)), seed=seed) for n in "abcd"}
        found = verdict(frame(scores), margin=0.1)
        for row, said in zip(found.frame().to_dict("records"), found.sentences, strict=True):
            assert (" beats " in said) == bool(row["decided"])
            if row["decided"]:
                assert row["low"] > 0
            if row["answer"] == "better":
                assert row["all_low"] > 0.1
            if row["answer"] == "equal":
                assert -0.1 < row["all_low"] <= row["all_high"] < 0.1
            for low, high in re.findall(r"by ([\d.]+) to ([\d.]+) points", said):
                assert float(low) <= row["all_low"] * 100 + 1e-6
                assert float(high) >= row["all_high"] * 100 - 1e-6


@settings(max_examples=12, deadline=None)
@given(
    st.integers(0, 10_000),
    st.integers(2, 7),
    st.integers(2, 80),
    st.sampled_from([(0, 1, 1), (0, 1, None), (1, 5, 1), None]),
    st.sampled_from([None, 0.1]),
)
def test_sentence_and_table_tell_the_same_numbers(seed, models, n, scale, margin):
    """In random studies each number of a pair's sentence stands in its row; "yes" never beside a 0 inside."""
    rng = np.random.default_rng(seed)
    top = 5 if scale and scale[1] == 5 else 1
    scores = {
        f"x/{'abcdefg'[place]}": [
            float(one)
            if scale == (0, 1, None) or scale is None
            else int(one > rng.random()) * (top - 1) + top // 5
            for one in rng.random(n) * rng.uniform(0.3, 1.5)
        ]
        for place in range(models)
    }
    scores = {name: [min(one, float(top)) for one in given] for name, given in scores.items()}
    found = verdict(
        frames.frame(scores, scale=scale, cost_usd={"x/a": 0.004}, latency_s={"x/a": 0.2}), margin=margin
    )
    page = found.html(contenders=False)
    heads = re.findall(r"<th[^>]*>([^<]*)</th>", page)
    rows = [re.findall(r"<td[^>]*>([^<]*)</td>", row) for row in re.findall(r"<tr>(.*?)</tr>", page)[1:]]
    assert len(rows) == len(found.sentences) == models * (models - 1) // 2
    for said, cells in zip(found.sentences, rows, strict=True):
        row = dict(zip(heads, cells, strict=True))
        difference = row["difference (points)" if "difference (points)" in row else "difference"]
        seen, _, spread = difference.removesuffix(")").partition(" (")
        low, _, high = spread.partition(" to ")
        score = said.partition(". ")[0]
        if told := re.search(r" by (\d(?:[\d.,]*\d)?) to (\d(?:[\d.,]*\d)?)", score):
            assert told.groups() == (low, high)
        if told := re.search(r" by up to (\d(?:[\d.,]*\d)?)", score):
            assert (low, told[1]) == ("above 0", high)
        if told := re.search(r": ahead by (\d(?:[\d.,]*\d)?)", score):
            assert told[1] == seen
        ends = re.findall(
            r"(\d(?:[\d.,]*\d)?)(?: points?)? (behind|ahead)", re.sub(r": ahead by \d[\d.]*", "", score)
        )
        if len(ends) == 2:
            assert [("−" if side == "behind" else "") + number for number, side in ends] == [low, high]
        if row["decided"].startswith("yes") and spread != "no range":
            assert low == "above 0" or float(low.replace(",", "")) > 0
        for ratio, range_ in re.findall(r"([\d.]+×) the price \(([^),]*)", said):
            assert row["price"] == f"{ratio} ({range_})"
        for ratio, range_ in re.findall(r"([\d.]+×) the time \(([^),]*)", said):
            assert row["time"] == f"{ratio} ({range_})"


def test_against_compares_with_one_only(frame, ones):
    """A named opponent leaves one pair per other contender, and so a smaller correction."""
    scores = {A: ones(0.5, 60, seed=1), B: ones(0.6, 60, seed=2), C: ones(0.7, 60, seed=3)}
    found = verdict(frame(scores), against=A)
    assert len(found.frame()) == 2
    with pytest.raises(DefinitionError, match="against='nobody'"):
        verdict(frame(scores), against="nobody")


def test_clusters_are_whole(frame):
    """Samples of one author count together: ten authors are ten units, and the interval is wider."""
    given = frame({A: [0] * 50 + [1] * 50, B: [1] * 100})
    given["sample.author"] = given["sample_id"].str[1:4]
    wide = verdict(given, clusters="sample.author").frame().iloc[0]
    narrow = verdict(given).frame().iloc[0]
    assert wide["all_high"] - wide["all_low"] > narrow["all_high"] - narrow["all_low"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"by": "sample_id"}, "compare by 'model'"),
        ({"by": []}, "compare by 'model'"),
        ({"score": "nope"}, "no score 'nope'"),
        ({"margin": 0}, "margin is 0"),
        ({"level": 95}, "level is 95"),
        ({"better": "best"}, "better='best'"),
        ({"clusters": "sample.nope"}, "no column 'sample.nope'"),
    ],
)
def test_wrong_wishes_are_definition_errors(frame, change, words):
    """What cannot be compared is refused with what is wrong."""
    with pytest.raises(DefinitionError, match=re.escape(words)):
        verdict(frame({A: [1, 0], B: [0, 1]}), **change)


def test_nothing_scored_and_nothing_asked_are_said(frame):
    """Frames without a score or without rows cannot be judged, and the error says what to do."""
    given = frame({A: [1], B: [0]})
    with pytest.raises(DefinitionError, match=r"run\.score"):
        verdict(given.drop(columns="score.exact"))
    with pytest.raises(DefinitionError, match="run the plan first"):
        verdict(given.iloc[:0])


def test_what_keeps_it_from_comparing_is_said_and_not_counted_as_no_pairs(frame):
    """A scorer that failed throughout, one contender, no sample in common: the value's one line says why."""
    failing = frame({A: [1, 0], B: [0, 1]}).assign(**{"score.exact": float("nan")})
    told = {"answers": 4, "failed": 4, "reason": "TypeError: <b>", "reasons": 1}
    failing.attrs["failures"] = {"exact": told}
    assert repr(verdict(failing)) == (
        "Verdict(exact by model: No model has a scored answer, so there is nothing to compare: "
        "scorer 'exact' failed on 4 of 4 answers: TypeError: <b>.)"
    )
    assert "<b>" not in verdict(failing)._repr_html_().replace("<b></b>", "")
    alone = verdict(frame({A: [1, 0, 1]}))
    assert alone.headline.startswith("Only one model was asked, x/A: 67 points (")
    assert alone.headline.endswith("There is nothing to compare; ask another model beside it.")
    assert alone.headline in repr(alone)
    over = pd.concat([frame({A: [1, 0]}, prompt=prompt) for prompt in "pq"], ignore_index=True)
    assert "its prompts can be compared: by='prompt'" in verdict(over).headline
    apart = frame({A: [1, 0], B: [0, 1]})
    apart["sample_id"] = list("abcd")
    assert "No two share a scored sample, so they cannot be compared" in repr(verdict(apart))


def test_a_score_that_is_not_there_names_the_nearest(frame):
    """A slip of the pen is met with the name that was meant."""
    with pytest.raises(DefinitionError, match="no score 'exakt'; the nearest: 'exact'"):
        verdict(frame({A: [1, 0], B: [0, 1]}), "exakt")


def test_answers_cut_more_often_for_one_are_told(frame, ones):
    """Where shares differ each contender's is told, and that it may bend it all; else only the sum."""
    given = frame({A: ones(0.5, 40, seed=1), B: ones(0.8, 40, seed=2)}).assign(stop_reason="stop")
    assert not any("max_tokens" in note for note in verdict(given).notes)
    given.loc[given["model"] == A, "stop_reason"] = "max_tokens"
    (said,) = [note for note in verdict(given).notes if "max_tokens" in note]
    assert said == (
        "40 of 80 answers ended at max_tokens, 40 of 40 of x/A: that alone may make one look worse"
    )
    alike = verdict(given.assign(stop_reason="max_tokens")).notes
    assert "80 of 80 answers ended at max_tokens" in alike


def test_a_scorer_that_failed_on_some_is_told(frame, ones):
    """What lacks a score for that reason is no answer's fault: the notes give the reason."""
    given = frame({A: ones(0.5, 40, seed=1), B: ones(0.8, 40, seed=2)})
    given.attrs["failures"] = {"exact": {"answers": 80, "failed": 3, "reason": "KeyError", "reasons": 1}}
    assert "scorer 'exact' failed on 3 of 80 answers: KeyError" in verdict(given).notes


class _Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}


ELEMENTS = {
    "div", "p", "strong", "ul", "li", "table", "thead", "tbody", "tr", "th", "td", "br", "details", "summary",
}  # fmt: skip


def test_hostile_names_make_no_element(frame, ones):
    """Names of models, prompts and scorers are shown as their characters, whatever they hold."""
    bad = ["x/<img src=x onerror=alert(1)>", "x/\u202eB</script><script>alert(1)</script>"]
    given = frame({bad[0]: ones(0.5, 60, seed=1), bad[1]: ones(0.8, 60, seed=2)}, prompt="<svg onload=x>")
    given = given.rename(columns={"score.exact": "score.<b>x</b>"})
    found = verdict(given, by=["prompt", "model"])
    page = _Tags()
    page.feed(found._repr_html_())
    assert page.tags <= ELEMENTS
    assert page.attributes <= {"class", "style", "scope"}
    assert "\u202e" not in found._repr_html_() + str(found)


def test_the_value_shows_itself_in_one_line(frame, ones):
    """repr is one line; labels of a frame take the place of ids in sentences."""
    given = frame({A: ones(0.5, 60, seed=1), B: ones(0.8, 60, seed=2)})
    found = verdict(given)
    assert repr(found) == "Verdict(exact by model: 1 pair, 1 decided)"
    assert isinstance(found, Verdict)
    given.attrs["labels"] = {A: "Model A"}
    assert "Model A" in verdict(given).sentences[0]
    assert found.frame() is not found.pairs


def test_the_table_claims_no_more_than_the_sentences(frame, ones):
    """First and second, not better; no ratio without an interval; samples needed rounded as in sentences."""
    rows = frame({A: ones(0.5, 50, seed=1), B: ones(0.6, 50, seed=2)}, spread=0.1)
    wave = np.where(rows["model"] == A, np.sin(np.arange(len(rows)) / 7), 0.0)
    found = verdict(rows.assign(latency_s=rows["latency_s"] * np.exp(wave)))
    page = found._repr_html_()
    assert ">better<" not in page
    heads, cells = (re.findall(rf"<t{kind}[^>]*>([^<]*)</t{kind}>", page) for kind in "hd")
    told = dict(zip(heads, cells, strict=False))
    assert told["time"] == "–"
    assert "not compared" in found.sentences[0]
    assert f"about {told['samples needed']} more samples" in found.sentences[0]


def test_of_a_watched_study_that_ordinary_intervals_would_decide_no_number_is_told(frame, ones):
    """Its intervals are wider; that it takes at least one more sample would say nothing."""
    given = frame({A: ones(0.4, 200, seed=1), B: ones(0.55, 200, seed=2)})
    plain = verdict(given).frame().iloc[0]
    watched = verdict(given, watched=True)
    row = watched.frame().iloc[0]
    assert plain["decided"]
    assert not row["decided"]
    assert pd.isna(row["samples_needed"])
    assert "more sample" not in verdict(given, watched=True).sentences[0]


def test_a_word_that_is_nothing_to_compare_by_is_one_fault() -> None:
    """That the frame has no such column follows from it, and is not told beside it."""
    rows = [{"model": m, "sample_id": "1", "status": "done", "score.ok": 1.0} for m in "ab"]
    with pytest.raises(DefinitionError) as raised:
        verdict(pd.DataFrame(rows), by="prompts")
    assert raised.value.faults == (
        "by=['prompts']: compare by 'model', 'prompt' or ['prompt', 'model'], or of chains by a step: "
        "'step:NAME'",
    )
    with pytest.raises(DefinitionError, match="the frame has no column 'prompt'"):
        verdict(pd.DataFrame(rows), by="prompt")
