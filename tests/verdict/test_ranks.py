"""labkit.verdict.ranks: what is told of more than five contenders, line by line and against the numbers."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest

from labkit.verdict import verdict


@pytest.fixture
def like(frame):
    """`like([0.9, 0.5], 200)`: answers of models with these rates to the same samples, half of them alike."""

    def make(rates, n, *, seed=0, names="x/m{:02d}"):
        rng = np.random.default_rng(seed)
        alike, luck = rng.random(n) < 0.5, rng.random(n)
        scores = {
            names.format(place): [int(one) for one in np.where(alike, luck < rate, rng.random(n) < rate)]
            for place, rate in enumerate(rates)
        }
        return frame(scores)

    return make


TIERS = [0.9] * 4 + [0.6] * 2 + [0.2] * 3


def test_tiers_are_told_as_bands_with_their_ranks(like):
    """Where each of a tier beats each of the next, a line tells the tier, and its ranks are its places."""
    found = verdict(like(TIERS, 300))
    assert found.headline == (
        "Which model is best is undecided over 300 samples: x/m00 has the best mean, 3 others are not shown "
        "to be worse; 5 other models are beaten."
    )
    assert re.fullmatch(
        r"Chance of being the best model: x/m00 \d\d %, x/m01 \d\d %, x/m03 \d %, x/m02 below 1 %\.",
        found.ranks[0],
    )
    assert found.ranks[1:] == (
        "Rank 1 to 4: x/m00, x/m01, x/m03 and x/m02 cannot be told apart.",
        "Rank 5 to 6: x/m04 and x/m05 cannot be told apart.",
        "Rank 7 to 9: x/m06, x/m07 and x/m08 cannot be told apart.",
    )
    assert re.fullmatch(
        r"x/m00 beats x/m04 by .* points, x/m05 by .* points, x/m06 by .* points, x/m07 by .* points and "
        r"x/m08 by .* points\.",
        found.conclusion[0],
    )
    told = str(found).splitlines()[1 + len(found.conclusion) :]
    assert told[:5] == [*found.ranks, "All 36 pairs: see .sentences and .frame()."]
    assert (
        "ranks rest on the decided pairs alone; those of all 9 models hold together at 95 %; "
        "two models that stand together in no line are told apart" in found.notes
    )


def test_a_winner_has_rank_one_alone(like):
    """One that beats all others is told apart from them; no chance is called certain."""
    found = verdict(like([0.95, *[0.5] * 5], 300))
    assert found.headline == "x/m00 is the best model: it beats each of the 5 others, over 300 samples."
    assert found.ranks[:2] == (
        "Chance of being the best model: x/m00 above 99 %.",
        "Rank 1: x/m00 is told apart from all others.",
    )


def test_five_or_fewer_are_told_in_pairs(like):
    """Up to five contenders nothing changes: no ranks, no columns, sentences of pairs."""
    found = verdict(like([0.9, 0.8, 0.7, 0.6, 0.5], 100))
    assert found.ranks == ()
    assert "rank_low" not in found.contenders.columns
    assert found.sentences[0] in str(found)
    assert "best_chance" in verdict(like([0.9, 0.8, 0.7, 0.6, 0.5, 0.4], 100)).contenders.columns


def test_many_bands_give_way_to_a_line_per_rank(like):
    """Forty models in small steps: a dozen lines of ranks, neighbours with the same ranks in one."""
    found = verdict(like(np.linspace(0.9, 0.3, 40), 400))
    lines = [line for line in found.ranks if line.startswith("Rank")]
    assert len(lines) == 12
    assert re.fullmatch(
        r"… and \d\d more models: the ranks of all are in \.contenders\.", found.ranks[len(lines) + 1]
    )
    told = [name for line in lines for name in re.findall(r"x/m\d\d", line)]
    more = int(re.search(r"\d+", found.ranks[-1]).group())
    assert told == found.contenders["name"].tolist()[: len(told)]
    assert len(told) + more == 40
    assert not any("told apart" in line for line in [*lines, *found.notes])


def test_a_large_band_is_told_by_its_first_and_last(like):
    """Ten that cannot be told apart are told by two names and their number."""
    found = verdict(like([0.6] * 10, 50))
    names = found.contenders["name"].tolist()
    assert found.ranks[1:] == (
        f"Rank 1 to 10: the 10 from {names[0]} down to {names[-1]} cannot be told apart.",
    )
    assert re.search(r", the 5 others that may be best \d+ % together\.", found.ranks[0])


def test_ranks_count_the_decided_pairs(like):
    """In random studies: one more than beat it, all but those it beats; each line says its members' ranks."""
    rng = np.random.default_rng(1)
    for seed in range(12):
        found = verdict(like(rng.uniform(0.3, 0.95, 7), 100, seed=seed))
        decided = found.pairs[found.pairs["decided"]]
        rows = found.contenders.set_index("name")
        assert (rows["rank_low"] == 1 + rows.index.map(decided["second"].value_counts()).fillna(0)).all()
        assert (rows["rank_high"] == 7 - rows.index.map(decided["first"].value_counts()).fillna(0)).all()
        assert rows["best_chance"].sum() == pytest.approx(1)
        apart = {frozenset(pair) for pair in decided[["first", "second"]].to_numpy()}
        together = set()
        for line in found.ranks[1:]:
            low, high = (int(rank) for rank in (re.findall(r"\d+", line.split(":")[0]) * 2)[:2])
            members = rows.loc[re.findall(r"x/m\d\d", line)]
            if "the 7 from" not in line:
                assert (members["rank_low"].min(), members["rank_high"].max()) == (low, high)
                together |= {frozenset((a, b)) for a in members.index for b in members.index if a != b}
        assert not together & apart
        if not any("the 7 from" in line for line in found.ranks):
            assert len(together) + len(apart) == 21


def test_chances_tell_the_likeliest_first_and_leave_none_out(like):
    """The chances of the first five and of the others that may be best come to a whole."""
    found = verdict(like(np.linspace(0.9, 0.3, 40), 100, seed=3))
    parts = re.findall(r"(below|above)? ?(\d+) %", found.ranks[0])
    whole = [int(share) for word, share in parts if not word]
    assert whole[:5] == sorted(whole[:5], reverse=True)
    assert 95 <= sum(whole) <= 102
    rows = found.contenders.set_index("name")
    for name, share in re.findall(r"(x/m\d\d) (\d+) %", found.ranks[0]):
        assert rows.loc[name, "rank_low"] == 1
        assert 100 * rows.loc[name, "best_chance"] == pytest.approx(int(share), abs=0.51)


def test_what_missing_answers_could_overturn_is_counted(like):
    """Decisions that the worst case would not bear are counted in a note; chances say what they suppose."""
    given = like(TIERS, 300)
    given.loc[(given["model"] == "x/m00") & (given["sample_id"] < "s0200"), "score.exact"] = None
    found = verdict(given)
    open_ = found.pairs[
        found.pairs["decided"] & (found.pairs["missing"] > 0) & (found.pairs["worst_low"] <= 0)
    ]
    decided = int(found.pairs["decided"].sum())
    assert f"missing answers could overturn {len(open_)} of the {decided} decided pairs" in found.notes
    assert found.notes[-1].endswith("it decides nothing and takes it for chance which answers are missing")
    assert "over 100 to 300 samples a pair" in found.headline


def test_too_few_samples_are_not_ranked(like):
    """A model with one scored sample has no rank, the others are ranked without it, and it is named."""
    given = like(TIERS, 300)
    given.loc[(given["model"] == "x/m08") & (given["sample_id"] > "s0000"), ["status", "score.exact"]] = [
        "failed",
        None,
    ]
    found = verdict(given)
    row = found.contenders.set_index("name").loc["x/m08"]
    assert row[["rank_low", "rank_high", "best_chance"]].isna().all()
    assert found.contenders["rank_high"].max() == 8
    assert found.ranks[-1] == "x/m08 is not ranked, for want of two scored samples."
    assert "over 1 to 300 samples a pair" in found.headline
    assert re.search(r"x/m08</td>(<td[^>]*>[^<]*</td>){3}(<td[^>]*>–</td>){2}", found._repr_html_())
    gone = given["model"] == "x/m08"
    none = verdict(given.assign(**{"score.exact": given["score.exact"].mask(gone)}))
    assert none.ranks[-1] == "x/m08 is not ranked, for want of two scored samples."
    assert "over 300 samples: " in none.headline


def test_against_one_there_are_no_ranks(like):
    """Compared with one contender only, the others are not compared: no ranks, sentences of pairs."""
    found = verdict(like(TIERS, 300), against="x/m04")
    assert found.ranks == ()
    assert len(found.sentences) == 8
    assert "rank_low" not in found.contenders.columns
    given = like(TIERS, 20)
    given["score.exact"] = given["score.exact"].mask(given["model"] == "x/m04")
    assert "undecided" in verdict(given, against="x/m04").headline


def test_without_an_interval_no_chance_is_told(frame):
    """Models that share no sample cannot be ordered by chance; the ranks are wide, and a note says why."""
    scores = {f"x/m{place}": [0, 1] * 10 for place in range(6)} | {"x/m6": [None] * 20 + [1, 0, 1]}
    found = verdict(frame(scores))
    assert found.contenders["best_chance"].isna().all()
    assert not any("Chance" in line for line in found.ranks)
    assert any(note.startswith("no chance of being best is told") for note in found.notes)


def test_lower_is_better_turns_ranks_round(like):
    """With better='lower' the last is the first, in ranks as in chances."""
    given = like(TIERS, 300)
    low = verdict(given, better="lower").contenders.set_index("name")
    assert (low.loc[["x/m06", "x/m07", "x/m08"], "rank_high"] == 3).all()
    assert low.loc[["x/m06", "x/m07", "x/m08"], "best_chance"].sum() > 0.99


def test_prompts_on_models_are_combinations(like):
    """Names and labels are those of the sentences, and the noun is the one of the headline."""
    first, second = like([0.9, 0.6, 0.3], 200), like([0.9, 0.6, 0.3], 200, seed=1).assign(prompt="q")
    both = pd.concat([first, second], ignore_index=True)
    both.attrs["labels"] = {"x/m00": "Model A"}
    found = verdict(both, by=["prompt", "model"])
    assert found.ranks[0].startswith("Chance of being the best combination: ")
    assert "Rank 1 to 2: p · Model A and q · Model A cannot be told apart." in found.ranks
    apart = "two combinations that stand together in no line are told apart"
    assert any(apart in note for note in found.notes)


def test_the_page_begins_with_the_ranked_table(like):
    """HTML tells the lines of ranks, then all contenders with rank and chance, then pairs."""
    found = verdict(like(np.linspace(0.9, 0.3, 40), 100))
    page = found._repr_html_()
    assert page.index("labkit-summary") < page.index("wins – ties – losses")
    assert "chance of<br>being best" in page
    assert page[: page.index("<details>")].count("<li>") == len(found.ranks)
    rows = re.findall(r"<tr>(.*?)</tr>", page[: page.index("wins – ties – losses")])
    assert len([row for row in rows if "x/m" in row]) == 40
    top = found.contenders.iloc[0]
    assert f">{top['rank_low']}–{top['rank_high']}<" in page


def test_a_hostile_name_stays_text(like):
    """Names in bands are made visible and escaped as everywhere."""
    found = verdict(like(TIERS, 300, names="x/<b>{}</b>\u202e"))
    assert "\u202e" not in str(found) + found._repr_html_()
    assert "<b>" not in found._repr_html_()
