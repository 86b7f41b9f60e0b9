"""labkit.report.card: a small file from which plan, tables and verdict are checked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from labkit.cli.main import labkit
from labkit.report.card import CardFault, apart, read_card
from labkit.scoring import length


def test_a_card_holds_design_and_findings_and_no_answers(run: Any, here: Path) -> None:
    """Numbers, hashes and sentences; no text of an answer, no home path; a few kilobytes."""
    card = run.card(here / "card.json", margin=0.05)
    text = (here / "card.json").read_text()
    assert read_card(here / "card.json") == card
    assert len(text) < 20_000
    assert "alert(1)" not in text.replace("<b>", "")
    assert "/home/ada" not in text
    assert card["settings"]["margin"] == 0.05
    assert card["run"]["plan_id"] == run.plan_id()
    assert len(card["verdict"]["pairs"]) == 3
    assert card["counts"]["done"] == 240


def test_replaying_a_card_agrees_with_the_lab_that_made_it(run: Any, here: Path) -> None:
    """`labkit replay` rebuilds plan, table and verdict, asks nobody, and finds what the card says."""
    run.card(here / "card.json", by=["prompt", "model"], margin=0.03)
    found = CliRunner().invoke(labkit, ["replay", "card.json", "--lab", str(run.lab.path)])
    assert found.exit_code == 0, found.output
    assert "1 prompt × 3 models × 40 samples × 2 repeats, 240 cells" in found.output
    assert "the card   agrees" in found.output
    assert "beats" in found.output
    told = CliRunner().invoke(labkit, ["replay", "card.json", "--lab", str(run.lab.path), "--json"])
    assert json.loads(told.output)["agrees"] is True


def test_a_card_that_says_otherwise_is_found_out(run: Any, here: Path) -> None:
    """A changed number, and a lab that changed since, give exit code 1 and the place."""
    card = run.card(here / "card.json")
    card["counts"]["done"] = 239
    card["verdict"]["pairs"][0]["difference"] += 0.01
    (here / "card.json").write_text(json.dumps(card))
    found = CliRunner().invoke(labkit, ["replay", "card.json", "--lab", str(run.lab.path)])
    assert found.exit_code == 1
    assert "counts.done: 239 on the card, 240 now" in found.output
    assert "verdict.pairs[0].difference" in found.output


def test_a_plan_that_is_not_the_runs_is_found_out(run: Any, here: Path) -> None:
    """A card with another plan_id is told apart by the cells themselves."""
    card = run.card(here / "card.json")
    card["run"]["plan_id"] = "d1:0"
    (here / "card.json").write_text(json.dumps(card))
    found = CliRunner().invoke(labkit, ["replay", "card.json", "--lab", str(run.lab.path)])
    assert found.exit_code == 1
    assert "plan" in found.output.partition("does not agree")[2]


@pytest.mark.parametrize(
    "content",
    ["", "[]", "{}", '{"labkit_card": 1}', '{"labkit_card": 99}', "[" * 100_000, "\x00\xff"],
)
def test_what_is_no_card_is_refused(here: Path, content: str) -> None:
    """S16: other JSON, deep nesting, a newer card and rubbish are CardFaults, not crashes."""
    (here / "card.json").write_text(content, encoding="latin-1")
    with pytest.raises(CardFault):
        read_card(here / "card.json")


def test_equal_cards_are_not_apart(run: Any) -> None:
    """A card agrees with itself, and with one whose floats differ in the sixteenth digit."""
    card = run.card()
    assert apart(card, run.card()) == []
    other = json.loads(json.dumps(card))
    other["summary"][0]["score"] *= 1 + 1e-14
    assert apart(card, other) == []


def test_a_limit_that_is_infinite_is_null_on_a_card(here: Path, lab: Any, echo: Any) -> None:
    """A score without bounds and scatter has no limits: JSON has no word for that, and the card agrees."""
    plan = lab.plan(prompts=["{{ q }}"], models=[echo(), echo("b")], dataset=[{"q": "a"}, {"q": "b"}])
    run = plan.run()
    run.score(length())
    card = run.card(here / "c.json")
    json.dumps(card, allow_nan=False)
    assert card["summary"][0]["score_low"] is None
    assert card["verdict"]["pairs"][0]["all_high"] is None
    assert apart(json.loads((here / "c.json").read_text()), card) == []
