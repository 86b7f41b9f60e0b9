"""labkit.verdict.cheapest_set: the cheapest set that no decided effect speaks against."""

from __future__ import annotations

import math

from labkit.stats.factorial import Factorial, design
from labkit.verdict.cheapest_set import Choice, cheapest

ALL = Factorial(design(3))
NAMES = ("examples", "style", "policy")


def effect(block, size=0.0, *, cost=1.0, tokens=400):
    """A row of main effects; one with a size is decided."""
    return {
        "block": block,
        "effect": size,
        "decided": bool(size),
        "cost_per_1k_usd": cost,
        "input_tokens": tokens,
    }


def chosen(effects, states=(), beaten=(), known=ALL):
    """The blocks that are chosen."""
    found = cheapest(known, NAMES, effects, states, beaten)
    return None if found is None else [name for name, inside in zip(NAMES, found.cell, strict=True) if inside]


def state(better, worse, size, decided=True):
    """A comparison of two states of examples and style."""
    return {
        "first": "examples",
        "second": "style",
        "better": better,
        "worse": worse,
        "effect": size,
        "decided": decided,
    }


def test_what_adds_is_in_and_all_else_is_out():
    """A decided gain is kept, a decided harm and what is not shown to matter are not."""
    assert chosen([effect("examples", 0.1), effect("style"), effect("policy", -0.1)]) == ["examples"]
    assert chosen([effect(name) for name in NAMES]) == []


def test_what_saves_money_is_in_though_it_adds_nothing():
    """A block that shortens answers by more than it costs."""
    assert chosen([effect("examples"), effect("style", cost=-0.5), effect("policy")]) == ["style"]


def test_what_harms_is_out_though_it_saves_money():
    """A decided harm is not paid for."""
    assert chosen([effect("examples"), effect("style", -0.1, cost=-0.5), effect("policy")]) == []


def test_without_prices_it_is_the_shortest():
    """By input tokens, and it says so."""
    rows = [effect("examples", 0.1, cost=math.nan), effect("style"), effect("policy")]
    assert cheapest(ALL, NAMES, rows, (), ()) == Choice((True, False, False), priced=False, asked=True)


def test_blocks_that_help_only_together_come_together():
    """Either alone is beaten by both, and so is neither."""
    rows = [effect("examples", 0.2), effect("style", 0.2), effect("policy")]
    together = [
        state((True, True), (False, True), 0.3),
        state((True, True), (True, False), 0.3),
        state((True, True), (False, False), 0.3),
        state((True, False), (False, False), 0.0, decided=False),
    ]
    assert chosen(rows, together) == ["examples", "style"]


def test_one_of_two_that_stand_in_for_each_other_is_enough():
    """The cheaper of them."""
    rows = [effect("examples", 0.2, cost=3.0), effect("style", 0.2, cost=0.2), effect("policy")]
    either = [
        state((True, False), (False, False), 0.3),
        state((False, True), (False, False), 0.3),
        state((True, True), (False, False), 0.3),
        state((False, True), (True, True), -0.0, decided=False),
    ]
    assert chosen(rows, either) == ["style"]
    # Turned round, it is the better one that is told as the worse.
    assert chosen(rows, [state((False, False), (False, True), -0.3), *either[:1], either[2]]) == ["style"]


def test_a_set_whose_answers_are_beaten_is_not_chosen():
    """Whatever effects say; where all are, there is none."""
    rows = [effect(name, cost=cost) for name, cost in zip(NAMES, (3.0, 2.0, 1.0), strict=True)]
    assert chosen(rows, beaten=[(False, False, False)]) == ["policy"]
    assert chosen(rows, beaten=ALL.cells) is None


def test_a_set_that_was_not_asked_is_told():
    """In a balanced fraction it may follow from the effects; in cut sets only what was asked is chosen."""
    half = Factorial(tuple(cell for cell in design(3) if sum(cell) % 2))
    rows = [effect("examples", 0.1), effect("style", 0.1), effect("policy")]
    found = cheapest(half, NAMES, rows, (), ())
    assert found == Choice((True, True, False), priced=True, asked=False)
    each = Factorial(design(3, "each"))
    assert chosen([effect(name) for name in NAMES], known=each) in (
        ["examples", "style"],
        ["style", "policy"],
    )


def test_an_effect_counts_where_it_was_told():
    """One that is told beside another block says nothing of sets without that."""
    cut = Factorial(tuple(cell for cell in design(3) if cell[0] or not cell[1]))
    assert chosen([effect("examples"), effect("style", 0.2), effect("policy")], known=cut) == []
    rows = [effect("examples", 0.2), effect("style", -0.2), effect("policy")]
    assert chosen(rows, known=cut) == ["examples"]
