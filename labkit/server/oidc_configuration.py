"""Which identity provider one may log in by, as the environment says it: `LABKIT_SERVE_OIDC_…`.

It contacts nobody, and does not know what the provider says of itself.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from labkit.errors import DefinitionError
from labkit.paths import shown
from labkit.visible import quoted

PREFIX = "LABKIT_SERVE_OIDC_"
SIGNED_BY_A_PRIVATE_KEY = frozenset(
    ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "Ed25519", "EdDSA")
)
"""Algorithms in which who verifies cannot sign: an ID token by another one could be anybody's."""


@dataclass(frozen=True, kw_only=True)
class Oidc:
    """A provider, and this service as a client of it. New users become `role` of `workspace`, or of none.

    >>> Oidc(issuer="https://id.example", client_id="labkit").label
    'id.example'
    """

    issuer: str
    client_id: str
    client_secret_file: Path | None = None
    """A file for this user alone, with the secret in its first line; None: a client without a secret."""
    name: str | None = None
    """What the page calls the provider; None: its host."""
    algorithms: Sequence[str] = ("RS256", "ES256")
    """Those by which ID tokens may be signed."""
    workspace: str | None = None
    role: str = "member"

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Oidc | None:
        """What the variables say; None where there is none. Raises `DefinitionError`."""
        given = {
            name.removeprefix(PREFIX): value
            for name, value in environment.items()
            if name.startswith(PREFIX) and value
        }
        if not given:
            return None
        known = [one.name.upper() for one in fields(cls)]
        faults = [f"{PREFIX}{name} is none of {', '.join(known)}." for name in given if name not in known]
        missing = [name for name in ("ISSUER", "CLIENT_ID") if name not in given]
        faults += [f"{PREFIX}{name} is missing; a log-in by OpenID Connect needs it." for name in missing]
        if faults:
            raise DefinitionError(faults)
        file, algorithms = given.get("CLIENT_SECRET_FILE"), given.get("ALGORITHMS")
        return cls(
            issuer=given["ISSUER"],
            client_id=given["CLIENT_ID"],
            client_secret_file=None if file is None else Path(file),
            name=given.get("NAME"),
            algorithms=cls.algorithms if algorithms is None else algorithms.replace(" ", "").split(","),
            workspace=given.get("WORKSPACE"),
            role=given.get("ROLE", cls.role),
        )

    @property
    def label(self) -> str:
        """What a page may call it."""
        return self.name or urlsplit(self.issuer).hostname or self.issuer

    def faults(self) -> list[str]:
        """All that is wrong with it, but for its secret."""
        faults: list[str] = []
        parts = urlsplit(self.issuer)
        if not is_safe(self.issuer) or parts.query or parts.fragment or "@" in parts.netloc:
            faults.append(
                f"{PREFIX}ISSUER is {quoted(self.issuer)}; give it as the provider writes it, "
                "https://name[/path] (http only on this machine)."
            )
        if not self.client_id.isprintable():
            faults.append(
                f"{PREFIX}CLIENT_ID is {quoted(self.client_id)}; use the one the provider gave out."
            )
        if refused := [one for one in self.algorithms if one not in SIGNED_BY_A_PRIVATE_KEY]:
            faults.append(
                f"{PREFIX}ALGORITHMS names {', '.join(map(quoted, refused))}; "
                f"use of {', '.join(sorted(SIGNED_BY_A_PRIVATE_KEY))}."
            )
        return faults

    def secret(self) -> str | None:
        """The client's secret. Raises `DefinitionError` where its file is none, or readable by others."""
        path = self.client_secret_file
        if path is None:
            return None
        try:
            mode = stat.S_IMODE(path.stat().st_mode)
            lines = path.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is no text"
            raise DefinitionError(
                f"{PREFIX}CLIENT_SECRET_FILE, {shown(path)}, cannot be read: {why}."
            ) from None
        if os.name == "posix" and mode & 0o077:
            raise DefinitionError(
                f"Others of this machine may read {shown(path)} (mode {mode:o}), which holds the secret of "
                "the log-in by OpenID Connect. Have the provider make another, and: chmod 600"
            )
        if not lines or not lines[0].strip():
            raise DefinitionError(
                f"{PREFIX}CLIENT_SECRET_FILE, {shown(path)}, holds no secret in its first line."
            )
        return lines[0].strip()


def is_safe(url: str) -> bool:
    """Whether what is said to `url` is encrypted, or stays on this machine.

    >>> is_safe("https://id.example"), is_safe("http://[::1]:8080"), is_safe("http://id.example")
    (True, True, False)
    """
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        _ = parts.port
    except ValueError:
        return False
    if not host or not url.isprintable():
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(host))


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
