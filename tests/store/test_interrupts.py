"""Ctrl-C while the lab is open."""

from __future__ import annotations

import signal
import threading

import pytest

from labkit.store import interrupts


def test_it_is_raised_when_the_block_is_over() -> None:
    """What is in the block is done first, and what can be ended is told to end."""
    done, ended = [], []

    def block() -> None:
        with interrupts.deferred(lambda: ended.append(1)):
            signal.raise_signal(signal.SIGINT)
            done.append(1)

    with pytest.raises(KeyboardInterrupt):
        block()
    assert (done, ended) == ([1], [1])
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_wait_for_others_is_given_up() -> None:
    """Inside the block a wait that looks for it raises at once; afterwards nothing is left of it."""

    def block() -> None:
        with interrupts.deferred():
            signal.raise_signal(signal.SIGINT)
            interrupts.raise_if_heard()

    interrupts.raise_if_heard()
    with pytest.raises(KeyboardInterrupt):
        block()
    interrupts.raise_if_heard()


def test_blocks_within_blocks_raise_once() -> None:
    """An inner block leaves it to the outer one."""
    done = []

    def blocks() -> None:
        with interrupts.deferred():
            with interrupts.deferred():
                signal.raise_signal(signal.SIGINT)
            done.append(1)

    with pytest.raises(KeyboardInterrupt):
        blocks()
    assert done == [1]


def test_other_threads_hear_nothing() -> None:
    """In a thread that hears no signals the block changes nothing."""
    before = signal.getsignal(signal.SIGINT)
    seen = []

    def work() -> None:
        with interrupts.deferred():
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [before]
