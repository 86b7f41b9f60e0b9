"""The keys that access tokens are signed with: made once, private, and none that others know."""

from __future__ import annotations

import base64
import os
import secrets
import stat
from pathlib import Path

import pytest

from labkit.errors import DefinitionError
from labkit.server.accounts import signing_keys
from labkit.server.settings import Settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Of a lab in a folder of its own."""
    return Settings(lab=tmp_path / "lab.duckdb")


def text_of(key: bytes) -> str:
    """A key as it is written."""
    return base64.urlsafe_b64encode(key).decode().rstrip("=")


def test_a_key_is_made_once(settings: Settings) -> None:
    """The first start makes a file that its owner alone can read; the next reads the same key."""
    keys = signing_keys.found(settings)
    path = signing_keys.file(settings)
    assert [len(key) for key in keys] == [32]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert signing_keys.found(settings) == keys
    assert os.listdir(path.parent) == [path.name]


def test_it_is_beside_the_lab_where_the_state_is_elsewhere(settings: Settings) -> None:
    """With PostgreSQL the key is beside the lab."""
    elsewhere = settings.replace(state="postgresql+psycopg://db.example/labkit")
    assert signing_keys.file(elsewhere) == signing_keys.file(settings)
    assert signing_keys.file(settings).name == "lab.duckdb.serve.key"


def test_two_keys_while_one_is_changed(settings: Settings) -> None:
    """A file may hold two keys, the new one first; not three, nor none."""
    keys = [secrets.token_bytes(32) for _ in range(3)]
    path = signing_keys.file(settings)
    path.touch(0o600)
    path.write_text("".join(f"{text_of(key)}\n" for key in keys[:2]))
    assert signing_keys.found(settings) == tuple(keys[:2])
    for bad in (keys, []):
        path.write_text("".join(f"{text_of(key)}\n" for key in bad))
        with pytest.raises(DefinitionError, match=f"holds {len(bad)} keys"):
            signing_keys.found(settings)


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660])
def test_one_that_others_can_read_is_refused(settings: Settings, mode: int) -> None:
    """A file that a group or everybody may read or write stops the start, and says what to do."""
    signing_keys.found(settings)
    path = signing_keys.file(settings)
    path.chmod(mode)
    with pytest.raises(DefinitionError, match=rf"mode {mode:o}.*Delete it"):
        signing_keys.found(settings)


def test_the_variable_goes_before_the_file(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """LABKIT_SERVE_SECRET holds one key, or two with a comma between; then no file is made."""
    keys = [secrets.token_bytes(32), secrets.token_bytes(48)]
    monkeypatch.setenv(signing_keys.VARIABLE, ", ".join(map(text_of, keys)))
    assert signing_keys.found(settings) == tuple(keys)
    assert not signing_keys.file(settings).exists()
    assert signing_keys.found(settings.replace(secret=text_of(keys[1]))) == (keys[1],)


WRONG = {
    "": "holds 0 keys",
    "secret": "everybody knows",
    "changeme": "everybody knows",
    "CHANGEME": "everybody knows",
    "your-256-bit-secret": "everybody knows",
    "09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7": "everybody knows",
    base64.b64encode(b"super-secret-jwt-token-with-at-least-32-characters-long").decode(): "everybody knows",
    "django-insecure-2x!k": "everybody knows",
    "!!! no base64 !!!": "not base64url",
    "A": "not base64url",
    text_of(bytes(range(31))): "31 bytes",
    text_of(b"\7" * 32): "can be guessed",
    text_of(b"abcdefgh" * 8): "can be guessed",
}


@pytest.mark.parametrize("text", WRONG)
def test_a_key_that_can_be_known_is_refused(settings: Settings, text: str) -> None:
    """Short, known, repeating or unreadable: no start, and the text does not repeat the key."""
    with pytest.raises(DefinitionError, match=WRONG[text]) as refused:
        signing_keys.found(settings.replace(secret=text))
    assert len(text) < 9 or text not in str(refused.value)
