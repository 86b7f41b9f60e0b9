"""The address a request is sent to: its `Host` is one of the service's names, its path and query can be read.

A page of any site can give its own name the address of this machine; only the `Host` tells (DNS rebinding).
Ports are not looked at: nothing is gained by one. It does not know what is found at an address.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from starlette.datastructures import Headers
from starlette.types import Scope

from labkit.server.problems import Problem

LIMIT_BYTES = 8192
"""The longest path with its query."""

_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(:[0-9]{1,5})?", re.IGNORECASE)


class Hosts:
    """Lets requests to these `hosts` pass. Raises 400 and 421."""

    def __init__(self, hosts: Collection[str]) -> None:
        self.hosts = frozenset(host.strip("[]") for host in hosts)

    def __call__(self, scope: Scope) -> None:
        told = Headers(scope=scope).getlist("host")
        name = _HOST.fullmatch(told[0]) if len(told) == 1 else None
        if name is None:
            raise Problem(
                400, "The Host header is missing, doubled or not a name. Send the service's own, once."
            )
        if name[1].lower().strip("[]") not in self.hosts:
            raise Problem(
                421,
                "This service does not answer under that name. Use the address it printed at its start; "
                "another is made known to it by --public-url.",
            )


def readable(scope: Scope) -> None:
    """Let addresses pass that are not too long and hold no NUL. Raises 400 and 414."""
    query: bytes = scope["query_string"]
    if len(scope["path"].encode()) + len(query) > LIMIT_BYTES:
        raise Problem(414, f"The address is longer than {LIMIT_BYTES:,} bytes. Shorten its path or query.")
    if "\0" in scope["path"] or b"%00" in query or b"\0" in query:
        raise Problem(400, "The address holds the character NUL (%00). Leave it out.")
