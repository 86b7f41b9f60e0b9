"""What labkit says of the constructed studies, word by word, and the right value of each truth case."""

from __future__ import annotations

import math

import pytest

from labkit.verdict import Verdict
from labkit.verdict.comparison import Comparison
from tests.verdict import studies


def test_the_sentences_are_those_that_were_read():
    """`sentences.md` is what is said today; `python -m tests.verdict.studies` writes it again, to be read."""
    assert studies.SENTENCES.read_text(encoding="utf-8") == studies.text()


def test_there_are_sixty_studies_and_more():
    """Each has a name of its own."""
    assert len({one.name for one in studies.STUDIES}) == len(studies.STUDIES) >= 60


# -- the truth cases: declared and undeclared ------------------------------------------------------


@pytest.mark.parametrize(
    "asked",
    [studies.two_ratings, studies.undeclared_two_ratings, studies.three_percents, studies.undeclared_three],
)
def test_no_scatter_is_no_certainty(asked):
    """Two ratings, or three at the ends of the scale, decide nothing: 0 lies inside the range."""
    found: Verdict = asked()
    (row,) = found.frame().to_dict("records")
    assert not row["decided"]
    assert row["all_low"] < 0 < row["all_high"]
    assert found.headline == "Which model is best is undecided between x/A and x/B."


@pytest.mark.parametrize("asked", [studies.two_runs_of_two, studies.undeclared_two_runs])
def test_no_scatter_between_two_runs_is_no_certainty(asked):
    """`compare` is as careful as the verdict."""
    found: Comparison = asked()
    (row,) = found.frame().to_dict("records")
    assert (row["decided"], row["cause"]) == (False, "undecided")
    assert row["low"] < 0 < row["high"]
    assert " is undecided: " in found.sentences[0]


def test_all_ties_leave_a_width():
    """On 0 to 100 what fits on 0 to 1; without bounds, no limit at all."""
    (row,) = studies.all_ties().frame().to_dict("records")
    assert row["all_high"] == pytest.approx(13.5, abs=0.1)
    assert row["all_low"] == -row["all_high"]
    (row,) = studies.undeclared_ties().frame().to_dict("records")
    assert (row["all_low"], row["all_high"]) == (-math.inf, math.inf)


@pytest.mark.parametrize("asked", [studies.equal_from_two, studies.undeclared_equal])
def test_two_samples_are_not_equal_within_a_margin(asked):
    """Alike on both, and not equal."""
    assert asked().frame()["answer"].item() == "cannot tell"


def test_a_mean_without_scatter_has_a_width():
    """Two fives have no limits where nothing is declared, and are told without any."""
    found = studies.undeclared_mean()
    row = found.contenders.set_index("name").loc["x/A"]
    assert (row["score_low"], row["score_high"]) == (-math.inf, math.inf)
    assert found.headline == "Only x/A has scored answers: 5.0 over 2 samples. There is nothing to compare."


@pytest.mark.parametrize(
    "asked",
    [
        studies.order_of_repeats,
        studies.undeclared_order,
        studies.order_makes_equal,
        studies.undeclared_order_equal,
    ],
)
def test_the_order_of_repeats_decides_nothing(asked):
    """All are ties; neither better nor equal."""
    (row,) = asked().frame().to_dict("records")
    assert (row["wins"], row["losses"], row["difference"]) == (0, 0, 0)
    assert not row["decided"]
    assert row["answer"] != "equal"


def test_forty_ties_leave_seven_points():
    """What still fits is told."""
    assert "a true difference of up to 7 points" in studies.order_makes_equal().sentences[0]


@pytest.mark.parametrize("asked", [studies.half_missing, studies.undeclared_half_missing])
def test_missing_answers_are_not_equal(asked):
    """Half of A is missing: not equal, and the headline says how many lack a score."""
    found: Verdict = asked()
    assert found.frame()["answer"].item() == "cannot tell"
    assert "Without a score: 200 of 400 answers of x/A." in found.headline


def test_the_worst_case_of_missing_answers_is_told():
    """55 points behind to 0.6 ahead, told outwards; without bounds none can be told."""
    (row,) = studies.half_missing().frame().to_dict("records")
    assert row["worst_low"] == pytest.approx(-0.006, abs=0.001)
    assert row["worst_high"] == pytest.approx(0.55, abs=0.01)
    assert "from x/B 1 point behind to 55 points ahead would fit" in studies.half_missing().sentences[0]
    assert "the worst case cannot be told" in studies.undeclared_half_missing().sentences[0]


@pytest.mark.parametrize("asked", [studies.same_half_missing, studies.undeclared_same_half])
def test_the_same_is_said_of_those_that_both_have(asked):
    """On the 50 that both have a score for, of 100."""
    said = asked().sentences[0]
    assert "scored the same on the 50 samples that both have a score for" in said
    assert "50 of 100 pairs of answers lack a score" in said


@pytest.mark.parametrize("asked", [studies.hidden_failures, studies.undeclared_hidden])
def test_a_comparison_hides_no_failures(asked):
    """40 of 100 failed: in the worst case it is no better."""
    found: Comparison = asked()
    assert found.frame()["missing"].item() == 40
    assert found.frame()["worst_low"].item() < 0
    assert "40 of 100 pairs of answers lack a score" in found.sentences[0]


@pytest.mark.parametrize("asked", [studies.price_by_chance, studies.undeclared_price])
def test_a_ratio_near_one_is_not_the_same_price(asked):
    """Not shown to differ, with the range."""
    assert "Their prices are not shown to differ (0.61× to 1.64×)." in asked().sentences[0]


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (studies.tiny, "by 0.00007 to 0.00011 over"),
        (studies.undeclared_tiny, "by 0.00007 to 0.00011 over"),
    ],
)
def test_digits_are_significant(asked, told):
    """A difference of 1e-4 keeps its digits."""
    assert told in asked().sentences[0]


@pytest.mark.parametrize("asked", [studies.labels_collide, studies.undeclared_labels])
def test_labels_that_collide_give_way_to_ids(asked):
    """Both are called GPT."""
    found: Verdict = asked()
    assert found.headline == "x/B is the better model, over 200 samples."
    assert "GPT" not in str(found)


@pytest.mark.parametrize(
    ("asked", "margin"), [(studies.margin_inside, "10 points"), (studies.undeclared_margin, "0.1")]
)
def test_a_margin_inside_the_range_is_told(asked, margin):
    """Decided, and whether by more than the margin is open."""
    found: Verdict = asked()
    (row,) = found.frame().to_dict("records")
    assert (row["decided"], row["answer"]) == (True, "cannot tell")
    assert f"(whether by more than {margin} cannot be told)" in found.sentences[0]


# -- what the studies found ------------------------------------------------------------------------


def test_contenders_beaten_in_a_circle_leave_nobody():
    """Each is beaten by another, on samples of their own: the headline says so."""
    found = studies.circle()
    assert found.frame()["decided"].all()
    assert found.headline.startswith("Which model is best is undecided: each of the 3 is beaten by another,")


def test_one_may_be_left_without_beating_all():
    """C beats B and B beats A; C and A were never compared, and nobody is said to beat both."""
    assert studies.only_one_left().headline.startswith("x/C is the only model that none is shown to beat,")


@pytest.mark.parametrize(
    ("asked", "what"), [(studies.prompt_replaced, "prompt"), (studies.model_replaced, "model")]
)
def test_a_successor_is_one_change_and_none_of_it_is_left_out(asked, what):
    """Another prompt is another request, another model resolves otherwise: one cause, no cell left out."""
    found: Comparison = asked()
    assert found.frame()["changed"].item() == what
    assert found.frame()["cause"].item() == what
    assert not any("left out" in note for note in found.notes)


def test_looks_before_each_growth_are_added_up():
    """5 % before the first growth, 2.5 % before the second, 1.25 % since: 8.75 % in all."""
    (said,) = [note for note in studies.grown_twice().notes if "made larger" in note]
    assert "at most 8.75 % of studies" in said


def test_prices_and_times_of_a_watched_study_are_not_called_watched():
    """Their ranges hold at one look; only those of scores hold at any moment."""
    assert any(
        "ranges of scores are 95 % intervals, at any moment of stopping; those of prices and times do not "
        "allow for earlier looks" in note
        for note in studies.watched_decided().notes
    )


def test_what_missing_scores_leave_standing_is_no_range():
    """In the worst case B is still better, but not by the range that was told."""
    found: Verdict = studies.few_missing()
    (row,) = found.frame().to_dict("records")
    assert 0 < row["worst_low"] < row["all_low"] - 0.01
    assert "x/B is better whatever the missing scores of 5 of 200" in found.sentences[0]
    assert "That holds" not in found.sentences[0]


def test_samples_of_one_price_ratio_are_no_interval_and_two_name_no_cheapest():
    """Without scatter the ratio is told as it was throughout; of two samples nobody is the cheapest."""
    found: Verdict = studies.two_prices()
    assert "x/A costs 0.50× what x/B does (throughout)" in found.sentences[0]
    assert "cheapest" not in found.headline


def test_runs_that_were_alike_may_still_differ():
    """`compare` tells how far, as the verdict does."""
    assert "a true difference of up to 10 points either way still fits" in studies.runs_alike().sentences[0]


def test_pairs_with_one_sample_are_not_counted_as_tested():
    """Of eight models one has no answer and one a single one: Holm corrects over 15 pairs."""
    assert any("Holm's correction over 15 pairs" in note for note in studies.some_unranked().notes)
