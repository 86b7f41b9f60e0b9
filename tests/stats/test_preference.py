"""labkit.stats.preference: published strengths and errors, evalica's numbers, and never an infinite one.

How often shares hold the truth and decisions none is simulated in benchmarks/coverage_preference.py.
"""

from __future__ import annotations

import math
import time
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import evalica
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit.stats import bradley_terry, davidson, overturned_by, preferences, rated, wilson
from labkit.stats.newton import STEPS

DATA = Path(__file__).parent / "data"

BASEBALL = np.array(
    [
        [0, 7, 9, 7, 7, 9, 11],
        [6, 0, 7, 5, 11, 9, 9],
        [4, 6, 0, 7, 7, 8, 12],
        [6, 8, 6, 0, 6, 7, 10],
        [6, 2, 6, 7, 0, 7, 12],
        [4, 4, 5, 6, 6, 0, 6],
        [2, 4, 1, 3, 1, 7, 0],
    ]
)
"""American League 1987, Eastern Division (Agresti): who won against whom."""

PUDDING = np.array(
    # first, second, preferred the first, the second, neither
    [
        (0, 1, 19, 22, 16),
        (0, 2, 16, 19, 12),
        (1, 2, 19, 19, 10),
        (0, 3, 18, 23, 13),
        (1, 3, 23, 19, 9),
        (2, 3, 19, 20, 15),
        (0, 4, 13, 19, 18),
        (1, 4, 16, 20, 12),
        (2, 4, 16, 15, 17),
        (3, 4, 17, 14, 16),
        (0, 5, 18, 21, 12),
        (1, 5, 22, 20, 12),
        (2, 5, 13, 18, 10),
        (3, 5, 14, 19, 18),
        (4, 5, 11, 21, 12),
    ]
)
"""Davidson (1970), as in the R package PlackettLuce."""

# food.csv and simple.csv of evalica 0.4.2 (github.com/dustalov/evalica, Apache-2.0): left, right, left was
# preferred (+), right was (-), neither (=).
FOOD = """
Pizza Sushi + Burger Pasta - Tacos Pizza + Sushi Tacos - Burger Pizza + Pasta Sushi - Tacos Burger +
Pizza Pasta = Sushi Burger - Pasta Tacos + Burger Sushi - Tacos Pizza + Sushi Pasta = Burger Tacos +
Pizza Burger - Pasta Tacos - Burger Sushi - Tacos Pasta + Pizza Tacos - Sushi Burger + Pasta Pizza -
Burger Sushi - Tacos Pasta + Pizza Sushi + Sushi Burger - Pasta Tacos - Tacos Pizza + Burger Pasta -
Sushi Tacos + Pizza Burger -
"""
SIMPLE = """
0 1 = 0 2 - 0 2 = 0 4 = 1 0 + 1 2 = 1 2 = 1 3 = 2 4 = 3 0 + 3 1 + 3 2 + 3 4 = 3 4 = 4 0 + 4 3 +
"""


def told(text):
    """First, second and outcome of a table above."""
    words = text.split()
    return words[::3], words[1::3], [{"+": 1.0, "-": 0.0, "=": 0.5}[sign] for sign in words[2::3]]


def games(wins):
    """One rating per win in a table of wins."""
    first, second = np.nonzero(np.asarray(wins))
    often = np.asarray(wins)[first, second]
    return rated(first.repeat(often), second.repeat(often), np.ones(often.sum()), contenders=range(len(wins)))


def counted(table):
    """Ratings from rows of first, second, preferred the first, the second, neither."""
    rows = np.concatenate([np.tile([one, two], (sum(n), 1)) for one, two, *n in table.tolist()])
    outcome = np.concatenate([np.repeat([1, 0, 0.5], n) for _, _, *n in table.tolist()])
    return rated(rows[:, 0], rows[:, 1], outcome)


def by_evalica(first, second, outcome):
    """evalica's strengths of the same ratings, by name; their sum is 1."""
    winner = {1.0: evalica.Winner.X, 0.0: evalica.Winner.Y, 0.5: evalica.Winner.Draw}
    found = evalica.bradley_terry(
        first, second, [winner[one] for one in outcome], tolerance=1e-10, limit=100_000
    )
    return found.scores.sort_index() / found.scores.sum()


def some_ratings(rng, k, n, *, ties=0.2):
    """Ratings among k contenders whose log-strengths are normal."""
    strength, first = rng.normal(size=k), rng.integers(0, k, n)
    second = (first + rng.integers(1, k, n)) % k
    outcome = (rng.random(n) < 1 / (1 + np.exp(strength[second] - strength[first]))) * 1.0
    return first, second, np.where(rng.random(n) < ties, 0.5, outcome)


@st.composite
def studies(draw):
    """Any ratings at all: few or many, one-sided, of separate groups, all ties."""
    k = draw(st.integers(2, 6))
    pairs = st.sampled_from(list(combinations(range(k), 2)))
    rows = draw(st.lists(st.tuples(pairs, st.sampled_from([0.0, 0.5, 1.0]), st.integers(0, 5)), max_size=40))
    first = [pair[0] for pair, _, _ in rows]
    second = [pair[1] for pair, _, _ in rows]
    outcome, cluster = [one for _, one, _ in rows], [one for _, _, one in rows]
    return k, np.array(first, int), np.array(second, int), np.array(outcome, float), np.array(cluster, int)


def test_strengths_are_those_of_a_worked_example():
    """Wikipedia's four players, whose geometric mean is 1."""
    found = bradley_terry(games([[0, 2, 0, 1], [3, 0, 5, 0], [0, 3, 0, 1], [4, 0, 3, 0]]))
    assert np.exp(found.log_strength) == pytest.approx([0.6398, 1.0433, 0.6598, 2.2704], abs=1e-4)
    assert not found.imagined


def test_strengths_and_errors_are_agrestis():
    """Seven baseball teams of 1987 against Baltimore, with the errors of independent games."""
    found = bradley_terry(games(BASEBALL))
    apart = found.log_strength - found.log_strength[6]
    assert apart[:6] == pytest.approx([1.5814, 1.4364, 1.2945, 1.2476, 1.1077, 0.6839], abs=1e-4)
    errors = found.errors(6, naive=True)
    assert errors[:6] == pytest.approx([0.3433, 0.3396, 0.3367, 0.3359, 0.3339, 0.3319], abs=1e-4)


def test_strengths_are_choixs():
    """A cycle of three leaves all equal; one more win of 0 over 1 moves those two apart."""
    cycle = [[0, 1, 0], [0, 0, 1], [1, 0, 0]]
    assert bradley_terry(games(cycle)).log_strength == pytest.approx([0, 0, 0], abs=1e-12)
    cycle[0][1] = 2
    found = bradley_terry(games(cycle)).log_strength
    assert found == pytest.approx([0.419618, -0.419618, 0], abs=1e-6)


def test_half_win_ties_and_errors_by_rating_are_those_of_the_reference():
    """Davidson's puddings: log-strengths against the first, naive errors and the sandwich's."""
    found = bradley_terry(counted(PUDDING))
    apart = found.log_strength - found.log_strength[0]
    assert apart[1:] == pytest.approx([0.1603, 0.1113, 0.1275, 0.0974, 0.2745], abs=1e-4)
    naive, errors = found.errors(0, naive=True)[1:], found.errors(0)[1:]
    assert naive == pytest.approx([0.1596, 0.1651, 0.1605, 0.1644, 0.1639], abs=1e-4)
    assert errors == pytest.approx([0.1379, 0.1411, 0.1371, 0.1365, 0.1409], abs=1e-4)


def test_davidsons_fit_is_the_published_one():
    """His puddings: worths, ν, log-strengths against the first and their errors."""
    found = davidson(counted(PUDDING))
    assert found.worth == pytest.approx([0.13880, 0.17300, 0.16175, 0.16537, 0.15869, 0.20239], abs=1e-5)
    assert found.ties == pytest.approx(0.74682, abs=1e-5)
    apart = found.log_strength - found.log_strength[0]
    assert apart[1:] == pytest.approx([0.2202, 0.1530, 0.1751, 0.1339, 0.3771], abs=1e-4)
    errors = found.errors(0, naive=True)[1:]
    assert errors == pytest.approx([0.1872, 0.1935, 0.1882, 0.1927, 0.1924], abs=1e-4)


@pytest.mark.parametrize(
    ("text", "worth"),
    [
        (FOOD, [0.147977, 0.128153, 0.098980, 0.190600, 0.434290]),
        (SIMPLE, [0.050800, 0.131151, 0.131686, 0.336889, 0.349475]),
    ],
)
def test_worths_are_evalicas_on_its_own_tables(text, worth):
    """food.csv and simple.csv, ties counting half."""
    first, second, outcome = told(text)
    found = bradley_terry(rated(first, second, outcome)).worth
    assert found == pytest.approx(worth, abs=1e-6)
    assert found == pytest.approx(by_evalica(first, second, outcome).to_numpy(), abs=1e-6)


def test_worths_are_evalicas_on_its_large_table():
    """llmfao.csv: 8,931 ratings of 59 models."""
    table = np.loadtxt(DATA / "llmfao_pairs.csv", delimiter=",", dtype=int)[:, [0, 1, 2, 4, 3]]
    ratings = counted(table)
    assert len(ratings) == 8931
    evalicas = by_evalica(ratings.first.tolist(), ratings.second.tolist(), ratings.outcome.tolist())
    assert bradley_terry(ratings).worth == pytest.approx(evalicas.to_numpy(), abs=1e-6)


@given(st.integers(2, 8), st.integers(20, 200), st.integers(0, 2**32 - 1))
def test_worths_are_evalicas_on_any_table(k, n, seed):
    """Wherever strengths of greatest likelihood are finite."""
    first, second, outcome = some_ratings(np.random.default_rng(seed), k, n)
    ratings = rated(first, second, outcome)
    found = bradley_terry(ratings)
    if not found.imagined and np.ptp(found.log_strength) < 4:  # evalica's iteration is slow beyond
        assert found.worth == pytest.approx(by_evalica(first.tolist(), second.tolist(), outcome), abs=1e-5)


@given(studies(), st.integers(0, 2**32 - 1))
def test_order_of_rows_and_of_sides_changes_nothing(study, seed):
    """Shares, limits and decisions are the same to ten digits, and so are they under other names."""
    k, first, second, outcome, cluster = study
    rng = np.random.default_rng(seed)
    plain = preferences(rated(first, second, outcome, clusters=cluster, contenders=range(k)))
    order, turn = rng.permutation(len(first)), rng.random(len(first)) < 0.5
    one, two = np.where(turn, second, first)[order], np.where(turn, first, second)[order]
    other = np.where(turn, 1 - outcome, outcome)[order]
    found = preferences(rated(one, two, other, clusters=cluster[order] + 100, contenders=range(k)))
    for name in ("share", "low", "high", "p_value"):
        assert getattr(found.pairs, name) == pytest.approx(getattr(plain.pairs, name), abs=1e-10)
        assert getattr(found.overall, name) == pytest.approx(getattr(plain.overall, name), abs=1e-10)
    name = rng.permutation(k)
    renamed = preferences(rated(name[first], name[second], outcome, clusters=cluster, contenders=range(k)))
    for i, j in combinations(range(k), 2):
        a, b = plain.share(i, j), renamed.share(int(name[i]), int(name[j]))
        assert (a.estimate, a.low, a.high, a.n) == pytest.approx((b.estimate, b.low, b.high, b.n), abs=1e-9)


@given(studies())
def test_no_number_is_ever_infinite(study):
    """Separate groups, one-sided ratings, no rating at all: finite shares inside their limits."""
    k, first, second, outcome, cluster = study
    ratings = rated(first, second, outcome, clusters=cluster, contenders=range(k))
    found, second_fit = preferences(ratings), davidson(ratings)
    for shares in (found.pairs, found.overall):
        for values in (shares.share, shares.low, shares.high, shares.p_value, shares.trials):
            assert np.isfinite(values).all()
        assert ((shares.low >= 0) & (shares.low <= shares.share + 1e-12)).all()
        assert ((shares.high <= 1) & (shares.high >= shares.share - 1e-12)).all()
        assert np.array_equal((shares.low > 0.5) | (shares.high < 0.5), shares.p_value < 0.05)
    for fit in (found.strengths, second_fit):
        assert np.isfinite(fit.log_strength).all()
        assert np.isfinite(fit.covariance).all()
        assert fit.converged
        assert fit.steps <= STEPS
    assert 0 < second_fit.ties < math.inf
    assert len(found.unbeaten) > 0


@given(studies(), st.integers(1, 3))
def test_more_ties_of_two_draw_their_share_towards_a_half(study, more):
    """Whatever else was rated."""
    k, first, second, outcome, _ = study
    before = bradley_terry(rated(first, second, outcome, contenders=range(k)), imagine=True)
    extra = np.zeros(more, int)
    ties = np.concatenate([outcome, np.full(more, 0.5)])
    ratings = rated(
        np.concatenate([first, extra]), np.concatenate([second, extra + 1]), ties, contenders=range(k)
    )
    after = bradley_terry(ratings, imagine=True)
    assert abs(after.chance[0, 1] - 0.5) <= abs(before.chance[0, 1] - 0.5) + 1e-9


def test_who_never_lost_or_won_and_what_is_apart_is_told():
    """a always beat b, and c and d tied once: two parts, ties imagined."""
    found = bradley_terry(rated(list("aaac"), list("bbbd"), [1, 1, 1, 0.5]))
    assert found.imagined
    assert found.never_lost.tolist() == [True, False, False, False]
    assert found.never_won.tolist() == [False, True, False, False]
    assert found.parts.tolist() == [0, 0, 1, 1]


def test_across_parts_nothing_is_told():
    """Between contenders that no chain of ratings joins, and so over all, every share may be."""
    first, second = ["a"] * 40 + ["c"] * 40, ["b"] * 40 + ["d"] * 40
    found = preferences(rated(first, second, ([1] * 30 + [0] * 10) * 2))
    apart = found.share(0, 3)
    assert (apart.low, apart.high) == (0, 1)
    assert (found.overall.high - found.overall.low == 1).all()
    assert found.share(0, 1).excludes(0.5)


@pytest.mark.parametrize(("won", "n"), [(15, 30), (22, 30), (29, 30), (60, 90)])
def test_the_share_of_two_is_wilsons_but_for_the_quantile(won, n):
    """Of two contenders without ties: the plain share, and an interval within two points of Wilson's."""
    found = preferences(rated(["a"] * n, ["b"] * n, [1] * won + [0] * (n - won))).share(0, 1)
    wilsons = wilson(won, n)
    assert found.estimate == pytest.approx(won / n)
    assert found.n == n
    assert (found.low, found.high) == pytest.approx((wilsons.low, wilsons.high), abs=0.02)


def test_ratings_of_one_sample_count_less():
    """Three raters who say the same of the same two answers are hardly more than one."""
    first, second, outcome = ["a"] * 90, ["b"] * 90, np.repeat([1] * 19 + [0] * 11, 3)
    alone = preferences(rated(first, second, outcome)).share(0, 1)
    together = preferences(rated(first, second, outcome, clusters=np.repeat(np.arange(30), 3))).share(0, 1)
    once = preferences(rated(first[:30], second[:30], outcome[::3])).share(0, 1)
    assert together.width > 1.6 * alone.width
    assert together.width == pytest.approx(once.width, abs=0.02)


def test_a_share_turned_round_is_its_complement():
    """The share of b over a is what is left of that of a over b; of oneself there is none."""
    found = preferences(rated(list("aaaab"), list("bbbba"), [1, 1, 0, 0.5, 1]))
    one, other = found.share(0, 1), found.share(1, 0)
    assert (1 - other.estimate, 1 - other.high, 1 - other.low) == pytest.approx(
        (one.estimate, one.low, one.high)
    )
    with pytest.raises(ValueError, match="another"):
        found.share(1, 1)


def test_nobody_is_shown_to_beat_those_ahead():
    """Two alike and far ahead of a third: both are unbeaten, the third is not."""
    rng = np.random.default_rng(4)
    outcome = np.concatenate([rng.random(60) < 0.5, rng.random(60) < 0.8, rng.random(60) < 0.8]) * 1.0
    found = preferences(rated(list("aab" * 60), list("bcc" * 60), outcome.reshape(3, 60).T.ravel()))
    assert found.unbeaten == [0, 1]
    assert found.better[:, 2].tolist() == [True, True, False]


def test_weights_are_what_repeating_would_be():
    """A rating that weighs twice moves strengths as two would."""
    one = rated(list("abc"), list("bca"), [1, 1, 1], weights=[2, 1, 1])
    two = rated(list("aabc"), list("bbca"), [1, 1, 1, 1])
    assert bradley_terry(one).log_strength == pytest.approx(bradley_terry(two).log_strength)


def test_so_few_ratings_overturn_a_decision_and_one_fewer_does_not():
    """Of two contenders any wins may be turned, so that counting down must find the same."""
    won, n = 40, 52
    found = preferences(rated(["a"] * n, ["b"] * n, [1] * won + [0] * (n - won)))
    few = overturned_by(found, 0, 1)

    def shown(wins):
        return preferences(rated(["a"] * n, ["b"] * n, [1] * wins + [0] * (n - wins))).better[0, 1]

    assert few == next(turned for turned in range(n) if not shown(won - turned))
    assert overturned_by(found, 1, 0) is None


@given(st.integers(0, 2**32 - 1))
def test_what_is_shown_of_many_is_overturned_by_some(seed):
    """Each decision has its number, from one to all ratings; an undecided pair has none."""
    first, second, outcome = some_ratings(np.random.default_rng(seed), 4, 60)
    found = preferences(rated(first, second, outcome, contenders=range(4)))
    for i, j in combinations(range(4), 2):
        few = overturned_by(found, i, j)
        assert (few is not None) == found.better[i, j]
        assert few is None or 1 <= few <= 60


def test_davidsons_fit_stands_beside_where_ties_are_many():
    """From more than 15 % ties on; where the two agree nothing is disputed."""
    few = preferences(rated(["a"] * 40, ["b"] * 40, [1] * 30 + [0] * 5 + [0.5] * 5))
    many = preferences(rated(["a"] * 40, ["b"] * 40, [1] * 25 + [0] * 5 + [0.5] * 10))
    assert few.second_fit is None
    assert not few.disputed.any()
    assert many.second_fit is not None
    assert many.better[0, 1]
    assert not many.disputed.any()
    assert many.second_fit.chance[0, 1] == pytest.approx(many.share(0, 1).estimate, abs=0.01)


def test_davidsons_errors_know_the_imagined_ratings():
    """Who never lost has a distance from the other of which the error is no rest of rounding."""
    found = davidson(rated(["a"] * 30, ["b"] * 30, [1] * 24 + [0.5] * 6))
    assert found.imagined
    assert 0.5 < found.errors(0)[1] < 5


def test_a_decision_that_davidsons_fit_does_not_share_is_disputed():
    """Where its errors were much larger, the pair shown to differ is named."""
    found = preferences(rated(["a"] * 40, ["b"] * 40, [1] * 25 + [0] * 5 + [0.5] * 10))
    vague = replace(found.second_fit, covariance=found.second_fit.covariance * 100)
    assert replace(found, second_fit=vague).disputed.tolist() == [True]


@pytest.mark.alone
@pytest.mark.parametrize("clusters", [100_000, 5_000])
def test_a_hundred_contenders_and_a_hundred_thousand_ratings_take_less_than_a_second(clusters):
    """Davidson's fit included, whether or not ratings belong together."""
    rng = np.random.default_rng(0)
    first, second, outcome = some_ratings(rng, 100, 100_000)
    began = time.perf_counter()
    found = preferences(rated(first, second, outcome, clusters=rng.integers(0, clusters, 100_000)))
    assert time.perf_counter() - began < 1
    assert found.second_fit is not None


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"outcome": [2, 1]}, "an outcome is 1"),
        ({"second": ["a", "c"]}, "with itself"),
        ({"outcome": [1]}, "contenders has 2 entries for 1 outcomes"),
        ({"clusters": [1]}, "clusters has 1 entries for 2 outcomes"),
        ({"weights": [1, 0]}, "a weight is above 0"),
        ({"contenders": ["a", "b"]}, "no contender: c"),
        ({"contenders": ["a", "b", "c", "a"]}, "named twice"),
    ],
)
def test_bad_ratings_are_refused(given, said):
    """Each with what is wrong."""
    rows = {"first": ["a", "b"], "second": ["b", "c"], "outcome": [1, 0.5], **given}
    with pytest.raises(ValueError, match=said):
        rated(**rows)


def test_one_contender_alone_is_refused():
    """A preference is between two."""
    with pytest.raises(ValueError, match="two contenders"):
        preferences(rated([], [], [], contenders=["a"]))


def test_what_was_not_rated_is_left_out():
    """NaN is no outcome."""
    found = rated(["a", "a"], ["b", "c"], [1, math.nan])
    assert len(found) == 1
    assert found.names.tolist() == ["a", "b"]
