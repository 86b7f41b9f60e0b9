"""What a process of the service does beside requests: it keeps the index up, ends runs that a killed process
left open, and deletes what is old.

Several processes share the work by locks. It does not know how any of it is done.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from time import monotonic

from labkit.errors import LabkitError

log = logging.getLogger("labkit.server")

BROKEN_OFF_EVERY_S = 2.0
OLD_EVERY_S = 60.0


class Upkeep:
    """A thread that does each of `tasks` (seconds between, what) from `begin` to `end`.

    What fails is logged, and done again when it is due next.
    """

    def __init__(self, *tasks: tuple[float, Callable[[], object]]) -> None:
        self._tasks = tasks
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._work, name="labkit-upkeep", daemon=True)

    def begin(self) -> None:
        """Do each for the first time, now."""
        self._thread.start()

    def end(self, timeout_s: float) -> None:
        """End after the task it is at."""
        self._over.set()
        self._thread.join(timeout_s)

    def _work(self) -> None:
        due = [monotonic()] * len(self._tasks)
        while not self._over.wait(max(0.0, min(due) - monotonic())):
            for number, (every_s, task) in enumerate(self._tasks):
                if monotonic() >= due[number]:
                    self._do(task)
                    due[number] = monotonic() + every_s

    def _do(self, task: Callable[[], object]) -> None:
        try:
            task()
        except LabkitError as error:
            log.warning("%s", error)
        except Exception:
            log.exception("The service's upkeep failed; it is tried again.")
