"""An identity provider that lies as it is told to, on a port of this machine."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache, partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc.jwk import ECKey, RSAKey
from joserfc.jws import JWSRegistry

CLIENT_ID = "labkit"

Answer = tuple[int, bytes]


@cache
def key(name: str) -> RSAKey:
    """A private key, made once."""
    return RSAKey.generate_key(2048, {"kid": name})


class LyingProvider:
    """Honest until a field is set. It logs in whoever comes, as `subject`."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.key: RSAKey | ECKey = key("one")
        self.subject = "s-1"
        self.claims: dict[str, Any] = {}
        """What is said instead; None: left out."""
        self.header: dict[str, Any] = {}
        self.sign: Callable[[bytes], bytes] | None = None
        """What signs instead of `key`."""
        self.metadata: dict[str, Any] = {}
        self.response: dict[str, str] = {}
        """What is sent back by the browser instead."""
        self.answers: dict[str, Callable[[], Answer]] = {}
        """What a path answers instead."""
        self.is_strict = True
        """Whether a code is taken once only, with its verifier."""
        self.asked: list[str] = []
        self.over = threading.Event()
        """Set at its end."""
        self.codes: dict[str, dict[str, str]] = {}
        self.authorization: str | None = None
        """What the service showed with the last code, and what it sent."""
        self.form: dict[str, str] = {}

    def authorized(self, query: dict[str, str]) -> str:
        """Where the browser is sent back to."""
        code = secrets.token_hex(8)
        self.codes[code] = query
        told = {"code": code, "state": query["state"], "iss": self.url, **self.response}
        return f"{query['redirect_uri']}?{urlencode({k: v for k, v in told.items() if v})}"

    def answer(self, path: str, form: dict[str, str]) -> Answer:
        """The answer to a request of the service."""
        self.asked.append(path)
        if path in self.answers:
            return self.answers[path]()
        if path == "/.well-known/openid-configuration":
            return 200, json.dumps(self._metadata()).encode()
        if path == "/jwks":
            return 200, json.dumps({"keys": [self.key.as_dict(private=False)]}).encode()
        if path == "/token":
            return self._token(form)
        return 404, b"{}"

    def _metadata(self) -> dict[str, Any]:
        told = {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "jwks_uri": f"{self.url}/jwks",
            "authorization_response_iss_parameter_supported": True,
        }
        return {**told, **self.metadata}

    def _token(self, form: dict[str, str]) -> Answer:
        begun = self.codes.get(form["code"], {})
        if self.is_strict:
            self.codes.pop(form["code"], None)
            digest = hashlib.sha256(form["code_verifier"].encode()).digest()
            challenge = base64.urlsafe_b64encode(digest).decode().rstrip("=")
            if challenge != begun.get("code_challenge") or form["redirect_uri"] != begun["redirect_uri"]:
                return 400, b'{"error": "invalid_grant"}'
        return 200, json.dumps({"access_token": "a", "id_token": self._id_token(begun)}).encode()

    def _id_token(self, begun: dict[str, str]) -> str:
        now = int(time.time())
        claims = {
            "iss": self.url,
            "sub": self.subject,
            "aud": CLIENT_ID,
            "exp": now + 300,
            "iat": now,
            "nonce": begun.get("nonce"),
            **self.claims,
        }
        header = {"alg": "RS256", "kid": self.key.kid, **self.header}
        signed = b".".join(map(_base64url, (_json(header), _json(claims))))
        sign = self.sign or partial(JWSRegistry.algorithms[header["alg"]].sign, key=self.key)
        return b".".join((signed, _base64url(sign(signed)))).decode()

    # -- lies that take more than a field --------------------------------------------------------

    def sign_by_nothing(self) -> None:
        """`alg: none`."""
        self.header = {"alg": "none"}
        self.sign = lambda _: b""

    def sign_by_the_public_key(self) -> None:
        """HS256, with what everybody knows as its secret."""
        self.header = {"alg": "HS256"}
        self.sign = partial(hmac.digest, self.key.as_pem(private=False), digest="sha256")

    def sign_by_an_own_key(self, **header: Any) -> None:
        """Signed by a key of somebody else, which the token's header brings."""
        own = key("own")
        self.header = {"jwk": own.as_dict(private=False), **header}
        self.sign = partial(JWSRegistry.algorithms["RS256"].sign, key=own)

    def sign_by_another_curve(self) -> None:
        """ES384, which is not in the list, by a key that is in the JWKS."""
        self.key = ECKey.generate_key("P-384", {"kid": "curve"})
        self.header = {"alg": "ES384"}


def _json(told: dict[str, Any]) -> bytes:
    return json.dumps({name: value for name, value in told.items() if value is not None}).encode()


def _base64url(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


@contextmanager
def lying_provider() -> Iterator[LyingProvider]:
    """One that runs."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.0"

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            if parts.path == "/authorize":
                self.send_response(302)
                self.send_header("Location", provider.authorized(_flat(parts.query)))
                self.end_headers()
            else:
                self._send(provider.answer(parts.path, {}))

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            provider.authorization, provider.form = self.headers["Authorization"], _flat(body)
            self._send(provider.answer(self.path, provider.form))

        def _send(self, answer: Answer) -> None:
            self.send_response(answer[0])
            self.send_header("Content-Type", "application/json")
            if 300 <= answer[0] < 400:
                self.send_header("Location", answer[1].decode())
            self.end_headers()
            self.wfile.write(answer[1])

        def log_message(self, *_: object) -> None:
            """Say nothing."""

        def handle(self) -> None:
            with suppress(ConnectionError):  # the service does not read on
                super().handle()

    class Server(ThreadingHTTPServer):
        request_queue_size = 64

    with Server(("127.0.0.1", 0), Handler) as server:
        provider = LyingProvider(f"http://127.0.0.1:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield provider
        finally:
            provider.over.set()
            server.shutdown()
            thread.join()


def _flat(query: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(query).items()}
