"""Where a provider is reached: one spelling for every way to write the same base URL.

It contacts nothing and resolves no name. Whether a URL may be used at all is checked where models
are defined; here it is only normalised, because it is part of every `request_id`.
"""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

_PORTS = {"http": 80, "https": 443}


def normalised(base_url: str) -> str:
    """`base_url` with lower-case scheme and host, without default port and trailing slash.

    >>> normalised("HTTPS://API.OpenAI.com:443/v1/")
    'https://api.openai.com/v1'
    """
    parts = urlsplit(str(base_url).strip())
    scheme = parts.scheme.lower()
    host = (parts.hostname or "").lower()
    if ":" in host:
        host = f"[{host}]"
    port = "" if parts.port is None or parts.port == _PORTS.get(scheme) else f":{parts.port}"
    query = f"?{parts.query}" if parts.query else ""
    return f"{scheme}://{host}{port}{parts.path.rstrip('/')}{query}"


def is_loopback(base_url: str) -> bool:
    """Whether the URL names this machine itself, so that no proxy may see what is sent there.

    >>> is_loopback("http://127.0.0.1:8000/v1"), is_loopback("https://api.openai.com/v1")
    (True, False)
    """
    host = urlsplit(base_url).hostname or ""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
