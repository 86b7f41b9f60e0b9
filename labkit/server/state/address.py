"""Where the service's state is: a file's path, or `postgresql+psycopg://…`, and how that is told without
its password.

It opens nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from labkit.errors import DefinitionError

FORM = "postgresql+psycopg://USER:PASSWORD@HOST/DATABASE, or postgresql+psycopg://USER@/DATABASE?host=FOLDER"


@dataclass(frozen=True)
class Address:
    """Where the state is. `file` is None for PostgreSQL; `shown` has no password."""

    url: URL
    file: Path | None
    shown: str

    def __repr__(self) -> str:
        return f"Address({self.shown!r})"

    @classmethod
    def parse(cls, given: str | Path) -> Address:
        """Read it. Raises `DefinitionError` for another kind of database, or what is no address.

        >>> Address.parse("postgresql+psycopg://ada:secret@db.example/labkit").shown
        'postgresql+psycopg://ada@db.example/labkit'
        >>> Address.parse("postgresql+psycopg://ada@/labkit?host=/run/postgresql").shown
        'postgresql+psycopg://ada@/labkit?host=%2Frun%2Fpostgresql'
        """
        if isinstance(given, Path) or "://" not in given:
            file = Path(given).absolute()
            return cls(URL.create("sqlite", database=str(file)), file, str(given))
        try:
            url = make_url(given)
        except (ArgumentError, ValueError):  # whose words may hold the password
            url = URL.create("unknown")
        # An @ in the password would put the rest of it into the host.
        if url.drivername != "postgresql+psycopg" or not url.database or "@" in (url.host or ""):
            raise DefinitionError(
                f"The address of the service's state is not understood. Give a file's path, or {FORM}. "
                "In user and password write @ as %40, : as %3A and / as %2F."
            )
        place = {name: value for name, value in url.query.items() if name in ("host", "port")}
        return cls(
            url,
            None,
            URL.create(
                url.drivername, url.username, None, url.host, url.port, url.database, place
            ).render_as_string(),
        )
