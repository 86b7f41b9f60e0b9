"""labkit.sentinel.channels by webhook and heartbeat: real sockets on loopback, whose list is the witness."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from labkit.sentinel import webhook
from labkit.sentinel.channels import Delivery, channel_faults, deliver, heartbeat
from tests.sentinel.hook_server import PATH, PIECES, HookServer, answer

pytestmark = pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning")

HOST = "hooks.company.example"
TAKEN = [Delivery("webhook", None)]
TEXT = "Worse by 4 to 13 points – “nightly” (100 rows) ✗\nsecond line"


@pytest.fixture
def serve() -> Iterator[Callable[..., HookServer]]:
    """Starts servers that end with the test."""
    begun: list[HookServer] = []

    def start(*given: Any, **more: Any) -> HookServer:
        begun.append(HookServer(*given, **more))
        return begun[-1]

    yield start
    for one in begun:
        one.close()


@pytest.fixture
def hidden(caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> Callable[..., None]:
    """Asserts that no piece of the address is in what was returned, logged or printed."""
    caplog.set_level(logging.DEBUG)

    def check(*returned: object) -> None:
        logged = [caplog.text, *(repr(vars(record)) for record in caplog.records)]
        for text in (*map(repr, returned), *map(str, returned), *logged, *capfd.readouterr()):
            for piece in PIECES:
                assert piece not in text
                assert piece.encode().hex() not in text

    return check


def sent(address: str, text: str = TEXT, **more: str) -> str | None:
    """What is said of a text that goes to one webhook."""
    (one,) = deliver(text, environment={"LABKIT_WEBHOOK": address, **more})
    assert one.channel == "webhook"
    return one.error


def drip(first: bytes, drop: bytes) -> Callable[[socket.socket], None]:
    """An answer that never ends."""

    def behave(connection: socket.socket) -> None:
        connection.sendall(first)
        while True:
            connection.sendall(drop)
            if len(drop) < 100:
                threading.Event().wait(0.02)

    return behave


def silent(connection: socket.socket) -> None:
    """Takes the request and says nothing until the other side has had enough."""
    connection.recv(1)


def hang_up(connection: socket.socket) -> None:
    """Resets the connection."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    connection.close()


@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_a_text_arrives_once_as_json(serve, hidden, status):
    """A webhook gets one POST of `{"text": …}` in UTF-8, with labkit's name and nothing else of ours."""
    server = serve(answer(status, b"" if status == 204 else b"ok"))
    found = deliver(
        TEXT, environment={"LABKIT_WEBHOOK": f"  {server.address}\n", "OPENAI_API_KEY": "sk-1234567890"}
    )
    assert found == TAKEN
    (one,) = server.arrived
    assert server.connected == 1
    assert one.line == f"POST {PATH} HTTP/1.1"
    assert json.loads(one.body.decode("utf-8")) == {"text": TEXT}
    assert "✗".encode() in one.body
    agent = one.headers.pop("user-agent")
    assert re.fullmatch(r"labkit/[\w.+]+", agent)
    assert one.headers == {
        "host": f"127.0.0.1:{server.port}",
        "accept": "*/*",
        "accept-encoding": "identity",
        "content-type": "application/json",
        "content-length": str(len(one.body)),
        **({"connection": "close"} if "connection" in one.headers else {}),
    }
    hidden(found)


def test_without_an_address_nothing_is_contacted(monkeypatch):
    """Where no variable is set, or an empty one, no socket is made and no name is asked for."""
    monkeypatch.setattr(socket, "socket", None)
    monkeypatch.setattr(socket, "getaddrinfo", None)
    for environment in ({}, {"LABKIT_WEBHOOK": "", "LABKIT_HEARTBEAT": " \n"}):
        assert deliver(TEXT, environment=environment) == []
        assert heartbeat(environment=environment) is None
        assert channel_faults(None, environment) == []


@pytest.mark.parametrize("begin", ["HTTP://LocalHost", "http://localhost", "http://[::ffff:7f00:1]"])
def test_an_address_may_be_written_in_capitals(serve, begin):
    """Whatever the case of scheme and host, the rest arrives as it is written; a disguise is refused."""
    server = serve()
    error = sent(f"{begin}:{server.port}{PATH}")
    if "[" in begin:
        assert "not encrypted" in str(error)
        assert server.connected == 0
    else:
        assert error is None
        assert server.arrived[0].line == f"POST {PATH} HTTP/1.1"


BAD_PATH = PATH.partition("?")[0].encode()
FAILING = [
    (b"", "hung up without an answer"),
    (hang_up, "hung up without an answer"),
    (b"HTTP/1.1 200 OK\r\nContent-Le", "hung up without an answer"),
    (b"\x00\xff\xfe garbage\r\n\r\n", "is not HTTP"),
    (b"SSH-2.0-OpenSSH_9.9\r\n", "is not HTTP"),
    (b"HTTP/1.1 200 OK\r\nX: " + BAD_PATH * 4000 + b"\r\n\r\n", "is not HTTP"),
    (silent, "did not answer within 0.5 s"),
    (drip(b"HTTP/1.1 200 OK\r\n", b"X-A: b\r\n"), "did not answer within 0.5 s"),
    (drip(b"", b"HTTP/1.1 100 Continue\r\n\r\n"), "did not answer within 0.5 s"),
    (answer(400, b"invalid_payload"), "it answered 400: “invalid_payload”."),
    (answer(404, b""), "it answered 404."),
    (answer(404, b"no hook at " + PATH.encode()), "it answered 404: “no hook at "),
    (answer(404, b"no hook at /T0HIDDEN/"), "it answered 404: “no hook at "),
    (answer(500, b'{"path": "\\/services\\/T0HIDDEN\\/B0HIDDEN"}'), "it answered 500: “"),
    (
        answer(500, b"%54%30HIDDEN and T0HIDDEN".hex().encode() + b"B0HIDDEN".hex().encode()),
        "answered 500: “",
    ),
    (answer(500, b"a\x1b[31m\xe2\x80\xaeb\xff" + b"c" * 5000), "it answered 500: “a⟨1B⟩[31m⟨202E⟩b"),
    (answer(500, b"\x1f\x8b\x08garbage", "Content-Encoding: gzip"), "it answered 500: “"),
    (answer(503, b"", f"Set-Cookie: {PATH}; a=\x01{PATH}", f"X: {PATH}"), "it answered 503."),
    (drip(b"HTTP/1.1 500 No\r\nContent-Length: 1073741824\r\n\r\n", b"z" * 65536), "it answered 500: “zzz"),
    (drip(b"HTTP/1.1 500 No\r\nContent-Length: 99\r\n\r\n", b"z"), "it answered 500: “z"),
    (answer(203, b"a portal"), "it answered 203: “a portal”."),
    (answer(302, b"", f"Location: {PATH}"), "it answered 302, which leads elsewhere"),
    (answer(307, b"", f"Location: https://example.org{PATH}"), "it answered 307, which leads elsewhere"),
]


@pytest.mark.parametrize(("behave", "why"), FAILING)
@pytest.mark.parametrize("ask", [sent, lambda address: heartbeat(environment={"LABKIT_HEARTBEAT": address})])
def test_whatever_a_server_does_is_told_in_words(serve, hidden, monkeypatch, behave, why, ask):
    """A server that fails in any way is asked once, and no word of the error holds its address."""
    monkeypatch.setattr(webhook, "LIMIT_S", 0.5)
    server = serve(behave)
    error = ask(server.address)
    assert error is not None
    assert re.match(r"LABKIT_(WEBHOOK|HEARTBEAT) \(127\.0\.0\.1\): ", error), error
    assert why in error
    assert len(error) < 260
    assert len(server.arrived) == 1
    hidden(error)


@pytest.mark.parametrize("length", ["Content-Length: 1073741824", "Transfer-Encoding: chunked"])
def test_a_body_without_end_after_a_success_is_not_read(serve, length):
    """A text that was taken is taken, whatever comes after that status."""
    server = serve(drip(f"HTTP/1.1 200 OK\r\n{length}\r\n\r\n".encode(), b"10\r\n" + b"z" * 16 + b"\r\n"))
    assert sent(server.address) is None
    assert heartbeat(environment={"LABKIT_HEARTBEAT": server.address}) is None


def test_a_port_where_nobody_listens_is_told(hidden):
    """A refused connection is an error in words."""
    with closing(socket.create_server(("127.0.0.1", 0))) as once:
        port = once.getsockname()[1]
    error = sent(f"http://127.0.0.1:{port}{PATH}")
    assert error is not None
    assert "no connection comes about. Is the server up" in error
    hidden(error)


def test_a_heartbeat_is_one_get(serve, hidden):
    """The monitor gets one GET of its address as it is written, without a body."""
    server = serve(answer(200, b"OK"))
    assert heartbeat(environment={"LABKIT_HEARTBEAT": server.address}) is None
    (one,) = server.arrived
    assert one.line == f"GET {PATH} HTTP/1.1"
    assert one.body == b""
    assert "content-type" not in one.headers
    hidden()


@pytest.mark.parametrize("said", ["not found", "rate limited"])
def test_a_ping_that_is_not_counted_has_failed(serve, said):
    """healthchecks.io answers 200 also to a ping of a check that it does not know."""
    server = serve(answer(200, f"OK ({said})".encode()))
    assert heartbeat(environment={"LABKIT_HEARTBEAT": server.address}) == (
        f"LABKIT_HEARTBEAT (127.0.0.1): it answered: {said}."
    )
    assert sent(server.address) is None


def test_a_notebook_whose_loop_runs_delivers(serve):
    """A text arrives also where an event loop runs in the thread that sends it."""
    server = serve()

    async def cell() -> list[Delivery]:
        return deliver(TEXT, environment={"LABKIT_WEBHOOK": server.address})

    assert asyncio.run(cell()) == TAKEN
    assert len(server.arrived) == 1


@pytest.mark.parametrize(
    ("text", "arrives"),
    [
        ("row <!channel> and <@U123> and <!subteam^S1>", "row < !channel> and < @ U123> and < !subteam^S1>"),
        ("<https://evil.example|click>", "< https://evil.example|click>"),
        ("@here @ada a@everyone @ALL", "@ here @ ada a@ everyone @ ALL"),
        ("ada@example.org says p<0.01 and 3 < 4", "ada@example.org says p<0.01 and 3 < 4"),
        ("half \ud800 a pair, a null \0", "half ? a pair, a null \0"),
        ("", ""),
    ],
)
def test_a_text_calls_nobody(serve, text, arrives):
    """What a chat reads as a call to people or a hidden link is broken up; what is no UTF-8 is replaced."""
    server = serve()
    assert sent(server.address, text) is None
    assert json.loads(server.arrived[0].body) == {"text": arrives}


@pytest.mark.parametrize(
    ("address", "why"),
    [
        (f"hooks.slack.com{PATH}", "LABKIT_WEBHOOK must begin with https://"),
        (f"ftp://hooks.slack.com{PATH}", "LABKIT_WEBHOOK must begin with https://"),
        (f"http://hooks.slack.com{PATH}", "LABKIT_WEBHOOK (hooks.slack.com) is not encrypted"),
        (f"http://10.0.0.5{PATH}", "LABKIT_WEBHOOK (10.0.0.5) is not encrypted"),
        (f"https://169.254.169.254{PATH}", "link-local address, where cloud machines give out credentials"),
        (f"https://metadata.google.internal{PATH}", "metadata service"),
        (f"https://ada:T0HIDDEN@example.org{PATH}", "LABKIT_WEBHOOK holds a user or a password"),
        (f"https://example.org\\@T0HIDDEN{PATH}", "backslashes"),
        (f"https://example.org:T0HIDDEN{PATH}", "cannot be read"),
        (f"https://[T0HIDDEN{PATH}", "cannot be read"),
        (f"https://2130706433{PATH}", "as a number"),
        (f"https://example.org/..{PATH}", "goes up"),
        (f"https://example.org{PATH}#T0HIDDEN", "a query with other characters"),
        ("https://example.org/T0HIDDEN#x", "fragment"),
        ("https://example.org?sig=SiGnHIDDEN", "a query with other characters"),
        (f"https://example.org{PATH}@evil.example", "a query with other characters"),
        (f"https://example.org{PATH}%0d%0aX:1", "a query with other characters"),
        (f"https://example.org//{PATH}", "other characters in its path"),
        (f"https://example.org{PATH} T0HIDDEN", "a query with other characters"),
        ("https://example.org/a b/T0HIDDEN", "blanks"),
        (f"https://exämple.org{PATH}", "not ASCII"),
        (f"https://{PATH}", "names no host"),
    ],
)
def test_a_bad_address_is_refused_without_being_shown(hidden, address, why):
    """What is wrong with an address is said before and when it is to be used, and nothing of it is shown."""
    error = sent(address)
    assert error is not None
    assert why in error
    assert " ".join(channel_faults(None, {"LABKIT_WEBHOOK": address})) == error
    monitor = channel_faults(None, {"LABKIT_HEARTBEAT": address})
    assert " ".join(monitor) == error.replace("WEBHOOK", "HEARTBEAT")
    hidden(error)


@pytest.mark.parametrize(
    "address",
    [
        "https://hooks.slack.com/services/T00000000/B00000000/XXXXXXXXXXXXXXXXXXXXXXXX",
        "https://discord.com/api/webhooks/223723723723/3d89aZ-_x/slack",
        "https://chat.company.example/hooks/xxx-generatedkey-xxx",
        "https://chat.googleapis.com/v1/spaces/AAAA/messages?key=k-1_2&token=t%3D",
        "https://prod-00.westus.logic.azure.com:443/workflows/ab12/triggers/manual/paths/invoke"
        "?api-version=2016-06-01&sp=%2Ftriggers%2Fmanual%2Frun&sv=1.0&sig=aB_c-d",
        "https://hc-ping.com/eb095278-f28d-448d-87fb-7b75c171a6aa",
        "http://localhost:3001/api/push/aBc?status=up&msg=OK&ping=",
        "https://10.0.0.5/hooks/abc",
    ],
)
def test_the_addresses_that_services_give_are_taken(address):
    """Nothing is wrong with the addresses that chats and monitors hand out."""
    assert channel_faults(None, {"LABKIT_WEBHOOK": address, "LABKIT_HEARTBEAT": address}) == []


def names(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
    """Lets a name server know one host."""
    monkeypatch.setattr(webhook, "addresses_of", lambda name: list(addresses) if name == HOST else [])


def test_a_plain_host_inside_is_reached_when_it_is_named(serve, hidden, monkeypatch):
    """A chat of the house without encryption gets its text where `LABKIT_WEBHOOK_ALLOW_HOST` names it."""
    names(monkeypatch, "127.0.0.1")
    server = serve()
    address = server.address.replace("127.0.0.1", HOST)
    assert "is not encrypted" in str(sent(address))
    assert "is not the host of" in str(sent(address, LABKIT_WEBHOOK_ALLOW_HOST="other.example"))
    assert server.connected == 0
    error = sent(address, LABKIT_WEBHOOK_ALLOW_HOST=HOST)
    assert error is None
    assert server.arrived[0].headers["host"] == f"{HOST}:{server.port}"
    hidden(error)


@pytest.mark.parametrize(
    ("found", "why"),
    [("127.0.0.1", "this machine"), ("169.254.169.254", "link-local"), ("fd00::1", "private IPv6")],
)
def test_a_name_that_stands_for_a_forbidden_address_is_not_asked(serve, hidden, monkeypatch, found, why):
    """A name is held to the rules once more by what it stands for, before anything is sent."""
    names(monkeypatch, "203.0.113.5", found)
    server = serve()
    error = sent(f"https://{HOST}:{server.port}{PATH}")
    assert error is not None
    assert why in error
    assert server.connected == 0
    hidden(error)


def test_a_name_without_an_address_is_told(hidden, monkeypatch):
    """A host that the name server does not know is an error in words."""
    names(monkeypatch)
    error = sent(f"https://{HOST}{PATH}")
    assert error == (
        f"LABKIT_WEBHOOK ({HOST}): its host has no address. Correct the name, or look at the network."
    )
    hidden(error)


def test_a_name_server_that_is_late_brings_no_second_text(serve, monkeypatch):
    """What was told as not answered is not sent after that, when the name is found at last."""
    server = serve()
    late = threading.Event()

    def slow(name: str) -> list[str]:
        late.wait()
        return ["127.0.0.1"]

    monkeypatch.setattr(webhook, "addresses_of", slow)
    monkeypatch.setattr(webhook, "LIMIT_S", 0.1)
    monkeypatch.setattr(webhook, "_BODY_S", 0.1)
    assert "did not answer within 0.1 s" in str(sent(server.address))
    waiting = [one for one in threading.enumerate() if one.name == "labkit-webhook"]
    late.set()
    for one in waiting:
        one.join()
    assert waiting
    assert server.connected == 0


def certificate(folder: Path) -> ssl.SSLContext:
    """A server's certificate that its owner made out to 127.0.0.1 himself."""
    words = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    words += [
        "-keyout",
        "key.pem",
        "-out",
        "cert.pem",
        "-subj",
        "/CN=hook",
        "-addext",
        "subjectAltName=IP:127.0.0.1",
    ]
    subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return made


def test_a_certificate_is_believed_where_the_environment_names_it(serve, hidden, monkeypatch, tmp_path):
    """A certificate nobody trusts is refused in words, and one that SSL_CERT_FILE names is taken."""
    server = serve(tls=certificate(tmp_path))
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    error = sent(server.address)
    assert error is not None
    assert error.startswith(
        "LABKIT_WEBHOOK (127.0.0.1): its certificate is not trusted: self-signed certificate."
    )
    assert "SSL_CERT_FILE" in error
    assert server.arrived == []
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "cert.pem"))
    assert sent(server.address) is None
    assert "is not trusted" in str(sent(server.address.replace("127.0.0.1", "localhost")))
    assert "correct LABKIT_WEBHOOK" in str(sent(server.address.replace("127.0.0.1", "localhost")))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))
    assert "where no certificates can be read" in str(sent(server.address))
    assert len(server.arrived) == 1
    hidden(error)


def test_plain_http_where_https_was_named_is_told(serve, hidden):
    """A port that speaks no TLS is an error in words."""
    server = serve(answer(400), greets=True)
    error = sent(server.address.replace("http:", "https:"))
    assert error is not None
    assert "no encrypted connection comes about" in error
    hidden(error)


@pytest.fixture
def proxied(monkeypatch: pytest.MonkeyPatch) -> Callable[..., str | None]:
    """Sends to a host outside through what the environment names as its proxy."""
    for name in (
        "http_proxy",
        "https_proxy",
        "all_proxy",
        "no_proxy",
        "HTTPS_PROXY",
        "ALL_PROXY",
        "NO_PROXY",
    ):
        monkeypatch.delenv(name, raising=False)
    names(monkeypatch)

    def send(proxy: str, name: str = "HTTP_PROXY") -> str | None:
        monkeypatch.setenv(name, proxy)
        return sent(f"http://{HOST}{PATH}", LABKIT_WEBHOOK_ALLOW_HOST=HOST)

    return send


@pytest.mark.parametrize("name", ["HTTP_PROXY", "ALL_PROXY"])
def test_a_proxy_is_the_way_out(serve, hidden, proxied, monkeypatch, name):
    """A host outside is reached through the proxy, this machine and what NO_PROXY names without one."""
    server = serve()
    assert proxied(f"127.0.0.1:{server.port}", name) is None
    assert server.arrived[0].line == f"POST http://{HOST}{PATH} HTTP/1.1"
    assert proxied(f"http://ada:secret@127.0.0.1:{server.port}", name) is None
    assert server.arrived[1].headers["proxy-authorization"].startswith("Basic ")
    monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert sent(server.address) is None
    monkeypatch.setenv("NO_PROXY", HOST)
    assert "has no address" in str(proxied(f"127.0.0.1:{server.port}", name))
    assert len(server.arrived) == 3
    hidden()


@pytest.mark.parametrize(
    ("proxy", "why"),
    [
        ("socks5://ada:T0HIDDEN@127.0.0.1:9", "names a socks5 proxy"),
        ("http://ada:T0HIDDEN@127.0.0.1:9", "the proxy cannot be reached"),
        ("http://127.0.0.1:T0HIDDEN", "whose address cannot be read"),
    ],
)
def test_a_proxy_that_is_no_way_is_told(hidden, proxied, proxy, why):
    """A proxy that cannot be used is an error in words, and its password is not among them."""
    error = proxied(proxy)
    assert error is not None
    assert why in error
    hidden(error)


def test_a_proxy_that_refuses_is_told(serve, hidden, proxied, monkeypatch):
    """A proxy that asks for a password is named as what refused."""
    server = serve(answer(407, PATH.encode()))
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{server.port}")
    error = sent(f"https://{HOST}{PATH}")
    assert error == f"LABKIT_WEBHOOK ({HOST}): the proxy refuses the way there (407)."
    assert server.arrived[0].line == f"CONNECT {HOST}:443 HTTP/1.1"
    hidden(error)


def test_passwords_of_the_home_folder_stay_there(serve, monkeypatch, tmp_path):
    """A ~/.netrc that knows the host adds nothing to what is sent."""
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login ada password secret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    server = serve()
    assert sent(server.address) is None
    assert "authorization" not in server.arrived[0].headers


def test_both_channels_are_told_by_themselves(serve):
    """A webhook that fails keeps nothing from the command."""
    server = serve(answer(500))
    found = deliver(
        TEXT, command=["true"], environment={"LABKIT_WEBHOOK": server.address, "PATH": "/usr/bin:/bin"}
    )
    assert [(one.channel, one.error is None) for one in found] == [("webhook", False), ("command", True)]


def test_texts_that_a_command_adds_to_one_file_stand_apart(tmp_path):
    """The input of a command ends its last line, as a program that reads lines expects."""
    file = tmp_path / "told.txt"
    for text in ("one", "two"):
        (only,) = deliver(text, command=["tee", "-a", str(file)], environment={"PATH": "/usr/bin:/bin"})
        assert only.error is None
    assert file.read_text() == "one\ntwo\n"
