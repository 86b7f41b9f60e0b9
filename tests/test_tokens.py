"""labkit.tokens: counting where the vocabulary is at hand, estimating elsewhere, downloading never."""

from __future__ import annotations

import gzip
import hashlib
import inspect
import socket
from importlib.util import find_spec
from pathlib import Path

import pytest
import tiktoken
import tiktoken_ext.openai_public as public
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from labkit import tokens
from labkit.catalog.model import Model
from labkit.errors import DefinitionError, WeightsError
from labkit.tokens import Count, bound, cached, estimate, fetch, vocabulary

GPT = Model("openai/gpt-4o")
OLD = Model("openai/gpt-3.5-turbo")
CLAUDE = Model("anthropic/claude-haiku-4-5")
MESSAGES = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello, world"}]


@pytest.fixture(autouse=True)
def network(monkeypatch):
    """Any attempt to connect, or to look a name up, is refused and remembered."""
    tried = []

    def refuse(*args, **kwargs):
        tried.append(args)
        raise OSError("no network here")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    return tried


@pytest.fixture(scope="session")
def unpacked(tmp_path_factory):
    """The vocabularies that the package bpe-openai holds, under the names of tiktoken's cache."""
    folder = tmp_path_factory.mktemp("vocabularies")
    data = Path(find_spec("bpe_openai").origin).parent / "data"
    for name, (file, _) in tokens.VOCABULARIES.items():
        (folder / file).write_bytes(gzip.decompress((data / f"{name}.tiktoken.gz").read_bytes()))
    return folder


def _cache(monkeypatch, folder):
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(folder))
    monkeypatch.setattr(tiktoken.registry, "ENCODINGS", {})
    tokens._encoding.cache_clear()


@pytest.fixture
def empty(monkeypatch, tmp_path):
    """An empty cache of tiktoken's; what was loaded before is forgotten."""
    _cache(monkeypatch, tmp_path)
    yield tmp_path
    tokens._encoding.cache_clear()


@pytest.fixture
def vocabularies(monkeypatch, unpacked):
    """A cache that holds both vocabularies."""
    _cache(monkeypatch, unpacked)
    yield unpacked
    tokens._encoding.cache_clear()


def test_the_table_agrees_with_tiktoken():
    """The names and checksums of the cache files are those that tiktoken itself would use."""
    for name, (file, digest) in tokens.VOCABULARIES.items():
        source = inspect.getsource(public.ENCODING_CONSTRUCTORS[name])
        url = source.split('"')[1]
        assert url.endswith(f"{name}.tiktoken")
        assert hashlib.sha1(url.encode()).hexdigest() == file
        assert digest in source


def test_a_cached_vocabulary_counts_exactly(vocabularies, network):
    """With the vocabulary at hand a text is counted exactly, each model by its own."""
    assert estimate(GPT, "Hello, world!") == Count(4, True, "tiktoken o200k_base")
    assert estimate(OLD, "Hello, world!") == Count(4, True, "tiktoken cl100k_base")
    word = "Donaudampfschifffahrtsgesellschaft "
    assert estimate(GPT, word * 10).tokens != estimate(OLD, word * 10).tokens
    assert not network


def test_messages_add_what_the_chat_format_adds(vocabularies):
    """Messages are their texts and three tokens a turn, and three for the answer: close, not promised."""
    assert estimate(GPT, MESSAGES) == Count(
        estimate(GPT, "Be brief.").tokens + estimate(GPT, "Hello, world").tokens + 9,
        False,
        "tiktoken o200k_base, and 3 tokens a turn",
    )


@pytest.mark.parametrize("model", [GPT, OLD])
@pytest.mark.parametrize("blank", [" ", "\t", "\u00a0", " \n"])
def test_very_long_blanks_are_counted(vocabularies, model, blank):
    """A million blanks, on which tiktoken's own expression ends in a panic, are counted in pieces."""
    run = blank * (1_000_000 // len(blank))
    found = estimate(model, f"a{run}b")
    assert found.how.startswith("tiktoken")
    assert not found.exact
    tenth = estimate(model, f"a{run[:100_000]}b")
    assert found.tokens == pytest.approx(10 * tenth.tokens, abs=50)
    assert estimate(model, [{"role": "user", "content": f"a{run}b"}]).tokens == found.tokens + 6


def test_ordinary_blanks_change_nothing(vocabularies):
    """A text without such a run is one piece, and its count exact."""
    text = (" " * 99_000 + "x\n") * 3
    assert estimate(GPT, text) == Count(
        len(tiktoken.get_encoding("o200k_base").encode_ordinary(text)), True, "tiktoken o200k_base"
    )


def test_special_tokens_are_counted_as_text(vocabularies):
    """Text that looks like a tokenizer's special token is counted, and is no error."""
    assert estimate(GPT, "<|endoftext|>").tokens > 1


def test_without_a_vocabulary_there_is_a_labelled_estimate(empty, network):
    """Where the vocabulary is not cached nothing is downloaded: bytes divided by four, and said so."""
    assert estimate(GPT, "x" * 10) == Count(3, False, "estimated: 4 bytes a token")
    assert estimate(GPT, "") == Count(0, False, "estimated: 4 bytes a token")
    assert estimate(GPT, MESSAGES).tokens == 6 + 9
    assert not network
    assert list(empty.iterdir()) == []


@pytest.mark.parametrize(
    "model", [CLAUDE, Model("openai/gpt-6-luna"), Model("vllm/gpt-4o"), Model("local/x")]
)
def test_models_without_a_known_vocabulary_are_estimated(vocabularies, model):
    """Only OpenAI's models that tiktoken knows are counted; the same name elsewhere is another model."""
    assert vocabulary(model) is None
    assert estimate(model, "Hello, world!") == Count(4, False, "estimated: 4 bytes a token")


def test_a_damaged_vocabulary_is_not_used(empty, network):
    """A cache file with other content is neither used nor deleted nor downloaded anew."""
    file = empty / tokens.VOCABULARIES["o200k_base"][0]
    file.write_bytes(b"SGVsbG8= 0\n")
    assert not cached("o200k_base")
    assert not estimate(GPT, "Hello").exact
    assert file.exists()
    assert not network


def test_a_vocabulary_that_arrives_is_used(empty, unpacked):
    """Once `fetch` has put a vocabulary there, the same process counts with it."""
    assert not estimate(GPT, "Hello").exact
    for name, (file, _) in tokens.VOCABULARIES.items():
        (empty / file).write_bytes((unpacked / file).read_bytes())
        assert cached(name)
    assert fetch() == empty
    assert estimate(GPT, "Hello").exact


def test_fetching_is_the_only_thing_that_connects(empty, network):
    """`fetch` asks tiktoken to download; without a network that is a clear error."""
    with pytest.raises(WeightsError, match="o200k_base could not be fetched"):
        fetch(["o200k_base"])
    assert network


def test_only_known_vocabularies_are_fetched(empty, network):
    """A name that is none is a fault, before anything is contacted."""
    with pytest.raises(DefinitionError, match="no vocabulary 'gpt2'"):
        fetch(["gpt2"])
    assert not network


def test_no_cache_means_no_vocabulary(monkeypatch, network):
    """Where tiktoken is told to keep nothing, nothing is at hand and nothing is fetched."""
    _cache(monkeypatch, "")
    assert not cached("o200k_base")
    assert not estimate(GPT, "Hello").exact
    with pytest.raises(DefinitionError, match="TIKTOKEN_CACHE_DIR is empty"):
        fetch()
    assert not network


def test_the_cache_is_found_by_tiktokens_rules(monkeypatch, tmp_path):
    """The variables are read in tiktoken's order; without them it is a folder among the temporary files."""
    monkeypatch.delenv("TIKTOKEN_CACHE_DIR", raising=False)
    monkeypatch.setenv("DATA_GYM_CACHE_DIR", str(tmp_path))
    assert tokens._folder() == tmp_path
    monkeypatch.delenv("DATA_GYM_CACHE_DIR")
    assert tokens._folder().name == "data-gym-cache"


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.text(max_size=80), min_size=1, max_size=3))
def test_the_bound_is_never_passed(vocabularies, texts):
    """No text and no list of messages has more tokens than its bound, in either vocabulary."""
    messages = [{"role": "user", "content": text} for text in texts]
    for model in (GPT, OLD):
        assert estimate(model, texts[0]).tokens <= bound(texts[0])
        assert estimate(model, messages).tokens <= bound(messages)


def test_the_bound_covers_what_some_tokenizers_make_of_a_text():
    """A character that a tokenizer first expands counts with all it expands to."""
    assert bound("\ufdfa") >= len("صلى الله عليه وسلم".encode())
    assert bound("é") == 3
    assert bound("a\ud800") >= 4


def test_the_bound_covers_templates_parts_and_tools():
    """What chat templates add, contents in parts, and tools among the params are all within the bound."""
    assert bound(MESSAGES) >= len("Be brief.Hello, world") + 64
    parts = [{"role": "user", "content": [{"type": "text", "text": "x" * 1000}]}]
    assert bound(parts) > 1000
    tools = {"tools": [{"name": "f", "description": "y" * 1000}]}
    assert bound(MESSAGES, params=tools) >= bound(MESSAGES) + 1000
    assert bound(MESSAGES, params={"temperature": 1, "tools": None}) == bound(MESSAGES)
    assert bound([]) > 0
