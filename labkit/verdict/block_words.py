"""What each block adds, in plain sentences: how much, beside what, for how many tokens and dollars.

A sentence says what its interval says, rounded outwards. It reads rows of `labkit.summary.block_effects`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from labkit.verdict.amounts import counted, listed, span, times, times_span, usd
from labkit.verdict.words import Terms, between, by
from labkit.visible import visible

Row = Mapping[str, Any]


def named(block: str) -> str:
    """A block's name as sentences have it."""
    return f'"{visible(block, limit=60)}"'


def block_sentence(row: Row, terms: Terms, *, where: str, beside: str, instead: Sequence[str]) -> str:
    """All that is said of one block: `where` is " on gpt-4o" or nothing, `beside` what it is told beside,
    `instead` are pairs whose effect the design cannot tell from its own."""
    block = named(row["block"])
    if not row["samples"] or math.isnan(row["low"]):
        few = f"{counted(int(row['samples']), 'sample')} with an answer in each set that it takes"
        return f"Block {block}{where}: cannot be told, there {'is' if row['samples'] == 1 else 'are'} {few}."
    if row["decided"]:
        either = f", or {' or '.join(instead)} in its place," if instead else ""
        end = ": this design cannot tell which" if instead else ""
        said = f"Block {block}{either} {_moves(row, terms)}{beside}{where}{_for(row)}{end}."
    else:
        said = (
            f"Block {block} is not shown to matter{beside}{where} ({_range(row, terms)})"
            f"{_and_costs(row)}{_without(row, terms)}."
        )
    return " ".join(part for part in (said, _missing(row, terms), _longer(row), _slower(row)) if part)


def pair_sentences(
    row: Row, states: Sequence[Row], effects: Mapping[str, Row], terms: Terms, *, where: str
) -> list[str]:
    """What is said of the blocks of a decided pair, in place of their sentences: what each adds where the
    other is in, and where it is not."""
    ((first, second),) = row["blocks"]
    found = []
    for at, (block, other) in enumerate(((first, second), (second, first))):
        inside, outside = (_state(states, at, is_in) for is_in in (True, False))
        if inside is None or outside is None:
            continue
        said = _depends(block, other, inside, outside, terms, where)
        price = _for(effects[block]) if block in effects else ""
        found.append(f"{said}{',' if price and said.endswith(')') else ''}{price}.")
    return found


def aliased_sentence(row: Row, terms: Terms, *, where: str) -> str:
    """Of pairs that the design cannot tell apart, and one of which may matter."""
    pairs = [" × ".join(map(named, pair)) for pair in row["blocks"]]
    fits = _range(row, terms, "low", "high")
    return (
        f"{listed(pairs, joint='or', most=8)}{where}: one of these pairs may change what its blocks add, "
        f"this design cannot tell which ({fits})."
    )


def cheapest_sentence(blocks: Sequence[str], *, priced: bool, asked: bool, whole: bool, where: str) -> str:
    """The set that follows, by name."""
    kind = "Cheapest set" if priced else "Shortest set (prices are not known)"
    which = " + ".join(visible(block, limit=60) for block in blocks) or "no block"
    rest = " (all)" if whole else ""
    unasked = "" if asked else "; it was not asked by itself, and follows from the effects"
    return f"{kind} that nobody is shown to beat{where}: {which}{rest}{unasked}."


def failing_sentence(prompt: str, share: float, *, where: str) -> str:
    """Of a prompt whose answers failed too often as it was written."""
    return (
        f"What the blocks add{where} cannot be told: {share * 100:.0f} % of the answers to "
        f"{visible(prompt, limit=60)!r} with all of them have no score."
    )


def price(row: Row) -> str:
    """What a block adds in tokens and dollars: "640 more input tokens (USD 1.60 per 1,000 answers)"."""
    tokens, dollars = _tokens(row), _dollars(row)
    return f"{tokens} ({dollars})" if tokens and dollars else tokens or dollars


def _moves(row: Row, terms: Terms) -> str:
    up = row["effect"] > 0
    far = by(_ahead(row), terms).removeprefix(" by ")
    if terms.better == "lower":
        return f"{'lowers' if up else 'raises'} the score{f' by {far}' if far else ''}"
    return f"{'adds' if up else 'costs'} {far or 'some, how much cannot be told,'}"


def _for(row: Row) -> str:
    told = price(row)
    return f" for {told}" if told else ""


def _and_costs(row: Row) -> str:
    tokens, dollars = _tokens(row), _dollars(row)
    if row["cost_per_1k_usd"] > 0:
        return f" and costs {dollars}"
    return f" and takes {tokens}{f' ({dollars})' if dollars else ''}" if tokens else ""


def _tokens(row: Row) -> str:
    added = row["input_tokens"]
    if math.isnan(added) or not round(abs(added)):
        return ""
    told = f"{round(abs(added)):,} {'more' if added > 0 else 'fewer'} input tokens"
    kinds = (("cache_read_tokens", "read from a cache"), ("cache_write_tokens", "written to one"))
    parts = [f"{round(row[name]):,} {words}" for name, words in kinds if added > 0 and round(row[name]) > 0]
    return f"{told} (of these {' and '.join(parts)})" if parts else told


def _dollars(row: Row) -> str:
    cost = row["cost_per_1k_usd"]
    if math.isnan(cost) or cost == 0:
        return ""
    return f"{usd(abs(cost))} {'' if cost > 0 else 'less '}per 1,000 answers"


def _without(row: Row, terms: Terms) -> str:
    if terms.margin is None:
        return ""
    if row["no_worse_without"]:
        return f": without it the score is not worse by {terms.within()} or more"
    return f"; whether it adds {terms.within()} or more cannot be told"


def _range(row: Row, terms: Terms, low: str = "all_low", high: str = "all_high") -> str:
    """Anything that fits: "2 points behind to 3 points ahead", "3 to 8 points"."""
    least, most = row[low], row[high]
    if math.isfinite(least) and math.isfinite(most) and least * most > 0:
        ends = span(*sorted(terms.factor * abs(end) for end in (least, most)))
        return terms.amount(" to ".join(ends)) + ("" if least > 0 else " behind")
    told = between({"all_low": least, "all_high": most}, terms, "")
    return told.removeprefix("anything from ").removeprefix("anything ")


def _missing(row: Row, terms: Terms) -> str:
    gone = int(row["missing"])
    if not gone:
        return ""
    total = counted(gone + int(row["samples"]), "sample")
    lack = f"{gone:,} of {total} {'lacks' if gone == 1 else 'lack'} an answer"
    if not terms.study.scale.bounded:
        return f"But {lack}, and the score has no declared bounds, so the worst case cannot be told."
    if row["decided"] and (row["worst_low"] > 0 or row["worst_high"] < 0):
        return f"That holds whatever the missing scores of {gone:,} samples would have been."
    if not row["decided"] and row["no_worse_without"] is True:
        return ""  # that is said by the worst case already
    worst = _range(row, terms, "worst_low", "worst_high")
    ends = "its worst to its best" if gone == 1 else "their worst to their best"
    return f"But {lack}: from {ends}, {worst} would fit."


def _longer(row: Row) -> str:
    low, high = row["output_tokens_low"], row["output_tokens_high"]
    if not (low > 0 or high < 0):
        return ""
    change = row["output_tokens"]
    far = counted(max(1, round(abs(change))), "token")
    return f"Answers are {far} {'longer' if change > 0 else 'shorter'} with it."


def _slower(row: Row) -> str:
    low, high = row["latency_low"], row["latency_high"]
    if not (low > 1 or high < 1) or not math.isfinite(high):
        return ""
    return f"With it answers take {times(row['latency_ratio'])} as long ({times_span(low, high)})."


def _depends(block: str, other: str, inside: Row, outside: Row, terms: Terms, where: str) -> str:
    this, that = f"Block {named(block)}", named(other)
    told, rest = _range(inside, terms), _range(outside, terms)
    if inside["decided"] and outside["decided"]:
        with_it, alone = _moves(inside, terms), _moves(outside, terms)
        return f"{this} {with_it} beside {that}, and {alone} without it{where}"
    unshown = "and is not shown to matter"
    if inside["decided"]:
        return f"{this} {_moves(inside, terms)} beside {that} {unshown} without it{where} ({rest})"
    if outside["decided"]:
        return f"{this} {_moves(outside, terms)} without {that} {unshown} beside it{where} ({told})"
    ends = f"beside it {told}; without it {rest}"
    return f"What block {named(block)} adds may depend on {that}{where} ({ends})"


def _state(states: Sequence[Row], at: int, inside: bool) -> Row | None:
    """The comparison of a block in and out where the other is `inside`."""
    for row in states:
        better, worse = row["better"], row["worse"]
        if better[1 - at] == worse[1 - at] == inside and better[at] and not worse[at]:
            return row
    return None


def _ahead(row: Row) -> Row:
    """The row as of whoever is ahead."""
    if row["effect"] >= 0:
        return row
    return {**row, "all_low": -row["all_high"], "all_high": -row["all_low"]}
