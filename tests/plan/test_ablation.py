"""plan.ablate: a plan of prompts with blocks becomes one of their sets, or all that is wrong is told."""

from __future__ import annotations

import pytest

import labkit as lk
from labkit.errors import DefinitionError

WORDS = [
    "examples",
    "style",
    "policy",
    "tone",
    "rules",
    "facts",
    "audience",
    "format",
    "links",
    "limits",
    "faq",
    "laws",
]
BLOCKS = [lk.Block(name, f"All about {name}.") for name in (*WORDS, "more")]
ROWS = [{"n": number} for number in range(6)]


@pytest.fixture
def planned(lab, echo):
    """Makes a plan of one prompt with the first so many blocks."""

    def planned(k=3, *, prompts=None, models=None, **more):
        prompts = [lk.Prompt("reply", "Answer {{ n }}", blocks=BLOCKS[:k])] if prompts is None else prompts
        return lab.plan(prompts=prompts, models=models or [echo()], dataset=ROWS, **more)

    return planned


def refused(plan, *blocks, **wanted):
    """What is said of a wrong ablation, as faults."""
    with pytest.raises(DefinitionError) as raised:
        plan.ablate(*blocks, **wanted)
    return raised.value.faults


@pytest.mark.parametrize(("k", "sets"), [(2, 4), (3, 8), (4, 16), (5, 16), (8, 16), (9, 12), (12, 16)])
def test_each_number_of_blocks_has_its_sets(planned, k, sets):
    """As many prompts as the design has cells, each asked for every sample."""
    plan = planned(k).ablate()
    assert len(plan.design.prompts) == sets
    assert len(plan) == sets * len(ROWS)


def test_sets_keep_order_and_the_prompt_as_written_keeps_its_name(planned):
    """The whole prompt is the one that was given; others say in their names what they lack."""
    plan = planned()
    found = {prompt.name: prompt for prompt in plan.ablate().design.prompts}
    assert found["reply"] is plan.design.prompts[0]
    assert list(found)[1:] == [
        "reply without policy",
        "reply without style",
        "reply without examples",
        "reply without style, policy",
        "reply without examples, policy",
        "reply without examples, style",
        "reply without any block",
    ]
    assert found["reply without style"].blocks == (BLOCKS[0], BLOCKS[2])
    assert {prompt.text for prompt in found.values()} == {"Answer {{ n }}"}


def test_blocks_that_are_not_measured_stay_in_every_set(planned):
    """By name or as they are; two of three make four sets."""
    plan = planned().ablate(["examples", BLOCKS[2]])
    assert all(BLOCKS[1] in prompt.blocks for prompt in plan.design.prompts)
    assert [prompt.name for prompt in plan.design.prompts][-1] == "reply without examples, policy"


def test_context_is_measured_like_a_prompt_s_own_blocks(planned):
    """And prompts without blocks stay as they are."""
    bare = lk.Prompt("bare", "Say {{ n }}")
    plan = planned(prompts=["Answer {{ n }}"], context=BLOCKS[:2]).ablate()
    assert len(plan.design.prompts) == 4
    both = planned(prompts=[bare, lk.Prompt("reply", "Answer {{ n }}", blocks=BLOCKS[:2])]).ablate()
    assert [prompt.name for prompt in both.design.prompts][:2] == ["bare", "reply"]
    assert len(both.design.prompts) == 5


def test_a_cut_plan_stays_cut(planned):
    """Samples, repeats and models that were left out are left out of all sets; the seed is the plan's."""
    plan = planned(repeats=2).head(2)
    assert len(plan.ablate()) == 8 * 2 * 2
    assert plan.ablate().seed == plan.seed
    only = plan.select(plan.frame()["repeat"] == 1).ablate()
    assert set(only.frame()["repeat"]) == {1}


def test_each_and_full_are_made_on_request(planned):
    """One set more than blocks; and all sets of five."""
    assert len(planned(5).ablate(design="each").design.prompts) == 6
    assert len(planned(5).ablate(design="full").design.prompts) == 32


def test_needs_leave_out_what_nobody_would_write(planned):
    """No set has style without examples; what is needed may be several."""
    names = [prompt.name for prompt in planned().ablate(needs={"style": "examples"}).design.prompts]
    assert len(names) == 6
    assert "reply without examples" not in names
    several = planned().ablate(needs={BLOCKS[2]: ["examples", BLOCKS[1]]})
    assert len(several.design.prompts) == 5


def test_sets_are_replayed_by_the_whole_prompt_s_answers(planned):
    """What was asked of the prompt as written is known, and what was asked without a block."""
    planned(2).run(progress="none")
    planned(prompts=[lk.Prompt("other", "Answer {{ n }}", blocks=BLOCKS[:1])]).run(progress="none")
    plan = planned(2).ablate()
    assert sum(not why for why in plan.known.why) == 2 * len(ROWS)


def test_long_names_are_numbered(planned):
    """Where what is lacking does not go into a name, blocks are told by numbers; a longer one is refused."""
    names = [f"a block with a long name {number}" for number in range(5)]
    blocks = [lk.Block(name, f"{name} text") for name in names]
    found = planned(prompts=[lk.Prompt("reply", "Answer {{ n }}", blocks=blocks)]).ablate()
    assert "reply without 1, 2" in [prompt.name for prompt in found.design.prompts]
    long = planned(prompts=[lk.Prompt("r" * 95, "Answer {{ n }}", blocks=blocks)])
    (fault,) = refused(long)
    assert fault.endswith("shorten it.")


def test_names_that_would_be_alike_are_told_apart(planned):
    """A block called as two others together are: numbers tell what names cannot."""
    blocks = [lk.Block("a", "x"), lk.Block("b", "y"), lk.Block("a, b", "z")]
    found = planned(prompts=[lk.Prompt("reply", "Answer {{ n }}", blocks=blocks)]).ablate()
    assert len({prompt.name for prompt in found.design.prompts}) == 8
    taken = [
        lk.Prompt("reply", "Answer {{ n }}", blocks=BLOCKS[:2]),
        lk.Prompt("reply without style", "Hm {{ n }}"),
    ]
    (fault,) = refused(planned(prompts=taken))
    assert "would be called 'reply without style'" in fault


@pytest.mark.parametrize("k", [0, 1])
def test_too_few_blocks_are_refused(planned, k):
    """None, and one: that is a verdict between two prompts."""
    (fault,) = refused(planned(k))
    assert ("No prompt of the plan has blocks" if k == 0 else "run.verdict(by='prompt')") in fault


def test_too_many_blocks_are_refused(planned):
    """Thirteen, and nine in all their sets; some of them by name are measured."""
    (fault,) = refused(planned(13))
    assert "13 blocks of prompt 'reply'" in fault
    assert "at most 12" in fault
    (fault,) = refused(planned(9), design="full")
    assert "at most 8" in fault
    assert len(planned(13).ablate(WORDS[:4]).design.prompts) == 16


def test_all_that_is_wrong_is_told_at_once(planned):
    """Kind, names, needs, texts and names of blocks, each in a fault of its own."""
    blocks = [
        lk.Block("n", "numbers"),
        lk.Block("policy", "Refund  nothing."),
        lk.Block("refunds", "Refund nothing."),
    ]
    plan = planned(
        prompts=[lk.Prompt("reply", "By the policy: {{ n }}", system="Mind all refunds.", blocks=blocks)]
    )
    faults = refused(plan, design="half", needs={"style": "policy"})
    assert [fault[:40] for fault in faults] == [
        "design is 'half'; use 'auto', 'each', 'f",
        "needs= names 'style', which is none of t",
        "The block 'n' of prompt 'reply' has the ",
        "The prompt 'reply' names its block 'poli",
        "The blocks 'policy' and 'refunds' of pro",
        "The prompt 'reply' names its block 'refu",
    ]
    assert "in its system part" in faults[-1]
    named = refused(planned(), ["exampels", "style", "style"], needs={"style": "policy", "policy": "style"})
    assert "the nearest: 'examples'" in named[0]
    assert named[1] == "blocks= names 'style' twice."


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ({"blocks": []}, "blocks= is empty"),
        ({"blocks": ["examples"]}, "one block of prompt 'reply', 'examples'"),
        ({"blocks": [3, ["style"]]}, "blocks= names 3"),
        ({"needs": 7}, "needs is 7"),
        ({"needs": {"style": [["examples"]]}}, "needs= names ['examples']"),
        ({"needs": {"style": "style"}}, "a circle: 'style' needs 'style'"),
        ({"needs": {"style": "policy", "policy": "examples", "examples": "style"}}, "a circle"),
        ({"design": None}, "design is None"),
        ({"design": "each", "needs": {"style": "examples"}}, "do not tell the effect of 'examples'"),
    ],
)
def test_wrong_arguments_are_refused_before_anything_is_asked(planned, echo, wanted, said):
    """Each in words that name it; the model is asked nothing."""
    model = echo()
    assert said in " ".join(refused(planned(models=[model]), **wanted))
    assert not model.client.asked


def test_a_plan_of_sets_is_not_measured_again(planned):
    """Sets of sets would be none of anything that was written."""
    (fault, *_) = refused(planned().ablate())
    assert fault.startswith("The plan measures the blocks of 'reply' already, in 8 sets")


def test_a_block_of_another_text_than_the_plan_s_is_refused(planned):
    """A block given as a value is that block, not any of its name."""
    (fault,) = refused(planned(), [lk.Block("style", "Be long."), BLOCKS[0]])
    assert "'style' of another text" in fault
    assert len(planned().ablate(BLOCKS[:2])) == len(planned().ablate(WORDS[:2]))


def test_a_chain_may_have_blocks_named_as_its_steps(lab, echo):
    """Its headings and placeholders are not its words; one name for two texts is refused."""
    facts = lk.Block("facts", "All that is known.")

    def plan(first, second):
        steps = lk.Step("facts", "List {{ n }}", blocks=first), lk.Step("reply", "{{ facts }}", blocks=second)
        return lab.plan(prompts=[lk.Chain("c", *steps)], models=[echo()], dataset=ROWS)

    assert len(plan([BLOCKS[0], lk.Block("reply", "Briefly.")], []).ablate().design.prompts) == 4
    assert len(plan([facts], [BLOCKS[0]]).ablate().design.prompts) == 4
    (fault,) = refused(plan([facts], [lk.Block("facts", "Nothing."), BLOCKS[0]]))
    assert fault == "The blocks 'facts' of chain 'c' have 2 texts; give each its own name."


def test_a_plan_without_cells_has_nothing_to_measure_on(planned, lab, echo):
    """An empty dataset is refused by the plan, and a plan that was cut to nothing by the ablation."""
    plan = planned()
    (fault,) = refused(plan.select(plan.frame()["repeat"] > 0))
    assert "no cells left" in fault
    with pytest.raises(DefinitionError, match="no rows"):
        lab.plan(prompts=["Answer {{ n }}"], models=[echo()], dataset=[], context=BLOCKS[:2])


def test_a_chain_is_measured_step_by_step(lab, echo):
    """A block stands in the steps in which it stood, and nowhere else; cut cells and models of steps stay."""
    chain = lk.Chain(
        "c",
        lk.Step("notes", "List {{ n }}", blocks=BLOCKS[:2]),
        lk.Step("reply", "Answer {{ notes }}", blocks=BLOCKS[1:3]),
    )
    one, two = echo("a"), echo("b")
    models = lk.per_step(notes=[one, two], reply=[two])
    plan = lab.plan(prompts=[chain], models=models, dataset=ROWS).head(2)
    made = plan.ablate()
    assert len(made) == 8 * len(plan)
    found = {prompt.name: prompt for prompt in made.design.prompts}
    blocks = [[block.name for block in step.prompt.blocks] for step in found["c without style"].steps]
    assert blocks == [["examples"], ["policy"]]
    named = lk.Chain(
        "d",
        lk.Step("notes", "List {{ n }}", system="Mind the policy.", blocks=BLOCKS[:3]),
        lk.Step("reply", "Answer {{ notes }}"),
    )
    (fault,) = refused(lab.plan(prompts=[named], models=[echo()], dataset=ROWS))
    assert "names its block 'policy' in its system part" in fault
