"""labkit.keys.sources: where keys are found, and to whom they may go (groups B1, B2, S4, S17)."""

from __future__ import annotations

import os
import stat
import sys
import traceback
import types

import pytest

from labkit.catalog.model import Model
from labkit.errors import DefinitionError, MissingKey
from labkit.keys import find, for_model, key_env, state

CANARY = "sk-canary-5f1d2c9b8a7e6f4d3c2b1a09"
OTHER = "sk-other-00112233445566778899aabb"


@pytest.fixture(autouse=True)
def bare(monkeypatch, tmp_path):
    """No keys in the environment, no keyring, and a folder of its own."""
    for name in [*os.environ]:
        if name.endswith("_KEY"):
            monkeypatch.delenv(name)
    monkeypatch.setitem(sys.modules, "keyring", None)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def _dotenv(folder, text, mode=0o600):
    path = folder / ".env"
    path.write_text(text)
    path.chmod(mode)
    return path


def _keyring(monkeypatch, get_password):
    errors = types.SimpleNamespace(KeyringError=RuntimeError)
    monkeypatch.setitem(
        sys.modules, "keyring", types.SimpleNamespace(get_password=get_password, errors=errors)
    )
    monkeypatch.setitem(sys.modules, "keyring.errors", errors)


def test_nothing_is_found_where_nothing_is():
    """Without a key anywhere the answer is None."""
    assert find("MY_KEY") is None


def test_the_environment_comes_first(monkeypatch, bare):
    """A key in the environment wins over one in a file, and says where it came from."""
    _dotenv(bare, f"MY_KEY={OTHER}\n")
    monkeypatch.setenv("MY_KEY", CANARY + "\n")
    assert find("MY_KEY").reveal() == CANARY
    assert repr(find("MY_KEY")) == "<key from the environment variable MY_KEY>"


def test_a_file_is_read_and_not_put_into_the_environment(bare):
    """A key in .env is found, and child processes still do not get it."""
    _dotenv(bare, f"# mine\nexport MY_KEY='{CANARY}'\nOTHER_KEY={OTHER}\n")
    assert find("MY_KEY").reveal() == CANARY
    assert "MY_KEY" not in os.environ
    assert find("ABSENT_KEY") is None


def test_a_file_above_is_found_up_to_the_projects_root(bare):
    """A notebook's folder may lie below the .env file; beyond the project's root nothing is read."""
    inner = bare / "project" / "notebooks" / "deep"
    inner.mkdir(parents=True)
    _dotenv(bare / "project", f"MY_KEY={CANARY}\n")
    assert find("MY_KEY", folder=inner).reveal() == CANARY
    (bare / "project" / "notebooks" / ".git").mkdir()
    assert find("MY_KEY", folder=inner) is None


def test_nothing_is_substituted_in_a_file(bare, monkeypatch):
    """A dollar sign in a key is a dollar sign."""
    monkeypatch.setenv("HOME_DIR", "x")
    _dotenv(bare, "MY_KEY=abc${HOME_DIR}def$1\n")
    assert find("MY_KEY").reveal() == "abc${HOME_DIR}def$1"


@pytest.mark.skipif(os.name != "posix", reason="permissions are POSIX's")
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644])
def test_a_file_others_may_read_is_warned_of(bare, mode):
    """S4: a key file more open than 0600 gives a warning that says what to do, without the key."""
    _dotenv(bare, f"MY_KEY={CANARY}\n", mode)
    with pytest.warns(UserWarning, match=r"chmod 600 \.env") as caught:
        assert find("MY_KEY").reveal() == CANARY
    assert CANARY not in str(caught[0].message)
    assert stat.S_IMODE((bare / ".env").stat().st_mode) == mode


def test_a_private_file_gives_no_warning(bare, recwarn):
    """S4: 0600 is as it should be; and a file that does not hold the key is nobody's business."""
    _dotenv(bare, f"MY_KEY={CANARY}\n", 0o644)
    assert find("ABSENT_KEY") is None
    (bare / ".env").chmod(0o600)
    assert find("MY_KEY") is not None
    assert not recwarn


def test_the_keyring_comes_last(monkeypatch, bare):
    """Where neither environment nor file has it, the keyring's entry `labkit NAME` is taken."""
    _keyring(monkeypatch, lambda service, name: CANARY if (service, name) == ("labkit", "MY_KEY") else None)
    assert find("MY_KEY").reveal() == CANARY
    assert find("ABSENT_KEY") is None


def test_a_keyring_that_cannot_be_opened_holds_no_key(monkeypatch):
    """On a machine without a desktop the keyring raises; that is the same as no key."""

    def locked(service, name):
        raise RuntimeError("no backend")

    _keyring(monkeypatch, locked)
    assert find("MY_KEY") is None


@pytest.mark.parametrize("bad", ["", "  ", f"{CANARY} x", f"“{CANARY}”"])
@pytest.mark.parametrize("place", ["environment", "file", "keyring"])
def test_a_broken_key_is_named_by_its_place_and_not_shown(monkeypatch, bare, bad, place):
    """B1: a broken key is a fault that says where it stands; the traceback's variables do not hold it."""
    if place == "environment":
        monkeypatch.setenv("MY_KEY", bad)
    elif place == "file":
        _dotenv(bare, f'MY_KEY="{bad}"\nOTHER_KEY={OTHER}\n')
    else:
        _keyring(monkeypatch, lambda service, name: bad)
    with pytest.raises(MissingKey, match="MY_KEY") as caught:
        find("MY_KEY")
    frames = traceback.TracebackException.from_exception(caught.value, capture_locals=True).stack[1:]
    text = str(caught.value) + "".join(str(frame.locals) for frame in frames)
    assert not any(secret[i : i + 8] in text for secret in (CANARY, OTHER) for i in range(len(secret) - 7))


def test_a_file_that_is_no_text_is_a_fault(bare):
    """B1: a .env file in another encoding is said to be unreadable."""
    (bare / ".env").write_bytes(b"MY_KEY=\xff\xfe\n")
    with pytest.raises(MissingKey, match="cannot be read as UTF-8"):
        find("MY_KEY")


def test_a_key_in_the_place_of_a_name_is_refused_and_not_shown():
    """S4: whoever gives the key itself where its name belongs is told so, without the key."""
    for make in (lambda: find(CANARY), lambda: key_env(Model("openai/gpt-4o", key_env=CANARY))):
        with pytest.raises(DefinitionError, match="name") as caught:
            make()
        assert CANARY not in str(caught.value)


@pytest.mark.parametrize(
    ("model", "name"),
    [
        (Model("openai/gpt-4o"), "OPENAI_API_KEY"),
        (Model("anthropic/claude-haiku-4-5"), "ANTHROPIC_API_KEY"),
        (Model("openai/gpt-4o", key_env="WORK_KEY"), "WORK_KEY"),
        (Model("openai/gpt-4o", base_url="https://api.openai.com/v1"), "OPENAI_API_KEY"),
        (Model("local/smollm2-135m"), None),
        (Model("scripted/echo"), None),
        (Model("openai/x", base_url="http://127.0.0.1:8000/v1"), None),
        (Model("vllm/x", base_url="http://localhost:8000/v1", key_env="VLLM_KEY"), "VLLM_KEY"),
        (Model("groq/x", base_url="https://api.groq.com/openai/v1", key_env="GROQ_KEY"), "GROQ_KEY"),
        (Model("house/x", base_url="https://llm.example/v1", key_env=""), None),
        (Model("azure/x", dialect="openai", client=object()), None),
    ],
)
def test_which_key_a_model_needs(model, name):
    """Own endpoints have the provider's key, this machine none unless named, others the one they name."""
    assert key_env(model) == name


@pytest.mark.parametrize(
    "model",
    [
        Model("openai/gpt-4o", base_url="https://evil.example/v1"),
        Model("openai/gpt-4o", base_url="http://api.openai.com/v1"),
        Model("openai/gpt-4o", base_url="https://api.openai.com.evil.example/v1"),
        Model("openai/gpt-4o", base_url="https://api.anthropic.com/v1"),
        Model("anthropic/claude-haiku-4-5", base_url="https://api.openai.com/v1"),
        Model("openai/gpt-4o", base_url="https://evil.example/v1", key_env="OPENAI_API_KEY"),
        Model("vllm/x", base_url="https://evil.example/v1", key_env="ANTHROPIC_API_KEY"),
    ],
)
def test_a_key_is_never_sent_to_a_host_it_was_not_given_for(model, monkeypatch):
    """S17: a remote endpoint gets no key by default, and a provider's key not even when it asks for it."""
    monkeypatch.setenv("OPENAI_API_KEY", CANARY)
    monkeypatch.setenv("ANTHROPIC_API_KEY", OTHER)
    with pytest.raises(DefinitionError, match="its own"):
        for_model(model)
    assert state(model) == "missing"


def test_a_gateway_can_be_allowed_by_name():
    """S17: a gateway of one's own may have the provider's key, if the host is named as allowed."""
    url = "https://gateway.example/v1"
    model = Model("openai/gpt-4o", base_url=url, key_env="OPENAI_API_KEY", allow_host="gateway.example")
    assert key_env(model) == "OPENAI_API_KEY"


def test_a_missing_key_says_where_to_put_it():
    """The message for a missing key names the model, the variable and the ways to set it."""
    with pytest.raises(MissingKey, match=r"openai/gpt-4o needs a key and OPENAI_API_KEY.*\.env.*keyring set"):
        for_model(Model("openai/gpt-4o"))


def test_the_state_of_a_key_is_told_without_raising(monkeypatch):
    """A table of models shows found, missing or not needed, whatever is wrong."""
    assert state(Model("openai/gpt-4o")) == "missing"
    monkeypatch.setenv("OPENAI_API_KEY", "")
    assert state(Model("openai/gpt-4o")) == "missing"
    monkeypatch.setenv("OPENAI_API_KEY", CANARY)
    assert state(Model("openai/gpt-4o")) == "found"
    assert state(Model("local/x")) == "not needed"
