"""What a service is set up with is checked before it starts."""

from __future__ import annotations

from pathlib import Path

import pytest

from labkit.errors import DefinitionError
from labkit.server.settings import Settings


def test_all_that_is_wrong_is_told_at_once() -> None:
    """One error names each option that cannot be, and what it is."""
    wrong = Settings(
        lab=Path("lab.duckdb"),
        host="192.0.2.1",
        port=65_536,
        public_url="lab.example",
        origins=("http://a.example/path",),
        trusted_proxies=("10.0.0.0/8", "2001:db8::1", "proxy.example", "10.0.0.1/8", ""),
        workers=0,
    )
    with pytest.raises(DefinitionError) as error:
        wrong.check()
    told = str(error.value)
    for option in ("--host '192.0.2.1'", "--port is 65536", "--public-url is 'lab.example'"):
        assert option in told
    for option in ("--origin is 'http://a.example/path'", "--workers is 0"):
        assert option in told
    for proxy in ("proxy.example", "10.0.0.1/8", ""):
        assert f"--trusted-proxy is {proxy!r}; give an IP address, or a network as 10.0.0.0/8." in told
    assert told.count("--trusted-proxy") == 3


def test_what_is_right_is_itself() -> None:
    """Settings without a fault are given back; `localhost` is this machine."""
    right = Settings(
        lab=Path("lab.duckdb"), host="localhost", trusted_proxies=("127.0.0.1", "::1", "10.0.0.0/8")
    )
    assert right.check() is right
