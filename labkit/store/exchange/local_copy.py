"""Where a shared lab lies on this machine: at the path that was given, or as a copy in the user's cache.

It opens and contacts nothing.
"""

from __future__ import annotations

import os

from labkit.errors import DefinitionError
from labkit.paths import user_cache
from labkit.store.exchange.address import SCHEMES, Address


def place(path: str | os.PathLike[str], share: str | None) -> tuple[str | os.PathLike[str], Address | None]:
    """The lab's file, and the server through which it is shared; None: it is not shared.

    Raises `DefinitionError` for two servers, or an address that is none.
    """
    if isinstance(path, str) and path.startswith(SCHEMES):
        if share not in (None, path):
            raise DefinitionError(
                "The lab's path is a server's address, and `share` (or LABKIT_SHARE) names another."
                " Give one of them."
            )
        address = Address.parse(path)
        return user_cache() / "labs" / f"{address.key}.duckdb", address
    return path, None if share is None else Address.parse(share)
