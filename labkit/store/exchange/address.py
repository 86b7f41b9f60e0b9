"""Where the PostgreSQL of a shared lab is: `postgresql://…`, as libpq reads it, and how that is told without
its password.

It opens nothing and resolves no name.
"""

from __future__ import annotations

import ipaddress
import os
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any
from urllib.parse import quote

from labkit.errors import DefinitionError, MissingPackage

SCHEMES = ("postgresql://", "postgres://")
FORM = "postgresql://USER:PASSWORD@HOST/DATABASE, or postgresql://USER@/DATABASE?host=FOLDER"
_NOT_UNDERSTOOD = (
    f"The address of the shared lab is not understood. Give {FORM}. In user and password write @ as %40, : as"
    " %3A, / as %2F and % as %25."
)
_SECRET = ("password", "sslpassword", "oauth_client_secret")


@dataclass(frozen=True)
class Address:
    """Where a shared lab is. Neither `shown` nor `repr` has a password, nor has anything else here but
    `parameters`."""

    shown: str
    key: str
    """A short name for host, port and database: of a file that goes with this lab."""
    parameters: dict[str, str] = field(repr=False)
    """What libpq is given, secrets included."""

    def __repr__(self) -> str:
        return f"Address({self.shown!r})"

    @classmethod
    def parse(cls, given: str) -> Address:
        """Read it. Raises `DefinitionError` for what is no such address, `MissingPackage` without psycopg.

        What the address leaves out is found as libpq finds it: in the variables `PGHOST`, `PGPASSFILE` and
        so on, in the service file where it names a `service`, in `~/.pgpass`. Where it names a host that is
        another machine, and neither it, a service nor `PGSSLMODE` says how the connection is protected, the
        server has to show a certificate for its name (`sslmode=verify-full`) by an authority that this
        system trusts (`sslrootcert=system`).

        >>> Address.parse("postgresql://ada:secret@db.example/lab?connect_timeout=3")
        Address('postgresql://ada@db.example/lab')
        >>> Address.parse("postgresql://ada@/lab?host=/run/postgresql").shown
        'postgresql://ada@/lab?host=/run/postgresql'
        """
        found = _parameters(given)
        host, ports = found.get("host", ""), found.get("port", "").replace(",", "")
        # An @ in the password would put the rest of it into the host, a / into the database.
        if (
            "@" in found.get("dbname", "")
            or any("@" in one[1:] for one in host.split(","))
            or not (ports or "0").isdigit()
        ):
            raise DefinitionError(_NOT_UNDERSTOOD)
        place = [found.get("service", ""), host or found.get("hostaddr", "") or os.environ.get("PGHOST", "")]
        place += [found["port"] if ports else os.environ.get("PGPORT", "5432"), found.get("dbname", "")]
        key = blake2b("\0".join(place).encode(), digest_size=8).hexdigest()
        return cls(_shown(found), key, found | _protection(found))

    def without_secrets(self, text: str) -> str:
        """`text` with each secret of the address as •••, should a server or a library have put it there."""
        for name in _SECRET:
            secret = self.parameters.get(name)
            for form in (secret, quote(secret, safe="")) if secret else ():
                text = text.replace(form, "•••")
        return text


def _parameters(given: Any) -> dict[str, str]:
    try:
        from psycopg import ProgrammingError
        from psycopg.conninfo import conninfo_to_dict
    except ImportError:
        raise MissingPackage("A shared lab needs psycopg: pip install 'labkit[postgres]'") from None
    if isinstance(given, str) and given.startswith(SCHEMES) and "\0" not in given:
        try:
            return {name: str(value) for name, value in conninfo_to_dict(given).items()}
        except (ProgrammingError, UnicodeError):
            pass  # whose words may hold the password
    raise DefinitionError(_NOT_UNDERSTOOD)


def _shown(found: dict[str, str]) -> str:
    user = f"{quote(found['user'])}@" if "user" in found else ""
    host = found.get("host", found.get("hostaddr", ""))
    more = [f"service={quote(found['service'])}"] if "service" in found else []
    if "/" in host:
        more.append(f"host={quote(host, safe='/,')}")
        host = ""
    port = f":{found['port']}" if found.get("port", "").strip(",") else ""
    if ":" in host:
        host = f"[{host}]"
    shown = f"postgresql://{user}{quote(host, safe='[]:,')}{port}/{quote(found.get('dbname', ''))}"
    return shown + ("?" + "&".join(more) if more else "")


def _protection(found: dict[str, str]) -> dict[str, str]:
    if "sslmode" in found or "service" in found or os.environ.get("PGSSLMODE") or os.environ.get("PGSERVICE"):
        return {}
    hosts = found.get("hostaddr") or found.get("host") or os.environ.get("PGHOST", "")
    if all(map(_is_here, hosts.split(","))):
        return {}
    given = "sslrootcert" in found or os.environ.get("PGSSLROOTCERT")
    return {"sslmode": "verify-full"} | ({} if given else {"sslrootcert": "system"})


def _is_here(host: str) -> bool:
    """Whether it is a socket (a folder, an abstract name, or none given) or this machine's loopback."""
    if host in ("", "localhost") or host[0] in "/@":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
