"""labkit.stats.scale: what was declared of a score."""

from __future__ import annotations

import math

import numpy as np
import pytest

from labkit.stats.scale import UNKNOWN, Scale, agreed, scale_of


@pytest.mark.parametrize(
    ("scale", "fault"),
    [
        (Scale(5, 1), "low=5 is not below high=1"),
        (Scale(0, math.inf), "give both"),
        (Scale(0, 1, 0), "step=0 is not above 0"),
        (Scale(0, 1, 0.3), "does not lead from low=0 to high=1"),
        (Scale(math.nan, 1), "no bounds"),
    ],
)
def test_what_is_no_scale_is_said(scale, fault):
    """Ends that are turned round, missing or none, and steps that do not fit, are named."""
    assert fault in scale.faults()[0]


def test_a_step_may_stand_alone_and_tenths_lead_to_one():
    """Counts have a step and no end; a step of a tenth fits 0 to 1 whatever floats make of it."""
    assert Scale(step=1).faults() == Scale(0, 1, 0.1).faults() == Scale(1, 5, 1).faults() == []


def test_only_two_values_are_binary_and_only_0_to_1_has_points():
    """Ratings are neither; a yes of 3 and a no of 1 is binary."""
    assert Scale(1, 3, 2).binary
    assert not Scale(1, 5, 1).binary
    assert not Scale(0, 1).binary
    assert Scale(0, 1).unit
    assert not Scale(0, 100).unit


def test_parts_that_were_declared_differently_have_no_scale():
    """What is true of one part only is not declared of the whole."""
    assert agreed([Scale(0, 1), Scale(0, 1)]) == Scale(0, 1)
    assert agreed([Scale(0, 1), UNKNOWN]) == agreed([]) == UNKNOWN
    assert scale_of((0, 1, None)) == Scale(0.0, 1.0)


def test_a_rest_of_adding_is_measured_by_the_size_of_the_values():
    """The same rest is nothing beside a million and something beside a millionth."""
    rest = np.array([1e-10])
    assert UNKNOWN.without_rests(rest, np.array([1e6])) == [0.0]
    assert UNKNOWN.without_rests(rest, np.array([1e-6])) == rest
    assert Scale(0, 1e6).without_rests(rest, np.array([0.0])) == [0.0]
