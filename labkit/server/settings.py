"""How a service is set up: a frozen value from the command line and the environment, checked whole.

It opens nothing and makes nothing; it does not know what the settings are used for.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from labkit.errors import DefinitionError
from labkit.server.oidc_configuration import Oidc
from labkit.visible import quoted

ORIGINS = ("http://localhost:5173", "http://localhost:5174")
LOCK = "service"
"""What the one service of a lab holds in it."""
END_S = 3.5
"""A process that has not ended so long after it was asked to ends as if it were killed."""
LOOPBACK = ("localhost", "127.0.0.1", "[::1]")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """All that decides how the service behaves. `check` raises one `DefinitionError` with all faults.

    >>> Settings(lab=Path("lab.duckdb")).database
    PosixPath('lab.duckdb.serve.sqlite')
    """

    lab: Path
    host: str = "127.0.0.1"
    port: int = 8000
    state: str | None = None
    """Where users and streams are kept: `postgresql+psycopg://…`, or a path; None: beside the lab."""
    public_url: str | None = None
    """How the service is reached from outside, through a proxy that encrypts: `https://lab.example`."""
    origins: Sequence[str] = ORIGINS
    """Pages of other origins that may ask, with a bearer."""
    trusted_proxies: Sequence[str] = ()
    """Addresses and networks whose `X-Forwarded-For` is believed."""
    models: Path | None = None
    """A TOML file of models of your own, beside the catalog's."""
    secret: str | None = field(default=None, repr=False)
    """The key of the JWTs, as base64url; None: in a file beside the state."""
    session_idle_s: float = 8 * 3600
    session_life_s: float = 7 * 86_400
    oidc: Oidc | None = None
    """The identity provider that one may log in by."""
    workers: int = 1
    index_every_s: float = 5.0
    """How often what notebooks asked comes into the history."""

    @property
    def database(self) -> Path | str:
        """The address of the state's database."""
        if self.state is None:
            return self.lab.with_name(f"{self.lab.name}.serve.sqlite")
        return self.state if "://" in self.state else Path(self.state)

    @property
    def on_loopback(self) -> bool:
        """Whether only this machine reaches it."""
        if self.host == "localhost":
            return True
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return False

    @property
    def url(self) -> str:
        """Where a browser finds it."""
        return self.public_url or f"http://{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"

    @property
    def hosts(self) -> frozenset[str]:
        """The names a `Host` header may say, without ports."""
        names = {self.host, urlsplit(self.url).hostname or "", *(LOOPBACK if self.on_loopback else ())}
        return frozenset(name.lower() for name in names if name and name not in ("0.0.0.0", "::"))  # noqa: S104 - it is refused as a name

    @property
    def secure(self) -> bool:
        """Whether browsers reach it encrypted: cookies are then for that alone."""
        return self.url.startswith("https://")

    def check(self) -> Settings:
        """Itself. Raises `DefinitionError` naming all that is wrong."""
        faults = [*self._faults_of_itself(), *self._faults_of_others()]
        faults += self.oidc.faults() if self.oidc is not None else ()
        if faults:
            raise DefinitionError(faults)
        return self

    def replace(self, **changes: Any) -> Settings:
        """The same with some changed."""
        return replace(self, **changes)

    def _faults_of_itself(self) -> Iterator[str]:
        if not self.on_loopback and not (self.public_url or "").startswith("https://"):
            yield (
                f"--host {quoted(self.host)} lets others in, and passwords could be read on the way. "
                "Put a proxy that encrypts in front and name it: --public-url https://…"
            )
        if self.public_url is not None:
            parts = urlsplit(self.public_url)
            if parts.scheme not in ("http", "https") or not parts.hostname or parts.path not in ("", "/"):
                yield f"--public-url is {quoted(self.public_url)}; give it as https://name[:port]."
        if not 0 <= self.port <= 65_535:
            yield f"--port is {self.port}; ports go from 0 to 65535."
        if self.workers < 1:
            yield f"--workers is {self.workers}; at least one is needed."

    def _faults_of_others(self) -> Iterator[str]:
        for origin in self.origins:
            parts = urlsplit(origin)
            if parts.scheme not in ("http", "https") or origin != f"{parts.scheme}://{parts.netloc}":
                yield f"--origin is {quoted(origin)}; give it as http://name[:port], without a path."
        for proxy in self.trusted_proxies:
            try:
                ip_network(proxy)
            except ValueError:
                yield f"--trusted-proxy is {quoted(proxy)}; give an IP address, or a network as 10.0.0.0/8."
