"""Folds about every ten seconds while there is something to fold, one process for the whole lab.

It never waits: a taken gate or a held file means somebody else folds, or it is tried again. What goes
wrong is logged once and kept in `trouble`; it never reaches those who ask. The thread ends with the
store it serves.
"""

from __future__ import annotations

import atexit
import logging
import os
import random
import threading
import weakref
from typing import TYPE_CHECKING

from labkit.errors import StoreError, StoreLocked
from labkit.store import database_lock

if TYPE_CHECKING:
    from labkit.store.access import Access

log = logging.getLogger("labkit.store")

PERIOD_S = 10.0
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
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to fold, if it is not begun yet."""
        with self._lock:
            if self._thread is None or not self._thread.is_alive():
                self._stop.clear()
                self._thread = threading.Thread(target=self._work, name="labkit-fold", daemon=True)
                self._thread.start()

    def stop(self, timeout_s: float | None = None) -> None:
        """End the thread after the transaction it is in."""
        self._stop.set()
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(timeout_s)

    def _work(self) -> None:
        while not self._stop.wait(self.period_s * random.uniform(0.7, 1.3)):  # noqa: S311 - a pause
            access = self._access()
            if access is None:
                return
            self.once(access)
            del access

    def once(self, access: Access) -> None:
        """Fold now, if there is need and nobody did within the period; much at once is done in turns."""
        if database_lock.age_s(access.folder) < self.period_s * 0.7:
            return
        try:
            access.fold(wait_s=0.0, stop=self._stop.is_set)
        except StoreLocked as error:
            log.debug("No fold now: %s", error)
        except StoreError as error:
            self._tell(error)
        except Exception as error:
            log.exception("The fold in the background failed; the journals keep everything")
            self._tell(StoreError(f"The fold in the background failed: {error}"))
        else:
            self.trouble = None

    def _tell(self, error: StoreError) -> None:
        if self.trouble is None or str(self.trouble) != str(error):
            log.warning("%s", error)
        self.trouble = error


_all: weakref.WeakSet[BackgroundFold] = weakref.WeakSet()


@atexit.register
def _end_all() -> None:
    # A daemon thread inside DuckDB while the interpreter goes down would take the process with it.
    for background in list(_all):
        background.stop(EXIT_S)


def _begin_anew_in_child() -> None:
    for background in list(_all):
        background._begin()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_anew_in_child)
