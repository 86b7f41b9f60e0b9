"""labkit.run.next_shown: which pair a rater is shown next, how it is drawn, and on which sides."""

from __future__ import annotations

import random
from collections import Counter
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit.run.next_shown import AGAIN, TURNED, TURNED_AFTER, Said, Shown, next_shown

Pairs = dict[tuple[int, int], list[str]]


def pairs(contenders: int, samples: int) -> Pairs:
    """Every two contenders answered every sample differently."""
    return {pair: [f"s{n}" for n in range(samples)] for pair in combinations(range(contenders), 2)}


def rate(shown: Shown, number: int, preferred: str = "tie", user: str = "ada") -> Said:
    """What is said of a pair that is shown."""
    return Said(f"v{number}", shown.left, shown.right, shown.sample, preferred, user, shown.drawn)


def session(
    of: Pairs, count: int, *, seed: str = "0", user: str = "ada", before: list[Said] | None = None
) -> list[tuple[Shown, Said]]:
    """So many ratings by a rater who likes the contender with the greater number, mostly."""
    said, found = list(before or []), list[tuple[Shown, Said]]()
    chance = random.Random(seed + user)
    for number in range(count):
        shown = next_shown(of, said, user, seed)
        if shown is None:
            break
        better = "left" if (shown.left > shown.right) == (chance.random() < 0.7) else "right"
        said.append(rate(shown, number, chance.choice([better, better, better, "tie", "skip"]), user))
        found.append((shown, said[-1]))
    return found


def test_each_contender_is_on_the_left_half_the_time() -> None:
    """Over 10,000 draws the left share of each contender is 50 % ± 2, and nearly so in each session."""
    left, shown = Counter[int](), Counter[int]()
    for seed in range(100):
        drawn = [one for one, _ in session(pairs(4, 30), 100, seed=str(seed))]
        for one in drawn:
            left[one.left] += 1
            shown.update((one.left, one.right))
        ahead = Counter(one.left for one in drawn)
        for contender in range(4):
            of = sum(contender in (one.left, one.right) for one in drawn)
            assert abs(ahead[contender] - of / 2) <= 3 + 0.05 * of
    assert shown.total() == 20_000
    assert all(abs(left[contender] / shown[contender] - 0.5) <= 0.02 for contender in range(4))


@pytest.mark.parametrize("others", [0, 12])
def test_the_chance_that_is_stored_is_the_true_one(others: int) -> None:
    """Counted over 3,000 seeds each pair comes as often as its chance says, whatever way it came."""
    of = pairs(3, 8)
    before = [one for _, one in session(of, others, user="bo")]
    before += [one for _, one in session(of, 9, before=before)]
    drawn = [next_shown(of, before, "ada", str(seed)) for seed in range(3_000)]
    counts, chances = Counter[tuple[int, int]](), dict[tuple[int, int], set[float]]()
    for one in drawn:
        assert one is not None
        pair = (min(one.left, one.right), max(one.left, one.right))
        counts[pair] += 1
        chances.setdefault(pair, set()).add(round(one.chance, 9))
    assert all(len(found) == 1 for found in chances.values())
    assert sum(found for (found,) in chances.values()) == pytest.approx(1)
    for pair, (chance,) in chances.items():
        assert counts[pair] / 3_000 == pytest.approx(chance, abs=4 * (chance * (1 - chance) / 3_000) ** 0.5)


def test_no_pair_starves() -> None:
    """Of four contenders, one of which always wins, each pair has 2 % of 1,000 draws at least."""
    said, counts = list[Said](), Counter[tuple[int, int]]()
    of = pairs(4, 1_000)
    for number in range(1_000):
        shown = next_shown(of, said, "ada", "0")
        assert shown is not None
        best = max(shown.left, shown.right)
        said.append(rate(shown, number, "left" if best == shown.left else "right"))
        counts[min(shown.left, shown.right), best] += 1
    assert len(counts) == 6
    assert min(counts.values()) >= 20


def test_some_are_another_raters_and_some_the_raters_own_turned() -> None:
    """15 % of a rater's pairs are some that another saw, 5 % the rater's own with their sides exchanged."""
    of, drawn = pairs(3, 300), Counter[str]()
    before = [one for _, one in session(of, 300, user="bo")]
    # Of what others say after one's last rating nothing is known: so that it is known from the first.
    first = rate(Shown(0, 1, "s299", "rule", 1.0), 0)
    for seed in range(6):
        found = session(of, 100, seed=str(seed), before=[*before, first])
        drawn.update(shown.drawn for shown, _ in found)
        theirs = {one.where for one in before if one.preferred != "skip"}
        mine = [first, *(one for _, one in found)]
        for place, (shown, one) in enumerate(found, 1):
            if shown.drawn == "again":
                assert one.where in theirs
            elif shown.drawn == "turned":
                (was,) = [old for old in mine[:place] if old.where == one.where]
                assert (shown.left, shown.right) == (was.right, was.left)
                assert was.preferred != "skip"
                assert place - mine.index(was) > TURNED_AFTER
    assert drawn["again"] / 600 == pytest.approx(AGAIN, abs=0.04)
    assert drawn["turned"] / 600 == pytest.approx(TURNED, abs=0.025)


def test_equal_answers_are_never_shown() -> None:
    """A sample that two answered alike is not shown of them, though another rater's row has it."""
    of = {(0, 1): ["s1"], (0, 2): [], (1, 2): ["s2", "s3"]}
    before = [Said("v", 0, 2, "s1", "left", "bo", "rule"), Said("w", 0, 1, "s9", "left", "bo", "rule")]
    before.append(Said("x", 1, 2, "s2", "skip", "ada", "rule"))
    for seed in range(60):
        found = session(of, 9, seed=str(seed), before=before)
        assert {one.where for _, one in found} == {(0, 1, "s1"), (1, 2, "s3")}


def test_what_was_skipped_is_not_shown_again() -> None:
    """Each pair is shown once, skipped or rated, and else only with its sides exchanged; then it is over."""
    of = pairs(3, 6)
    said = list[Said]()
    while (shown := next_shown(of, said, "ada", "4")) is not None:
        was = [one for one in said if one.where == rate(shown, 0).where]
        assert not was or (shown.drawn == "turned" and was[0].preferred != "skip" and len(was) == 1)
        said.append(rate(shown, len(said), "skip" if len(said) % 3 else "left"))
    assert {one.where for one in said} == {(*pair, sample) for pair in of for sample in of[pair]}
    assert next_shown(of, said, "bo", "4") is not None


def test_all_rated_is_nothing_left_for_every_seed() -> None:
    """Where all is rated there is nothing to show, and no pair is shown again for want of others."""
    of = pairs(2, 12)
    said = [Said(f"v{n}", 0, 1, f"s{n}", "left", "ada", "rule") for n in range(12)]
    assert {next_shown(of, said, "ada", str(seed)) for seed in range(100)} == {None}


def test_what_others_say_meanwhile_changes_nothing() -> None:
    """The pair that is to be rated stays until its rater says something, whatever another says or undoes."""
    of = pairs(4, 20)
    said = [one for _, one in session(of, 10)]
    shown = next_shown(of, said, "ada", "0")
    for count in (1, 5, 40):
        assert (
            next_shown(of, [*said, *(one for _, one in session(of, count, user="bo"))], "ada", "0") == shown
        )


def test_another_rater_has_another_order() -> None:
    """The seed bears who rates: two raters of one arena begin with different pairs."""
    of = pairs(4, 50)
    orders = {
        user: [shown for shown, _ in session(of, 8, seed=f"n1:0/{user}", user=user)] for user in ("ada", "bo")
    }
    assert orders["ada"] != orders["bo"]


@given(
    contenders=st.integers(2, 5),
    samples=st.integers(1, 6),
    count=st.integers(0, 30),
    seed=st.text(max_size=5),
    user=st.sampled_from(["ada", "bo", None]),
)
def test_the_same_seed_and_state_show_the_same(
    contenders: int, samples: int, count: int, seed: str, user: str | None
) -> None:
    """What is shown next is decided by seed and ratings, and can be rated: another kernel shows the same."""
    of = pairs(contenders, samples)
    said = [one for _, one in session(of, count)]
    shown = next_shown(of, said, user, seed)
    assert shown == next_shown(dict(of), list(said), user, seed)
    if shown is not None:
        assert shown.sample in of[min(shown.left, shown.right), max(shown.left, shown.right)]
        assert 0 < shown.chance <= 1
