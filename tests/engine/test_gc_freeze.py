"""labkit.engine.gc_freeze: what the collector passes over while a run goes, and that all is as before."""

from __future__ import annotations

import gc
import os
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from labkit.catalog.model import Model
from labkit.engine import clients, gc_freeze
from labkit.providers.script import Script


class Knot:
    """Garbage that only the collector finds."""

    def __init__(self) -> None:
        self.me = self


@pytest.fixture(autouse=True)
def as_it_was() -> Iterator[None]:
    """No test leaves the collector changed."""
    yield
    assert gc.get_freeze_count() == 0


def test_a_run_is_spared_and_leaves_no_trace(kit: Any, ask: Callable[..., Any]) -> None:
    """While a run goes what was there is frozen; afterwards the collector is as it was."""
    seen: list[bool] = []

    def text(*what: Any) -> None:
        seen.append(gc.get_freeze_count() > 10_000)

    model = Model("scripted/a", client=Script("one two"))
    ask([model], kit.jobs_for([model], 2), memory=kit.Memory(on={"text": text}))
    assert set(seen) == {True}


def test_blocks_may_overlap() -> None:
    """The last of several that ends gives all back, in whatever order they end."""
    one, two = gc_freeze.frozen(), gc_freeze.frozen()
    one.__enter__()
    two.__enter__()
    one.__exit__(None, None, None)
    assert gc.get_freeze_count() > 0
    two.__exit__(None, None, None)
    assert gc.get_freeze_count() == 0


def test_what_comes_and_stays_is_spared_too() -> None:
    """What a run connected to, modules and all, is frozen once it is there; nothing is, where no run goes."""
    gc_freeze.freeze_more()
    assert gc.get_freeze_count() == 0
    with gc_freeze.frozen():
        frozen = gc.get_freeze_count()
        came: list[list[int]] = [[] for _ in range(frozen)]
        gc_freeze.freeze_more()
        assert gc.get_freeze_count() > frozen + len(came) / 2


def test_a_run_is_spared_what_its_providers_brought(
    kit: Any, ask: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What connecting made is frozen before the first request leaves."""
    brought: list[list[int]] = []
    seen: list[bool] = []
    connect = clients._connect

    def slowly(*what: Any) -> Any:
        brought.extend([] for _ in range(200_000))
        return connect(*what)

    monkeypatch.setattr(clients, "_connect", slowly)

    def sent(*what: Any) -> None:
        seen.append(gc.get_freeze_count() > len(brought))

    model = Model("scripted/a", client=Script("one two"))
    ask([model], kit.jobs_for([model], 2), memory=kit.Memory(on={"sent": sent}))
    assert set(seen) == {True}


def test_garbage_is_found_all_the_same() -> None:
    """What becomes garbage in the block is collected, and what was garbage before it is so afterwards."""
    before = Knot()
    old = weakref.ref(before)
    with gc_freeze.frozen():
        young = weakref.ref(Knot())
        del before
        gc.collect()
        assert young() is None
        assert old() is not None
    gc.collect()
    assert old() is None


def test_who_froze_objects_is_left_alone() -> None:
    """What a program has frozen itself stays frozen, and its run freezes no more; other threads may let go
    of some of it meanwhile."""
    gc.freeze()
    try:
        frozen = gc.get_freeze_count()
        young: list[list[int]] = [[] for _ in range(frozen)]
        with gc_freeze.frozen():
            assert gc.get_freeze_count() < frozen + len(young) / 2
        assert gc.get_freeze_count() > frozen / 2
    finally:
        gc.unfreeze()


def test_what_is_frozen_for_good_is_not_even_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a process that froze what it had for good a run neither freezes nor gives back anything."""
    monkeypatch.setattr(gc_freeze, "_is_for_good", False)
    gc_freeze.freeze_for_good()
    try:
        frozen = gc.get_freeze_count()
        young: list[list[int]] = [[] for _ in range(frozen)]
        with monkeypatch.context() as counted:
            counted.delattr(gc, "get_freeze_count")
            with gc_freeze.frozen():
                pass
        assert frozen / 2 < gc.get_freeze_count() < frozen + len(young) / 2
    finally:
        gc.unfreeze()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing to fork with")
def test_a_forked_child_begins_as_if_there_were_no_run() -> None:
    """What the parent froze for its run is walked again in a child."""
    with gc_freeze.frozen():
        child = os.fork()
        if child == 0:
            os._exit(int(gc.get_freeze_count() > 0))
        assert os.waitpid(child, 0)[1] == 0
        assert gc.get_freeze_count() > 0
