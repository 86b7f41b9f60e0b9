"""Local models' weights for forms: which are here, and fetching one with its progress in words.

It does not know where weights come from or how they are checked: `labkit.weights` does.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from labkit import weights


def weights_here() -> frozenset[str]:
    """Names of the local models whose weights are on this machine."""
    return frozenset(found.name for found in weights.pulled())


def can_pull(name: str) -> bool:
    """Whether `labkit pull` knows where this model's weights are."""
    return name in weights.REGISTRY


def pull(
    name: str,
    *,
    say: Callable[[str], None],
    done: Callable[[], None],
    fail: Callable[[BaseException], None],
) -> threading.Thread:
    """Fetch weights in a thread. `say` hears how far it is; then `done` or `fail` is called."""

    def fetch() -> None:
        try:
            weights.pull(name, progress=say)
        except BaseException as error:  # noqa: BLE001 - it is shown where the person looks
            fail(error)
        else:
            done()

    thread = threading.Thread(target=fetch, name=f"labkit-pull-{name}", daemon=True)
    thread.start()
    return thread
