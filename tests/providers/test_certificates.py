"""labkit.providers.certificates: a company's certificates and proxies, on real loopback sockets."""

from __future__ import annotations

import json
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

import labkit as lk
from labkit.errors import DefinitionError
from labkit.providers import certificates

NAME = "llm.company.example"
ANSWER = [
    {"id": "c1", "model": "m", "choices": [{"index": 0, "delta": {"content": "Hello"}}]},
    {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
]
CURVE = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]


def openssl(folder: Path, *words: str) -> None:
    """Run openssl in a folder."""
    subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A company's authority, a certificate of its own for the server, and an authority of somebody else."""
    folder = tmp_path_factory.mktemp("company")
    for name in ("ca", "other"):
        openssl(
            folder,
            "req",
            "-x509",
            *CURVE,
            "-keyout",
            f"{name}.key",
            "-out",
            f"{name}.pem",
            "-subj",
            f"/CN={name}",
        )
    openssl(folder, "req", *CURVE, "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=server")
    (folder / "names").write_text(f"subjectAltName=IP:127.0.0.1,DNS:{NAME}")
    sign = ["x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-extfile", "names"]
    openssl(folder, *sign, "-out", "server.pem")
    openssl(folder, *sign, "-out", "late.pem", "-days", "-1")
    return folder


class Handler(BaseHTTPRequestHandler):
    """An endpoint of the openai dialect."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.server.asked.append(self.path)  # type: ignore[attr-defined]
        body = b"".join(b"data: " + json.dumps(one).encode() + b"\n\n" for one in ANSWER)
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_CONNECT(self) -> None:
        """A proxy leads every name to the one server there is."""
        self.server.asked.append(self.path)  # type: ignore[attr-defined]
        self.send_response(200)
        self.end_headers()
        with socket.create_connection(("127.0.0.1", self.server.leads_to)) as there:  # type: ignore[attr-defined]
            back = threading.Thread(target=relay, args=(there, self.connection), daemon=True)
            back.start()
            relay(self.connection, there)
            back.join(10)
        self.close_connection = True

    def log_message(self, *args: Any) -> None:
        return


def relay(here: socket.socket, there: socket.socket) -> None:
    """Bytes from one socket to the other, to the end."""
    try:
        while data := here.recv(65536):
            there.sendall(data)
        there.shutdown(socket.SHUT_WR)
    except OSError:
        return


class Server(ThreadingHTTPServer):
    """One that keeps what was asked; a handshake that fails is no matter of its."""

    daemon_threads = True

    def __init__(self, certificate: Path | None = None, *, leads_to: int = 0) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[str] = []
        self.leads_to = leads_to
        self.handshakes = 0
        self.tls = None
        if certificate is not None:
            self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.tls.load_cert_chain(certificate, certificate.parent / "server.key")
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def finish_request(self, request: Any, client_address: Any) -> None:
        if self.tls is not None:
            self.handshakes += 1
            request = self.tls.wrap_socket(request, server_side=True)
        super().finish_request(request, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        return


@pytest.fixture
def server(company: Path) -> Iterator[Server]:
    """A server that shows the company's certificate."""
    made = Server(company / "server.pem")
    yield made
    made.shutdown()
    made.server_close()


@pytest.fixture
def proxy(server: Server) -> Iterator[Server]:
    """A proxy on the way to it."""
    made = Server(leads_to=server.server_port)
    yield made
    made.shutdown()
    made.server_close()


@pytest.fixture(autouse=True)
def no_surroundings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the machine's own settings counts here."""
    for name in (*certificates.VARIABLES, *certificates._PROXIES):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def run(lab: lk.Lab, url: str, rows: int = 2) -> Any:
    """What a model that is asked at `url` answers to a few questions."""
    model = lk.Model("house/m", base_url=f"{url}/v1", key_env="")
    plan = lab.plan(prompts=["Say {{ n }}"], models=[model], dataset=[{"n": str(n)} for n in range(rows)])
    return plan.run(progress="none", fresh=True).generations()


def here(server: Server) -> str:
    """The server's own address."""
    return f"https://127.0.0.1:{server.server_port}"


@pytest.mark.parametrize("name", certificates.VARIABLES)
@pytest.mark.parametrize("what", ["file", "folder", "hashed"])
def test_named_certificates_are_believed(
    name: str,
    what: str,
    lab: lk.Lab,
    server: Server,
    company: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A file or a folder in any of the variables makes the company's server one that is asked."""
    place = company / "ca.pem"
    if what != "file":
        folder = tmp_path / "certificates"
        folder.mkdir()
        (folder / "company.pem").write_bytes(place.read_bytes())
        if what == "hashed":
            openssl(folder, "rehash", ".")
        place = folder
    monkeypatch.setenv(name, str(place))
    assert run(lab, here(server))["text"].tolist() == ["Hello", "Hello"]


def test_a_refused_certificate_stops_the_model_and_says_what_to_do(lab: lk.Lab, server: Server) -> None:
    """The row says whose certificate was refused, why, and what to do; it is tried once for the requests in
    flight, not again and again."""
    frame = run(lab, here(server), rows=200)
    assert set(frame["status"]) <= {"failed", "stopped"}
    assert set(frame["error_type"]) == {"CertificateRefused"}
    for said in frame["error_message"]:
        assert f"the certificate of 127.0.0.1:{server.server_port} is not trusted" in said
        assert "unable to get local issuer certificate" in said
        assert "SSL_CERT_FILE" in said
    assert set(frame["attempts"]) <= {0, 1}
    assert frame["maybe_paid"].sum() == 0
    assert server.asked == []
    assert server.handshakes < 200


def test_once_it_is_named_it_is_believed(
    lab: lk.Lab, server: Server, company: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the same kernel, after the variable is set, the next run asks: no old connection is kept."""
    monkeypatch.setenv("SSL_CERT_FILE", str(company / "other.pem"))
    assert set(run(lab, here(server))["error_type"]) == {"CertificateRefused"}
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(company / "ca.pem"))
    assert run(lab, here(server))["status"].tolist() == ["done", "done"]


def test_what_no_authority_would_mend_says_so(
    lab: lk.Lab, server: Server, company: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A certificate for another name, or out of date, is told as that, without advice that does not help."""
    monkeypatch.setenv("SSL_CERT_FILE", str(company / "ca.pem"))
    said = run(lab, f"https://localhost:{server.server_port}")["error_message"][0]
    assert "correct base_url" in said
    assert "SSL_CERT_FILE" not in said
    late = Server(company / "late.pem")
    said = run(lab, here(late))["error_message"][0]
    late.shutdown()
    late.server_close()
    assert "out of date" in said
    assert "certificate has expired" in said


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"])
def test_a_proxy_is_gone_through(
    name: str, lab: lk.Lab, server: Server, proxy: Server, company: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that only the proxy knows is asked through it, and its certificate checked as any other."""
    monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.server_port}")
    monkeypatch.setenv("SSL_CERT_FILE", str(company / "ca.pem"))
    assert run(lab, f"https://{NAME}")["text"].tolist() == ["Hello", "Hello"]
    assert set(proxy.asked) == {f"{NAME}:443"}
    assert len(server.asked) == 2
    monkeypatch.setenv("SSL_CERT_FILE", str(company / "other.pem"))
    said = run(lab, f"https://{NAME}")["error_message"][0]
    assert f"the certificate of {NAME}:443 is not trusted" in said


def test_a_plain_address_goes_through_its_proxy(
    lab: lk.Lab, proxy: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An address that is not encrypted and was allowed is asked of HTTP_PROXY."""
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{proxy.server_port}")
    model = lk.Model("house/m", base_url="http://gpu-box/v1", allow_host="gpu-box", key_env="")
    frame = lab.plan(prompts=["Say hi"], models=[model]).run(progress="none").generations()
    assert frame["text"].tolist() == ["Hello"]
    assert proxy.asked == ["http://gpu-box/v1/chat/completions"]


@pytest.mark.parametrize("name", ["NO_PROXY", "no_proxy"])
@pytest.mark.parametrize("left_out", [NAME, ".example", "*"])
def test_what_is_left_out_is_asked_directly(
    name: str, left_out: str, lab: lk.Lab, proxy: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A host that NO_PROXY names, or its domain, is not asked of the proxy."""
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.server_port}")
    monkeypatch.setenv(name, left_out)
    model = lk.Model("house/m", base_url=f"https://{NAME}/v1", key_env="")
    plan = lab.plan(prompts=["Say hi"], models=[model])
    frame = plan.run(progress="none", policy=lk.Policy(fail_fast=True)).generations()
    assert frame["error_type"].tolist() == ["ConnectionFailed"]
    assert proxy.asked == []


def test_this_machine_is_asked_without_a_proxy(
    lab: lk.Lab, server: Server, proxy: Server, company: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is meant for this machine leaves it by no proxy, and its certificate counts all the same."""
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.server_port}")
    monkeypatch.setenv("SSL_CERT_FILE", str(company / "ca.pem"))
    assert run(lab, here(server))["status"].tolist() == ["done", "done"]
    assert proxy.asked == []


@pytest.mark.parametrize("value", ["nothing-there.pem", "empty", "ca.key"])
def test_a_variable_that_names_no_certificates_is_named(
    value: str, company: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that is not there or holds no certificate, or an empty folder: which variable it is."""
    (tmp_path / "empty").mkdir()
    place = company / value if value == "ca.key" else tmp_path / value
    monkeypatch.setenv("SSL_CERT_FILE", str(place))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(company / "ca.pem"))
    with pytest.raises(DefinitionError, match=r"SSL_CERT_FILE is .*no certificates can be read") as raised:
        certificates.context()
    assert len(raised.value.faults) == 1


def test_a_proxy_of_another_kind_is_refused_in_words(lab: lk.Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """A SOCKS proxy is told as what labkit cannot go through, before anything is sent."""
    monkeypatch.setenv("ALL_PROXY", "socks5://127.0.0.1:1")
    said = run(lab, f"https://{NAME}")["error_message"][0]
    assert "socks5 proxy" in said
    assert "NO_PROXY" in said
