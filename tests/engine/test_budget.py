"""The budget: no order of reserving and settling ever spends more than the budget."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from labkit.engine.budget import Budget

usd = st.floats(0, 10, allow_nan=False)


class Spending(RuleBasedStateMachine):
    """Reserve, settle for less or for everything, in any order, with any amounts."""

    def __init__(self) -> None:
        super().__init__()
        self.budget = Budget(20.0, spent_usd=1.5)
        self.held: list[float] = []
        self.true_usd = 1.5

    @rule(worst=usd)
    def reserve(self, worst: float) -> None:
        if self.budget.reserve(worst):
            self.held.append(worst)
        else:
            assert self.budget.spent_usd + self.budget.reserved_usd + worst > 20.0 - 1e-9

    @precondition(lambda self: self.held)
    @rule(share=st.floats(0, 1))
    def settle(self, share: float) -> None:
        worst = self.held.pop()
        self.true_usd += worst * share
        self.budget.settle(worst, worst * share)

    @precondition(lambda self: self.held)
    @rule()
    def lose(self) -> None:
        worst = self.held.pop(0)
        self.true_usd += worst
        self.budget.settle(worst, None)

    @invariant()
    def never_more_than_the_budget(self) -> None:
        assert self.true_usd <= self.budget.spent_usd + 1e-9
        assert self.budget.spent_usd + self.budget.reserved_usd <= 20.0
        assert self.budget.in_flight == (self.budget.reserved_usd > 0)


TestSpending = Spending.TestCase
TestSpending.settings = settings(max_examples=40, deadline=None)


@given(st.lists(usd, max_size=50))
def test_rounding_never_helps(costs: list[float]) -> None:
    """What was set aside can always be settled for itself, to nothing less and nothing left."""
    budget = Budget()
    for cost in costs:
        assert budget.reserve(cost)
    for cost in costs:
        budget.settle(cost, None)
    assert not budget.in_flight
    assert budget.spent_usd >= sum(costs) - 1e-6


def test_without_a_budget_everything_is_counted() -> None:
    """No limit is not no count."""
    budget = Budget(None)
    assert budget.reserve(1e6)
    assert budget.left_usd is None
    budget.settle(1e6, 2.0)
    assert (budget.spent_usd, budget.reserved_usd, budget.budget_usd) == (2.0, 0.0, None)


def test_an_empty_budget_gives_what_costs_nothing() -> None:
    """A budget of 0, or one long spent, still lets through what is free."""
    budget = Budget(0.0, spent_usd=3.0)
    assert budget.reserve(0.0)
    assert not budget.reserve(1e-12)
    assert budget.left_usd == 0.0


def test_the_last_cent_can_be_spent() -> None:
    """Ten requests of a tenth fit a budget of one, whatever binary fractions make of it."""
    budget = Budget(1.0)
    assert [budget.reserve(0.1) for _ in range(11)] == [True] * 10 + [False]


def test_a_raised_budget_goes_on() -> None:
    """A limit set anew counts from what is spent already."""
    budget = Budget(1.0, spent_usd=1.0)
    assert not budget.reserve(0.5)
    budget.raise_to(2.0)
    assert budget.reserve(0.5)
    assert "0.50 set aside" in repr(budget)


def test_what_is_kept_is_nobodys_until_the_end() -> None:
    """It is neither spent nor in flight, takes from what is left, and may be more than there is."""
    budget = Budget(1.0, spent_usd=0.25)
    budget.keep(0.5)
    assert (budget.spent_usd, budget.reserved_usd, budget.left_usd, budget.in_flight) == (
        0.25,
        0.0,
        0.25,
        False,
    )
    assert not budget.reserve(0.3)
    assert budget.reserve(0.25)
    budget.settle(0.25, 0.1)
    assert budget.left_usd == 0.15
    budget.keep(5.0)
    assert budget.left_usd == 0.0
    assert budget.reserve(0.0)
    assert not budget.reserve(1e-12)
    assert "USD 0.00 of the budget of USD 1.00 are left" in budget.lacking(1.0)
    budget.raise_to(10.0)
    assert budget.reserve(4.0)


@given(st.lists(st.tuples(usd, usd), max_size=30))
def test_what_is_kept_and_what_is_spent_are_no_more_than_the_budget(asked: list[tuple[float, float]]) -> None:
    """Where each answer sets aside what judging it costs at most, and then keeps no more than that."""
    budget, kept = Budget(20.0), 0.0
    for cost, later in asked:
        if budget.reserve(cost, later):
            budget.settle(cost, cost / 2)
            budget.free(later)
            budget.keep(later / 2)
            kept += later / 2
    assert budget.spent_usd + kept <= 20.0 + 1e-9
    assert not budget.in_flight
    assert budget.left_usd is not None
    assert abs(budget.left_usd - (20.0 - budget.spent_usd - kept)) < 1e-6


def test_a_huge_budget_is_one() -> None:
    """As large as a number can be."""
    budget = Budget(1e300, spent_usd=1.0)
    assert budget.budget_usd == 1e300
    assert budget.reserve(1e6)
    budget.raise_to(1.5e308)
    assert budget.budget_usd == 1.5e308


def test_what_the_lab_has_as_spent_costs_no_digit() -> None:
    """It is a sum of floats, and is counted to the unit that it is nearest to."""
    spent_usd = 0.012 + 0.012 + 0.012
    assert spent_usd > 0.036
    assert "USD 0.094 of the budget" in Budget(0.13, spent_usd=spent_usd).lacking(0.1)


@given(st.lists(st.tuples(st.integers(0, 10**8), st.integers(1, 10**6)), min_size=1, max_size=50))
def test_what_all_may_cost_is_enough_for_all(asked: list[tuple[int, int]]) -> None:
    """A budget of exactly the sum of what the requests may cost, added up in floats, lets each of them out:
    prices have six decimal places at most, in dollars a million tokens."""
    costs = [price / 1e6 * tokens / 1e6 for price, tokens in asked]
    budget = Budget(sum(costs))
    assert all(budget.reserve(cost) for cost in costs)
    assert not budget.reserve(1e-12)
