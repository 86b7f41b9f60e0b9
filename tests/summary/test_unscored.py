"""labkit.summary.unscored: why scores are not there."""

from __future__ import annotations

import pandas as pd
import pytest

from labkit.summary import unscored

FAILED = {"x": {"answers": 2, "failed": 2, "reason": "KeyError: 'a'", "reasons": 2}}


@pytest.mark.parametrize(
    ("status", "column", "failures", "words"),
    [
        ([], "score.x", {}, "nothing was asked yet"),
        (["failed", "stopped"], "score.x", {}, "none of 2 requests got an answer (1 failed, 1 stopped; "),
        (["done"], None, {}, "nothing was scored: give the plan scorers=[…]"),
        (["done", "done"], "score.x", FAILED, "scorer 'x' failed on 2 of 2 answers, mostly: KeyError: 'a'"),
        (["done", "done"], "score.x", {}, "scorer 'x' gave no value for any of 2 answers"),
        (["done", "failed"], "score.y", FAILED, "scorer 'y' gave no value for any of 1 answer"),
    ],
)
def test_each_reason_has_its_words(
    status: list[str], column: str | None, failures: object, words: str
) -> None:
    """No answer, no scorer, a scorer that failed, one that gave nothing: what is so is what is said."""
    frame = pd.DataFrame({"status": status}, dtype="str")
    frame.attrs["failures"] = failures
    assert words in unscored.why_none(frame, column)


def test_of_chains_it_is_the_chains_that_did_not_end() -> None:
    """Their steps may all have been answered."""
    frame = pd.DataFrame({"status": ["failed", "failed"], "steps": 2})
    assert "none of 2 chains came to an end (2 failed; " in unscored.why_none(frame, "score.x")


def test_what_a_scorer_says_is_one_line_in_which_all_can_be_seen() -> None:
    """Control characters of the message, and of the scorer's name, come as their codes."""
    said = unscored.failure("a\x1b", answers=1, failed=1, reason="E: \x1b[31m\n\u202e", reasons=1)
    assert said == "scorer 'a\\x1b' failed on 1 of 1 answer: E: ⟨1B⟩[31m⏎⟨202E⟩"
