"""labkit's own loop: one thread, begun when needed, ended in order, never shared with a child."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import textwrap
import threading

import pytest

from labkit.engine import event_loop


async def where() -> tuple[int, asyncio.AbstractEventLoop]:
    """The thread and the loop this runs on."""
    return threading.get_ident(), asyncio.get_running_loop()


def python(code: str) -> subprocess.CompletedProcess[str]:
    """Run `code` in a fresh interpreter."""
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, timeout=60, check=False
    )


def test_it_is_one_loop_in_a_thread_of_its_own() -> None:
    """Everything runs on the same loop, not in the caller's thread, and on uvloop where there is one."""
    (thread, one), (same, other) = event_loop.run(where()).result(5), event_loop.run(where()).result(5)
    assert thread == same != threading.get_ident()
    assert one is other is event_loop.get()
    if sys.platform != "win32":
        assert type(one).__module__.startswith("uvloop")


def test_it_can_be_waited_for_under_a_running_loop() -> None:
    """A caller whose own loop runs, as in a notebook, can block on it all the same."""

    async def outer() -> int:
        return event_loop.run(where()).result(5)[0]

    assert asyncio.run(outer()) != threading.get_ident()


def test_cancelling_the_future_cancels_the_coroutine() -> None:
    """Who gives up waiting leaves nothing running."""
    began, ended = threading.Event(), threading.Event()

    async def long() -> None:
        began.set()
        try:
            await asyncio.sleep(60)
        finally:
            ended.set()

    future = event_loop.run(long())
    assert began.wait(5)
    future.cancel()
    assert ended.wait(5)


def test_what_is_raised_reaches_the_caller() -> None:
    """An exception is the caller's, and the loop goes on."""

    async def fail() -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        event_loop.run(fail()).result(5)
    event_loop.run(where()).result(5)


def test_nothing_starts_at_import() -> None:
    """Importing the module starts no thread and loads no uvloop."""
    done = python(
        """
        import sys, threading
        from labkit.engine import event_loop
        assert threading.active_count() == 1
        assert "uvloop" not in sys.modules
        assert event_loop.current() is None
        """
    )
    assert done.returncode == 0, done.stderr


def test_it_closes_what_is_open_at_exit() -> None:
    """At the interpreter's exit tasks are cancelled, closers awaited, and nothing is complained of."""
    done = python(
        """
        import asyncio
        from labkit.engine import event_loop
        async def closer():
            await asyncio.sleep(0.01); print("closed", flush=True)
        async def long():
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                print("cancelled", flush=True); raise
        async def setup():
            event_loop.on_close(closer)
        event_loop.run(setup()).result(); event_loop.run(long()); event_loop.run(asyncio.sleep(0.01)).result()
        """
    )
    assert done.stdout.split() == ["cancelled", "closed"]
    assert (done.returncode, done.stderr) == (0, "")


def test_after_its_end_it_begins_anew() -> None:
    """A closed loop is replaced at the next use, and closing twice is no error."""
    done = python(
        """
        import asyncio
        from labkit.engine import event_loop
        first = event_loop.get(); event_loop.close(); event_loop.close()
        assert first.is_closed()
        assert event_loop.run(asyncio.sleep(0, 5)).result(5) == 5
        assert event_loop.get() is not first
        """
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_child_has_a_loop_of_its_own() -> None:
    """A forked child neither uses nor waits for its parent's thread."""
    done = python(
        """
        import asyncio, os, sys
        from labkit.engine import event_loop
        parent = event_loop.get()
        pid = os.fork()
        if pid == 0:
            assert event_loop.current() is None
            assert event_loop.run(asyncio.sleep(0, 7)).result(5) == 7
            assert event_loop.get() is not parent
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        assert event_loop.run(asyncio.sleep(0, 8)).result(5) == 8
        """
    )
    assert done.returncode == 0, done.stderr


def test_ctrl_c_leaves_it_running() -> None:
    """An interrupt of the waiting thread is the caller's; the loop takes the next question."""
    done = python(
        """
        import asyncio, os, signal, threading
        from labkit.engine import event_loop
        future = event_loop.run(asyncio.sleep(30))
        threading.Timer(0.2, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
        try:
            future.result()
        except KeyboardInterrupt:
            future.cancel(); print("interrupted")
        assert event_loop.run(asyncio.sleep(0, 9)).result(5) == 9
        """
    )
    assert (done.stdout.strip(), done.returncode) == ("interrupted", 0), done.stderr
