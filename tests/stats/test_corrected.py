"""labkit.stats.corrected: what people would say of all samples, from a judge and some labels."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from labkit.stats.adjusted_t import adjusted_t
from labkit.stats.corrected import Corrected, corrected_difference, corrected_mean
from labkit.stats.label_planning import labels_for_width, labels_to_decide
from labkit.stats.scale import Scale

RIGHT, NAN = Scale(0, 1, 1), math.nan
LABELS = [float(y) for y in "11101011011011100111"] + [NAN] * 80
JUDGED = [float(f) for f in "11111011010111101111"] + [1.0] * 66 + [0.0] * 14

pytestmark = pytest.mark.filterwarnings("error")

values = st.sampled_from([-2.0, -1.0, 0.0, 0.5, 3.0])
rows = st.lists(st.tuples(st.one_of(values, st.just(NAN)), st.one_of(values, st.just(NAN))), max_size=40)


def told(found, place=0):
    """All numbers of a column."""
    whole = [
        found.estimate,
        found.low,
        found.high,
        found.p_value,
        found.weight,
        found.error,
        found.label_worth,
    ]
    return [float(of[place]) for of in whole]


def drawn(seed, n=30, others=90, columns=1):
    """Labels of some samples and a judge that is about right, a column for each study."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(1, 6, (n + others, columns)).astype(float)
    judged = np.clip(truth + rng.integers(-1, 2, truth.shape), 1, 5)
    return np.where(np.arange(n + others)[:, None] < n, truth, NAN), judged


def plain_ppi(labels, judged):
    """PPI++ for a mean in plain numbers: weight, estimate and standard error, all variances by n − 1."""
    labelled = ~np.isnan(labels)
    y, f, rest = labels[labelled], judged[labelled], judged[~labelled]
    n, others = len(y), len(rest)
    weight = np.cov(y, f)[0, 1] / ((1 + n / others) * np.var(judged, ddof=1))
    weight = min(max(weight, 0.0), 1.0)
    estimate = y.mean() + weight * (rest.mean() - f.mean())
    variance = np.var(y - weight * f, ddof=1) / n + weight**2 * np.var(rest, ddof=1) / others
    return weight, estimate, math.sqrt(variance)


def test_the_reference_table_is_met():
    """Twenty labels and eighty others: weight, estimate, error and Student's interval as published."""
    found = corrected_mean(LABELS, JUDGED)
    error, reach = found.t.plain_error[0], scipy.stats.t.ppf(0.975, found.freedom[0])
    assert found.weight[0] == pytest.approx(0.508344, abs=1e-6)
    assert found.estimate[0] == pytest.approx(0.712709, abs=1e-6)
    assert error == pytest.approx(0.094261, abs=1e-6)
    limits = (found.estimate[0] - reach * error, found.estimate[0] + reach * error)
    assert limits == pytest.approx((0.515418, 0.909999), abs=1e-6)
    assert found.labels_alone(0).estimate == pytest.approx(0.7)
    assert found.alone.plain_error[0] == pytest.approx(0.105131, abs=1e-6)


def test_it_is_ppi_python_with_its_divisors():
    """Their tuned weight divides by n where ours divides by n − 1; with it their estimate is ours."""
    found = corrected_mean(LABELS, JUDGED)
    theirs = found.weight[0] * 19 / 20
    apart = np.mean(JUDGED[20:]) - np.mean(JUDGED[:20])
    assert found.labels_alone(0).estimate + theirs * apart == pytest.approx(0.712073, abs=1e-6)


def test_fifty_random_tables_agree_with_the_plain_formula():
    """Weight, estimate and the error without imagined samples are those of a few lines of numpy."""
    labels, judged = drawn(0, columns=50)
    found = corrected_mean(labels, judged, scale=Scale(1, 5, 1))
    for place in range(50):
        ours = (found.weight[place], found.estimate[place], found.t.plain_error[place])
        assert ours == pytest.approx(plain_ppi(labels[:, place], judged[:, place]), rel=1e-9)


@given(rows)
def test_the_weight_lies_between_nothing_and_all(table):
    """Whatever was labelled and judged, the weight is 0 to 1, a label is worth one or more, nothing warns."""
    labels, judged = (np.array([row[place] for row in table], dtype=float) for place in (0, 1))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for clusters in (None, np.arange(len(table)) // 3):
            found = corrected_difference(labels, judged, clusters=clusters)
            assert 0 <= found.weight[0] <= 1
            assert found.label_worth[0] >= 1
            assert found.judge_alone(0).n == (~np.isnan(judged)).sum()


@given(rows)
def test_p_and_interval_agree(table):
    """p is below 5 % exactly where the 95 % interval excludes 0, and the estimate lies in the interval."""
    labels, judged = (np.array([row[place] for row in table], dtype=float) for place in (0, 1))
    found = corrected_difference(labels, judged, scale=Scale(0, 4))
    if found.n[0] > 1:
        assert found.low[0] <= found.estimate[0] <= found.high[0]
        if abs(found.p_value[0] - 0.05) > 1e-9:
            assert (found.p_value[0] < 0.05) == found.interval(0).excludes(0)


@pytest.mark.parametrize("clusters", [None, np.repeat(np.arange(30), 4)])
def test_labels_for_all_samples_are_labels_alone(clusters):
    """Where people have labelled everything the judge has no say."""
    labels, judged = drawn(1, n=120, others=0)
    found = corrected_difference(labels - 3, judged - 3, clusters=clusters)
    alone = adjusted_t(labels - 3, clusters)
    assert found.weight[0] == 0
    assert found.label_worth[0] == 1
    assert (found.low[0], found.high[0]) == pytest.approx([end[0] for end in alone.limits(0.95)], rel=1e-12)
    assert found.p_value == pytest.approx(alone.p_value(), rel=1e-12)
    assert found.interval(0).low == pytest.approx(found.labels_alone(0).low, rel=1e-12)


@pytest.mark.parametrize("says", [0.1, NAN])
def test_a_judge_that_tells_samples_not_apart_is_told_and_changes_nothing(says):
    """The same value for all, or none: weight 0, labels alone, and no warning."""
    found = corrected_mean(LABELS, [says] * 100, scale=RIGHT)
    assert found.blind.tolist() == [True]
    assert found.weight.tolist() == [0]
    assert (found.low[0], found.high[0]) == pytest.approx(
        (found.labels_alone(0).low, found.labels_alone(0).high)
    )
    assert not corrected_mean(LABELS, JUDGED).blind[0]


def test_where_the_judge_starts_counting_does_not_matter():
    """A judge that is kinder to everything by the same is worth as much."""
    labels, judged = drawn(2)
    plain, kind = corrected_mean(labels, judged), corrected_mean(labels, judged + 7.3)
    assert told(kind) == pytest.approx(told(plain), rel=1e-9)


@pytest.mark.parametrize(("a", "b"), [(0.25, 0.0), (20.0, -3.0), (1000.0, 0.5)])
@pytest.mark.parametrize("declared", [True, False])
def test_the_result_does_not_depend_on_the_scale(a, b, declared):
    """a·x + b for labels and judge moves the estimate and its limits so, and changes no weight."""
    labels, judged = drawn(3)
    scales = [Scale(1, 5, 1), Scale(a + b, 5 * a + b, a)] if declared else [Scale(), Scale()]
    plain = corrected_mean(labels, judged, scale=scales[0])
    moved = corrected_mean(a * labels + b, a * judged + b, scale=scales[1])
    assert moved.weight == pytest.approx(plain.weight)
    for name in ("estimate", "low", "high"):
        assert getattr(moved, name) == pytest.approx(a * getattr(plain, name) + b)


def test_turning_the_pair_around_turns_everything_around():
    """Minus the differences gives minus the estimate and the limits exchanged; so does `turned`."""
    labels, judged = (values - 2.5 for values in drawn(4))
    there, back = corrected_difference(labels, judged), corrected_difference(-labels, -judged)
    for turned in (back, there.turned(np.array([True]))):
        assert (turned.estimate[0], turned.low[0]) == pytest.approx((-there.estimate[0], -there.high[0]))
        assert turned.p_value == pytest.approx(there.p_value)
        assert turned.limits(0.8)[0] == pytest.approx(-there.limits(0.8)[1])
        assert turned.judge_alone(0).low == pytest.approx(-there.judge_alone(0).high)


@pytest.mark.parametrize("scale", [Scale(), RIGHT])
def test_clusters_of_one_are_no_clusters(scale):
    """Each sample its own cluster changes nothing."""
    plain = corrected_mean(LABELS, JUDGED, scale=scale)
    assert told(corrected_mean(LABELS, JUDGED, scale=scale, clusters=np.arange(100))) == pytest.approx(
        told(plain)
    )


def test_copies_within_clusters_count_once():
    """Samples that are copies of one another, labelled or not together, make no interval much narrower."""
    labels, judged = drawn(5)
    plain = corrected_mean(labels, judged)
    code = np.repeat(np.arange(120), 6)
    copied = corrected_mean(np.repeat(labels, 6, axis=0), np.repeat(judged, 6, axis=0), clusters=code)
    assert copied.n[0] == 180
    assert copied.t.units[0] == 30
    assert copied.high[0] - copied.low[0] == pytest.approx(plain.high[0] - plain.low[0], rel=0.02)


def test_labels_and_others_of_one_cluster_err_together():
    """What a cluster adds through its labels and through its others is added before it is squared."""
    rng = np.random.default_rng(6)
    code = np.tile(np.arange(20), 10)
    values = rng.normal(size=20)[code] + rng.normal(size=200)
    labels = np.where(np.arange(200) < 60, values, NAN)
    judged = values + 0.5 * rng.normal(size=200)
    found, plain = (corrected_mean(labels, judged, clusters=of) for of in (code, None))
    assert found.weight == plain.weight
    assert found.error[0] > 1.2 * plain.error[0]
    assert found.freedom[0] < 20


def test_columns_do_not_know_each_other():
    """Many columns at once are what each is alone, and joined parts are what the whole is."""
    labels, judged = drawn(7, columns=4)
    judged[np.random.default_rng(7).random(judged.shape) < 0.1] = NAN
    common = np.random.default_rng(8).random(judged.shape) < 0.9
    whole = corrected_mean(labels, judged, common=common)
    parts = [corrected_mean(labels[:, i], judged[:, i], common=common[:, i]) for i in range(4)]
    joined = Corrected.joined(parts)
    assert len(joined) == 4
    for place in range(4):
        assert told(joined, place) == pytest.approx(told(whole, place))
        assert told(parts[place]) == pytest.approx(told(whole, place))


def test_samples_that_are_not_common_do_not_count():
    """A sample that one of the pair has not answered is as if it were not there."""
    labels, judged = drawn(9)
    keep = np.arange(120) % 5 > 0
    some = corrected_mean(labels, judged, common=keep[:, None])
    assert told(some) == pytest.approx(told(corrected_mean(labels[keep], judged[keep])))


def test_unread_verdicts_that_go_with_the_truth_do_not_move_the_estimate():
    """Verdicts mostly unread on wrong answers leave estimates true on average; left out they do not."""
    rng = np.random.default_rng(10)
    truth = (rng.random((300, 2000)) < 0.5) * 1.0
    judged = np.where(rng.random(truth.shape) < 0.15, 1 - truth, truth)
    judged[rng.random(truth.shape) < np.where(truth == 1, 0.05, 0.5)] = NAN
    labels = np.where(np.arange(300)[:, None] < 50, truth, NAN)
    found = corrected_mean(labels, judged, scale=RIGHT)
    assert found.unread.min() > 40
    assert found.n.tolist() == [50] * 2000
    assert found.estimate.mean() == pytest.approx(0.5, abs=0.005)
    left_out = corrected_mean(labels, judged, scale=RIGHT, common=~np.isnan(judged))
    assert left_out.estimate.mean() > 0.6


def test_an_unfair_judge_does_not_decide_between_equals():
    """A judge kinder to the second decides against the first mostly; corrected in one study of twenty."""
    rng = np.random.default_rng(11)
    one, two = ((rng.random((350, 1000)) < 0.6) * 1.0 for _ in range(2))
    of_one = np.where(rng.random(one.shape) < 0.1, 1 - one, one)
    of_two = np.where(rng.random(two.shape) < np.where(two == 1, 0.02, 0.3), 1 - two, two)
    labels = np.where(np.arange(350)[:, None] < 50, one - two, NAN)
    found = corrected_difference(labels, of_one - of_two, scale=RIGHT)
    assert (found.judge.p_value() < 0.05).mean() > 0.75
    assert (found.p_value < 0.05).mean() <= 0.06


def test_worth_is_told_as_others_tell_it():
    """A label is worth 1 ÷ (1 − ρ²·N ÷ (n + N)) labels, and what that gains is spread over the others."""
    found = corrected_mean(LABELS, JUDGED)
    worth = 1 / (1 - found.correlation[0] ** 2 * 0.8)
    assert found.label_worth[0] == pytest.approx(worth)
    assert found.judged_worth[0] == pytest.approx(20 * (worth - 1) / 80)


def test_a_cut_weight_is_worth_less():
    """A judge that uses half of the scale is taken at its word only, and so helps less than its ρ says."""
    labels, judged = drawn(12)
    half = corrected_mean(labels, judged / 4)
    assert half.weight[0] == 1
    assert half.correlation == pytest.approx(corrected_mean(labels, judged).correlation)
    assert 1 < half.label_worth[0] < 1 / (1 - half.correlation[0] ** 2 * 0.75)


@pytest.mark.parametrize("n", [0, 1])
def test_too_few_labels_are_nan(n):
    """Without two labels there is no interval and no claim; the judge's own is still told."""
    labels = [0.5] * n + [NAN] * (10 - n)
    found = corrected_difference(labels, [0.1, 0.2] * 5)
    assert math.isnan(found.low[0])
    assert math.isnan(found.p_value[0])
    assert not found.interval(0).excludes(0)
    assert found.judge_alone(0).estimate == pytest.approx(0.15)


def test_no_scatter_is_no_certainty():
    """Twenty labels that all say the same, and a judge that agrees, leave an interval with a width."""
    labels, judged = [1.0] * 20 + [NAN] * 200, [1.0] * 220
    found = corrected_mean(labels, judged, scale=RIGHT)
    assert 0.8 < found.low[0] < 0.95
    assert found.high[0] == 1
    undeclared = corrected_difference([0.0] * 20 + [NAN] * 200, [0.0] * 220)
    assert (undeclared.low[0], undeclared.high[0]) == (-math.inf, math.inf)


def test_an_estimate_stays_on_the_scale():
    """A rate beyond 1, as the formula may give, is told as 1."""
    labels, judged = [1.0] * 29 + [0.0] + [NAN] * 100, [1.0] * 20 + [0.0] * 10 + [1.0] * 100
    found = corrected_mean(labels, judged, scale=RIGHT)
    assert found.estimate[0] <= 1
    assert found.high[0] == 1


@pytest.mark.parametrize(
    ("labels", "judged", "more", "said"),
    [
        ([1.0, 0.0], [1.0], {}, "do not match"),
        ([1.0, 0.0], [1.0, math.inf], {}, "the judge's values hold an infinity"),
        ([1.0, 2.0], [1.0, 0.0], {"scale": RIGHT}, "labels lie outside 0 to 1"),
        ([1.0, 0.0], [1.0, 0.0], {"clusters": [1]}, "clusters has 1 entries for 2 samples"),
        ([1.0, 0.0], [1.0, 0.0], {"common": [True]}, "common has shape"),
        ([1.0, 0.0], [1.0, 0.0], {"level": 95}, "must lie between 0 and 1"),
    ],
)
def test_what_does_not_fit_is_refused(labels, judged, more, said):
    """Lengths, infinities, values outside the scale and levels in percent are errors that say so."""
    with pytest.raises(ValueError, match=said):
        corrected_mean(labels, judged, **more)


def test_as_many_labels_as_told_decide():
    """With so many labels of the same samples about 80 studies of 100 decide; with half of them fewer."""
    rng = np.random.default_rng(13)
    n, others = 30, 570
    truth = rng.choice([-1.0, 0.0, 1.0], p=[0.15, 0.5, 0.35], size=(n + others, 600))
    judged = np.where(rng.random(truth.shape) < 0.25, rng.permutation(truth), truth)
    pilot = corrected_difference(np.where(np.arange(600)[:, None] < n, truth, NAN), judged, scale=RIGHT)
    needed = [labels_to_decide(pilot, place) for place in np.flatnonzero(np.abs(pilot.estimate - 0.2) < 0.02)]
    typical = int(np.median([of for of in needed if of]))
    later = corrected_difference(np.where(np.arange(600)[:, None] < typical, truth, NAN), judged, scale=RIGHT)
    assert (later.p_value < 0.05).mean() == pytest.approx(0.8, abs=0.07)


def test_as_many_labels_as_told_narrow_the_interval():
    """With so many labels the interval is about as wide as was wanted."""
    labels, judged = drawn(14, n=600, others=0)
    some = np.where(np.arange(600)[:, None] < 40, labels, NAN)
    needed = labels_for_width(corrected_mean(some, judged), 0, 0.4)
    found = corrected_mean(np.where(np.arange(600)[:, None] < needed, labels, NAN), judged)
    assert 40 < needed < 300
    assert found.high[0] - found.low[0] == pytest.approx(0.4, abs=0.05)


def test_more_labels_than_samples_are_not_advised():
    """Where labels for all samples would not do, none is told; nor without labels, or for no difference."""
    found = corrected_mean(LABELS, JUDGED)
    assert labels_for_width(found, 0, 0.01) is None
    assert labels_for_width(found, 0, 0.25) <= 100
    level = corrected_difference([1.0, -1.0] * 10 + [NAN] * 80, [1.0, -1.0] * 50)
    assert labels_to_decide(level, 0) is None
    assert labels_to_decide(corrected_difference([NAN] * 9, [1.0] * 9), 0) is None
    with pytest.raises(ValueError, match="must be above 0"):
        labels_for_width(found, 0, 0)
