"""Where the rows of one reading stand in another, and in which order they were written.

It knows numbers and times; it does not know what the rows are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

_DENSE = 4
"""Whole numbers that lie so many times as wide as they are many are found by their place in a list."""


def at(keys: NDArray[np.int64], wanted: NDArray[np.int64]) -> NDArray[np.intp]:
    """Where each of `wanted` stands in `keys`, which are all different; −1 where it does not.

    >>> import numpy as np
    >>> at(np.array([7, 5]), np.array([5, 6, 7])).tolist(), at(np.array([7, 5]), np.array([10**9])).tolist()
    ([1, -1, 0], [-1])
    """
    import numpy as np

    if not len(keys):
        return np.full(len(wanted), -1)
    least, span = int(keys.min()), int(keys.max()) - int(keys.min()) + 1
    if span > _DENSE * (len(keys) + len(wanted)):
        order = np.argsort(keys)
        found = order[np.minimum(np.searchsorted(keys, wanted, sorter=order), len(keys) - 1)]
        return np.where(keys[found] == wanted, found, -1)
    place = np.full(span + 1, -1)
    place[keys - least] = np.arange(len(keys))
    return place[np.where((wanted < least) | (wanted >= least + span), span, wanted - least)]


def oldest_first(table: pa.Table) -> pa.Table:
    """The table by when its rows were `written`; mostly they lie so, and nothing is moved."""
    import numpy as np

    written = table["written"].to_numpy()
    if not bool((np.diff(written) < 0).any()):
        return table
    return table.take(np.argsort(written, kind="stable"))
