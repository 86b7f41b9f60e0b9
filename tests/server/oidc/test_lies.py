"""A provider that lies: one clean answer, no session, and the reason in words."""

from __future__ import annotations

import html
import json
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from labkit.server.oidc import fetching
from tests.server.oidc.conftest import Browser, begun_of, refusals_of, sessions_of
from tests.server.oidc.lying_provider import LyingProvider, key
from tests.server.running import Running

Lie = Callable[[LyingProvider], Any]


def setting(**fields: Any) -> Lie:
    """A lie that is told by fields."""
    return lambda liar: [setattr(liar, name, value) for name, value in fields.items()]


def claiming(**claims: Any) -> Lie:
    """A lie that the ID token tells."""
    return setting(claims=claims)


def answering(path: str, status: int, body: bytes) -> Lie:
    """A lie that an address tells."""
    return lambda liar: liar.answers.update({path: lambda: (status, body)})


ANOTHER = "https://another.example"
HOUR_S = 3600
NOW = int(time.time())
NO_TOKEN = "it cannot be read"
UNREADABLE = "it cannot be read, or its signature is wrong"
EXTENSION = "it asks for an extension (crit) that is not known here"
ID_TOKEN = {
    "no algorithm": (LyingProvider.sign_by_nothing, "it is signed by 'none', not by RS256 or ES256"),
    "the public key as a secret": (
        LyingProvider.sign_by_the_public_key,
        "it is signed by 'HS256', not by RS256 or ES256",
    ),
    "an algorithm outside the list": (
        LyingProvider.sign_by_another_curve,
        "it is signed by 'ES384', not by RS256 or ES256",
    ),
    "its own key": (
        partial(LyingProvider.sign_by_an_own_key, kid="mine"),
        "its key is none of the provider's",
    ),
    "its own key, called alike": (LyingProvider.sign_by_an_own_key, UNREADABLE),
    "its own key, not called": (
        partial(LyingProvider.sign_by_an_own_key, kid=None),
        UNREADABLE,
    ),
    "an unknown extension": (
        setting(header={"crit": ["exp2"], "exp2": 1}),
        EXTENSION,
    ),
    "a known extension": (
        setting(header={"crit": ["b64"], "b64": True}),
        EXTENSION,
    ),
    "another issuer": (claiming(iss=ANOTHER), "it is another provider's (iss)"),
    "another audience": (claiming(aud="another"), "it is for another client (aud)"),
    "other audiences": (claiming(aud=["another", "third"]), "it is for another client (aud)"),
    "several audiences and no azp": (claiming(aud=["labkit", "b"]), "it was given to another client (azp)"),
    "another azp": (claiming(azp="another"), "it was given to another client (azp)"),
    "another nonce": (claiming(nonce="n"), "it is of another log-in (nonce)"),
    "no nonce": (claiming(nonce=""), "it is of another log-in (nonce)"),
    "a nonce that is left out": (claiming(nonce=None), UNREADABLE),
    "expired": (claiming(exp=NOW - HOUR_S), "it has expired (exp)"),
    "without an end": (claiming(exp=None), UNREADABLE),
    "an end that is no number": (claiming(exp=float("nan")), UNREADABLE),
    "not valid yet": (claiming(nbf=NOW + HOUR_S), "it is not valid yet (nbf, iat)"),
    "of the future": (claiming(iat=NOW + HOUR_S), "it is not valid yet (nbf, iat)"),
    "no time": (claiming(iat=None), UNREADABLE),
    "nobody": (claiming(sub=""), "it names nobody (sub)"),
    "a subject of 300 characters": (claiming(sub="s" * 300), "it names nobody (sub)"),
    "a subject that no database takes": (claiming(sub="a\0b"), "it names nobody (sub)"),
}


@pytest.mark.parametrize("lie", ID_TOKEN)
def test_an_id_token_that_lies(liar: LyingProvider, service: Running, browser: Browser, lie: str) -> None:
    """An ID token that lies ends in one page and an audit row that say which lie it is, and in no session."""
    tell, words = ID_TOKEN[lie]
    tell(liar)
    refused(service, browser, browser.log_in(), 401, words)
    assert refusals_of(service) == [
        f"The identity provider's ID token is not accepted: {words}. Log in again."
    ]


HUGE = b'{"keys": [], "more": "' + b"x" * 5_000_000 + b'"}'
KEYS = {
    "an error": (answering("/jwks", 500, b"{}"), 503, "did not give its keys: its answer was 500"),
    "5 MB": (answering("/jwks", 200, HUGE), 503, "its answer has more than 1,000,000 bytes"),
    "a page": (answering("/jwks", 200, b"<html>"), 503, "they cannot be read"),
    "no list": (answering("/jwks", 200, b'{"keys": {}}'), 503, "they cannot be read"),
    "no key": (
        answering("/jwks", 200, b'{"keys": [{"kty": "?"}, 1]}'),
        401,
        "its key is none of the provider's",
    ),
    "elsewhere": (answering("/jwks", 302, b"https://another.example/jwks"), 503, "its answer was 302"),
    "not there": (
        setting(metadata={"jwks_uri": "http://127.0.0.1:9/"}),
        503,
        "it cannot be reached (ConnectError)",
    ),
}
TOKEN = {
    "an error": (answering("/token", 500, b"{}"), 503, "did not give its ID token: its answer was 500"),
    "a refusal": (
        answering("/token", 400, b'{"error": "invalid_grant"}'),
        401,
        "refused the log-in ('invalid_grant')",
    ),
    "a refusal without a word": (
        answering("/token", 401, b"<html>"),
        401,
        "refused the log-in. Log in again",
    ),
    "none": (answering("/token", 200, b'{"access_token": "a"}'), 503, "its answer holds none"),
    "a number": (answering("/token", 200, b'{"id_token": 7}'), 503, "its answer holds none"),
    "no token": (answering("/token", 200, b'{"id_token": "a.b.c"}'), 401, NO_TOKEN),
    "a long one": (
        answering("/token", 200, json.dumps({"id_token": "a" * 900_000}).encode()),
        401,
        NO_TOKEN,
    ),
    "elsewhere": (answering("/token", 307, b"https://another.example/token"), 503, "its answer was 307"),
}


@pytest.mark.parametrize(
    "lie",
    [*KEYS.values(), *TOKEN.values()],
    ids=[*(f"keys: {one}" for one in KEYS), *(f"token: {one}" for one in TOKEN)],
)
def test_keys_and_tokens_that_do_not_come(
    liar: LyingProvider, service: Running, browser: Browser, lie: tuple[Lie, int, str]
) -> None:
    """Keys or an ID token that do not come as they should end in one page, and no session."""
    tell, status, words = lie
    tell(liar)
    refused(service, browser, browser.log_in(), status, words)
    assert begun_of(service) == 0


DOCUMENT = "/.well-known/openid-configuration"
DISCOVERY = {
    "another issuer": (setting(metadata={"issuer": ANOTHER}), f"it is that of '{ANOTHER}', not of"),
    "an issuer with a slash": (
        lambda liar: liar.metadata.update(issuer=f"{liar.url}/"),
        "/', not of",
    ),
    "an error": (answering(DOCUMENT, 500, b"{}"), "its answer was 500"),
    "5 MB": (answering(DOCUMENT, 200, HUGE), "its answer has more than 1,000,000 bytes"),
    "a page": (answering(DOCUMENT, 200, b"<html>"), "it cannot be read"),
    "no addresses": (answering(DOCUMENT, 200, b"{}"), "it cannot be read"),
    "elsewhere": (answering(DOCUMENT, 302, b"https://another.example/"), "its answer was 302"),
    "an open token endpoint": (
        setting(metadata={"token_endpoint": "http://another.example/token"}),
        "it names 'http://another.example/token', which is not encrypted",
    ),
    "a script": (
        setting(metadata={"authorization_endpoint": "javascript:alert(1)"}),
        "which is not encrypted",
    ),
}


@pytest.mark.parametrize("lie", DISCOVERY)
def test_a_provider_that_is_another_one(
    liar: LyingProvider, service: Running, browser: Browser, lie: str
) -> None:
    """A provider that does not say what it is, or says that it is another one, is sent nobody."""
    tell, words = DISCOVERY[lie]
    tell(liar)
    answer = browser.ask(browser.start)
    refused(service, browser, answer, 503, words)
    assert (begun_of(service), answer.headers["retry-after"]) == (0, "5")


def test_a_provider_that_came_to_itself(liar: LyingProvider, browser: Browser) -> None:
    """What failed is asked for again with the next log-in."""
    answering(DOCUMENT, 500, b"{}")(liar)
    assert browser.log_in().status_code == 503
    liar.answers.clear()
    assert browser.log_in().headers["location"] == "/"


@pytest.mark.parametrize("path", [DOCUMENT, "/jwks", "/token"])
def test_a_provider_that_does_not_answer(
    liar: LyingProvider, service: Running, browser: Browser, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A provider that sends nothing is waited for so long and no longer."""
    monkeypatch.setattr(fetching, "MOST_S", 0.5)
    liar.answers[path] = lambda: (200, b"{}" if liar.over.wait(60) else b"")
    refused(service, browser, browser.log_in(), 503, "it did not answer within")


RESPONSES = {
    "refused": ({"code": "", "error": "access_denied"}, 401, "did not let you in ('access_denied')"),
    "refused with a script": ({"code": "", "error": "<script>"}, 401, "('<script>')"),
    "another issuer": ({"iss": ANOTHER}, 401, "is not from the configured identity provider (iss)"),
    "no issuer": ({"iss": ""}, 401, "is not from the configured identity provider (iss)"),
    "another issuer refuses": ({"iss": ANOTHER, "error": "access_denied"}, 401, "(iss)"),
    "no code": ({"code": ""}, 400, "sent no code"),
    "no code that is known": ({"code": "guessed"}, 401, "refused the log-in ('invalid_grant')"),
    "another state": ({"state": "guessed"}, 400, "was begun in another browser"),
    "no state": ({"state": ""}, 400, "was begun in another browser"),
}


@pytest.mark.parametrize("lie", RESPONSES)
def test_an_answer_by_the_browser_that_lies(
    liar: LyingProvider, service: Running, browser: Browser, lie: str
) -> None:
    """What comes by the browser and is not the provider's answer to it ends in one page, and no session."""
    response, status, words = RESPONSES[lie]
    liar.response = response
    refused(service, browser, browser.log_in(), status, words)
    assert (begun_of(service), len(refusals_of(service))) == (0, 1)


@pytest.mark.parametrize("name", ["state", "code", "iss", "error"])
def test_an_answer_that_says_two_things(service: Running, browser: Browser, name: str) -> None:
    """A parameter that is sent twice is refused: who reads the first and who reads the last would differ."""
    address = browser.sent_back()
    refused(
        service, browser, browser.ask(f"{address}&{name}=x&{name}=y"), 400, f"{name} was sent more than once"
    )


def test_a_program_is_answered_in_json(service: Running) -> None:
    """Who does not ask for a page gets the sentence as a problem."""
    answer = service.ask("GET", "/auth/oidc/callback?state=a&code=b", as_=None)
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["detail"].startswith("This log-in was ended already")


def test_keys_that_change_in_mid_flow(liar: LyingProvider, service: Running, browser: Browser) -> None:
    """A key that is not known yet is looked for once; another one within the same minute is not."""
    assert browser.log_in().headers["location"] == "/"
    address = browser.sent_back()
    liar.key = key("two")
    assert browser.ask(address).headers["location"] == "/"
    assert liar.asked.count("/jwks") == 2
    liar.key = key("three")
    assert "its key is none of the provider" in browser.log_in().text
    assert (liar.asked.count("/jwks"), sessions_of(service)) == (2, 2)


def refused(service: Running, browser: Browser, answer: Any, status: int, words: str) -> None:
    """One page says so, and nobody is logged in."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"].startswith("text/html")
    assert words in html.unescape(answer.text)
    assert "<script>" not in answer.text
    assert sessions_of(service) == 0
    assert browser.me().status_code == 401
