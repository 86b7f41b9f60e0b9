"""A thousand providers drawn at random, each asked by labkit and by a plain loop, in virtual time."""

from __future__ import annotations

import sys
from pathlib import Path
from random import Random
from statistics import median
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from worlds import Asked, World, plain

WORLDS = 125
COUNT = 240
MORE = 320
"""Fewer are over before the first reading of some refusals could be doubted."""


def drawn(random: Random, **more: Any) -> dict[str, Any]:
    """Some provider."""
    return {
        "latency_s": random.choice([0.05, 0.1, 0.3, 1.0]),
        "refusing_s": random.choice([0.004, 0.2]),
        "status": random.choice([429, 503]),
        **more,
    }


def limited(random: Random) -> dict[str, Any]:
    """A limit far below what could be sent."""
    per_s = random.choice([1.0, 3.0, 10.0, 30.0])
    return {"per_s": per_s, "capacity": random.choice([1.0, 3.0, 10.0]) * per_s, "latency_s": 0.1}


def compared(kit: Any, worlds: list[dict[str, Any]], count: int = COUNT) -> list[dict[str, float]]:
    """How labkit went beside the loop in each of the worlds, and beside what the limit allows."""
    found = []
    for seed, world in enumerate(worlds):
        ours, theirs = World(random=Random(seed), **world), World(random=Random(seed), **world)
        went, loop = Asked(kit, ours, count, seed=seed).go(), plain(theirs, count, seed=seed)
        assert (went.done, went.failed) == (count, 0), world
        allowed_s = max(1e-9, (count - ours.capacity) / ours.per_s) if ours.per_s else went.took_s
        found.append(
            {
                "speed": loop.took_s / went.took_s,
                "requests": ours.requests / theirs.requests,
                "over": ours.over / ours.requests,
                "used": allowed_s / went.took_s,
            }
        )
    return found


def column(found: list[dict[str, float]], name: str) -> list[float]:
    """All of one figure, sorted."""
    return sorted(one[name] for one in found)


@pytest.mark.parametrize("part", range(2))
def test_independent_refusals_cost_no_speed(kit: Any, part: int) -> None:
    """Up to one in five refused whatever is asked: as fast as the loop, with as many requests."""
    random = Random(part)
    worlds = [
        drawn(random, refused=random.uniform(0, 0.2), retry_after_s=random.choice([None, None, 0.5]))
        for _ in range(WORLDS)
    ]
    found = compared(kit, worlds, MORE)
    assert median(column(found, "speed")) > 0.95
    assert column(found, "speed")[WORLDS // 20] > 0.8
    assert median(column(found, "requests")) < 1.05


@pytest.mark.parametrize("part", range(2))
def test_many_independent_refusals_are_outlasted(kit: Any, part: int) -> None:
    """Up to two in five refused whatever is asked: at least 0.6 of the loop's speed."""
    random = Random(10 + part)
    found = compared(kit, [drawn(random, refused=random.uniform(0.2, 0.4)) for _ in range(WORLDS)], MORE)
    assert median(column(found, "speed")) > 1.0
    assert column(found, "speed")[WORLDS // 20] > 0.6


@pytest.mark.parametrize("refusing_s", [0.1, 0.2, 0.3])
@pytest.mark.parametrize("share", [0.2, 0.3, 0.4])
def test_a_short_storm_costs_what_it_costs_the_loop(kit: Any, share: float, refusing_s: float) -> None:
    """Some of the requests refused for 2.5 s, by refusals that take as long as answers: one of forty runs may
    be somewhat slower than the loop."""
    world = {"storm": (1.5, 4.0, share), "latency_s": 0.2, "refusing_s": refusing_s}
    found = compared(kit, [world] * 40, 1000)
    assert column(found, "speed")[1] > 0.9
    assert column(found, "speed")[0] > 0.75


@pytest.mark.parametrize("part", range(2))
def test_limits_are_found_and_used(kit: Any, part: int) -> None:
    """Limits of which nothing tells: used, and of all requests few are too many."""
    random = Random(20 + part)
    found = compared(kit, [{**limited(random), "asks": random.random() < 0.5} for _ in range(WORLDS)])
    assert median(column(found, "over")) < 0.09
    assert column(found, "over")[-WORLDS // 20] < 0.16
    assert median(column(found, "used")) > 0.85
    assert column(found, "speed")[WORLDS // 20] > 0.67


@pytest.mark.parametrize("part", range(1))
def test_limits_beneath_independent_refusals_are_found(kit: Any, part: int) -> None:
    """Both at once: 0.7 of what the limit allows, and few refusals beyond the independent ones."""
    random = Random(30 + part)
    found = compared(kit, [{**limited(random), "refused": random.uniform(0.02, 0.2)} for _ in range(WORLDS)])
    assert median(column(found, "used")) > 0.7
    assert median(column(found, "over")) < 0.1
    assert column(found, "speed")[WORLDS // 10] > 0.67


def test_what_is_told_is_kept(kit: Any) -> None:
    """Where headers tell the limit hardly anything is too much, also beneath independent refusals."""
    random = Random(40)
    worlds = [
        {**limited(random), "tells": True, "asks": True, "refused": random.choice([0.0, 0.1, 0.2])}
        for _ in range(WORLDS)
    ]
    found = compared(kit, worlds)
    assert column(found, "over")[-WORLDS // 20] < 0.05
    assert median(column(found, "used")) > 0.8


@pytest.mark.parametrize("per_s", [1.0, 10.0])
@pytest.mark.parametrize("refused", [0.0, 0.1, 0.2])
def test_a_fixed_window_is_used_and_waited_for(kit: Any, per_s: float, refused: float) -> None:
    """A limit that is there again once a minute: told of, hardly anything is too much; and told or not it is
    used about as well as by the loop."""
    world = {"per_s": per_s, "capacity": 60 * per_s, "window_s": 60.0, "refused": refused}
    told = compared(kit, [{**world, "tells": True, "asks": k % 2 == 0} for k in range(12)], int(240 * per_s))
    assert column(told, "over")[-1] < 0.04
    assert column(told, "speed")[0] > 0.95
    found = compared(kit, [{**world, "asks": k % 2 == 0} for k in range(24)], int(240 * per_s))
    assert column(found, "speed")[4] > 0.67
    assert median(column(found, "speed")) > 0.9
    assert column(found, "requests")[-1] < 1.1


@pytest.mark.parametrize(
    ("world", "count"),
    [
        ({"at_once": 8}, 600),
        ({"at_once": 4, "latency_s": 2.0}, 200),
        ({"at_once": 8, "refused": 0.2}, 600),
        ({"storm": (2.0, 32.0, 1.0)}, 2000),
        ({"per_s": 20.0, "capacity": 20.0, "limits": lambda at: 10.0 if 20 < at < 60 else 20.0}, 1000),
    ],
    ids=["eight at once", "four slow ones at once", "both", "a storm", "a limit that halves and doubles"],
)
def test_other_worlds_are_no_slower_than_the_loop(kit: Any, world: dict[str, Any], count: int) -> None:
    """Limits of places, a storm, a limit that changes: never slower than 1.5 times the loop."""
    found = compared(kit, [world] * 12, count)
    assert column(found, "speed")[2] > 0.67
    assert median(column(found, "over")) < 0.12
