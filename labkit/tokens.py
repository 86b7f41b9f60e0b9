"""How many tokens a text has: counted where the vocabulary is at hand, else estimated and said so.

Nothing is downloaded: a vocabulary is used only where tiktoken has already put it, unchanged, into
its cache (`TIKTOKEN_CACHE_DIR`, else a folder among the temporary files). `fetch` puts it there, when
it is asked to. The truth is what the provider reports afterwards. This module knows no prices.
"""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from labkit.errors import DefinitionError, WeightsError
from labkit.identity import canonical_json
from labkit.messages import Part, images_in, text_of
from labkit.records import Message

if TYPE_CHECKING:
    import tiktoken

VOCABULARIES = {
    "o200k_base": (
        "fb374d419588a4632f3f557e76b4b70aebbca790",
        "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d",
    ),
    "cl100k_base": (
        "9b5ad71b2ce5302211f9c61530b329a4922fc6a4",
        "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7",
    ),
}
"""The vocabularies of OpenAI's chat models: the name of tiktoken's cache file, and its SHA-256."""

BYTES_PER_TOKEN = 4
"""Of English text, over the vocabularies in use. Other languages and code have fewer."""
TURN_TOKENS = 3
"""What OpenAI's chat format adds for each turn, and once for the answer's beginning."""
BOUND_TURN_TOKENS = 16
BOUND_REQUEST_TOKENS = 64
BOUND_TOOL_TOKENS = 1024
IMAGE_PIXELS_PER_TOKEN = 750
"""Of an image as Anthropic counts it; OpenAI's models are of the same order. An address has no size yet."""
IMAGE_TOKENS = 1500
BOUND_IMAGE_TOKENS = 50_000
"""More than any model in use makes of one image: gpt-4o-mini, which counts most, makes up to 48,169."""


LONGEST_BLANKS = 100_000
"""Longer runs of blanks are counted in pieces: some 700,000 end in a panic inside tiktoken."""
_BLANKS = re.compile(rf"(?<!\s)\s{{{LONGEST_BLANKS},}}+")


class Asked(Protocol):
    """What has to be known of a model to count for it. `labkit.Model` is one."""

    @property
    def provider(self) -> str: ...
    @property
    def name(self) -> str: ...


class Count(NamedTuple):
    """A number of tokens; whether it is exact; and how it was found, for people."""

    tokens: int
    exact: bool
    how: str


def estimate(model: Asked, text: str | Sequence[Message]) -> Count:
    """The tokens of a text or of a list of messages, for `model`.

    A text for an OpenAI model whose vocabulary is cached is exact. Messages add what the chat format
    is known to add, which is close but not promised. Everything else is bytes divided by 4.
    """
    if not isinstance(text, str) and any(True for _ in images_in(text)):
        of_text = estimate(model, [{**message, "content": text_of(message["content"])} for message in text])
        tokens = of_text.tokens + sum(map(_image_tokens, images_in(text)))
        return Count(tokens, False, f"{of_text.how}, and images by their size")
    texts = [text] if isinstance(text, str) else [_text(message) for message in text]
    turns = 0 if isinstance(text, str) else TURN_TOKENS * (len(texts) + 1)
    name = vocabulary(model)
    encoding = None if name is None else _encoding(name)
    if encoding is None:
        size = sum(len(one.encode("utf-8", "surrogatepass")) for one in texts)
        return Count(
            -(-size // BYTES_PER_TOKEN) + turns, False, f"estimated: {BYTES_PER_TOKEN} bytes a token"
        )
    pieces = [piece for one in texts for piece in _pieces(one)]
    tokens = sum(len(encoding.encode_ordinary(piece)) for piece in pieces)
    if isinstance(text, str):
        return Count(tokens, len(pieces) == 1, f"tiktoken {name}")
    return Count(tokens + turns, False, f"tiktoken {name}, and {TURN_TOKENS} tokens a turn")


def bound(text: str | Sequence[Message], *, params: Mapping[str, Any] | None = None) -> int:
    """More input tokens than any model in use makes of a text or of messages (and `params`' tools).

    Every token of a byte-level vocabulary has at least one byte, so there are at most as many as
    bytes, of the text as it is or in its compatibility form, which some tokenizers make first. What
    chat templates add is bounded generously.
    """
    if isinstance(text, str):
        return _bytes(text) + 1
    total = BOUND_REQUEST_TOKENS + sum(BOUND_TURN_TOKENS + _bytes(_text(message)) for message in text)
    total += BOUND_IMAGE_TOKENS * sum(1 for _ in images_in(text))
    for name in ("tools", "functions", "response_format", "output_config", "text", "system"):
        if params and params.get(name):
            total += BOUND_TOOL_TOKENS + len(canonical_json(params[name]))
    return total


def vocabulary(model: Asked) -> str | None:
    """The name of the vocabulary of `model`, as far as tiktoken knows it; None for any other."""
    if model.provider != "openai":
        return None
    import tiktoken

    try:
        name = tiktoken.encoding_name_for_model(model.name)
    except KeyError:
        return None
    return name if name in VOCABULARIES else None


def cached(name: str) -> bool:
    """Whether the vocabulary `name` lies in tiktoken's cache, unchanged."""
    folder, (file, digest) = _folder(), VOCABULARIES[name]
    return folder is not None and (folder / file).is_file() and _digest(folder / file) == digest


def fetch(names: Iterable[str] = tuple(VOCABULARIES)) -> Path:
    """Let tiktoken download vocabularies into its cache, those that are not there; return the folder.

    The folder is `TIKTOKEN_CACHE_DIR`, or one among the temporary files, which a restart may empty.
    Raises `WeightsError` where a download fails.
    """
    import tiktoken

    folder = _folder()
    if folder is None:
        raise DefinitionError("TIKTOKEN_CACHE_DIR is empty, which tells tiktoken to keep nothing. Unset it.")
    for name in names:
        if name not in VOCABULARIES:
            raise DefinitionError(
                f"There is no vocabulary {name!r:.60}; there are {', '.join(VOCABULARIES)}."
            )
        try:
            tiktoken.get_encoding(name)
        except (OSError, ValueError) as error:
            raise WeightsError(f"The vocabulary {name} could not be fetched: {error!s:.200}") from None
    _encoding.cache_clear()
    return folder


@lru_cache(maxsize=8)
def _encoding(name: str) -> tiktoken.Encoding | None:
    if not cached(name):
        return None
    import tiktoken

    return tiktoken.get_encoding(name)


def _folder() -> Path | None:
    """Where tiktoken keeps what it downloads, by its own rules; None where it is told to keep nothing."""
    folder = os.environ.get("TIKTOKEN_CACHE_DIR", os.environ.get("DATA_GYM_CACHE_DIR"))
    if folder == "":
        return None
    return Path(folder) if folder else Path(tempfile.gettempdir()) / "data-gym-cache"


def _digest(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _image_tokens(part: Part) -> int:
    pixels = part.get("width", 0) * part.get("height", 0)
    return min(max(pixels // IMAGE_PIXELS_PER_TOKEN, 85), 4800) if pixels else IMAGE_TOKENS


def _pieces(text: str) -> Iterator[str]:
    start = 0
    for run in _BLANKS.finditer(text):
        for end in range(run.start() + LONGEST_BLANKS, run.end(), LONGEST_BLANKS):
            yield text[start:end]
            start = end
    yield text[start:]


def _text(message: Message) -> str:
    content = message.get("content")
    if isinstance(content, str):
        return content
    return canonical_json(content).decode()


def _bytes(text: str) -> int:
    if text.isascii():
        return len(text)
    forms = (text, unicodedata.normalize("NFKC", text))
    return max(len(form.encode("utf-8", "surrogatepass")) for form in forms)
