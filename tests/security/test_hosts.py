"""A key goes to the host it was given for and nowhere else: group S17."""

from __future__ import annotations

import json
import socketserver
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import labkit as lk
from labkit import endpoints
from labkit.engine.retry import Policy
from labkit.errors import DefinitionError, MissingKey
from labkit.providers import hosts

SOON = Policy(backoff_s=0.01, backoff_cap_s=0.02, timeout_s=2.0, deadline_s=2.0, fail_fast=True)
FAMILIES = {
    "openai": "OPENAI_API_KEY",
    "openai-responses": "OPENAI_API_KEY",
    "anthropic": "ANTHROPIC_API_KEY",
}


@pytest.fixture
def trap() -> Iterator[tuple[str, list[bytes]]]:
    """A server on this machine that nobody was sent to, and all it was told; it refuses everything."""
    told: list[bytes] = []

    class Trap(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            told.append(self.request.recv(65536))
            self.request.sendall(b"HTTP/1.1 403 No\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Trap) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}", told
        server.shutdown()


def ask(lab: lk.Lab, *models: lk.Model, **settings: Any) -> Any:
    """One question to each model, asked once."""
    plan = lab.plan(prompts=["Say {{ q }}."], models=models, dataset=[{"q": "a"}])
    return plan.run(policy=SOON, allow_unpriced=True, **settings).generations()


def test_each_host_gets_its_own_key_only(
    marked: None, kit: Any, lab: lk.Lab, channel_for: Callable[[str], Any]
) -> None:
    """S17: of two endpoints asked in one run with two keys, each is told its own key and no piece of the
    other's, in every dialect."""
    channels = {dialect: channel_for(dialect) for dialect in FAMILIES}
    models = [channel.model(dialect, key_env=FAMILIES[dialect]) for dialect, channel in channels.items()]
    assert set(ask(lab, *models)["status"]) == {"done"}
    for dialect, channel in channels.items():
        (seen,) = channel.seen()
        own = kit.CANARIES[FAMILIES[dialect]]
        others = set(kit.CANARIES.values()) - {own}
        text = json.dumps(seen)
        assert own in text
        assert not any(other[i : i + 8] in text for other in others for i in range(len(other) - 7))


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_not_followed(
    status: int, marked: None, trap: Any, lab: lk.Lab, channel_for: Callable[[str], Any]
) -> None:
    """S17: a redirect is a refused request that names the place; nobody goes there, with or without a key."""
    address, told = trap
    models = []
    for dialect, name in FAMILIES.items():
        channel = channel_for(dialect)
        channel.script(then={"status": status, "headers": {"location": f"{address}/v1"}})
        models.append(channel.model(dialect, key_env=name))
    frame = ask(lab, *models)
    assert set(frame["error_type"]) == {"InvalidRequest"}
    assert frame["error_message"].str.contains("not followed").all()
    assert told == []


def test_the_environment_leads_nobody_astray(
    marked: None,
    trap: Any,
    lab: lk.Lab,
    channel_for: Callable[[str], Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """S17: base URLs and proxies in the environment move no request meant for this machine, and its keys and
    headers go to no endpoint that did not ask for them."""
    address, told = trap
    for name in ("OPENAI_BASE_URL", "ANTHROPIC_BASE_URL", "OPENAI_API_BASE"):
        monkeypatch.setenv(name, f"{address}/v1")
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, address)
    monkeypatch.setenv("ANTHROPIC_AUTH_TOKEN", "ak-0123456789abcdef")
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "X-Secret: ak-0123456789abcdef")
    monkeypatch.setenv("ANTHROPIC_CUSTOM_HEADERS", "X-Secret: ak-0123456789abcdef")
    channels = {dialect: channel_for(dialect) for dialect in FAMILIES}
    frame = ask(lab, *(channel.model(dialect) for dialect, channel in channels.items()))
    assert set(frame["status"]) == {"done"}
    assert told == []
    for channel in channels.values():
        assert "0123456789abcdef" not in json.dumps(channel.seen())


def test_a_proxy_sees_no_key(
    marked: None, kit: Any, trap: Any, lab: lk.Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S17: a proxy of the person's own is asked for a tunnel to the provider's host, and told no key."""
    address, told = trap
    monkeypatch.setenv("HTTPS_PROXY", address)
    models = [
        lk.Model("openai/gpt-4o"),
        lk.Model("openai/gpt-4o-mini", api="responses"),
        lk.Model("anthropic/claude-haiku-4-5"),
    ]
    frame = ask(lab, *models)
    assert set(frame["status"]) <= {"failed", "stopped"}
    assert {line.split(b" ")[0] for line in told} == {b"CONNECT"}
    assert {line.split(b" ")[1] for line in told} == {b"api.openai.com:443", b"api.anthropic.com:443"}
    assert kit.leaks(b"".join(told)) == set()


@pytest.mark.parametrize("dialect", FAMILIES)
@pytest.mark.parametrize("address", ["169.254.169.254", "127.0.0.1", "fd00::1", "0.0.0.0", "::ffff:10.0.0.1"])
def test_a_name_that_leads_astray_gets_nothing(
    dialect: str, address: str, lab: lk.Lab, marked: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S17: a name is looked up before a key goes there; one that stands for this machine, a link-local or a
    disguised address is not asked, and the row says why."""
    monkeypatch.setattr(endpoints, "addresses_of", lambda host: [address])
    model = lk.Model("house/m", dialect=dialect, base_url="https://innocent.example/v1", key_env="HOUSE_KEY")
    frame = ask(lab, model)
    assert frame["status"].item() == "stopped"
    assert f"stands for {address}" in frame["error_message"].item()
    assert frame["attempts"].item() == 0


def test_only_what_may_lead_astray_is_looked_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """S17: the providers' own hosts, this machine and hosts allowed by name are taken as they are; a name
    that cannot be looked up is left to the connection."""
    asked: list[str] = []
    monkeypatch.setattr(endpoints, "addresses_of", lambda host: asked.append(host) or [])
    for model in (
        lk.Model("openai/m"),
        lk.Model("house/m", base_url="http://127.0.0.1:8000/v1"),
        lk.Model("house/m", base_url="http://gpu-box:8000/v1", allow_host="gpu-box"),
        lk.Model("house/m", base_url="https://unknown.example/v1/"),
    ):
        assert hosts.vetted(model, "https://api.openai.com/v1").startswith("http")
    assert asked == ["unknown.example"]


@pytest.mark.parametrize("name", FAMILIES.values())
def test_a_providers_key_goes_nowhere_else(name: str, marked: None, kit: Any, lab: lk.Lab) -> None:
    """S17: a plan that would send a provider's key to another host is refused before anything is sent."""
    for model in (
        lk.Model("openai/m", base_url="https://evil.example/v1", key_env=name),
        lk.Model("anthropic/m", base_url="https://api.openai.com.evil.example/v1", key_env=name),
    ):
        with pytest.raises((DefinitionError, MissingKey), match="not given for") as caught:
            ask(lab, model)
        assert kit.leaks(str(caught.value)) == set()
