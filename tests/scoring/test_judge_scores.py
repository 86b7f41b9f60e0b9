"""From what judges say to scores: a value, or None with the reason; never a default."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import labkit as lk
from labkit.json_bytes import json_bytes
from labkit.records import Generation, Score
from labkit.scoring.judge_scores import ALONE, NOT_ASKED, Unread, duelled, graded, read_verdict, unjudged
from labkit.scoring.judges import Judge

AT = datetime(2026, 11, 29, tzinfo=UTC)
JUDGE = lk.judge("polite", "Is it?", model="openai/gpt-4o", grades={"no": 0, "yes": 1})
JURY = lk.judge("polite", "Is it?", model=["own/a", "own/b", "own/c"], grades={"no": 0, "so": 3, "yes": 10})
DUEL = lk.duel("helps", "Which?", model="own/a")
Row = Callable[..., Generation]

READ = {
    '{"verdict": "yes"}': 1.0,
    '{"verdict": "no"}': 0.0,
    '{"reason": "r", "verdict": "yes"}': 1.0,
    '{"verdict": "yes", "reason": "r"}': 1.0,
    '{"verdict": "yes", "reason": null}': 1.0,
    '{"verdict": "yes", "reason": ""}': 1.0,
    ' \n\t{"verdict":"yes"}\n ': 1.0,
    '```json\n{"verdict": "yes"}\n```': 1.0,
    '```\n{"verdict": "no"}\n```': 0.0,
    '\n```JSON\n{"verdict": "no"}\n```\n': 0.0,
    '{"verdict": "y\\u0065s"}': 1.0,
    '{"reason": "he said \\"no\\", {\\"verdict\\": \\"no\\"}", "verdict": "yes"}': 1.0,
    '{"reason": "\\ud800 \\u0000 \\u202e", "verdict": "yes"}': 1.0,
    json.dumps({"reason": "r" * 900_000, "verdict": "yes"}): 1.0,
    '{"verdict": "cannot tell"}': None,
}
"""What is a verdict: its value, None where it cannot tell."""

UNREAD = [
    "",
    " ",
    "yes",
    '"yes"',
    "Yes.",
    "1",
    "true",
    "null",
    "NaN",
    "[]",
    "{}",
    '["yes"]',
    '[{"verdict": "yes"}]',
    '{"verdict": "Yes"}',
    '{"verdict": "YES"}',
    '{"verdict": " yes"}',
    '{"verdict": "yes\\n"}',
    '{"verdict": "yes/no"}',
    '{"verdict": "yes and no"}',
    '{"verdict": "y\\u200bes"}',
    '{"verdict": "ye"}',
    '{"verdict": "maybe"}',
    '{"verdict": ""}',
    '{"verdict": "1"}',
    '{"verdict": 1}',
    '{"verdict": 0}',
    '{"verdict": 1e999}',
    '{"verdict": -0.0}',
    '{"verdict": true}',
    '{"verdict": null}',
    '{"verdict": NaN}',
    '{"verdict": Infinity}',
    '{"verdict": ["yes"]}',
    '{"verdict": {"verdict": "yes"}}',
    '{"verdict": {"yes": 1, "no": 0}}',
    '{"result": {"verdict": "yes"}}',
    '{"Verdict": "yes"}',
    '{"grade": "yes"}',
    '{"verdict": "yes", "score": 10}',
    '{"verdict": "yes", "verdict": "no"}',
    '{"verdict": "yes", "verdict": "yes"}',
    '{"verdict": "yes", "reason": 1}',
    '{"verdict": "yes", "reason": ["r"]}',
    '{"verdict": "yes"',
    '{"reason": "it is',
    '{"reason": "r", "verdict": "ye',
    '{"verdict": "yes"}{"verdict": "no"}',
    '{"verdict": "yes"}\n{"verdict": "yes"}',
    '{"verdict": "yes"} I am sure.',
    'The verdict is {"verdict": "yes"}',
    '```json\n{"verdict": "yes"}\n```\nThat is all.',
    '```json\n{"verdict": "yes"}\n```\n```json\n{"verdict": "no"}\n```',
    '```json\n{"verdict": "yes"}',
    "{'verdict': 'yes'}",
    "{verdict: yes}",
    '{"verdict": "yes",}',
    '// yes\n{"verdict": "yes"}',
    '\ufeff{"verdict": "yes"}',
    "I'm sorry, but I can't help with that.",
    "<think>yes</think>",
    "verdict: yes",
    "[" * 100_000,
    '{"verdict": "yes", "reason": "' + "r" * 1_100_000 + '"}',
    "1" * 5_000,
    '{"verdict": ' + "9" * 5_000 + "}",
    "\x00",
    "\ud800",
]


def one(score: Score) -> tuple[float | None, str | None]:
    return score.value, score.error


def test_there_are_sixty_hostile_ones() -> None:
    assert len({*READ, *UNREAD}) >= 60 + len(READ)


@pytest.mark.parametrize("text", list(READ), ids=lambda text: text[:40])
def test_a_verdict_is_one_document_of_its_form(text: str, generation: Row) -> None:
    score = graded(JUDGE, "g1", [generation(text)], AT)
    assert one(score) == (READ[text], None)
    assert json_bytes(score)


@pytest.mark.parametrize("text", UNREAD, ids=lambda text: ascii(text[:40]))
def test_all_else_is_none_and_says_why(text: str, generation: Row) -> None:
    """For a judge, for a jury, for a duel: no default anywhere."""
    with pytest.raises(Unread):
        read_verdict(text, JUDGE.verdicts)
    score = graded(JUDGE, "g1", [generation(text)], AT)
    assert score.value is None
    assert score.error is not None
    assert "the verdict of openai/gpt-4o cannot be read: " in score.error
    assert len(score.error) <= 500
    assert json_bytes(score)
    rows = {("x", "y"): [generation(text)], ("y", "x"): [generation('{"verdict": "second"}')]}
    for value, error in map(one, duelled(DUEL, ["x", "y"], rows, AT)):
        assert value is None
        assert "cannot be read" in str(error)


@given(
    st.text() | st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists).map(json.dumps)
)
def test_whatever_it_says_is_a_verdict_or_none(text: str) -> None:
    """Nothing else is raised, and nothing is read into it."""
    try:
        word, _ = read_verdict(text, JUDGE.verdicts)
    except Unread:
        return
    assert json.loads(text.strip().removeprefix("```json").removesuffix("```"))["verdict"] == word


@pytest.mark.parametrize("status", ["failed", "stopped", "partial"])
def test_no_answer_is_no_verdict(status: str, generation: Row) -> None:
    row = generation(None, status=status, error_type="RateLimited", error_message="too many")
    assert one(graded(JUDGE, "g1", [row], AT)) == (None, "openai/gpt-4o gave no verdict: too many")
    partly = generation('{"verdict": "yes"}', status="partial", error_type="ConnectionLost")
    assert one(graded(JUDGE, "g1", [partly], AT)) == (None, "openai/gpt-4o gave no verdict: ConnectionLost")
    assert one(graded(JUDGE, "g1", [], AT)) == (None, NOT_ASKED)


def test_a_verdict_that_was_cut_says_so(generation: Row) -> None:
    row = generation('{"reason": "it is', stop_reason="max_tokens")
    (_, error) = one(graded(JUDGE, "g1", [row], AT))
    assert str(error).startswith("the verdict of openai/gpt-4o, cut at max_tokens cannot be read")


def test_the_reason_is_kept_and_can_be_seen(generation: Row) -> None:
    score = graded(JUDGE, "g1", [generation('{"reason": "a\\u202eb\\ud800", "verdict": "no"}')], AT)
    assert score.explanation == "no: a⟨202E⟩b⟨D800⟩"
    assert (score.low, score.high, score.step) == (0, 1, 1)


def jury(generation: Row, **said: Any) -> Score:
    rows = [
        generation(f'{{"verdict": "{word}"}}', model=f"own/{name}", generation_id=name)
        for name, word in said.items()
    ]
    return graded(JURY, "g1", rows, AT)


def test_a_jury_gives_its_mean(generation: Row) -> None:
    assert one(jury(generation, a="no", b="so", c="yes")) == (pytest.approx(13 / 3), None)
    score = jury(generation, a="no", b="yes", c="yes")
    assert score.metadata == {
        "verdicts": {"own/a": "no", "own/b": "yes", "own/c": "yes"},
        "judgements": ["a", "b", "c"],
    }
    assert score.explanation == "own/a: no; own/b: yes; own/c: yes"


def test_one_of_a_jury_that_is_not_read_makes_none_and_is_named(generation: Row) -> None:
    value, error = one(jury(generation, a="no", b="perhaps", c="yes"))
    assert value is None
    assert str(error).startswith("the verdict of own/b cannot be read: the verdict is 'perhaps', not one of")
    assert "own/a" not in str(error)
    assert one(jury(generation, a="no", b="cannot tell", c="yes")) == (None, None)


# -- duels ---------------------------------------------------------------------------------------


def fought(
    generation: Row, says: Callable[[str, str], str], *answers: str, judge: Judge = DUEL
) -> list[Score]:
    """The scores of answers where each two were shown in both orders to one who `says` which is better."""
    rows = {
        (first, second): [
            generation(says(first, second), model=str(model), generation_id=f"{first}{second}")
            for model in judge.models
        ]
        for first in answers
        for second in answers
        if first != second
    }
    return duelled(judge, answers, rows, AT)


def said(word: str) -> str:
    return json.dumps({"verdict": word})


@pytest.mark.parametrize("word", ["first", "second"])
def test_who_goes_by_the_order_decides_nothing(word: str, generation: Row) -> None:
    """Half for everybody, and each pair a flip."""
    for score in fought(generation, lambda *_: said(word), "a", "b", "c"):
        assert one(score) == (0.5, None)
        assert score.metadata is not None
        assert [duel["flips"] for duel in score.metadata["duels"]] == [1, 1]


def test_who_goes_by_the_answers_says_the_same_in_both_orders(generation: Row) -> None:
    """Each one's score is the share of its duels that it wins; nobody flips."""

    def later(first: str, second: str) -> str:
        return said("first" if first > second else "second")

    scores = fought(generation, later, "a", "b", "c", "d")
    assert [score.value for score in scores] == pytest.approx([0, 1 / 3, 2 / 3, 1])
    assert not any(duel["flips"] for score in scores for duel in (score.metadata or {})["duels"])
    assert [score.generation_id for score in scores] == ["a", "b", "c", "d"]


def test_a_tie_is_half_and_no_flip_and_a_tie_in_one_order_is_one(generation: Row) -> None:
    tied = fought(generation, lambda *_: said("tie"), "a", "b")
    assert [(one(score), (score.metadata or {})["duels"][0]["flips"]) for score in tied] == [
        ((0.5, None), 0)
    ] * 2
    once = fought(generation, lambda first, _: said("tie" if first == "a" else "first"), "a", "b")
    assert [(one(score), (score.metadata or {})["duels"][0]["flips"]) for score in once] == [
        ((0.5, None), 1)
    ] * 2


def test_a_tie_where_none_is_allowed_is_not_read(generation: Row) -> None:
    strict = lk.duel("helps", "Which?", model="own/a", ties=False)
    for value, error in map(one, fought(generation, lambda *_: said("tie"), "a", "b", judge=strict)):
        assert value is None
        assert "not one of 'first', 'second', 'cannot tell'" in str(error)


def test_a_verdict_that_is_lacking_in_one_order_leaves_its_duel_out_and_is_counted(generation: Row) -> None:
    """Who has other duels has their mean."""

    def later(first: str, second: str) -> str:
        return "?" if (first, second) == ("a", "b") else said("first" if first > second else "second")

    a, b, c = fought(generation, later, "a", "b", "c")
    assert (a.value, b.value, c.value) == (0.0, 0.0, 1.0)
    assert [duel["unread"] for duel in (a.metadata or {})["duels"]] == [1, 0]
    assert [duel["turned"] for duel in (b.metadata or {})["duels"]] == [0, 1]
    assert [duel["value"] for duel in (a.metadata or {})["duels"]] == [None, 0.0]


def test_who_cannot_tell_in_one_order_cannot_tell(generation: Row) -> None:
    scores = fought(generation, lambda first, _: said("cannot tell" if first == "a" else "first"), "a", "b")
    assert [one(score) for score in scores] == [(None, None)] * 2
    assert not any((score.metadata or {})["duels"][0]["flips"] for score in scores)


def test_an_answer_without_another_is_not_compared(generation: Row) -> None:
    (score,) = duelled(DUEL, ["a"], {}, AT)
    assert one(score) == (None, None)
    assert score.explanation == ALONE
    assert unjudged(JUDGE, "g", "not scored: x", AT).explanation == "not scored: x"


def test_pairs_that_were_not_asked_say_so(generation: Row) -> None:
    assert [one(score) for score in duelled(DUEL, ["a", "b"], {}, AT)] == [(None, NOT_ASKED)] * 2
    half = {("a", "b"): [generation(said("first"), model="own/a")]}
    assert [score.value for score in duelled(DUEL, ["a", "b"], half, AT)] == [None, None]


def test_a_duel_before_a_jury_is_their_mean_and_needs_them_all(generation: Row) -> None:
    three = lk.duel("helps", "Which?", model=["own/a", "own/b", "own/c"])

    def rows(*said_of: dict[str, str]) -> dict[tuple[str, str], list[Generation]]:
        pairs = [("x", "y"), ("y", "x")]
        return {
            pair: [generation(said(word), model=f"own/{name}") for name, word in words.items()]
            for pair, words in zip(pairs, said_of, strict=True)
        }

    flipping = rows({"a": "first", "b": "first", "c": "second"}, {"a": "second", "b": "first", "c": "first"})
    x, y = duelled(three, ["x", "y"], flipping, AT)
    assert (x.value, y.value) == (pytest.approx(0.5), pytest.approx(0.5))
    assert (x.metadata or {})["duels"][0]["flips"] == 1
    assert (x.metadata or {})["duels"][0]["turned"] == 3
    lacking = rows({"a": "first", "b": "?", "c": "first"}, {"a": "second", "b": "first", "c": "second"})
    for value, error in (one(score) for score in duelled(three, ["x", "y"], lacking, AT)):
        assert value is None
        assert "own/b" in str(error)
        assert "own/a" not in str(error)
