"""An address a model is asked at, or a webhook's: is it well written, and may something be sent to its host?

Encrypted addresses on ordinary hosts are taken, and plain ones on this machine. Only one spelling of an
address is taken, which every client reads alike: where two could read a different host in it, it is
refused. So is what leads somewhere else than it seems to (numbers for names, addresses of the local
network's own services), unless its host is allowed by name.
It opens no connection and asks no name server: `addresses_of` does, when it is called.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Callable, Iterable
from typing import NamedTuple
from urllib.parse import SplitResult, urlsplit

OWN_HOSTS = {"openai": "api.openai.com", "anthropic": "api.anthropic.com"}
"""The host of a provider's own endpoint."""

_ADDRESS = re.compile(
    r"(?P<scheme>https?)://(\[(?P<v6>[0-9a-f:.]+)\]|(?P<host>[a-z0-9._-]+))(:(?P<port>\d{1,5}))?(?P<path>/.*)?",
    re.I | re.ASCII,
)
_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
_NUMBER = re.compile(r"0x[0-9a-f]*|[0-9]+")
_PATH = re.compile(
    r"(?:[\w.~:+=,$!*()/-]|%(?!0|1|2[3ef5]|3f|40|5c|7f)[0-9a-f]{2})*", re.IGNORECASE | re.ASCII
)
"""Nothing in it ends a path, begins a host, or becomes so when it is decoded."""
_QUERY = re.compile(r"(?:[\w.~:+=,$!*()/&?;-]|%(?!0|1|7f)[0-9a-f]{2})*", re.IGNORECASE | re.ASCII)
_METADATA = {"metadata", "instance-data", "rancher-metadata"}
_TAILS = ("/chat/completions", "/completions", "/messages", "/responses", "/models")
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_SHARED = ipaddress.ip_network("100.64.0.0/10")
_CLOUDS = (ipaddress.ip_network("168.63.129.16/32"), ipaddress.ip_network("192.0.0.0/24"))
"""Azure's and Oracle's own services of a machine, at addresses that look like anybody's."""
_ISATAP = (0x00005EFE, 0x02005EFE)

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolve = Callable[[str], Iterable[str]] | None


def check_base_url(
    url: str,
    *,
    allow_host: str | None = None,
    resolve: Resolve = None,
) -> tuple[str | None, list[str]]:
    """`url` in its normal form, and what is wrong with it; the form is None when anything is.

    `allow_host` is a host that may be reached although it is not encrypted or not public; it has to
    be the one in `url`. With `resolve` (such as `addresses_of`) the host's addresses are held to the
    same rules as addresses written out.

    >>> check_base_url("HTTPS://Api.Example.com:443/v1/")
    ('https://api.example.com/v1', [])
    >>> check_base_url("http://example.com/v1")[1]
    ["base_url 'http://example.com/v1' is not encrypted: ..."]
    """
    if not isinstance(url, str) or not url.strip():
        return None, ["base_url is empty. Leave it out, or give an address such as https://host/v1."]
    if not isinstance(allow_host, str | None):
        return None, [f"allow_host is {type(allow_host).__name__}, not the name of a host as text."]
    # A text without a scheme may be a key that was put in its place.
    shown = repr(_without_secrets(url)) if "://" in url else f"({len(url)} characters, not shown)"
    words = _Words(f"base_url {shown}", "allow_host", "the key and the prompts")
    parts, faults = _split(url, words)
    if parts is None:
        return None, faults
    faults += _where_faults(parts, words, allow_host, resolve)
    faults += _path_faults(parts.path, words) or _tail_faults(parts.path, words)
    return (None, faults) if faults else (_normal(parts, parts.hostname or ""), [])


def check_hook(
    url: str,
    *,
    called: str,
    allow_host: str | None = None,
    resolve: Resolve = None,
) -> list[str]:
    """What is wrong with the address of a webhook, in words that hold nothing of it but its host.

    Such an address is a secret: whoever has it can write there. It is held to the rules of `check_base_url`
    but may have a query, where some keep that secret, and any ending. `called` is the variable it stands in;
    the one that allows its host is called so too, with `_ALLOW_HOST` after it.

    >>> check_hook("https://hooks.example.com/T0/B0?sig=a%2Fb", called="LABKIT_WEBHOOK")
    []
    >>> check_hook("http://hooks.example.com/T0/B0", called="LABKIT_WEBHOOK")
    ["LABKIT_WEBHOOK (hooks.example.com) is not encrypted: ..."]
    """
    words = _Words(called, f"{called}_ALLOW_HOST", "what is sent and the address itself", secret=True)
    address, _, query = url.partition("?")
    parts, faults = _split(address, words)
    if parts is None or faults:
        return faults
    words = words._replace(address=f"{called} ({parts.hostname})")
    faults = _where_faults(parts, words, allow_host, resolve) + _path_faults(parts.path, words)
    # Without a path some readers would look for the host in what comes after the mark.
    if "?" in url and not (parts.path and _QUERY.fullmatch(query)):
        faults.append(f"{words.address} has a query with other characters than an address may have there.")
    return faults


class _Words(NamedTuple):
    """How an address is called in what is said of it."""

    address: str
    allow: str
    """What a host is allowed by name with."""
    sent: str
    """What would travel in the open."""
    secret: bool = False
    """Whether nothing of it may be shown."""


def _where_faults(parts: SplitResult, words: _Words, allow_host: str | None, resolve: Resolve) -> list[str]:
    host = parts.hostname or ""
    allowed = allow_host is not None and allow_host.lower() == host
    faults = []
    if allow_host is not None and not allowed:
        faults.append(f"{words.allow} {allow_host!r} is not the host of {words.address}.")
    faults += _host_faults(host, words, allowed)
    if parts.scheme == "http" and not allowed and not is_loopback_host(host):
        faults.append(
            f"{words.address} is not encrypted: {words.sent} would travel in the open. "
            f"Use https, or allow the host by name: {words.allow}={host!r}."
        )
    if resolve is not None and not faults and not allowed and not is_loopback_host(host):
        faults += _resolved_faults(host, words, resolve)
    return faults


def is_loopback(url: str) -> bool:
    """Whether `url` leads to this machine, whoever reads it.

    >>> is_loopback("http://127.0.0.1:8000/v1"), is_loopback("https://example.com")
    (True, False)
    """
    return is_loopback_host(_host(url))


def is_own_host(url: str, provider: str) -> bool:
    """Whether `url` leads, encrypted, to the endpoint of `provider` itself, whoever reads it."""
    return url[:6].lower() == "https:" and _host(url) == OWN_HOSTS.get(provider, "no host")


def addresses_of(host: str) -> list[str]:
    """The addresses `host` has now, asked of the name server; empty when it has none."""
    try:
        return sorted({str(found[4][0]) for found in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)})
    except (OSError, UnicodeError):
        return []


def _host(url: str) -> str:
    """The host of an address in the one spelling that is taken, else nothing."""
    found = _ADDRESS.fullmatch(url)
    return (found["v6"] or found["host"]).lower() if found else ""


def _split(url: str, words: _Words) -> tuple[SplitResult | None, list[str]]:
    if any(character <= " " or character in "\\\x7f" for character in url) or not url.isascii():
        return None, [f"{words.address} holds blanks, backslashes or characters that are not ASCII."]
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        return None, [f"{words.address} cannot be read{'' if words.secret else f': {error}'}."]
    if "://" not in url or parts.scheme not in ("http", "https"):
        return None, [f"{words.address} must begin with https:// (or http:// on this machine)."]
    if not parts.hostname:
        return None, [f"{words.address} names no host."]
    faults = []
    if not _ADDRESS.fullmatch(f"{parts.scheme}://{parts.netloc}") or ("[" in parts.netloc) != (
        ":" in parts.hostname
    ):
        faults.append(f"{words.address} has a host that is no name; write https://host or https://host:port.")
    if "@" in parts.netloc:
        instead = "" if words.secret else " Keys are named by key_env=…"
        faults.append(f"{words.address} holds a user or a password.{instead}")
    if port == 0:
        faults.append(f"{words.address} has port 0.")
    if parts.query or parts.fragment or "?" in url or "#" in url:
        faults.append(f"{words.address} ends in a query or a fragment; give the address without it.")
    return parts, faults


def _host_faults(host: str, words: _Words, allowed: bool) -> list[str]:
    address = _address(host)
    if host.endswith("."):
        return [f"{words.address} ends its host with a dot, so that it is no name here; leave that out."]
    if address is None:
        labels = host.split(".")
        if _NUMBER.fullmatch(labels[-1]):
            return [f"{words.address} writes its host as a number; write it as a name or as 1.2.3.4."]
        if len(host) > 253 or not all(_LABEL.fullmatch(label) for label in labels) or not _is_idna(host):
            return [f"{words.address} has a host that is no name."]
        if labels[0] in _METADATA and not allowed:
            return [f"{words.address} is a cloud machine's metadata service, which gives out credentials."]
        return []
    why = None if allowed or _is_here(address) else _forbidden(address)
    return [f"{words.address} leads to {why}. If that is meant: {words.allow}={host!r}."] if why else []


def _resolved_faults(host: str, words: _Words, resolve: Callable[[str], Iterable[str]]) -> list[str]:
    for text in resolve(host):
        address = _address(text.partition("%")[0])
        why = None if address is None else "this machine" if _is_here(address) else _forbidden(address)
        if why:
            return [
                f"The host of {words.address} stands for {text}, {why}. Allow it: {words.allow}={host!r}."
            ]
    return []


def _forbidden(address: Address) -> str | None:
    if isinstance(address, ipaddress.IPv6Address):
        isatap = int(address) >> 32 & 0xFFFFFFFF in _ISATAP
        if address.ipv4_mapped or address.sixtofour or address.teredo or address in _NAT64 or isatap:
            return "an IPv4 address in disguise"
        if address.is_private or address.is_site_local:
            return "a private IPv6 address"
    rules = (
        (address.is_unspecified, "no address at all"),
        (address.is_link_local, "a link-local address, where cloud machines give out credentials"),
        (address.is_multicast, "a multicast address"),
        (address.is_reserved, "a reserved address"),
        (any(address in net for net in _CLOUDS), "an address where cloud machines give out credentials"),
        (address.version == 4 and address in _SHARED, "an address shared inside a provider's network"),
        (address.version == 4 and int(address) < 2**24, "no address at all"),
    )
    return next((why for applies, why in rules if applies), None)


def _path_faults(path: str, words: _Words) -> list[str]:
    if {".", ".."} & set(path.split("/")) or "%2e" in path.lower():
        return [f"{words.address} goes up by “..”; write the path it means."]
    if "//" in path.rstrip("/") or not _PATH.fullmatch(path):
        return [f"{words.address} has // or other characters in its path that readers take differently."]
    return []


def _tail_faults(path: str, words: _Words) -> list[str]:
    """What is wrong with the end of an address to which a dialect adds its own."""
    trimmed = path.rstrip("/")
    if "/v1/v1" in trimmed + "/":
        return [f"{words.address} has /v1 twice."]
    for tail in _TAILS:
        if trimmed.endswith(tail):
            return [f"{words.address} ends in {tail}, which is added to it; leave that out."]
    return []


def _normal(parts: SplitResult, host: str) -> str:
    port = parts.port
    shown = f"[{host}]" if ":" in host else host
    if port is not None and port != {"http": 80, "https": 443}[parts.scheme]:
        shown += f":{port}"
    return f"{parts.scheme}://{shown}{parts.path.rstrip('/')}"


def is_loopback_host(host: str) -> bool:
    address = _address(host)
    return host == "localhost" if address is None else _is_here(address)


def _is_here(address: Address) -> bool:
    # ::ffff:127.0.0.1 is in disguise, whatever a newer Python thinks of it.
    return address.is_loopback and getattr(address, "ipv4_mapped", None) is None


def _is_idna(host: str) -> bool:
    try:
        host.encode().decode("idna")
    except UnicodeError:
        return False
    # Beside one encoded label some readers hold all the others to the rules of such names.
    return "xn--" not in host or not any(
        "_" in label or (label[2:4] == "--" and not label.startswith("xn--")) for label in host.split(".")
    )


def _address(host: str) -> Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _without_secrets(url: str) -> str:
    url = re.sub(r"(?<=//)[^/?#]*@", "…@", url)
    url = re.sub(r"[?#].*", "?…", url, flags=re.DOTALL)
    return url if len(url) <= 200 else url[:200] + "…"
