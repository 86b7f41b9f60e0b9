"""Access tokens: what one says, and that none but ours, unchanged and in its time, says anything."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Callable
from typing import Any

import pytest
from joserfc import jws
from joserfc.jwk import RSAKey

from labkit.server.accounts.access_tokens import Claims, Signer
from labkit.server.problems import Problem

KEY, OTHER = secrets.token_bytes(32), secrets.token_bytes(32)
WHO = Claims(user_id="user_1", name="ada", sid="s1")
HOUR = 3600


def b64(data: bytes | dict[str, Any]) -> str:
    """base64url without padding, of JSON where it is a mapping."""
    raw = data if isinstance(data, bytes) else json.dumps(data).encode()
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def parts(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The header and the claims of a token."""
    header, claims, _ = (base64.urlsafe_b64decode(part + "==") for part in token.split("."))
    return json.loads(header), json.loads(claims)


def forged(
    *,
    header: dict[str, Any] | None = None,
    claims: dict[str, Any] | None = None,
    key: bytes = KEY,
    digest: str = "sha256",
    without: str = "",
) -> str:
    """A token as ours would be, but for what is changed; signed by hand, so that nothing refuses to."""
    own_header, own_claims = parts(Signer([KEY]).signed(WHO, ends_s=time.time() + HOUR))
    told = {name: value for name, value in {**own_claims, **(claims or {})}.items() if name != without}
    top = {name: value for name, value in {**own_header, **(header or {})}.items() if value is not None}
    text = f"{b64(top)}.{b64(told)}"
    return f"{text}.{b64(hmac.new(key, text.encode(), digest).digest())}"


def unsigned(alg: str) -> str:
    """A token that says it needs no signature, and has none."""
    return forged(header={"alg": alg}).rpartition(".")[0] + "."


def by_rsa() -> str:
    """A token signed with somebody's own RSA key, which stands in its header."""
    key = RSAKey.generate_key(2048)
    header, claims = parts(forged())
    top = {**header, "alg": "RS256", "jwk": key.as_dict(private=False)}
    registry = jws.JWSRegistry(algorithms=["RS256"])
    registry.max_header_length = 4096
    return jws.serialize_compact(top, json.dumps(claims), key, registry=registry)


def tampered() -> str:
    """Ours, with another name put in after it was signed."""
    header, claims, signature = forged().split(".")
    told = {**parts(f"{header}.{claims}.")[1], "sub": "root"}
    return f"{header}.{b64(told)}.{signature}"


def bent() -> str:
    """Ours with one bit of its signature turned."""
    head, _, signature = forged().rpartition(".")
    raw = bytearray(base64.urlsafe_b64decode(signature + "=="))
    raw[0] ^= 1
    return f"{head}.{b64(bytes(raw))}"


FORGERIES: dict[str, Callable[[], str]] = {
    "no signature asked for": lambda: unsigned("none"),
    "the same in capitals": lambda: unsigned("NONE"),
    "the same in both": lambda: unsigned("nOnE"),
    "no algorithm": lambda: forged(header={"alg": None}),
    "an empty algorithm": lambda: unsigned(""),
    "another secret": lambda: forged(key=OTHER),
    "an empty secret": lambda: forged(key=b""),
    "its own kid as secret": lambda: forged(key=parts(forged())[0]["kid"].encode()),
    "HS384 with our key": lambda: forged(header={"alg": "HS384"}, digest="sha384"),
    "HS512 with our key": lambda: forged(header={"alg": "HS512"}, digest="sha512"),
    "RS256 with a key in the header": by_rsa,
    "a secret in the header": lambda: forged(
        header={"jwk": {"kty": "oct", "k": b64(OTHER)}, "kid": "own"}, key=OTHER
    ),
    "a key's address in the header": lambda: forged(header={"jku": "https://evil.test/jwks"}),
    "nobody's kid": lambda: forged(header={"kid": "0" * 16}),
    "a path as kid": lambda: forged(header={"kid": "../../../../dev/null"}, key=b""),
    "SQL as kid": lambda: forged(header={"kid": "x' union select 'k"}, key=b"k"),
    "a list as kid": lambda: forged(header={"kid": ["a"]}),
    "no kid": lambda: forged(header={"kid": None}),
    "an id token's type": lambda: forged(header={"typ": "JWT"}),
    "no type": lambda: forged(header={"typ": None}),
    "an unknown extension": lambda: forged(header={"crit": ["x"], "x": 1}),
    "an empty crit": lambda: forged(header={"crit": []}),
    "an unencoded body": lambda: forged(header={"crit": ["b64"], "b64": False}),
    "packed": lambda: forged(header={"zip": "DEF"}),
    "without an end": lambda: forged(without="exp"),
    "an end that is a text": lambda: forged(claims={"exp": "9999999999"}),
    "an end that is no number": lambda: forged(claims={"exp": float("nan")}),
    "an end that is true": lambda: forged(claims={"exp": True}),
    "not begun": lambda: forged(claims={"nbf": time.time() + HOUR}),
    "made tomorrow": lambda: forged(claims={"iat": time.time() + 24 * HOUR}),
    "another issuer": lambda: forged(claims={"iss": "https://evil.test"}),
    "another audience": lambda: forged(claims={"aud": "somebody else"}),
    "no audience": lambda: forged(without="aud"),
    "no session": lambda: forged(without="sid"),
    "a session that is a number": lambda: forged(claims={"sid": 1}),
    "a name that is a list": lambda: forged(claims={"sub": ["ada", "root"]}),
    "changed after it was signed": tampered,
    "a bit of the signature turned": bent,
    "the signature cut off": lambda: forged().rpartition(".")[0] + ".",
    "two parts": lambda: forged().rpartition(".")[0],
    "four parts": lambda: forged() + ".x",
    "five parts": lambda: forged() + ".x.y",
    "claims that are a list": lambda: signed_text(b"[1]"),
    "claims that are no JSON": lambda: signed_text(b"{"),
    "a header that is no JSON": lambda: "e30" + forged()[3:],
    "deep JSON": lambda: signed_text(b"[" * 900 + b"]" * 900),
    "nothing": lambda: "",
    "dots": lambda: "..",
    "not ASCII": lambda: forged() + "\u00e9",
    "very long": lambda: forged(claims={"x": "y" * 100_000}),
}


def signed_text(payload: bytes) -> str:
    """Any payload under a header and a signature of ours."""
    text = f"{forged().split('.')[0]}.{b64(payload)}"
    return f"{text}.{b64(hmac.new(KEY, text.encode(), hashlib.sha256).digest())}"


def test_ours_says_who() -> None:
    """What was signed is read again, by hand too: log-in name, id, session, e-mail, and when it ends."""
    ends_s = int(time.time()) + HOUR
    token = Signer([KEY]).signed(WHO, ends_s=ends_s, email="ada@lab.example")
    assert Signer([KEY]).verified(token) == WHO
    header, claims = parts(token)
    assert header.keys() == {"alg", "typ", "kid"}
    assert (claims["sub"], claims["user_id"], claims["email"]) == ("ada", "user_1", "ada@lab.example")
    assert claims["exp"] == ends_s
    assert claims.keys() == {"iss", "aud", "sub", "user_id", "email", "sid", "iat", "exp", "jti"}
    assert "email" not in parts(Signer([KEY]).signed(WHO, ends_s=ends_s))[1]
    assert Signer([KEY]).verified(forged()) == WHO, "what forges can make a true one"


@pytest.mark.parametrize("name", FORGERIES)
def test_a_forgery_is_nobody(name: str) -> None:
    """What was not signed by us, as it is, is a 401 with one text that tells nothing of why."""
    with pytest.raises(Problem) as refused:
        Signer([KEY]).verified(FORGERIES[name]())
    assert refused.value.status == 401
    assert refused.value.detail == "The bearer is no token of this service. Log in again."


def test_one_that_ended_is_told() -> None:
    """One of ours that ended is told so, as its owner must log in again."""
    for exp in (0, -1, time.time() - HOUR):
        with pytest.raises(Problem, match="log-in has ended"):
            Signer([KEY]).verified(forged(claims={"exp": exp}))


def test_a_key_is_changed_without_a_log_out() -> None:
    """With a new key before the old one both tokens hold; with the old one gone, its tokens are nobody's."""
    old, new = Signer([KEY]), Signer([OTHER, KEY])
    before, after = (one.signed(WHO, ends_s=time.time() + HOUR) for one in (old, new))
    assert new.verified(before) == new.verified(after) == WHO
    assert parts(before)[0]["kid"] != parts(after)[0]["kid"]
    alone = Signer([OTHER])
    assert alone.verified(after) == WHO
    with pytest.raises(Problem):
        alone.verified(before)
