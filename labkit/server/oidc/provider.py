"""The identity provider: what it says of itself, its keys, and who it says that somebody is.

All of it is asked for by `fetching`. The document of what it is (discovery) has to name the issuer that is
configured, and is kept for an hour, as its keys are. Its userinfo is not asked. It does not know browsers or
users.

Authlib's client is not used: it keeps state, nonce and verifier in a session that browsers can read, takes
the issuer and the algorithms from what the provider sends, and fetches without a bound.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from urllib.parse import quote, urlencode, urlsplit

import msgspec
from fastapi.concurrency import run_in_threadpool

from labkit.server.accounts.principal import not_logged_in
from labkit.server.oidc.fetching import Fetcher, failed
from labkit.server.oidc.id_token import Claims, Key, Signed, keys_in, lie
from labkit.server.oidc.kept import Kept
from labkit.server.oidc_configuration import Oidc, is_safe
from labkit.visible import quoted

LIFE_S = 3600.0
KEYS_EVERY_S = 60.0
"""The keys are asked for because of one that is not among them at most this often."""
SCOPE = "openid profile"


class Metadata(msgspec.Struct, frozen=True):
    """What is read of the document at `/.well-known/openid-configuration`."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    end_session_endpoint: str | None = None
    token_endpoint_auth_methods_supported: tuple[str, ...] = ("client_secret_basic",)
    authorization_response_iss_parameter_supported: bool = False


class _Tokens(msgspec.Struct):
    id_token: str


class _Error(msgspec.Struct):
    error: str


@dataclass(frozen=True, kw_only=True)
class Secrets:
    """What one log-in is known by: to the browser, in the ID token, and when the code is exchanged."""

    state: str
    nonce: str
    verifier: str


class Provider:
    """The provider of `oidc`, for the service at `url`. Raises `DefinitionError` for a secret that cannot be
    had; contacts nobody before it is needed."""

    def __init__(self, oidc: Oidc, url: str) -> None:
        self.oidc = oidc
        self.login_uri = f"{url.rstrip('/')}/api/v1/auth/oidc/login"
        self.redirect_uri = f"{url.rstrip('/')}/api/v1/auth/oidc/callback"
        """Where it sends browsers back to: what it was told, whatever `Host` a request says."""
        self._secret = oidc.secret()
        self._fetcher = Fetcher()
        self.metadata = Kept(self._discovered, life_s=LIFE_S, renewed_every_s=LIFE_S)
        self._keys = Kept(self._keys_fetched, life_s=LIFE_S, renewed_every_s=KEYS_EVERY_S)

    async def log_in_address(self, secrets: Secrets) -> str:
        """Where a browser goes to log in. Raises 503."""
        challenge = hashlib.sha256(secrets.verifier.encode()).digest()
        return _with_query(
            (await self.metadata.get()).authorization_endpoint,
            response_type="code",
            client_id=self.oidc.client_id,
            redirect_uri=self.redirect_uri,
            scope=SCOPE,
            state=secrets.state,
            nonce=secrets.nonce,
            code_challenge=base64.urlsafe_b64encode(challenge).rstrip(b"=").decode(),
            code_challenge_method="S256",
        )

    async def log_out_address(self) -> str | None:
        """Where a browser goes to log out at the provider too; None where it has no such place."""
        endpoint = (await self.metadata.get()).end_session_endpoint
        return None if endpoint is None else _with_query(endpoint, client_id=self.oidc.client_id)

    async def check_sender(self, iss: str | None) -> None:
        """Raise 401 where an answer that came by the browser is another provider's (RFC 9207)."""
        says = (await self.metadata.get()).authorization_response_iss_parameter_supported
        if (iss is None and says) or (iss is not None and iss != self.oidc.issuer):
            raise not_logged_in(
                "The answer is not from the configured identity provider (iss). Log in again."
            )

    async def claims(self, code: str, secrets: Secrets) -> Claims:
        """Who logged in. Raises 401 where the provider refuses the code or its ID token is not accepted, 503
        where it does not answer as it should."""
        token = Signed(await self._id_token(code, secrets.verifier), self.oidc.algorithms)
        key = token.key_in(await self._keys.get()) or token.key_in(await self._keys.renewed())
        if key is None:
            raise lie("its key is none of the provider's")
        return token.claims(key, issuer=self.oidc.issuer, client_id=self.oidc.client_id, nonce=secrets.nonce)

    async def _id_token(self, code: str, verifier: str) -> str:
        metadata = await self.metadata.get()
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.redirect_uri,
            "code_verifier": verifier,
        }
        headers = {}
        if self._secret is None:
            form["client_id"] = self.oidc.client_id
        elif "client_secret_basic" in metadata.token_endpoint_auth_methods_supported:
            # As in a form, but a blank is %20: some providers do not read a + as one.
            pair = ":".join(quote(one, safe="") for one in (self.oidc.client_id, self._secret))
            headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
        else:
            form |= {"client_id": self.oidc.client_id, "client_secret": self._secret}
        status, body = await self._fetcher.post(metadata.token_endpoint, "ID token", form, headers)
        if status in (400, 401):
            raise not_logged_in(f"The identity provider refused the log-in{_why(body)}. Log in again.")
        try:
            if status != 200:
                raise failed("ID token", f"its answer was {status}")
            return msgspec.json.decode(body, type=_Tokens).id_token
        except msgspec.MsgspecError:
            raise failed("ID token", "its answer holds none") from None

    async def _discovered(self) -> Metadata:
        what = "configuration"
        address = f"{self.oidc.issuer.rstrip('/')}/.well-known/openid-configuration"
        body = await self._fetcher.get(address, what)
        try:
            found = msgspec.json.decode(body, type=Metadata)
        except msgspec.MsgspecError as error:
            raise failed(what, f"it cannot be read ({error})") from None
        if found.issuer != self.oidc.issuer:
            raise failed(what, f"it is that of {quoted(found.issuer)}, not of {quoted(self.oidc.issuer)}")
        places = (
            found.authorization_endpoint,
            found.token_endpoint,
            found.jwks_uri,
            found.end_session_endpoint,
        )
        if unsafe := [one for one in places if one is not None and not is_safe(one)]:
            raise failed(what, f"it names {quoted(unsafe[0])}, which is not encrypted")
        return found

    async def _keys_fetched(self) -> list[Key]:
        body = await self._fetcher.get((await self.metadata.get()).jwks_uri, "keys")
        try:
            return await run_in_threadpool(keys_in, body)
        except ValueError:
            raise failed("keys", "they cannot be read") from None


def _with_query(address: str, **more: str) -> str:
    parts = urlsplit(address)
    return parts._replace(query="&".join(filter(None, (parts.query, urlencode(more))))).geturl()


def _why(body: bytes) -> str:
    try:
        return f" ({quoted(msgspec.json.decode(body, type=_Error).error)})"
    except msgspec.MsgspecError:
        return ""
