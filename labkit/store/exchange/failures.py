"""What PostgreSQL and psycopg raise, told as errors of labkit: without secrets, and without the frames that
hold them.

It does not know what was asked.
"""

from __future__ import annotations

import re
from types import TracebackType

import psycopg

from labkit.errors import StoreAway, StoreError
from labkit.store.exchange.address import Address
from labkit.visible import visible

SENT_LATER = "What is put stays on this machine and is sent when it can be."
_AWAY = {
    "08": "the connection was lost",
    "53": "it has no room: its disk, memory or number of connections is at the limit",
    "57P": "it is ending or starting",
    "58": "its own disk fails",
    "25006": "it only reads now, as a standby does",
    "25P03": "a transaction lasted too long",
    "40": "two transactions stood in each other's way",
    "55P03": "others held what was needed for too long",
    "57014": "it took too long",
}
"""By the first letters of the error's code: https://www.postgresql.org/docs/current/errcodes-appendix.html"""
_REFUSED = re.compile(
    r"authentication failed|no password supplied|no pg_hba\.conf entry|certificate|does not support SSL"
    r"|does not exist|permission denied|not permitted to log in|definition of service|invalid \w+ value"
)
"""In libpq's words, where there is no code: what does not get better by itself."""


class Told:
    """A `with` block in which what psycopg raises becomes a `StoreError`: a `StoreAway` where it is worth
    trying again. The new error knows nothing of the old one, whose frames hold the password."""

    def __init__(self, address: Address) -> None:
        self._address = address

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: TracebackType | None) -> None:
        # SQLAlchemy, which runs the migrations, has the driver's in its own.
        error = getattr(error, "orig", error)
        if not isinstance(error, psycopg.Error):
            return
        told = told_of(error, self._address)
        del error, trace  # which a traceback with its variables would show
        try:
            raise told from None
        finally:
            told.__context__ = None


def told_of(error: psycopg.Error, address: Address) -> StoreError:
    """The same as an error of labkit."""
    words = visible(address.without_secrets(_words(error)))
    code = error.sqlstate or ""
    for start, why in _AWAY.items():
        if code.startswith(start):
            return StoreAway(f"The shared lab {address.shown} is away: {why} ({words}). {SENT_LATER}")
    if code.startswith("42501"):
        return StoreError(
            f"The shared lab {address.shown} does not allow it: {words}. Ask whoever keeps it for the"
            " right to create schemas in the database, or to use labkit and labkit_log and what is in them."
        )
    if code and not code.startswith(("28", "3D")):
        return StoreError(
            f"The shared lab {address.shown} is not as labkit made it: {words} ({code}). Look who changed its"
            " tables, or name an empty database."
        )
    if code or isinstance(error, psycopg.ProgrammingError) or _REFUSED.search(words):
        return StoreError(f"The shared lab {address.shown} refuses: {words}. {_advice(code, words)}")
    return StoreAway(f"The shared lab {address.shown} cannot be reached: {words}. {SENT_LATER}")


def _advice(code: str, words: str) -> str:
    if code.startswith("3D") or ("does not exist" in words and "database" in words):
        return "Look at the database's name, or make it: create database …"
    if "no password supplied" in words:
        return "Put the password into ~/.pgpass, or into the address."
    if "does not support SSL" in words:
        return "Give it a certificate, or say ?sslmode=disable in the address, where nobody else listens."
    return "Look whether address, user, password and certificate are right."


def _words(error: psycopg.Error) -> str:
    if error.diag.message_primary:
        return error.diag.message_primary
    # Of each address that was tried, what went wrong; not where that is, nor what libpq advises.
    said = [line for line in str(error).splitlines() if line and not line[0].isspace()]
    tried = [line.rpartition("failed: ")[2].removeprefix("FATAL:").strip() for line in said]
    return "; ".join(dict.fromkeys(tried[-3:])).rstrip(".") or type(error).__name__
