"""An admin of `default` for a start without a terminal, named by two variables.

One that is there already is left as it is, with the password it has now.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from sqlalchemy import select

from labkit.errors import DefinitionError
from labkit.paths import shown
from labkit.server.accounts import accounts, passwords
from labkit.server.state import State
from labkit.server.state.tables import User

NAME = "LABKIT_SERVE_ADMIN"
PASSWORD_FILE = "LABKIT_SERVE_ADMIN_PASSWORD_FILE"  # noqa: S105 - the name of a variable


def ensure(state: State, variables: Mapping[str, str] = os.environ) -> str | None:
    """Make the admin that the variables name, and give its name; None: they name nobody new. Raises
    `DefinitionError` where one is missing, or a user cannot be called so."""
    name, path = variables.get(NAME), variables.get(PASSWORD_FILE)
    if name is None and path is None:
        return None
    if not name or not path:
        raise DefinitionError(f"{NAME} and {PASSWORD_FILE} belong together; set both, or neither.")
    with state.reading() as rows:
        if rows.scalar(select(User.id).where(User.name == name)) is not None:
            return None
    kept = passwords.hashed(password_in(Path(path)))
    with state.writing() as rows:
        if rows.scalar(select(User.id).where(User.name == name)) is not None:
            return None  # another process was first
        accounts.add_user(rows, name, kept, role="admin")
    return name


def password_in(path: Path) -> str:
    """The first line of a file. Raises `DefinitionError` where it cannot be read."""
    try:
        return path.read_text(encoding="utf-8").split("\n", 1)[0].rstrip("\r")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise DefinitionError(f"The password file {shown(path)} cannot be read: {why}.") from None
