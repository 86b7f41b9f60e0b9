"""Where a request comes from: the other end of its connection, or what the last of the trusted proxies saw.

It does not know what an address is counted or written down for.
"""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from starlette.requests import HTTPConnection

MOST_CHARS = 64
"""So much is told of what is no address."""


def client_address(connection: HTTPConnection, trusted: Sequence[str]) -> str:
    """The address, by `X-Forwarded-For` as far as `trusted` addresses and networks wrote it.

    >>> local = {"type": "http", "client": ("127.0.0.1", 1), "headers": [(b"x-forwarded-for", b"192.0.2.1")]}
    >>> client_address(HTTPConnection(local), []), client_address(HTTPConnection(local), ["127.0.0.1"])
    ('127.0.0.1', '192.0.2.1')
    """
    seen = connection.client.host if connection.client else "here"
    told = [one.strip() for one in ",".join(connection.headers.getlist("x-forwarded-for")).split(",")]
    networks = [ip_network(one) for one in trusted]
    while told and told[-1] and (address := _parsed(seen)) and any(address in one for one in networks):
        seen = told.pop()
    return str(_parsed(seen) or seen[:MOST_CHARS])


def _parsed(seen: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(seen)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
