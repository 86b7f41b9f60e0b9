"""Folds about every ten seconds while there is something to fold, one process for the whole lab.

After a run it also checkpoints, once nobody was at the lab for a moment, so that nobody waits for that. It
never waits: a taken gate or a held file means somebody else folds, or it is tried again. What goes
wrong is logged once and kept in `trouble`; it never reaches those who ask. The thread ends with the
store it serves.
"""

from __future__ import annotations

import atexit
import logging
import os
import threading
import time
import weakref
from collections.abc import Callable
from random import SystemRandom
from typing import TYPE_CHECKING

from labkit.errors import StoreError, StoreLocked
from labkit.store import database, database_lock

if TYPE_CHECKING:
    from labkit.store.access import Access

log = logging.getLogger("labkit.store")

PERIOD_S = 10.0
QUIET_S = 0.5
"""So long nobody was at the lab before it is checkpointed."""
LOG_BYTES = 32 * 2**10
"""Where nobody leaves it alone for so long, it is checkpointed once DuckDB's own log is of this size: every
opening reads that through."""
EXIT_S = 10.0


class BackgroundFold:
    """The folding thread of one lab in this process. `start` may be called often."""

    def __init__(self, access: Access, *, period_s: float = PERIOD_S) -> None:
        self.period_s = period_s
        self.trouble: StoreError | None = None
        self._access = weakref.ref(access)
        self._begin()
        _all.add(self)

    def _begin(self) -> None:
        self._stop = threading.Event()
        self._wake = threading.Event()
        self._checkpoint_due = False
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to fold, if it is not begun yet."""
        with self._lock:
            if self._thread is None or not self._thread.is_alive():
                self._stop.clear()
                self._wake.clear()
                thread = threading.Thread(target=self._work, name="labkit-fold", daemon=True)
                try:
                    thread.start()
                except RuntimeError as error:
                    # Whoever reads folds too: this one can be done without.
                    self.tell(StoreError(f"Nothing is folded in the background: {error}."))
                    return
                self._thread = thread

    def checkpoint_soon(self) -> None:
        """Checkpoint when nobody was at the lab for a moment, at the latest when this process ends."""
        self._checkpoint_due = True
        self._wake.set()

    def checkpoint_now(self) -> None:
        """Checkpoint, if that is due, the lab is there and nobody holds it."""
        access = self._access()
        if access is not None and self._checkpoint_due and database.exists(access.path):
            self._checkpoint_due = not self._fold(access, checkpoint=True)

    def stop(self, timeout_s: float | None = None) -> None:
        """End the thread after the transaction it is in."""
        self._stop.set()
        self._wake.set()
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(timeout_s)

    def _work(self) -> None:
        fold_at, look_s = self._next(), QUIET_S
        while True:
            left_s = max(0.0, fold_at - time.monotonic())
            self._wake.wait(min(left_s, look_s) if self._checkpoint_due else left_s)
            self._wake.clear()
            access = self._access()
            if self._stop.is_set() or access is None:
                return
            quiet_s = database_lock.age_s(access.folder)
            look_s = QUIET_S - quiet_s if quiet_s < QUIET_S else QUIET_S
            if self._checkpoint_due and (quiet_s >= QUIET_S or database.log_bytes(access.path) >= LOG_BYTES):
                self.checkpoint_now()
            if time.monotonic() >= fold_at:
                self.once(access)
                fold_at = self._next()
            del access

    def _next(self) -> float:
        # The process's own random numbers are the notebook's: it may have seeded them.
        return time.monotonic() + self.period_s * SystemRandom().uniform(0.7, 1.3)

    def once(self, access: Access) -> None:
        """Fold now, if there is need and nobody did within the period; much at once is done in turns."""
        if database_lock.age_s(access.folder) >= self.period_s * 0.7:
            self._fold(access, stop=self._stop.is_set)

    def _fold(
        self, access: Access, *, stop: Callable[[], bool] = lambda: False, checkpoint: bool = False
    ) -> bool:
        try:
            access.fold(wait_s=0.0, stop=stop, checkpoint=checkpoint, joinable=True)
        except StoreLocked as error:
            log.debug("No fold now: %s", error)
        except StoreError as error:
            self.tell(error)
        except Exception as error:
            log.exception("The fold in the background failed; the journals keep everything")
            self.tell(StoreError(f"The fold in the background failed: {error}"))
        else:
            self.trouble = None
            return True
        return False

    def tell(self, error: StoreError) -> None:
        """Log what stands in the way of folding, once, and keep it in `trouble`."""
        if self.trouble is None or str(self.trouble) != str(error):
            log.warning("%s", error)
        self.trouble = error


_all: weakref.WeakSet[BackgroundFold] = weakref.WeakSet()


@atexit.register
def _end_all() -> None:
    # A daemon thread inside DuckDB while the interpreter goes down would take the process with it.
    for background in list(_all):
        background.stop(EXIT_S)
        background.checkpoint_now()


def _begin_anew_in_child() -> None:
    for background in list(_all):
        background._begin()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_anew_in_child)
