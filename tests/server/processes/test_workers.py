"""labkit.server.workers: what becomes of processes that end, by workers that do nothing else."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from labkit.errors import DefinitionError, LabkitError
from labkit.server.workers import TRIES, Workers

pytestmark = pytest.mark.skipif(os.name != "posix", reason="it sends signals")

Began = Callable[[], None]


def refuses(began: Began) -> None:
    """It cannot start, and says why."""
    raise DefinitionError("The models are broken.")


def breaks(began: Began) -> None:
    """It cannot start, and does not say why."""
    os._exit(1)


def stumbles(starts: Path, began: Began) -> None:
    """Of those that are started one after the other, each third serves, and the last of these has us end."""
    with starts.open("a") as file:
        file.write("x")
    number = starts.stat().st_size
    if number % TRIES:
        os._exit(1)
    began()
    if number == 2 * TRIES:
        os.kill(os.getppid(), signal.SIGTERM)
        signal.pause()


def is_killed(starts: Path, began: Began) -> None:
    """It is killed in its start by somebody, but for the last."""
    with starts.open("a") as file:
        file.write("x")
    if starts.stat().st_size <= TRIES:
        os.kill(os.getpid(), signal.SIGKILL)
    os.kill(os.getppid(), signal.SIGTERM)
    signal.pause()


@pytest.mark.parametrize(
    ("work", "why"), [(refuses, "The models are broken."), (breaks, "The last one ended with 1")]
)
def test_who_cannot_start_is_not_tried_for_ever(work: Callable[[Began], None], why: str) -> None:
    """When three in a row ended before they served, all end, and the reason is told."""
    with pytest.raises(LabkitError) as told:
        Workers(work, 2).run()
    assert "3 of its processes in a row ended before they could serve" in str(told.value)
    assert why in str(told.value)


@pytest.mark.parametrize(("work", "times"), [(stumbles, 2 * TRIES), (is_killed, TRIES + 1)])
def test_others_are_replaced(work: Callable[[Path, Began], None], times: int, tmp_path: Path) -> None:
    """One that served before, or that was killed, is followed by another, until a signal asks for the end."""
    Workers(partial(work, tmp_path / "starts"), 1).run()
    assert (tmp_path / "starts").stat().st_size == times
