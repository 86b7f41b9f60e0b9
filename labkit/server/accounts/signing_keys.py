"""The secret keys that access tokens are signed with: from a variable, or a file made at the first start.

One key a line, as base64url of at least 32 bytes: the first signs, all verify. A key is changed by putting a
new one before it, and taking the old one away when its tokens have ended. Keys that others may know are
refused. It does not know tokens.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import os
import secrets
import stat
import tempfile
from collections.abc import Sequence
from pathlib import Path

from labkit.errors import DefinitionError
from labkit.paths import shown
from labkit.server.settings import Settings

VARIABLE = "LABKIT_SERVE_SECRET"
BYTES = 32
MOST = 2
FEWEST_DIFFERENT = 16
"""Different bytes in a key. Of 32 random ones some 30 differ."""
KNOWN = frozenset(
    {
        # In the documentation of FastAPI, jwt.io, Auth0, Rails, Django, Supabase and in many a .env file.
        "09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7",
        "a-string-secret-at-least-256-bits-long",
        "a-valid-string-secret-that-is-at-least-512-bits-long-which-is-very-long",
        "change-me-in-production",
        "changeit",
        "changeme",
        "default",
        "django-insecure",
        "jwt_secret",
        "mysecretkey",
        "password",
        "secret",
        "secret-key",
        "secretkey",
        "super-secret-jwt-token-with-at-least-32-characters-long",
        "supersecret",
        "your-256-bit-secret",
        "your-secret-key",
    }
)
_MAKE = "Make one by: python3 -c 'import secrets; print(secrets.token_urlsafe(32))'"


def found(settings: Settings) -> tuple[bytes, ...]:
    """The keys of a service. Raises `DefinitionError` where one is short, known, or readable by others."""
    given = os.environ.get(VARIABLE) if settings.secret is None else settings.secret
    if given is not None:
        return _read(given.split(","), VARIABLE)
    path = file(settings)
    if not path.exists():
        _make(path)
    mode = stat.S_IMODE(path.stat().st_mode)
    if os.name == "posix" and mode & 0o077:
        raise DefinitionError(
            f"Others of this machine may read {shown(path)} (mode {mode:o}), which holds the key that signs "
            "log-ins. Delete it, so that a new one is made: everybody then logs in again."
        )
    return _read(path.read_text("ascii", errors="replace").split(), shown(path))


def file(settings: Settings) -> Path:
    """Where they are kept: beside the state, or beside the lab where the state is elsewhere.

    >>> file(Settings(lab=Path("lab.duckdb"))).name
    'lab.duckdb.serve.key'
    """
    state = settings.database
    return (
        state.with_suffix(".key")
        if isinstance(state, Path)
        else settings.lab.with_name(f"{settings.lab.name}.serve.key")
    )


def _make(path: Path) -> None:
    # Of several processes that start together one makes it, whole from the first moment on.
    written, name = tempfile.mkstemp(prefix=f"{path.name}.", dir=path.parent)
    try:
        with os.fdopen(written, "w") as text:
            text.write(secrets.token_urlsafe(BYTES) + "\n")
            text.flush()
            os.fsync(text.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(name, path)
    finally:
        os.unlink(name)


def _read(lines: Sequence[str], place: str) -> tuple[bytes, ...]:
    keys = [_key(line.strip(), place) for line in lines if line.strip()]
    if not 1 <= len(keys) <= MOST:
        raise DefinitionError(f"{place} holds {len(keys)} keys; give one, or {MOST} while you change it.")
    return tuple(keys)


def _key(text: str, place: str) -> bytes:
    try:
        key = base64.b64decode(text.rstrip("=") + "=" * (-len(text.rstrip("=")) % 4), b"-_", validate=True)
    except (binascii.Error, ValueError):
        key = b""
    words = {text.lower(), key.decode(errors="replace").lower()}
    if words & KNOWN or any(one.startswith("django-insecure") for one in words):
        raise DefinitionError(f"{place} holds a key that everybody knows. {_MAKE}")
    if not key:
        raise DefinitionError(f"{place} holds a key that is not base64url. {_MAKE}")
    if len(key) < BYTES:
        raise DefinitionError(f"{place} holds a key of {len(key)} bytes; {BYTES} are needed. {_MAKE}")
    if len(set(key)) < FEWEST_DIFFERENT:
        raise DefinitionError(f"{place} holds a key that can be guessed: its bytes repeat. {_MAKE}")
    return key
