"""Marked keys, a search for any piece of them, and the fault server of `tests/faults`."""

from __future__ import annotations

import base64
import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from urllib.parse import quote, quote_plus

import numpy as np
import pytest

HERE = Path(__file__).parent
PIECE = 8
CANARIES = {
    "OPENAI_API_KEY": "sk-Zq7Kp2Vx9+Rw4Lt8Nb3Hd6Fj1Mc5Gy/Ta0",
    "ANTHROPIC_API_KEY": "ak-Yw3Uf8Sb5Qe1Xj6Pm9Dn4Gk7Vh2Rc0Lz",
    "HOUSE_KEY": "hk-Bo5Ti1Ws8Zr4Nd7Cq3Mv9Jx6Ku2Fp0Ey",
}


def _beside(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("labkit_faults_test_kit", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


_faults = _beside(HERE.parent / "faults" / "conftest.py")
fault_server = _faults.fault_server
channel_for = _faults.channel_for


def forms(secret: str) -> set[str]:
    """The key as it may stand somewhere: plain, reversed in no way, base64 at every offset, URL-encoded."""
    found = {secret, quote(secret, safe=""), quote_plus(secret), secret.encode().hex()}
    for shift in range(3):
        coded = base64.b64encode(b"\0" * shift + secret.encode()).decode().rstrip("=")[2 * shift : -1]
        found |= {coded, coded.replace("+", "-").replace("/", "_")}
    return found


_PIECES = {
    form[start : start + PIECE]
    for secret in CANARIES.values()
    for form in forms(secret)
    for start in range(len(form) - PIECE + 1)
}


_FRONTS = np.array(sorted({int.from_bytes(piece[:4].encode(), "little") for piece in _PIECES}), np.uint32)


def leaks(text: str | bytes) -> set[str]:
    """The pieces of a marked key in a text, plain or encoded."""
    data = text if isinstance(text, bytes) else text.encode("utf-8", "replace")
    if len(data) < PIECE:
        return set()
    # Only where four bytes begin a piece is the whole of it compared: pages with charts have megabytes.
    each = np.frombuffer(data, np.uint8).astype(np.uint32)
    fronts = each[:-3] | each[1:-2] << 8 | each[2:-1] << 16 | each[3:] << 24
    places = np.flatnonzero(np.isin(fronts, _FRONTS))
    return {data[place : place + PIECE].decode("latin-1") for place in places} & _PIECES


@pytest.fixture
def marked(monkeypatch: pytest.MonkeyPatch) -> None:
    """The marked keys stand in the environment, as a person's do."""
    for name, secret in CANARIES.items():
        monkeypatch.setenv(name, secret)


@pytest.fixture
def kit() -> ModuleType:
    """This module: the keys, and the search for them."""
    return sys.modules[__name__]
