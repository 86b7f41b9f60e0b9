"""labkit.plan.block_notes: blocks, sets, resolution and aliases are told before anything is paid for."""

from __future__ import annotations

import pytest

import labkit as lk
from labkit import tokens
from tests.plan.test_ablation import BLOCKS, ROWS


@pytest.fixture
def told(lab, echo):
    """Makes the remarks of an ablation of so many blocks."""

    def told(k, *, models=None, **wanted):
        prompt = lk.Prompt("reply", "Answer {{ n }}", blocks=BLOCKS[:k])
        plan = lab.plan(prompts=[prompt], models=models or [echo()], dataset=ROWS)
        return plan.ablate(**wanted)

    return told


@pytest.mark.parametrize(
    ("k", "kind", "said"),
    [
        (2, "auto", ["in 4 sets (all there are)", "the effect of the pair is told"]),
        (3, "auto", ["in 8 sets (all there are)", "effects of pairs are told one by one"]),
        (5, "auto", ["in 16 sets (of 32; resolution V)", "effects of pairs are told one by one"]),
        (
            6,
            "auto",
            [
                "in 16 sets (of 64; resolution IV)",
                "effects of pairs not told apart: 'examples' × 'style' = 'policy' × 'rules'",
            ],
        ),
        (
            9,
            "auto",
            [
                "in 12 sets (of 512; resolution III)",
                "each block is mixed with up to 0.33 of 28 pairs of other blocks",
                "effects of pairs are not told",
            ],
        ),
        (
            12,
            "auto",
            ["in 16 sets (of 4,096; resolution III)", "'examples' cannot be told from 'policy' × 'limits'"],
        ),
        (
            4,
            "each",
            ["in 5 sets (all, and all but one)", "what a block adds is told beside all the others only"],
        ),
    ],
)
def test_the_plan_s_line_and_table_tell_sets_and_aliases(told, k, kind, said):
    """The line, the HTML and the remarks say the same, beside requests and price."""
    plan = told(k, design=kind)
    assert "requests" in str(plan)
    assert "USD" in str(plan)
    for words in said:
        assert any(words in remark for remark in plan.remarks())
        assert words in str(plan)
        assert words.replace("'", "&#x27;") in plan._repr_html_()


def test_what_needs_leave_unclear_is_told(told):
    """Beside what a block is told, and which pair is not."""
    remarks = told(3, needs={"style": "examples"}).remarks()
    assert "what 'examples' adds is told without 'style' only" in remarks
    assert "what 'style' adds is told beside 'examples' only" in remarks
    assert "effects of pairs not told: 'examples' × 'style'" in remarks


def test_models_that_count_otherwise_are_both_told(told, echo, monkeypatch):
    """One list of tokens where all count alike, one for each where they do not; `~` where it is estimated."""

    def counted(model, text):
        return tokens.Count(len(text.split()) * (2 if model.name == "b" else 1), model.name == "a", "")

    monkeypatch.setattr(tokens, "estimate", counted)
    (alike,) = [remark for remark in told(2, models=[echo("a"), echo("c")]).remarks() if "tokens" in remark]
    assert alike.count(";") == 1
    (both,) = [remark for remark in told(2, models=[echo("a"), echo("b")]).remarks() if "tokens" in remark]
    assert both == (
        "input tokens of the blocks: 'examples' 6, 'style' 6 for scripted/a; "
        "'examples' ~12, 'style' ~12 for scripted/b"
    )


def test_a_plan_made_by_hand_says_the_same(lab, echo):
    """Three prompts that differ in their blocks only are sets, whatever they are called; one that was cut out
    is not among them, and a single block is no ablation."""
    prompts = [
        lk.Prompt("both", "Answer {{ n }}", blocks=BLOCKS[:2]),
        lk.Prompt("one", "Answer {{ n }}", blocks=BLOCKS[:1]),
        lk.Prompt("other", "Answer {{ n }}", blocks=BLOCKS[1:2]),
    ]
    plan = lab.plan(prompts=prompts, models=[echo()], dataset=ROWS)
    assert any("of 'both' in 3 sets (all, and all but one)" in remark for remark in plan.remarks())
    assert not any("measures" in remark for remark in plan.select(plan.frame()["prompt"] != "one").remarks())


def test_a_plan_without_blocks_says_nothing_of_them(lab, echo):
    """Nor does one whose prompts all have the same."""
    assert lab.plan(prompts=["Say {{ n }}"], models=[echo()], dataset=ROWS).remarks() == []
    plan = lab.plan(prompts=["Say {{ n }}"], models=[echo()], dataset=ROWS, context=BLOCKS[:3])
    assert plan.remarks() == []


def test_a_block_of_a_chain_is_counted_in_each_step_that_has_it(lab, echo):
    """Its tokens are those of the whole line."""
    model = echo()
    facts = lk.Step("facts", "F {{ n }}", blocks=BLOCKS[:2])
    chain = lk.Chain("c", facts, lk.Step("reply", "{{ facts }}", blocks=BLOCKS[1:2]))
    plan = lab.plan(prompts=[chain], models=[model], dataset=ROWS).ablate()
    once, twice = (tokens.estimate(model, f"{block.rendered}\n\n").tokens for block in BLOCKS[:2])
    told = f"input tokens of the blocks: 'examples' ~{once}, 'style' ~{2 * twice}"
    assert any(told in remark for remark in plan.remarks())


def test_a_run_s_first_line_tells_the_sets_and_not_again_what_they_cannot_tell(told):
    """That was for before it was paid."""
    plan = told(6)
    line = plan.title(plan.design.places)()
    assert "in 16 sets (of 64; resolution IV)" in line
    assert "not told apart" in str(plan)
    assert "not told apart" not in line


def test_what_is_odd_of_a_prompt_is_told_once_and_not_of_each_set(lab, echo):
    """That it uses no column, and that a block is no template."""
    blocks = [lk.Block("facts", "All of {{ n }}"), BLOCKS[1]]
    plan = lab.plan(prompts=[lk.Prompt("reply", "Answer", blocks=blocks)], models=[echo()], dataset=ROWS)
    odd = [
        remark for remark in plan.ablate().remarks() if "uses no column" in remark or "no template" in remark
    ]
    assert odd == plan.remarks()
