"""Where a model's key is: in the environment, a `.env` file, or the system's keyring.

What is found is never written anywhere. It does not know how a key is sent.
"""

from __future__ import annotations

import os
import re
import stat
import warnings
from pathlib import Path
from typing import Any, Literal, Protocol

from labkit.endpoints import is_loopback, is_own_host
from labkit.errors import DefinitionError, MissingKey
from labkit.keys.key import Key, cleaned

ENV_NAMES = {"openai": "OPENAI_API_KEY", "anthropic": "ANTHROPIC_API_KEY"}
"""The variable a provider's own endpoint takes its key from."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}")


class Endpoint(Protocol):
    """What has to be known of a model to say which key it needs. `labkit.Model` is one."""

    @property
    def id(self) -> str: ...
    @property
    def provider(self) -> str: ...
    @property
    def dialect(self) -> str: ...
    @property
    def base_url(self) -> str | None: ...
    @property
    def key_env(self) -> str | None: ...
    @property
    def allow_host(self) -> str | None: ...
    @property
    def client(self) -> Any: ...


def key_env(model: Endpoint) -> str | None:
    """The name of the variable that holds the model's key; None: it needs none.

    A key is only sent to the host it was given for: the provider's own endpoint has the provider's
    key, an endpoint on this machine needs none unless it names one, and any other endpoint must name
    its own (`key_env=""` says that it needs none). Raises `DefinitionError` for one that does not.
    """
    name = model.key_env
    if name is not None and name != "" and not _NAME.fullmatch(name):
        raise DefinitionError(
            f"key_env of {model.id} is not the name of an environment variable. "
            'It is the name under which the key is kept, such as "MY_KEY", never the key itself.'
        )
    if model.client is not None or model.dialect in ("local", "scripted"):
        return None
    foreign = model.base_url is not None and not is_own_host(model.base_url, model.provider)
    if not foreign:
        return name or ENV_NAMES.get(model.provider)
    remote = not is_loopback(model.base_url or "")
    if remote and name is None:
        raise DefinitionError(
            f"{model.id} is asked at {model.base_url}, which is not {model.provider}'s own endpoint, so it "
            'must name its own key: key_env="…", or key_env="" if it needs none.'
        )
    if remote and name in ENV_NAMES.values() and model.allow_host is None:
        raise DefinitionError(
            f"{model.id} would send {name} to {model.base_url}, a host that key was not given for. "
            "Put this endpoint's key under a name of its own, or allow the host by name: allow_host=…"
        )
    return name or None


def find(env_name: str, *, folder: str | os.PathLike[str] | None = None) -> Key | None:
    """The key kept under `env_name`, or None.

    Looked for in the environment; then in the nearest `.env` file from `folder` (by default the
    current one) upwards to the project's root, which is read but not put into the environment; then
    in the keyring (`keyring set labkit NAME`) if that package is installed. Blanks and quotes around
    it are dropped. A key that is empty, not ASCII, or has blanks inside is a `MissingKey`.
    """
    if not _NAME.fullmatch(env_name):
        raise DefinitionError("A key is looked up by the name of an environment variable, never by itself.")
    if env_name in os.environ:
        return _made(*cleaned(os.environ[env_name]), f"the environment variable {env_name}")
    dotenv = dotenv_file(folder)
    if dotenv is not None:
        found = _read(dotenv, env_name)
        if found is not None:
            return found
    return _from_keyring(env_name)


def for_model(model: Endpoint, *, folder: str | os.PathLike[str] | None = None) -> Key | None:
    """The key `model` needs; None where it needs none. Raises `MissingKey` saying where to put it."""
    name = key_env(model)
    if name is None:
        return None
    key = find(name, folder=folder)
    if key is None:
        raise MissingKey(
            f"{model.id} needs a key and {name} was not found. Set it in the environment, write {name}=… "
            f"into a file .env that only you can read, or run: keyring set labkit {name}"
        )
    return key


def state(
    model: Endpoint, *, folder: str | os.PathLike[str] | None = None
) -> Literal["found", "missing", "not needed"]:
    """Whether the key of `model` is there; looks, and raises nothing."""
    try:
        return "not needed" if for_model(model, folder=folder) is None else "found"
    except DefinitionError:
        return "missing"


def _made(text: str, fault: str | None, source: str) -> Key:
    if fault:
        raise MissingKey(f"The key from {source} {fault}") from None
    return Key(text, source=source)


def _read(path: Path, env_name: str) -> Key | None:
    from dotenv import dotenv_values

    try:
        # The file's other keys never stand in a variable: a traceback may show variables.
        text = dotenv_values(path, interpolate=False, encoding="utf-8-sig").get(env_name)
    except (OSError, UnicodeDecodeError):
        raise MissingKey(f"{path.name}, where {env_name} may be, cannot be read as UTF-8 text.") from None
    if text is None:
        return None
    _warn_if_open(path)
    text, fault = cleaned(text)
    return _made(text, fault, f"{env_name} in {path.name}")


def dotenv_file(folder: str | os.PathLike[str] | None = None) -> Path | None:
    """The `.env` file whose keys are taken: the nearest from `folder` (by default the current one) upwards,
    not above the project's root, where `.git` is, nor above the home folder; None where there is none."""
    start = (Path.cwd() if folder is None else Path(folder)).resolve()
    for place in (start, *start.parents):
        if (place / ".env").is_file():
            return place / ".env"
        if (place / ".git").exists() or place == Path.home():
            return None
    return None


def _warn_if_open(path: Path) -> None:
    if os.name == "posix" and path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        warnings.warn(
            f"{path.name} holds keys and others on this machine may read it: chmod 600 {path.name}",
            UserWarning,
            stacklevel=4,
        )


def _from_keyring(env_name: str) -> Key | None:
    try:
        import keyring
        from keyring.errors import KeyringError
    except ImportError:
        return None
    try:
        text = keyring.get_password("labkit", env_name)
    except KeyringError:
        # A machine without a desktop has the package but no keyring to open: there is no key there.
        return None
    if text is None:
        return None
    text, fault = cleaned(text)
    return _made(text, fault, f"the keyring ({env_name})")
