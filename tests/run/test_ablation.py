"""run.ablation, end to end with scripted models: asked, stored, told, and told again from history."""

from __future__ import annotations

import random

import pytest

import labkit as lk
from labkit.errors import DefinitionError, InvalidRequest

BLOCKS = [
    lk.Block("examples", "One: yes. Two: no. " * 12),
    lk.Block("style", "Be brief."),
    lk.Block("policy", "Refund nothing, whoever asks. " * 20),
]
ROWS = [{"n": f"row {number}", "label": "yes"} for number in range(80)]
PRICE = {"input": 2.5, "output": 10}


def right(request):
    """Right half of the time, and with the examples in nine cases of ten, by the row alone."""
    text = request.messages[-1]["content"]
    chance = random.Random(text[text.index("Answer") :]).random()
    return "yes" if chance < (0.9 if 'name="examples"' in text else 0.5) else "no"


@pytest.fixture
def planned(lab, echo):
    """Makes the ablation of a prompt with three blocks."""

    def planned(*, models=None, rows=ROWS, **wanted):
        prompt = lk.Prompt("reply", "Answer {{ n }}", blocks=BLOCKS)
        models = [echo(answers=right).replace(prices=PRICE)] if models is None else models
        plan = lab.plan(prompts=[prompt], models=models, dataset=rows, scorers=[lk.exact("label")])
        return plan.ablate(**wanted)

    return planned


def test_a_run_tells_what_each_block_adds_now_and_from_history(lab, planned):
    """Sets are known by what the lab kept of the prompts: another lab object says the same of the run."""
    run = planned().run(progress="none")
    found = run.ablation()
    assert found.effects["block"].tolist() == ["examples", "style", "policy"]
    assert found.effects["decided"].tolist() == [True, False, False]
    assert found.conclusion == ("Cheapest set that nobody is shown to beat: examples.",)
    assert str(lk.Lab(lab.path).run(run.run_id).ablation()) == str(found)
    assert str(lab.run("latest").ablation("exact")) == str(found)


def test_added_tokens_are_those_of_the_block(planned):
    """Within 2 % of what the model's own tokenizer counts (here: words), and its price follows."""
    found = planned().run(progress="none").ablation().effects.set_index("block")
    for block in BLOCKS:
        counted = len(block.rendered.split())
        assert found.loc[block.name, "input_tokens"] == pytest.approx(counted, rel=0.02)
        assert found.loc[block.name, "cost_per_1k_usd"] == pytest.approx(counted * 2.5e-3, rel=0.02)


def test_an_ablation_is_replayed_resumed_and_grown_like_any_run(lab, planned, echo):
    """Asked again it costs nothing; more samples come to all sets."""
    model = echo(answers=right)
    run = planned(models=[model]).head(60).over(planned(models=[model]).design.dataset).run(progress="none")
    asked = len(model.client.asked)
    assert asked == 8 * 60
    again = planned(models=[model]).head(60).run(progress="none")
    assert len(model.client.asked) == asked
    assert again.ablation().effects["effect"].tolist() == run.ablation().effects["effect"].tolist()
    lab.models.add(model)
    planned_again = lab.again(again.run_id)
    assert len(planned_again) == asked
    assert any("measures the blocks" in remark for remark in planned_again.remarks())
    run.more(rows=20, progress="none")
    assert len(model.client.asked) == 8 * 80
    assert run.ablation().watched
    assert set(run.ablation().effects["samples"]) == {80}


def test_failed_answers_leave_their_samples_out(planned, echo):
    """And their worst case in; where the whole prompt fails in a fifth of samples nothing is told."""

    def faulty(share):
        return lambda request: (
            InvalidRequest("no")
            if request.messages[-1]["content"].count("<block") == 3
            and int(request.messages[-1]["content"].split()[-1]) < share * 80
            else None
        )

    few = (
        planned(models=[echo(answers=right, faults=faulty(0.1))]).run(progress="none", fresh=True).ablation()
    )
    assert set(few.effects["missing"]) == {8}
    assert set(few.effects["samples"]) == {72}
    many = (
        planned(models=[echo(answers=right, faults=faulty(0.3))]).run(progress="none", fresh=True).ablation()
    )
    assert many.sentences[0].startswith("What the blocks add cannot be told: 30 %")


def test_a_run_made_by_hand_is_an_ablation_too(lab, echo):
    """Two prompts that differ in one block."""
    prompts = [lk.Prompt("with", "Answer {{ n }}", blocks=BLOCKS[:1]), lk.Prompt("bare", "Answer {{ n }}")]
    plan = lab.plan(prompts=prompts, models=[echo(answers=right)], dataset=ROWS, scorers=[lk.exact("label")])
    found = plan.run(progress="none").ablation()
    assert found.effects["block"].tolist() == ["examples"]
    assert found.sentences[0].startswith('Block "examples" adds ')


def test_two_prompts_are_told_apart(lab, echo):
    """Each by its name."""
    prompts = [lk.Prompt("a", "Answer {{ n }}"), lk.Prompt("b", "Answer this: {{ n }}")]
    plan = lab.plan(
        prompts=prompts,
        models=[echo(answers=right)],
        dataset=ROWS,
        context=BLOCKS[:2],
        scorers=[lk.exact("label")],
    )
    found = plan.ablate().run(progress="none").ablation()
    assert found.effects["prompt"].tolist() == ["a", "a", "b", "b"]
    assert " in a for " in found.sentences[0] or " in a (" in found.sentences[0]


def test_a_run_without_sets_says_how_to_measure_blocks(lab, echo):
    """In one sentence."""
    plan = lab.plan(
        prompts=["Answer {{ n }}"], models=[echo()], dataset=ROWS[:2], scorers=[lk.exact("label")]
    )
    run = plan.run(progress="none")
    with pytest.raises(DefinitionError, match=r"measure them by plan\.ablate\(\)"):
        run.ablation()


def test_report_and_card_tell_of_blocks(planned, lab, here):
    """A section with the sentences, a chart, and on the card what `labkit replay` holds against the lab; an
    older card that says nothing of blocks agrees all the same."""
    from labkit.report.card import apart

    run = planned().run(progress="none")
    found = run.ablation()
    page = run.report(here / "report.html").read_text(encoding="utf-8")
    assert "<h2>Blocks of context</h2>" in page
    assert 'aria-label="blocks"' in page
    assert found.conclusion[0] in page
    assert "factors of a two-level design" in page
    assert "Box GEP, Hunter JS (1961)" in page
    text = run.report(here / "report.md").read_text(encoding="utf-8")
    assert "## Blocks of context" in text
    assert "Cheapest set that nobody is shown to beat\\: examples." in text
    card = run.card()
    assert card["blocks"]["sentences"] == list(found.sentences)
    assert apart(card, run.card()) == []
    assert apart(card, card | {"blocks": None}) != []
    older = {name: value for name, value in card.items() if name != "blocks"}
    assert apart(older, run.card()) == []


def test_a_report_without_sets_says_nothing_of_blocks(lab, echo, here):
    """Nor does one of a run that asked each model one set."""
    prompts = [lk.Prompt("with", "Answer {{ n }}", blocks=BLOCKS[:1]), lk.Prompt("bare", "Answer {{ n }}")]
    models = [echo("a", answers=right), echo("b", answers=right)]
    plan = lab.plan(prompts=prompts, models=models, dataset=ROWS, scorers=[lk.exact("label")])
    frame = plan.frame()
    each = (frame["prompt"] == "with") == (frame["model"] == "scripted/a")
    run = plan.select(each).run(progress="none")
    assert "Blocks of context" not in run.report(here / "report.md").read_text(encoding="utf-8")
    assert run.card()["blocks"] is None


def test_a_block_of_another_text_is_another_block(lab, echo):
    """Two prompts with blocks of one name and two texts are not one prompt with and without it."""
    prompts = [
        lk.Prompt("one", "Answer {{ n }}", blocks=[BLOCKS[1], BLOCKS[0]]),
        lk.Prompt("other", "Answer {{ n }}", blocks=[lk.Block("style", "Be long.")]),
    ]
    plan = lab.plan(prompts=prompts, models=[echo()], dataset=ROWS[:2], scorers=[lk.exact("label")])
    with pytest.raises(DefinitionError, match=r"plan\.ablate\(\)"):
        plan.run(progress="none").ablation()


def test_the_blocks_of_a_chain_are_measured(lab, echo):
    """A set of blocks is left out of every step that has them; the lines of models stay as they were
    planned."""
    steps = [
        lk.Step("facts", "Facts of {{ n }}", blocks=BLOCKS[:1]),
        lk.Step("reply", "Answer {{ facts }} {{ n }}", blocks=BLOCKS[:2]),
    ]
    models = [echo(name, answers=right_of_chain) for name in "ab"]
    plan = lab.plan(
        prompts=[lk.Chain("reply", *steps)],
        models=lk.per_step(facts=models[:1], reply=models),
        dataset=ROWS[:40],
        scorers=[lk.exact("label")],
    ).ablate()
    made = {prompt.name: [len(step.prompt.blocks) for step in prompt.steps] for prompt in plan.design.prompts}
    assert made == {
        "reply": [1, 2],
        "reply without style": [1, 1],
        "reply without examples": [0, 1],
        "reply without any block": [0, 0],
    }
    run = plan.run(progress="none")
    assert len(run.generations()) == 4 * 2 * 40
    found = run.ablation().effects
    assert found["block"].tolist() == ["examples", "style"] * 2
    assert found.loc[found["block"] == "examples", "decided"].all()
    assert str(lk.Lab(lab.path).run(run.run_id).ablation()) == str(run.ablation())


def right_of_chain(request):
    """As `right`, in the last step."""
    text = request.messages[-1]["content"]
    return right(request) if "Answer" in text else "facts"


def test_chains_are_told_of_like_prompts(lab, echo):
    """Now and from history, with tokens of all steps; chains that differ in more than blocks are apart."""
    chain = lk.Chain(
        "c", lk.Step("notes", "Take {{ n }}", blocks=BLOCKS[:2]), lk.Step("reply", "Answer {{ notes }}")
    )
    other = lk.Chain(
        "other", lk.Step("notes", "Take {{ n }}"), lk.Step("reply", "Answer {{ notes }}", system="Be kind.")
    )
    plan = lab.plan(
        prompts=[chain, other],
        models=[echo(answers=lambda request: "yes")],
        dataset=ROWS[:10],
        scorers=[lk.exact("label")],
    )
    run = plan.ablate().run(progress="none")
    found = lab.run(run.run_id).ablation()
    assert found.effects["block"].tolist() == ["examples", "style"]
    assert len(found.sets) == 4
    counted = [len(block.rendered.split()) for block in BLOCKS[:2]]
    assert found.effects["input_tokens"].tolist() == pytest.approx(counted)
