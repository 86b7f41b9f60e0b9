"""Judging while whoever called waits: Ctrl-C asks nothing more, a second one ends at once.

It runs in a thread of its own, so that an interrupt meets the waiting alone and breaks off nothing halfway.
It does not know what is done.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotYet
from contextlib import suppress
from typing import TypeVar

from labkit.errors import LabkitError
from labkit.run.launch_commands import LaunchCommands

T = TypeVar("T")
ABORT_S = 2.0
"""How long a second interrupt waits for what is to be written."""


def in_foreground(work: Callable[[LaunchCommands], T]) -> T:
    """What `work` gives, which is told of interrupts by the commands that it gets. Raises what it raises,
    and `KeyboardInterrupt` at the second."""
    commands, over = LaunchCommands(), Future[T]()

    def run() -> None:
        try:
            over.set_result(work(commands))
        except BaseException as error:  # noqa: BLE001 - it is raised again where somebody waits
            over.set_exception(error)

    try:
        threading.Thread(target=run, name="labkit-judging", daemon=True).start()
    except RuntimeError as error:
        raise LabkitError(f"Nothing can be asked: {error}.") from None
    try:
        return _result(over)
    except KeyboardInterrupt:
        commands.stop("interrupted")
        print(
            "labkit: no more is asked; waiting for what is in flight. Interrupt again to end now.", flush=True
        )
        try:
            return _result(over)
        except KeyboardInterrupt:
            commands.abort("interrupted twice")
            with suppress(NotYet):
                over.exception(ABORT_S)
            raise


def _result(over: Future[T]) -> T:
    # A wait without a time-out cannot be interrupted on Windows, so it is done in steps.
    while True:
        try:
            return over.result(0.5)
        except NotYet:
            if over.done():
                raise
