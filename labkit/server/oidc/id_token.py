"""What an ID token says, once its signature, its audience and its times were checked.

The rules are those of OpenID Connect Core 3.1.3.7. Keys are those that are given: one that a token brings or
points to is not looked at. It does not know where keys come from.
"""

from __future__ import annotations

import hmac
import time
from collections.abc import Sequence
from typing import Any

import msgspec
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, JWKRegistry, OKPKey, RSAKey
from joserfc.jws import JWSRegistry, extract_compact, validate_compact

from labkit.server.accounts.principal import not_logged_in
from labkit.server.problems import Problem
from labkit.visible import quoted

LEEWAY_S = 60
"""So far two machines' clocks may be apart."""
LONGEST = 64_000
_SMALLEST_MODULUS = 342
"""Characters of base64 that hold 2048 bits."""
Key = RSAKey | ECKey | OKPKey


class Claims(msgspec.Struct):
    """What is read of an ID token."""

    iss: str
    sub: str
    aud: str | list[str]
    exp: float
    iat: float
    nonce: str
    azp: str | None = None
    nbf: float | None = None
    preferred_username: str | None = None


class Signed:
    """A token whose signature was not looked at yet. Raises 401 for a text that is none, or is not signed by
    one of `algorithms`."""

    def __init__(self, text: str, algorithms: Sequence[str]) -> None:
        # Parameters of the header that nobody knows are to be passed over, but for those in `crit`.
        self._registry = JWSRegistry(algorithms=list(algorithms), strict_check_header=False)
        self._registry.max_header_length = LONGEST  # some bring a certificate, which is not looked at
        try:
            if len(text) > LONGEST:
                raise ValueError("too long")
            self._token = extract_compact(text.encode("ascii"), registry=self._registry)
            header = self._token.headers()
            signed_by, self.kid = header["alg"], header.get("kid")
        except (JoseError, ValueError, TypeError, KeyError, RecursionError):
            raise lie("it cannot be read") from None
        if "crit" in header:
            raise lie("it asks for an extension (crit) that is not known here")
        if signed_by not in algorithms:
            raise lie(f"it is signed by {quoted(signed_by)}, not by {' or '.join(algorithms)}")
        self._algorithm = self._registry.get_alg(signed_by)

    def key_in(self, keys: Sequence[Key]) -> Key | None:
        """The one key that it can be signed by."""
        fit = [key for key in keys if (self.kid is None or key.kid == self.kid) and self._fits(key)]
        return fit[0] if len(fit) == 1 else None

    def claims(self, key: Key, *, issuer: str, client_id: str, nonce: str) -> Claims:
        """What it says. Raises 401 where that was not signed by `key`, or not for this log-in."""
        try:
            is_signed = validate_compact(self._token, key, registry=self._registry)
            claims = msgspec.json.decode(self._token.payload, type=Claims)
        except (JoseError, ValueError, TypeError):
            is_signed = False
        if not is_signed:
            raise lie("it cannot be read, or its signature is wrong")
        check(claims, issuer=issuer, client_id=client_id, nonce=nonce)
        return claims

    def _fits(self, key: Key) -> bool:
        try:
            self._algorithm.check_key(key)
        except JoseError:
            return False
        return True


def check(claims: Claims, *, issuer: str, client_id: str, nonce: str) -> None:
    """Raise 401 for what another provider, client, log-in or time would have to take."""
    audience = [claims.aud] if isinstance(claims.aud, str) else claims.aud
    now = time.time()
    faults = {
        "it is another provider's (iss)": claims.iss != issuer,
        "it is for another client (aud)": client_id not in audience,
        "it was given to another client (azp)": claims.azp != client_id
        and (claims.azp is not None or len(audience) > 1),
        "it is of another log-in (nonce)": not hmac.compare_digest(claims.nonce.encode(), nonce.encode()),
        "it has expired (exp)": claims.exp <= now - LEEWAY_S,
        "it is not valid yet (nbf, iat)": max(claims.iat, claims.nbf or 0) > now + LEEWAY_S,
        "it names nobody (sub)": not (0 < len(claims.sub) <= 255 and claims.sub.isprintable()),
    }
    for fault, is_so in faults.items():
        if is_so:
            raise lie(fault)


def keys_in(jwks: bytes) -> list[Key]:
    """The public keys of a JWKS that can be used. Raises `ValueError` where it is none."""
    read = msgspec.json.decode(jwks)
    listed = read.get("keys") if isinstance(read, dict) else None
    if not isinstance(listed, list):
        raise ValueError("no list of keys")
    return [key for one in listed if isinstance(one, dict) if (key := _key(one)) is not None]


def _key(described: dict[str, Any]) -> Key | None:
    if described.get("kty") == "RSA" and len(str(described.get("n"))) < _SMALLEST_MODULUS:
        return None
    try:
        key = JWKRegistry.import_key(described)
    except (JoseError, ValueError, TypeError, KeyError):
        return None  # of a kind that is not known here
    return key if isinstance(key, Key) else None


def lie(fault: str) -> Problem:
    """401: the ID token is not to be believed."""
    return not_logged_in(f"The identity provider's ID token is not accepted: {fault}. Log in again.")
