"""Where a key comes from, what may see it, and to which host it may go.

A key is looked for in the environment, then in a `.env` file, then in the system's keyring; it is
never written anywhere, and shows itself to nobody who does not call `reveal`.
This module does not know providers, prices or how a key is sent; it opens no connection.
"""

from __future__ import annotations

import base64
import os
import re
import stat
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal, NoReturn, Protocol
from urllib.parse import quote

from labkit.endpoints import is_loopback, is_own_host
from labkit.errors import DefinitionError, MissingKey

ENV_NAMES = {"openai": "OPENAI_API_KEY", "anthropic": "ANTHROPIC_API_KEY"}
"""The variable a provider's own endpoint takes its key from."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}")
_PIECE = 8
_PATTERN = re.compile(r"\b(?:sk|pk|rk|hf|gsk|xai|AIza)[-_][A-Za-z0-9_*.\-]{6,}")


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


class Key:
    """A secret. It prints as where it came from; `reveal` is the only way to its text.

    It cannot be pickled, and copies of it are itself.

    >>> key = Key("sk-not-a-real-one", source="the environment variable OPENAI_API_KEY")
    >>> print(key)
    <key from the environment variable OPENAI_API_KEY>
    """

    __slots__ = ("_text", "source")
    _text: str
    source: str

    def __init__(self, text: str, *, source: str) -> None:
        text, fault = _cleaned(text)
        if fault:
            raise DefinitionError(f"The key from {source} {fault}") from None
        object.__setattr__(self, "_text", text)
        object.__setattr__(self, "source", source)

    def reveal(self) -> str:
        """The key's text, for the one request that needs it."""
        return self._text

    def __repr__(self) -> str:
        return f"<key from {self.source}>"

    def __format__(self, spec: str) -> str:
        return format(repr(self), spec)

    def _repr_html_(self) -> str:
        from html import escape

        return escape(repr(self))

    def __eq__(self, other: object) -> bool:
        import hmac

        return isinstance(other, Key) and hmac.compare_digest(self.reveal(), other.reveal())

    def __hash__(self) -> int:
        return hash(self.reveal())

    def __copy__(self) -> Key:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Key:
        return self

    def __setattr__(self, name: str, value: Any) -> NoReturn:
        raise AttributeError("a key cannot be changed")

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        raise TypeError("a key cannot be pickled; let the other process find it by itself")


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
        return _key(os.environ[env_name], f"the environment variable {env_name}")
    dotenv = _dotenv(Path.cwd() if folder is None else Path(folder))
    if dotenv is not None:
        from dotenv import dotenv_values

        values = dotenv_values(dotenv, interpolate=False, encoding="utf-8-sig")
        if values.get(env_name) is not None:
            _warn_if_open(dotenv)
            return _key(values[env_name] or "", f"{env_name} in {dotenv.name}")
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


def scrub(text: str, keys: Iterable[Key | None]) -> str:
    """`text` without any piece of the keys of 8 characters or more, plain or encoded.

    Also hides what looks like a key though it is none of `keys`: servers like to echo what they got.

    >>> scrub("bad key sk-abcdefghijkl", [])
    'bad key [key]'
    """
    pieces: set[str] = set()
    for key in keys:
        if key is not None:
            for form in _forms(key.reveal()):
                pieces.update(form[i : i + _PIECE] for i in range(max(1, len(form) - _PIECE + 1)))
    for length in {len(piece) for piece in pieces}:
        text = _without(text, pieces, length)
    return _PATTERN.sub("[key]", text)


def resembles_key(text: str) -> bool:
    """Whether `text` looks like a key, so that it can be refused where it would be stored or shown."""
    return _PATTERN.search(text) is not None


def _without(text: str, pieces: set[str], length: int) -> str:
    hits = [i for i in range(len(text) - length + 1) if text[i : i + length] in pieces]
    parts, end = [], 0
    for i in hits:
        if i >= end:
            parts += [text[end:i], "[key]"]
        end = i + length
    return "".join(parts) + text[end:]


def _forms(secret: str) -> list[str]:
    forms = [secret, quote(secret, safe="")]
    for shift in range(3):
        # Which base64 text a secret gives depends on where in the encoded whole it stands.
        encoded = base64.b64encode(b"\0" * shift + secret.encode()).decode().rstrip("=")[2 * shift : -1]
        forms += [encoded, encoded.replace("+", "-").replace("/", "_")]
    return [form for form in forms if form]


def _cleaned(text: str) -> tuple[str, str | None]:
    text = text.strip()
    if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"":
        text = text[1:-1].strip()
    if not text:
        return "", "is empty. Put the key there, or remove the name."
    if not text.isascii():
        return "", "holds characters that are not ASCII, perhaps typographic quotes. Copy it again."
    if any(character <= " " or character == "\x7f" for character in text):
        return "", "holds blanks or line ends inside. It must be the key alone, without “Bearer”."
    return text, None


def _key(text: str, source: str) -> Key:
    text, fault = _cleaned(text)
    if fault:
        raise MissingKey(f"The key from {source} {fault}") from None
    return Key(text, source=source)


def _dotenv(folder: Path) -> Path | None:
    for place in (folder.resolve(), *folder.resolve().parents):
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
            stacklevel=3,
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
    return None if text is None else _key(text, f"the keyring ({env_name})")
