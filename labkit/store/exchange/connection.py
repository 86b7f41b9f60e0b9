"""A connection to the PostgreSQL of a shared lab, with an end to every wait. It knows no tables.

The server ends what lasts too long by itself; this side gives up a server that says nothing.
"""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg.abc import PQGen
from psycopg.conninfo import make_conninfo

from labkit.store.exchange.address import Address

CONNECT_S = 5
LOCK_S = 10
STATEMENT_S = 60
SILENCE_S = 75
"""After which a server that answers nothing is given up: longer than it may take for a statement."""
_SETTINGS = {
    "connect_timeout": CONNECT_S,
    "keepalives": 1,
    "keepalives_idle": 15,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,  # ms
}
# Names of tables are written in full, so that nobody's search path leads elsewhere.
_SESSION = (
    f"set lock_timeout = '{LOCK_S}s'; set statement_timeout = '{STATEMENT_S}s';"
    " set idle_in_transaction_session_timeout = '30s'; set search_path = pg_catalog; set jit = off;"
    " set max_parallel_workers_per_gather = 0;"
    " set timezone = 'UTC'; set standard_conforming_strings = on;"
    " set session characteristics as transaction isolation level read committed"
)


class Connection(psycopg.Connection[Any]):
    """psycopg's, which would wait for a frozen server for ever."""

    def wait(self, gen: PQGen[Any], interval: float = 0.1, timeout: float | None = None) -> Any:
        """As psycopg's, for at most `SILENCE_S`."""
        return super().wait(gen, interval, SILENCE_S if timeout is None else timeout)


def connect(address: Address, *, machine: str) -> Connection:
    """Open it. Raises what psycopg does: to be told by `failures`."""
    given: dict[str, Any] = {
        **_SETTINGS,
        **address.parameters,
        "client_encoding": "UTF8",
        "application_name": f"labkit {machine}",
    }
    # Statements are not prepared: a pool between may have the next transaction in another server process.
    connection = Connection.connect(make_conninfo(**given), prepare_threshold=None, autocommit=True)
    connection.execute(_SESSION)
    connection.autocommit = False
    return connection
