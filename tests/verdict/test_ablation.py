"""labkit.verdict.ablation: what is said of each block, word by word, and what follows."""

from __future__ import annotations

import math
import re

import pytest

from labkit.errors import DefinitionError
from tests.verdict.blocks import asked, told


def said(found):
    """Sentences and conclusion as one text."""
    return "\n".join([*found.sentences, *found.conclusion])


def test_a_block_that_adds_and_two_that_do_not():
    """Word by word: how much, for how many tokens and dollars; and without which the score is no worse."""
    found = told(*asked(3, 400, effects={"examples": 0.2}, base=0.4), margin=0.05)
    assert said(found) == (
        'Block "examples" adds 17 to 27 points for 640 more input tokens (USD 1.60 per 1,000 answers).\n'
        'Block "style" is not shown to matter (4 points behind to 5 points ahead) and costs USD 0.150 per '
        "1,000 answers: without it the score is not worse by 5 points or more.\n"
        'Block "policy" is not shown to matter (2 points behind to 7 points ahead) and costs USD 2.85 per '
        "1,000 answers; whether it adds 5 points or more cannot be told.\n"
        "Cheapest set that nobody is shown to beat: examples."
    )
    assert found.notes[0] == "score: exact, 1 point = 0.01"
    assert "averaged over the others in and out" in found.notes[1]
    assert found.notes[2].startswith("decided by Holm's correction over 3 effects; ranges are 95 %")


def test_a_block_that_harms_costs_points():
    """It is not in the set that follows."""
    found = told(*asked(3, 200, effects={"style": -0.25}, base=0.6, seed=1))
    assert 'Block "style" costs ' in said(found)
    assert found.conclusion == ("Cheapest set that nobody is shown to beat: no block.",)


def test_blocks_that_help_only_together_are_told_together():
    """A planted pair effect is found, its sentence names both, and theirs alone are not said."""
    found = told(*asked(3, 200, pairs={("examples", "style"): 0.4}, base=0.3))
    for one, other in (("examples", "style"), ("style", "examples")):
        (sentence,) = [line for line in found.sentences if line.startswith(f'Block "{one}"')]
        words = rf' adds \d+ to \d+ points beside "{other}" and is not shown to matter without it \(\d'
        assert re.search(words, sentence)
    assert found.conclusion == ("Cheapest set that nobody is shown to beat: examples + style.",)


def test_blocks_that_stand_in_for_each_other_are_told_so():
    """Each is shown to add something only without the other; the cheaper is enough."""
    pairs = {("examples", "style"): -0.3}
    found = told(*asked(3, 300, effects={"examples": 0.3, "style": 0.3}, pairs=pairs, base=0.3))
    words = r'Block "examples" adds .* points without "style" and is not shown to matter beside it \(\d'
    assert re.search(words, said(found))
    assert found.conclusion == ("Cheapest set that nobody is shown to beat: style.",)


def test_a_block_that_adds_more_beside_another_has_both_ranges():
    """Where both are decided."""
    pairs = {("examples", "style"): 0.3}
    found = told(*asked(3, 400, effects={"examples": 0.25}, pairs=pairs, base=0.2))
    (sentence,) = [one for one in found.sentences if one.startswith('Block "examples"')]
    assert " points beside " in sentence
    assert " points without it for 640 more input tokens" in sentence


def test_pairs_that_are_mixed_are_told_as_one_of_several():
    """At resolution IV: which of them it is, this design cannot tell."""
    found = told(*asked(6, 200, pairs={("examples", "style"): 0.5}, base=0.3))
    assert (
        '"examples" × "style" or "policy" × "rules": one of these pairs may change what its blocks add, this '
        "design cannot tell which ("
    ) in said(found)
    assert any("not every pair from others" in note for note in found.notes)


def test_blocks_that_are_mixed_with_pairs_are_told_so():
    """At resolution III: the block, or a pair in its place."""
    found = told(*asked(12, 200, effects={"examples": 0.3}, base=0.3))
    assert 'Block "examples", or "policy" × "limits" or ' in said(found)
    assert ": this design cannot tell which." in said(found)
    partly = told(*asked(9, 200, effects={"examples": 0.3}, base=0.3))
    assert any("up to 0.33 of those of pairs" in note for note in partly.notes)


def test_blocks_left_out_one_at_a_time_are_told_beside_all_others():
    """Once, in a note."""
    found = told(*asked(4, 200, kind="each", effects={"examples": 0.3}, base=0.3))
    assert "beside all the others;" in found.notes[1]
    assert 'Block "examples" adds' in said(found)


def test_needs_are_told_in_each_sentence():
    """Beside what, or without what, the effect is."""
    from labkit.stats.factorial import design

    cells = tuple(cell for cell in design(3) if cell[0] or not cell[1])
    found = told(*asked(3, 200, cells=cells, effects={"style": 0.3}, base=0.3))
    assert 'Block "style" adds ' in said(found)
    assert ' points beside "examples" for 60 more input tokens' in said(found)
    assert 'Block "examples" is not shown to matter without "style" (' in said(found)


def test_a_prompt_that_fails_in_a_fifth_is_not_told_of():
    """Of the answers with all blocks: then nothing is said of any, nor what follows."""
    found = told(*asked(3, 200, effects={"style": 0.4}, base=0.3, failing={"examples": 0.3}))
    (sentence,) = found.sentences
    assert sentence.startswith("What the blocks add cannot be told: ")
    assert sentence.endswith("% of the answers to 'reply' with all of them have no score.")
    assert found.conclusion == ()
    few = told(*asked(3, 200, effects={"style": 0.4}, base=0.3, failing={"examples": 0.1}))
    assert 'Block "style" adds' in said(few)


def test_models_are_told_apart_and_share_what_follows():
    """Each sentence names its model; one that fails is told alone."""
    found = told(*asked(2, 200, models=("x/a", "x/b"), effects={"style": 0.3}, base=0.3, seed=1))
    assert 'Block "style" adds' in found.sentences[1]
    assert " points on x/a for 60 more input tokens" in found.sentences[1]
    assert " on x/b " in found.sentences[3]
    assert found.conclusion == ("Cheapest set that nobody is shown to beat: style.",)
    frame, sets = asked(2, 200, models=("x/a", "x/b"), effects={"style": 0.3}, base=0.3, seed=1)
    frame.loc[(frame["model"] == "x/b") & (frame["prompt"] == "reply"), "score.exact"] = None
    failing = told(frame, sets)
    assert failing.sentences[-1].startswith("What the blocks add on x/b cannot be told: 100 %")
    assert failing.conclusion == ("Cheapest set that nobody is shown to beat on x/a: style.",)


def test_an_unknown_price_leaves_tokens_alone():
    """No dollar is named, and the set is the shortest."""
    found = told(*asked(2, 200, effects={"examples": 0.3}, base=0.3, usd_mtok=None, seed=1))
    assert "USD" not in said(found)
    assert "for 640 more input tokens." in said(found)
    assert "and takes 60 more input tokens" in said(found)
    assert found.conclusion[0].startswith("Shortest set (prices are not known)")


def test_cached_input_longer_answers_and_more_time_are_told():
    """Each where it is shown."""
    frame, sets = asked(
        3, 200, longer={"style": 12}, slower={"policy": 1.5}, cached=["examples"], usd_mtok=None
    )
    found = told(frame, sets)
    assert "640 more input tokens (of these 640 read from a cache)" in said(found)
    assert "Answers are 12 tokens longer with it." in said(found)
    assert "With it answers take 1." in said(found)
    assert any("warm beginning" in note for note in found.notes)
    assert found.sets["cached"].max() > 0.3


def test_missing_answers_are_told_with_their_worst_case():
    """What holds whatever they would have been, and what does not."""
    found = told(*asked(3, 300, effects={"style": 0.3}, base=0.3, missing=0.02))
    style, other = found.sentences[1], found.sentences[2]
    assert "That holds whatever the missing scores of " in style
    assert " of 300 samples lack an answer: from their worst to their best, " in other
    unbounded = told(*asked(3, 300, scale=None, missing=0.02))
    assert "the score has no declared bounds, so the worst case cannot be told." in said(unbounded)


def test_one_sample_says_nothing():
    """And nothing follows from it."""
    found = told(*asked(2, 1))
    assert found.sentences[0].endswith(
        "cannot be told, there is 1 sample with an answer in each set that it takes."
    )
    assert found.conclusion == ()


def test_lower_is_better_is_said_so():
    """In points off the score."""
    found = told(*asked(2, 200, effects={"style": -0.3}, base=0.6), better="lower")
    assert 'Block "style" lowers the score by ' in said(found)
    assert found.notes[0].endswith("lower is better")


def test_a_grown_study_has_ranges_that_hold_at_any_moment():
    """And the note of looks, as in a verdict."""
    frame, sets = asked(2, 200, effects={"style": 0.4}, base=0.3)
    frame.attrs["grown"] = {"rows": 1, "others": 0}
    found = told(frame, sets)
    assert found.watched
    assert 'Block "style" adds' in said(found)
    assert any("at any moment of stopping" in note for note in found.notes)
    assert any("was made larger after it could be looked at" in note for note in found.notes)


def test_frames_have_what_the_sentences_rest_on():
    """A row per block, per pair and per set."""
    found = told(*asked(3, 60, effects={"examples": 0.2}))
    assert len(found.frame()) == 3
    assert len(found.pairs) == 3
    assert found.sets["block.style"].tolist() == [
        bool(int(name[-2])) if name != "reply" else True for name in found.sets["prompt"]
    ]
    assert repr(found) == f"Ablation(exact: 3 effects, {int(found.effects['decided'].sum())} decided)"
    assert math.isclose(found.level, 0.95)


def test_hostile_names_are_shown_as_text():
    """In sentences, table and title."""
    frame, sets = asked(2, 40)
    frame["model"] = "x/<script>alert(1)</script>"
    both = frame.assign(model="x/other")
    import pandas as pd

    together = pd.concat([frame, both], ignore_index=True)
    together.attrs = frame.attrs
    html = told(together, sets)._repr_html_()
    assert "<script>" not in html
    assert "&lt;script&gt;" in html
    assert html.count("<tr>") == 5


def test_a_table_of_many_blocks_says_how_many_more_there_are():
    """Of three models and twelve blocks thirty rows are shown."""
    html = told(*asked(12, 20, models=("x/a", "x/b", "x/c")))._repr_html_()
    assert html.count("<tr>") == 31
    assert "and 6 more rows, in .frame()" in html


def test_what_cannot_be_told_is_refused():
    """No sets, no scores, a wrong direction, margin or column."""
    frame, sets = asked(2, 20)
    with pytest.raises(DefinitionError, match=r"plan\.ablate\(\)"):
        told(frame, [])
    with pytest.raises(DefinitionError, match="Nothing can be told of the blocks"):
        told(frame.drop(columns="score.exact"), sets)
    with pytest.raises(DefinitionError, match="no score 'exakt'"):
        told(frame, sets, score="exakt")
    with pytest.raises(DefinitionError, match="better='up'"):
        told(frame, sets, better="up")
    with pytest.raises(DefinitionError, match="margin"):
        told(frame, sets, margin=-1)
    with pytest.raises(DefinitionError, match=r"no column 'sample\.x'"):
        told(frame, sets, clusters="sample.x")
