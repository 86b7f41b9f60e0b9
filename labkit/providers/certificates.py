"""Which certificates are believed: the system's, or those that the environment names in their place.

`SSL_CERT_FILE`, `SSL_CERT_DIR` and `REQUESTS_CA_BUNDLE` are read for every address, as the tools beside
labkit read them: each names a file or a folder, and all that are set count together. It opens no connection.
"""

from __future__ import annotations

import os
import re
import ssl
from pathlib import Path

from labkit.errors import DefinitionError

VARIABLES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE")
_PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")
_HASHED = re.compile(r"[0-9a-f]{8}\.\d")
"""How OpenSSL wants the files of a folder to be called."""
_ELSEWHERE = {
    ssl_code: advice
    for ssl_codes, advice in (
        ((9, 10), "It is out of date, or this machine's clock is: whoever runs that address can renew it."),
        ((62, 63, 64), "It was made out to another name: correct {called}."),
    )
    for ssl_code in ssl_codes
}
"""What to do about a certificate that more authorities would not help, by OpenSSL's code."""
_COMPANY = (
    "If a company's proxy or server stands there, name the file with the certificate of its authority in "
    "SSL_CERT_FILE and begin again."
)


def surroundings() -> tuple[str | None, ...]:
    """What in the environment decides how an address is reached: a connection made under other values is
    another one."""
    proxies = (*_PROXIES, *map(str.upper, _PROXIES))
    return tuple(os.environ.get(name) for name in (*VARIABLES, *proxies))


def context() -> ssl.SSLContext:
    """What connections are checked with. Raises `DefinitionError` for variables that name no certificates."""
    import httpx2

    named = {name: value for name in VARIABLES if (value := os.environ.get(name))}
    if not named:
        return httpx2.create_ssl_context(trust_env=False)
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    faults = []
    for name, value in named.items():
        try:
            # Several folders may stand in one variable, as in OpenSSL's own reading.
            for place in [value] if os.path.exists(value) else value.split(os.pathsep):
                _load(made, Path(place))
        except (OSError, ValueError) as error:
            faults.append(
                f"{name} is {value!r:.200}, where no certificates can be read ({error!s:.100}). Let it name "
                "a file of certificates, or a folder of them, or unset it."
            )
    if faults:
        raise DefinitionError(faults)
    return made


def advice(error: ssl.SSLCertVerificationError, *, called: str = "base_url") -> str:
    """What a person can do about a certificate that was refused; `called` is where its address stands."""
    return _ELSEWHERE.get(getattr(error, "verify_code", 0), _COMPANY).format(called=called)


def _load(made: ssl.SSLContext, place: Path) -> None:
    if not place.is_dir():
        made.load_verify_locations(cafile=place)
        return
    files = [one for one in place.iterdir() if one.is_file()]
    if any(_HASHED.fullmatch(one.name) for one in files):
        made.load_verify_locations(capath=place)
        return
    # OpenSSL would find nothing in it, and say so only where a certificate is refused.
    certificates = [one for one in files if one.suffix in (".pem", ".crt", ".cer")]
    if not certificates:
        raise ValueError("no file of certificates is in that folder")
    for one in certificates:
        made.load_verify_locations(cafile=one)
