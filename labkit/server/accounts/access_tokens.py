"""Access tokens of log-ins that are no cookie: JWTs, signed by HS256 with the service's own keys.

A token says which session it belongs to; whether that still goes on is not known here: see `sessions`. Nor
is where the keys come from: see `signing_keys`.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass

from joserfc import jwt
from joserfc.errors import ExpiredTokenError, JoseError
from joserfc.jwk import GuestProtocol, OctKey
from joserfc.jws import JWSRegistry

from labkit.server.accounts.principal import not_logged_in

ISSUER = "labkit"
AUDIENCE = "labkit/api/v1"
ALGORITHM = "HS256"
TYPE = "at+jwt"
LEEWAY_S = 5
LONGEST = 4096
"""Characters of a token that is looked at."""
_NEEDED: jwt.ClaimsOption = {"essential": True}


@dataclass(frozen=True, kw_only=True)
class Claims:
    """What a token says: the user's id and log-in name, and the session's id."""

    user_id: str
    name: str
    sid: str


class Signer:
    """Signs with the first key, verifies with each.

    >>> signer = Signer([b"0123456789abcdefghijklmnopqrstuv"])
    >>> signer.verified(signer.signed(Claims(user_id="u", name="ada", sid="s"), ends_s=4e9)).name
    'ada'
    """

    def __init__(self, keys: Sequence[bytes]) -> None:
        self._keys = {hashlib.sha256(key).hexdigest()[:16]: OctKey.import_key(key) for key in keys}
        self._registry = JWSRegistry(algorithms=[ALGORITHM])
        self._claims = jwt.JWTClaimsRegistry(
            leeway=LEEWAY_S,
            iss={"essential": True, "value": ISSUER},
            aud={"essential": True, "value": AUDIENCE},
            sub=_NEEDED,
            user_id=_NEEDED,
            sid=_NEEDED,
            iat=_NEEDED,
            exp=_NEEDED,
            jti=_NEEDED,
        )

    def signed(self, claims: Claims, *, ends_s: float, email: str | None = None) -> str:
        """A token until `ends_s` (seconds since 1970)."""
        kid, key = next(iter(self._keys.items()))
        told = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": claims.name,
            "user_id": claims.user_id,
            "sid": claims.sid,
            "iat": int(time.time()),
            "exp": int(ends_s),
            "jti": secrets.token_urlsafe(16),
        }
        if email is not None:
            told["email"] = email
        header = {"alg": ALGORITHM, "typ": TYPE, "kid": kid}
        return jwt.encode(header, told, key, registry=self._registry)

    def verified(self, text: str) -> Claims:
        """What a token says. Raises 401 for any that was not signed here, as it is, for now."""
        if len(text) > LONGEST or not text.isascii():
            raise _not_ours()
        try:
            token = jwt.decode(text, self._key, registry=self._registry)
            self._claims.validate(token.claims)
            told = [token.claims[name] for name in ("user_id", "sub", "sid")]
        except ExpiredTokenError:
            raise not_logged_in("Your log-in has ended. Log in again.") from None
        except (JoseError, ValueError, TypeError):
            raise _not_ours() from None
        if not all(isinstance(one, str) for one in told):
            raise _not_ours()
        return Claims(user_id=told[0], name=told[1], sid=told[2])

    def _key(self, token: GuestProtocol) -> OctKey:
        header = token.headers()
        # Where a header could name a key, or an extension, of its own, there is nothing to read.
        if set(header) != {"alg", "typ", "kid"} or header["typ"] != TYPE:
            raise ValueError("no header of ours")
        found = self._keys.get(header["kid"]) if isinstance(header["kid"], str) else None
        if found is None:
            raise ValueError("no key of ours")
        return found


def _not_ours() -> Exception:
    return not_logged_in("The bearer is no token of this service. Log in again.")
