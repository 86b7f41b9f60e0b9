"""A process that rates pairs of an arena and says so after each press: to be killed at any moment.

It imports everything once and forks a rater for each line that it is given: `user lab run_id`.
"""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path

import labkit as lk

for needed in ("duckdb", "numpy", "pandas", "pyarrow", "labkit.run.arena", "labkit.stats.next_pair"):
    importlib.import_module(needed)

KEYS = "1203142"


def rate(user: str, lab: str, run_id: str) -> None:
    """Rate until nothing is left or somebody kills this; a line for each press that returned."""
    acknowledged = os.open(
        Path(lab).with_name(f"acknowledged-{user}"), os.O_CREAT | os.O_WRONLY | os.O_APPEND
    )
    arena = lk.Arena(lk.Lab(lab).run(run_id), user=user)
    number = 0
    while (task := arena.now()) is not None:
        arena.press(task, KEYS[number % len(KEYS)], f"{user} {number}")
        os.write(acknowledged, f"{user} {number}\n".encode())
        number += 1


def main() -> None:
    for line in sys.stdin:
        user, lab, run_id = line.split()
        child = os.fork()
        if child == 0:
            try:
                rate(user, lab, run_id)
            finally:
                os._exit(0)
        print(child, flush=True)
        os.waitpid(child, 0)


if __name__ == "__main__":
    main()
