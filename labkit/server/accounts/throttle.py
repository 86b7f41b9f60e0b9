"""How often a password may be tried: five times at once, then after a wait that doubles up to 15 minutes.

Tries are counted by name and by the address they come from, as rows, so that all processes count together.
Each is counted before its password is looked at, so that many at once are no more than one after another. Who
logged in before from an address is counted apart there: nobody else can lock that user out. It does not know
whether there is such a name, nor passwords.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, ip_address, ip_network

from sqlalchemy import delete
from sqlalchemy.orm import Session as Rows
from starlette.requests import Request

from labkit.server.client_address import client_address
from labkit.server.problems import Problem
from labkit.server.state import State
from labkit.server.state.moments import now_us
from labkit.server.state.tables import Throttle

FREE = 5
"""So many failures before the first wait."""
MOST_S = 15 * 60
FORGOTTEN_S = 86_400
"""Failures this old count no more."""
KNOWN_S = 90 * 86_400
"""So long an address is one that a name logged in from."""
_S = 1_000_000
_KNOWN = "known "


@dataclass(frozen=True)
class Try:
    """One try that may be made: the rows it is counted in."""

    keys: tuple[str, ...]
    pair: str


def check(state: State, name: str, address: str) -> None:
    """Raise 429 where a try comes too early. Most of a flood of guesses ends here, without a write."""
    with state.reading() as rows:
        _check(rows, _keys(rows, name, address))


def count(state: State, name: str, address: str) -> Try:
    """Count a try, before its password is looked at. Raises 429 where it comes too early."""
    with state.writing(durable=False) as rows:
        keys = _keys(rows, name, address)
        _check(rows, keys)
        for key in keys:
            _count(rows, key)
    return Try(keys, _pair(name, address))


def succeeded(rows: Rows, made: Try) -> None:
    """Its password was right: the name's failures are forgotten, its address's others are not."""
    now = now_us()
    for key in made.keys:
        row = rows.get(Throttle, key)
        if row is None:
            continue
        if key.startswith("address "):
            row.failures -= 1
            row.until_us = now + _wait_us(row.failures)
        else:
            rows.delete(row)
    rows.flush()
    rows.merge(Throttle(key=made.pair, failures=0, last_us=now, until_us=now))  # another may have made it


def address_of(request: Request, trusted: Sequence[str]) -> str:
    """Where a request comes from: of IPv6 the network, as one machine has all addresses in it."""
    told = client_address(request, trusted)
    try:
        address = ip_address(told)
    except ValueError:
        return told
    return str(address if isinstance(address, IPv4Address) else ip_network((address, 64), strict=False))


def _keys(rows: Rows, name: str, address: str) -> tuple[str, ...]:
    pair = _pair(name, address)
    known = rows.get(Throttle, pair)
    if known is not None and known.last_us > now_us() - KNOWN_S * _S:
        return (pair,)
    return (f"name {_digest(name)}", f"address {address}")


def _pair(name: str, address: str) -> str:
    return f"{_KNOWN}{_digest(f'{name} {address}')}"


def _check(rows: Rows, keys: Sequence[str]) -> None:
    now = now_us()
    until = max((row.until_us for key in keys if (row := rows.get(Throttle, key))), default=0)
    if until > now:
        wait_s = -(-(until - now) // _S)
        raise Problem(
            429,
            f"Too many log-ins failed. Try again in {wait_s} s.",
            headers={"Retry-After": str(wait_s)},
        )


def _count(rows: Rows, key: str) -> None:
    now = now_us()
    row = rows.get(Throttle, key)
    if row is None:
        _forget(rows, now)
        row = Throttle(key=key, failures=0, last_us=now, until_us=now)
        rows.add(row)
    if row.last_us < now - FORGOTTEN_S * _S:
        row.failures = 0
    row.failures += 1
    row.last_us = now
    row.until_us = now + _wait_us(row.failures)


def _wait_us(failures: int) -> int:
    return 0 if failures < FREE else min(2 ** min(failures - FREE, 20), MOST_S) * _S


def _forget(rows: Rows, now: int) -> None:
    old = Throttle.last_us < now - FORGOTTEN_S * _S
    rows.execute(delete(Throttle).where(old, Throttle.key.not_like(f"{_KNOWN}%")))
    rows.execute(delete(Throttle).where(Throttle.last_us < now - KNOWN_S * _S))


def _digest(text: str) -> str:
    # Names are kept as hashes: people type their password where the name belongs.
    return hashlib.sha256(text.encode()).hexdigest()
