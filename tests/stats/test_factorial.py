"""labkit.stats.factorial: the designs are what they say, and their contrasts are least squares."""

from __future__ import annotations

from itertools import combinations, product

import numpy as np
import pytest
from pydoe import ff2n, fracfact, pbdesign

from labkit.stats.factorial import Factorial, design, roman, sides

FILTRATION = [45, 71, 48, 65, 68, 60, 80, 65, 43, 100, 45, 104, 75, 86, 70, 96]
"""Montgomery's 2⁴ filtration rates in standard order: A changes fastest."""
RATE = {
    tuple(bool(place >> factor & 1) for factor in range(4)): rate for place, rate in enumerate(FILTRATION)
}
NEEDS = tuple(cell for cell in design(3) if cell[0] or not cell[1])
"""All sets of three in which the second never stands without the first."""


def effects(cells):
    """The effects of factors, and of pairs, in Montgomery's rates."""
    found, rates = Factorial(cells), np.array([RATE[cell] for cell in cells], dtype=float)
    mains = [float(found.main(factor) @ rates) for factor in range(4)]
    return mains, {pairs: float(weights @ rates) for pairs, weights in found.strings.items()}


def rows(signs):
    """A design without order of its cells."""
    return {tuple(int(sign) for sign in row) for row in np.asarray(signs)}


def products(signs, most=4):
    """Every product of up to so many columns, by which they are."""
    k = signs.shape[1]
    terms = [term for size in range(1, most + 1) for term in combinations(range(k), size)]
    return {term: signs[:, list(term)].prod(axis=1) for term in terms}


def test_the_filtration_rates_give_the_published_effects():
    """All of 2⁴: the effects that Montgomery gives, to the digit."""
    mains, pairs = effects(design(4))
    assert mains == [21.625, 3.125, 9.875, 14.625]
    assert pairs[((0, 2),)] == -18.125
    assert pairs[((0, 3),)] == 16.625


def test_half_of_the_filtration_rates_gives_the_published_effects():
    """The half with I = ABCD: effects of one factor, and of two pairs in one number each."""
    half = tuple(cell for cell in design(4) if (4 - sum(cell)) % 2 == 0)
    mains, pairs = effects(half)
    assert mains == [19.0, 1.5, 14.0, 16.5]
    assert pairs == {((0, 1), (2, 3)): -1.0, ((0, 2), (1, 3)): -18.5, ((0, 3), (1, 2)): 19.0}


@pytest.mark.parametrize("k", range(1, 13))
def test_each_design_is_orthogonal_and_of_its_resolution(k):
    """Cells are distinct, all factors are in the first, columns balance each other out, and the first words
    that do not have as many letters as the resolution says."""
    cells = design(k)
    found = Factorial(cells)
    assert len(set(cells)) == len(cells) == (2**k if k <= 4 else 12 if 9 <= k <= 11 else 16)
    assert all(cells[0])
    np.testing.assert_array_equal(found.signs.T @ found.signs, len(cells) * np.eye(k))
    words = [term for term, column in products(found.signs, k).items() if column.mean()]
    shortest = min(map(len, words), default=None)
    wanted = {5: 5, 6: 4, 7: 4, 8: 4} if k > 4 else {}
    assert found.resolution == shortest == wanted.get(k, None if k <= 4 else 3)


@pytest.mark.parametrize("k", [1, 2, 3, 4, 5, 6, 7, 8, 11])
def test_designs_are_those_of_pydoe(k):
    """The same cells, but for their order, and at 11 factors for that of the columns."""
    generators = {
        5: "a b c d abcd",
        6: "a b c d abc bcd",
        7: "a b c d abc bcd acd",
        8: "a b c d bcd acd abc abd",
    }
    if k == 11:
        theirs = np.asarray(pbdesign(11))[:, ::-1]
    else:
        theirs = ff2n(k) if k <= 4 else fracfact(generators[k])
    assert rows(theirs) == rows(Factorial(design(k)).signs)


def test_sixteen_cells_for_twelve_are_regular_as_pydoe_s_are():
    """In both the product of any two columns is another column or balances all of them out."""
    for signs in (Factorial(design(12)).signs, np.asarray(pbdesign(12))):
        for first, second in combinations(range(12), 2):
            shares = np.abs(signs.T @ (signs[:, first] * signs[:, second])) / 16
            assert set(shares.tolist()) <= {0.0, 1.0}


@pytest.mark.parametrize("k", range(2, 13))
def test_aliases_are_all_that_brute_force_finds(k):
    """A pair stands under a factor, or beside another pair, just where their columns are not orthogonal."""
    found = Factorial(design(k))
    column = products(found.signs, 2)
    cells = len(found.cells)
    for factor in range(k):
        mixed = {
            pair: column[factor,] @ column[pair] / cells
            for pair in combinations(range(k), 2)
            if factor not in pair and column[factor,] @ column[pair]
        }
        assert dict(found.aliases(factor)) == pytest.approx(mixed)
        assert found.conditions(factor) == []
    for pairs in found.strings:
        for pair in combinations(range(k), 2):
            share = column[pairs[0]] @ column[pair] / cells
            assert share == (1 if pair in pairs else 0)
        assert not any(column[pairs[0]] @ column[factor,] for factor in range(k))


def test_contrasts_are_least_squares_with_a_dummy_for_each_sample():
    """In 100 random tables of every kind of design: each effect to 1e-10."""
    rng = np.random.default_rng(5)
    kinds = [design(k) for k in (2, 3, 4, 5, 6, 8, 11)] + [NEEDS, design(4, "each"), design(5, "full")]
    for number in range(100):
        found = Factorial(kinds[number % len(kinds)])
        cells, n = len(found.cells), int(rng.integers(2, 8))
        table = rng.normal(size=(n, cells))
        inside = (found.signs > 0) * 1.0
        dummies = np.kron(np.eye(n), np.ones((cells, 1)))
        model = np.hstack([dummies, np.tile(inside, (n, 1))])
        solved = np.linalg.lstsq(model, table.ravel(), rcond=None)[0][n:]
        mine = [(table @ found.main(factor)).mean() for factor in range(found.k)]
        np.testing.assert_allclose(mine, solved, atol=1e-10)


def test_pairs_are_least_squares_too():
    """With all pairs that are told in the model, the coefficient of ± columns is half of the contrast."""
    rng = np.random.default_rng(6)
    for cells in (design(3), design(4), design(5), design(6), NEEDS):
        found = Factorial(cells)
        column = products(found.signs, 2)
        y = rng.normal(size=len(cells))
        groups = {column[pair].tobytes(): column[pair] for pair in combinations(range(found.k), 2)}
        model = np.column_stack([np.ones(len(cells)), found.signs, *groups.values()])
        solved = np.linalg.lstsq(model, y, rcond=None)[0][1 + found.k :]
        by_column = dict(zip(groups, solved, strict=True))
        for pairs, weights in found.strings.items():
            assert weights @ y / 2 == pytest.approx(by_column[column[pairs[0]].tobytes()], abs=1e-10)


def test_the_effect_beside_another_factor_is_that_among_its_cells():
    """In a full design and in one of resolution V: both halves, which average to the effect."""
    for k in (3, 5):
        found = Factorial(design(k))
        inside, outside = (found.given(0, 1, inside=side) for side in (True, False))
        assert not inside[~found.cells_of(1)].any()
        assert not outside[found.cells_of(1)].any()
        np.testing.assert_allclose((inside + outside) / 2, found.main(0), atol=1e-12)
        np.testing.assert_allclose((inside - outside) / 2, found.strings[((0, 1),)], atol=1e-12)
        both = found.together(0, 1, alike=True)
        np.testing.assert_allclose(both, found.main(0) + found.main(1), atol=1e-12)
        either = found.together(0, 1, alike=False)
        np.testing.assert_allclose(either, found.main(0) - found.main(1), atol=1e-12)


def test_cut_cells_say_beside_what_an_effect_is_told():
    """Where style never stands without examples it is told beside them, and not their pair."""
    found = Factorial(NEEDS)
    assert [found.conditions(factor) for factor in range(3)] == [[(1, False)], [(0, True)], []]
    assert list(found.strings) == [((0, 2),), ((1, 2),)]
    assert found.resolution == 1
    assert found.given(0, 1, inside=True) is None


def test_what_the_cells_do_not_tell_is_none():
    """Two factors that are always in together have no effects of their own."""
    found = Factorial(((True, True), (False, False)))
    assert found.main(0) is None
    assert found.aliases(0) == found.conditions(0) == []


def test_leaving_one_out_tells_each_beside_all_others():
    """Its contrast is the cell with all factors less the one without it."""
    found = Factorial(design(4, "each"))
    for factor in range(4):
        weights = found.main(factor)
        assert {found.cells[place]: weights[place] for place in np.flatnonzero(weights)} == {
            (True,) * 4: pytest.approx(1.0),
            tuple(at != factor for at in range(4)): pytest.approx(-1.0),
        }
        assert found.conditions(factor) == [(other, True) for other in range(4) if other != factor]
    assert found.strings == {}


def test_a_full_design_has_all_sets():
    """`full` at 5 has 32 cells, in each of which every set is once."""
    assert set(design(5, "full")) == set(product((True, False), repeat=5))


@pytest.mark.parametrize(("k", "kind"), [(0, "auto"), (13, "auto"), (9, "full"), (3, "half")])
def test_what_there_is_no_design_for_is_refused(k, kind):
    """No factor, more than 12 (8 in full), an unknown kind."""
    with pytest.raises(ValueError, match="no design"):
        design(k, kind)


def test_sides_are_what_is_added_and_what_is_taken():
    """Their difference is the contrast, and each of a balanced one adds up to 1."""
    weights = Factorial(design(6)).main(3)
    one, two = sides(weights)
    np.testing.assert_array_equal(one - two, weights)
    assert one.sum() == two.sum() == 1


def test_resolutions_are_written_in_roman_numbers():
    """III, IV and V."""
    assert [roman(number) for number in (1, 2, 3, 4, 5, 6)] == ["I", "II", "III", "IV", "V", "6"]
