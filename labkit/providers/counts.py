"""Token counts as endpoints tell them, as a `Usage` that can be believed.

Endpoints count reasoning or cached tokens beside a total instead of inside it, leave thoughts out of all but
the sum, tell a count twice, as text, below zero or as a fraction, and a zero beside an answer. What was
billed is the larger reading; where there is no reading, the count is unknown and `Usage.doubt` says why.
`named` knows the names that counts have, whoever tells them: endpoints of one dialect pass on the counts of
another. It knows no prices.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any

from labkit.providers.lenient import count
from labkit.records import Usage
from labkit.visible import quoted

MOST = 10**12
"""More tokens than any answer can have: many times the largest context there is."""

_NAMES = {
    "input": "prompt_tokens input_tokens input_token_count prompt_token_count",
    "output": "completion_tokens output_tokens output_token_count candidates_token_count",
    "cache_read": "cached_tokens cache_read_input_tokens cache_read_tokens prompt_cache_hit_tokens "
    "cache_read_input_token_count cached_content_token_count",
    "cache_write": "cache_write_tokens cache_creation_input_tokens cache_creation_tokens "
    "cache_write_input_tokens cache_write_input_token_count",
    "reasoning": "reasoning_tokens thinking_tokens thoughts_token_count",
    "total": "total_tokens total_token_count",
}
_OURS = {theirs.replace("_", ""): ours for ours, names in _NAMES.items() for theirs in names.split()}


def named(report: Any) -> Iterator[tuple[str, Any]]:
    """The counts of a report, those of its details included, by the names that `Counts` has for them.

    >>> list(named({"promptTokens": 9, "prompt_tokens_details": {"cached_tokens": 4}, "cost": 1}))
    [('input', 9), ('cache_read', 4)]
    """
    if not isinstance(report, dict):
        return
    for name, value in report.items():
        inner = value.items() if isinstance(value, dict) else ((name, value),)
        for theirs, told in inner:
            ours = _ours(theirs)
            if ours is not None and told is not None:
                yield ours, told


@lru_cache(maxsize=256)
def _ours(name: str) -> str | None:
    return _OURS.get(name.replace("_", "").casefold())


class Counts:
    """The counts told of one answer, however often they were told.

    Their names: `input` and `output`; their parts `cache_read`, `cache_write` and `reasoning`; the `total`.

    >>> told = Counts()
    >>> told.add({"input": 10, "output": 2, "reasoning": 5, "total": 17})
    >>> told.usage(said=True).output_tokens
    7
    """

    __slots__ = ("_doubts", "_told")

    def __init__(self) -> None:
        self._told: dict[str, int] = {}
        self._doubts: dict[str, str] = {}

    def add(self, told: Mapping[str, Any] | Iterable[tuple[str, Any]]) -> None:
        """One more report. Of two that differ the larger counts: the other was an early one, or is empty."""
        for name, value in told.items() if isinstance(told, Mapping) else told:
            if value is None:
                continue
            number = count(value)
            if number is not None and 0 <= number <= MOST:
                self._told[name] = max(number, self._told.get(name, 0))
            else:
                self._doubts[name] = f"the endpoint counts {quoted(value)} {name.replace('_', ' ')} tokens"

    def get(self, name: str) -> int | None:
        """What was told under that name and can be."""
        return self._told.get(name)

    def usage(self, *, said: bool, beside: bool = False) -> Usage:
        """What was used. `said`: there is an answer, which never has 0 tokens; `beside`: the dialect counts
        cached input beside `input`, not inside it."""
        doubts = dict(self._doubts)
        entered = self._entered(beside, doubts)
        left = self._left(entered, said, doubts)
        lacking = ["input", "cache_read", "cache_write"] if entered is None else []
        lacking += ["output"] if left is None else []
        reasons = [doubts[name] for name in lacking if name in doubts]
        return Usage(
            input_tokens=entered,
            cache_read_tokens=None if entered is None else self._told.get("cache_read"),
            cache_write_tokens=None if entered is None else self._told.get("cache_write"),
            output_tokens=left,
            reasoning_tokens=None if left is None else self._told.get("reasoning"),
            doubt="; ".join(reasons) or None,
        )

    def _entered(self, beside: bool, doubts: dict[str, str]) -> int | None:
        of = self._told.get
        plain, total = of("input"), of("total")
        cached = of("cache_read", 0) + of("cache_write", 0)
        if plain is None or (beside and {"cache_read", "cache_write"} & set(doubts)):
            return None
        # Where the total says so, or where they cannot be inside, the cached are beside.
        if total == plain + cached + of("output", 0) and of("reasoning") != cached:
            beside = True
        if cached > plain and not beside:
            if total is not None and total < plain + cached:
                doubts["input"] = f"{cached} cached tokens are told to be in an input of {plain}"
                return None
            beside = True
        entered = plain + cached if beside else plain
        if not entered:
            doubts["input"] = "the endpoint counts 0 input tokens"
        return entered or None

    def _left(self, entered: int | None, said: bool, doubts: dict[str, str]) -> int | None:
        of = self._told.get
        told, total, thought = of("output"), of("total"), of("reasoning", 0)
        rest = None if total is None or entered is None else total - entered
        if told is None and rest is None:
            return None
        # Thoughts are told in the total alone, or beside the output.
        left = max(told or 0, rest or 0)
        if thought > left:
            if told is None or rest is not None:
                doubts["output"] = f"{thought} reasoning tokens are told to be in an output of {left}"
                return None
            left = told + thought
        if said and not left:
            doubts.setdefault("output", "the endpoint counts 0 output tokens beside an answer")
            return None
        return left
