"""The `local` dialect, against real models."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import time
import urllib.request
from collections.abc import Iterator, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

import msgspec
import pytest

from labkit import weights
from labkit.catalog.model import Model, Weights
from labkit.errors import (
    ConnectionFailed,
    DefinitionError,
    InvalidRequest,
    MissingPackage,
    ProviderError,
    WeightsError,
)
from labkit.providers import anthropic, local, openai, servers
from labkit.providers.base import Provider
from labkit.records import Answer, Request

pytestmark = pytest.mark.alone

SMOL = Model("local/smollm2-135m", weights=Weights(slots=2, context_tokens=512))
ALONE = Model("local/smollm2-135m", weights=Weights(slots=1, context_tokens=512))
FEW_SHOT = files("labkit.catalog").joinpath("gemma_few_shot.jinja").read_text(encoding="utf-8")
GEMMA = Model("local/gemma-3-270m", weights=Weights(chat_template=FEW_SHOT, context_tokens=512, slots=2))
DEADLINE_S = 60.0


class Heard:
    """What came in, in order."""

    def __init__(self) -> None:
        self.pieces: list[str] = []
        self.headers: Mapping[str, str] = {}
        self.spoke = asyncio.Event()

    def opened(self, headers: Mapping[str, str]) -> None:
        self.headers = headers

    def event(self) -> None:
        """Nothing visible."""

    def thought(self, delta: str) -> None:
        """Nothing visible either."""

    def text(self, delta: str) -> None:
        self.pieces.append(delta)
        self.spoke.set()


@pytest.fixture(scope="module", autouse=True)
def models() -> Iterator[None]:
    """The weights are here, and the usual servers stay up for the whole module."""
    for name in ("smollm2-135m", "gemma-3-270m"):
        weights.pull(name)
    others = set(servers._running)  # those a lab of this process keeps for its next question
    kept = [servers.take(local._settings(model)) for model in (SMOL, ALONE)]
    yield
    for server in kept:
        servers.release(server)
    assert set(servers._running) <= others


def request(text: str, model: Model = SMOL, *, system: str | None = None, **params: Any) -> Request:
    messages: list[dict[str, Any]] = [{"role": "user", "content": text}]
    if system is not None:
        messages.insert(0, {"role": "system", "content": system})
    return Request(
        request_id="r1:0",
        provider="local",
        dialect="local",
        endpoint="",
        model=model.id,
        name=model.name,
        messages=tuple(messages),
        params=local.defaults(model, {}) | {"temperature": 0, "max_tokens": 8} | params,
    )


def run(model: Model, use: Any) -> Any:
    """What `use(provider)` gives, with a provider for `model` that is closed afterwards."""

    async def whole() -> Any:
        provider = await asyncio.to_thread(local.connect, model, None)
        try:
            return await use(provider)
        finally:
            await provider.close()

    return asyncio.run(whole())


def ask(model: Model, asked: Request) -> tuple[str, Answer, Heard]:
    heard = Heard()

    async def use(provider: Provider) -> Answer:
        return await provider.ask(asked, heard)

    answer = run(model, use)
    return "".join(heard.pieces), answer, heard


# -- before anything runs --------------------------------------------------------------------------


def test_the_identity_is_the_content(tmp_path: Path) -> None:
    """The same weights at another place under another name are the same endpoint."""
    copy = tmp_path / "copy.gguf"
    shutil.copy(weights.pull("smollm2-135m"), copy)
    assert local.identity(Model("local/copy", weights=Weights(path=copy))) == local.identity(
        Model("local/smollm2-135m")
    )


def test_what_decides_answers_is_in_the_identity() -> None:
    """Another file, template or context is another endpoint; another number of slots is not."""
    plain = Model("local/smollm2-135m")
    others = [
        plain,
        Model("local/gemma-3-270m"),
        plain.replace(weights=Weights(chat_template="{{ messages }}")),
        plain.replace(weights=Weights(context_tokens=64)),
    ]
    assert len({local.identity(model) for model in others}) == len(others)
    assert local.identity(plain.replace(weights=Weights(slots=1))) == local.identity(plain)


def test_missing_weights_name_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A model of labkit's whose weights are not here says how to fetch them."""
    monkeypatch.setenv("LABKIT_WEIGHTS", str(tmp_path))
    with pytest.raises(DefinitionError, match="labkit pull smollm2-135m"):
        local.identity(SMOL)
    with pytest.raises(DefinitionError, match="labkit pull smollm2-135m"):
        local.connect(SMOL, None)


def test_unknown_weights_name_those_that_are_here() -> None:
    """A name that nothing was pulled under is answered with what there is."""
    with pytest.raises(DefinitionError, match=r"local:/path/to/model.gguf.*gemma-3-270m, smollm2-135m"):
        local.identity(Model("local/no-such-model"))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """A path that leads nowhere is a fault of the definition."""
    with pytest.raises(DefinitionError, match=r"There is no model file .*none\.gguf"):
        local.identity(Model("local/x", weights=Weights(path=tmp_path / "none.gguf")))


def test_without_the_runtime_the_command_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without xllamacpp the error says what to install."""

    def missing(name: str) -> str:
        raise local.PackageNotFoundError(name)

    monkeypatch.setattr(local, "version", missing)
    for act in (lambda: local.identity(SMOL), lambda: local.connect(SMOL, None)):
        with pytest.raises(MissingPackage, match="pip install 'labkit\\[local\\]'"):
            act()


def test_defaults_end_every_answer() -> None:
    """Something always ends an answer, and one slot means that no earlier prompt's work is used."""
    assert local.defaults(Model("local/x"), {}) == {"max_tokens": 1024}
    assert local.defaults(Model("local/x", max_output=100), {}) == {"max_tokens": 100}
    assert local.defaults(ALONE, {}) == {"max_tokens": 512, "cache_prompt": False}


def test_a_base_model_may_not_end_before_it_begins() -> None:
    """With a chat template of ours and a stop at the line's end, a grammar keeps the first line from being
    empty, unless the answer is held to a form already; it is a param like others, so the identity tells."""
    grammar = {"grammar": local.BEGINS_VISIBLY}
    plain = local.defaults(GEMMA, {})
    assert "grammar" not in plain
    for stop in ("\n", ["x", "\n"]):
        assert local.defaults(GEMMA, {"stop": stop}) == plain | grammar
        assert "grammar" not in local.defaults(SMOL, {"stop": stop})
        for held in ("grammar", "response_format", "json_schema", "tools"):
            assert "grammar" not in local.defaults(GEMMA, {"stop": stop, held: "x"})
    assert "grammar" not in local.defaults(GEMMA, {"stop": ["END"]})


@pytest.mark.parametrize("system", [None, "Be brief."])
def test_what_a_model_reads_is_what_its_server_makes_of_it(system: str | None) -> None:
    """The text shown is what llama.cpp puts together, letter for letter; a file's own template is its own."""
    messages = [
        *([] if system is None else [{"role": "system", "content": system}]),
        {"role": "user", "content": "Is <b> it?\n"},
        {"role": "assistant", "content": "yes"},
        {"role": "user", "content": "{{ and }} now?"},
    ]
    server = servers.take(local._settings(GEMMA))
    try:
        assert server.post("/apply-template", {"messages": messages})["prompt"] == local.read_as(
            GEMMA, messages
        )
    finally:
        servers.release(server)
    assert local.read_as(SMOL, messages) is None
    with pytest.raises(DefinitionError, match="chat template of local/x cannot be read"):
        local.read_as(Model("local/x", weights=Weights(chat_template="{% if %}")), messages)


# -- answers ---------------------------------------------------------------------------------------


def test_an_answer_comes_in_pieces() -> None:
    """Text is told as it comes, and the end brings a reason, counts and the model's name, not its path."""
    text, answer, heard = ask(SMOL, request("Count from one to ten.", max_tokens=12))
    assert len(heard.pieces) > 3
    assert text.strip()
    assert answer.stop_reason == "max_tokens"
    assert answer.usage.output_tokens == 12
    assert answer.response_model == "smollm2-135m"
    assert answer.raw is not None
    assert ".gguf" not in answer.raw
    assert json.loads(answer.raw)["usage"]["completion_tokens"] == 12


def test_an_answer_that_ends_by_itself_says_so() -> None:
    """The model's own end of turn is the stop reason `stop`."""
    _, answer, _ = ask(SMOL, request("Is Paris in France? Reply with one word.", max_tokens=64))
    assert answer.stop_reason == "stop"


def test_params_pass_through() -> None:
    """A param that only llama.cpp knows, here a grammar, decides the answer."""
    text, _, _ = ask(SMOL, request("What is the capital of France?", grammar='root ::= "blue" | "green"'))
    assert text in ("blue", "green")


@pytest.mark.parametrize("system", [None, "Answer in one short sentence."])
@pytest.mark.parametrize("text", ["hi", "Grüße aus 東京 🙂", "a " * 150, "<|im_end|>"])
def test_counts_are_exact(text: str, system: str | None) -> None:
    """Tokens counted beforehand are those that the answer then reports."""
    asked = request(text, system=system, max_tokens=1)

    async def use(provider: Provider) -> tuple[int | None, Answer]:
        return await provider.count_tokens(asked), await provider.ask(asked, Heard())

    counted, answer = run(SMOL, use)
    assert counted == answer.usage.input_tokens


def test_more_requests_than_slots_are_all_answered() -> None:
    """Requests beyond the slots wait for one, and each gets an answer to itself."""

    async def use(provider: Provider) -> list[Answer]:
        asked = [provider.ask(request(f"Say {word}."), Heard()) for word in "abcde"]
        return await asyncio.gather(*asked)

    answers = run(SMOL, use)
    assert len({answer.response_id for answer in answers}) == 5


def test_equal_questions_have_equal_answers_with_one_slot() -> None:
    """With one slot an answer does not depend on what was asked before it."""
    texts = ["Name a colour.", "Name a colour, please."]

    async def use(provider: Provider) -> list[tuple[str, ...]]:
        found: dict[str, set[str]] = {text: set() for text in texts}
        for order in (texts, texts[::-1]):
            for text in order:
                heard = Heard()
                await provider.ask(request(text, ALONE, max_tokens=12), heard)
                found[text].add("".join(heard.pieces))
        return [tuple(each) for each in found.values()]

    assert [len(each) for each in run(ALONE, use)] == [1, 1]


def test_gemma_answers_with_its_template() -> None:
    """The base model, shown three examples, answers in a word and ends at the line's end."""
    text, answer, _ = ask(GEMMA, request("What is the capital of France?", GEMMA, stop=["\n"], max_tokens=20))
    assert "Paris" in text
    assert answer.stop_reason in ("stop", "stop_sequence")


def test_an_answer_that_would_begin_with_a_line_end_is_not_lost() -> None:
    """A prompt after which the base model's likeliest token is a line end has an answer all the same."""
    asked = (
        "Classify the message.\n\nMessage: I love it\nLabel: positive\n\n"
        "Message: It broke\nLabel: negative\n\n"
        "Message: The lamp arrived with a cracked shade and no bulb.\nLabel:"
    )
    lost, _, _ = ask(GEMMA, request(asked, GEMMA, stop=["\n"], max_tokens=8))
    said, answer, _ = ask(GEMMA, request(asked, GEMMA, max_tokens=8, **_sent_with_a_stop()))
    assert lost == ""
    assert said.strip()
    assert answer.stop_reason in ("stop", "stop_sequence", "max_tokens")


def _sent_with_a_stop() -> dict[str, Any]:
    stop = {"stop": ["\n"]}
    return stop | {"grammar": local.defaults(GEMMA, stop)["grammar"]}


def test_two_models_answer_side_by_side() -> None:
    """Two models run at once, each with its own server."""

    async def both() -> list[Answer]:
        made = [await asyncio.to_thread(local.connect, model, None) for model in (SMOL, GEMMA)]
        asked = [provider.ask(request("hi", max_tokens=2), Heard()) for provider in made]
        answers = await asyncio.gather(*asked)
        for provider in made:
            await provider.close()
        return answers

    assert [answer.response_model for answer in asyncio.run(both())] == ["smollm2-135m", "gemma-3-270m"]


def test_both_dialects_tell_the_same() -> None:
    """The same server, asked as OpenAI's and as Anthropic's, gives the same text, counts and reason."""
    server = servers.take(local._settings(ALONE))
    asked = request("Name three colours.", ALONE, system="Be brief.")
    plain = msgspec.structs.replace(asked, params={"temperature": 0, "max_tokens": 8, "cache_prompt": False})

    async def through(module: Any, base_url: str) -> tuple[str, Answer, int | None]:
        model = Model("here/smol", dialect=module.__name__.rpartition(".")[2], base_url=base_url, key_env="")
        provider = module.connect(model, server.key)
        heard = Heard()
        counted = await provider.count_tokens(plain)
        answer = await provider.ask(plain, heard)
        await provider.close()
        return "".join(heard.pieces), answer, counted

    try:
        first = asyncio.run(through(openai, f"{server.url}/v1"))
        second = asyncio.run(through(anthropic, server.url))
    finally:
        servers.release(server)
    assert first[0] == second[0] != ""
    assert first[1].stop_reason == second[1].stop_reason == "max_tokens"
    assert first[1].usage.input_tokens == second[1].usage.input_tokens == second[2]
    assert first[1].usage.output_tokens == second[1].usage.output_tokens == 8


# -- when it goes wrong ----------------------------------------------------------------------------


def test_a_prompt_beyond_the_context_is_refused() -> None:
    """What does not fit is an invalid request, and the next one is answered."""

    async def use(provider: Provider) -> Answer:
        with pytest.raises(InvalidRequest, match="context"):
            await provider.ask(request("word " * 600), Heard())
        return await provider.ask(request("hi"), Heard())

    assert run(SMOL, use).usage.output_tokens


def test_whoever_hangs_up_stops_the_model() -> None:
    """A cancelled request leaves its slot: nobody computes what nobody reads."""
    server = servers.take(local._settings(ALONE))

    def busy() -> bool:
        headers = {"authorization": f"Bearer {server.key.reveal()}"}
        with urllib.request.urlopen(
            urllib.request.Request(f"{server.url}/slots", headers=headers)
        ) as response:
            return any(slot["is_processing"] for slot in json.load(response))

    async def use(provider: Provider) -> tuple[bool, bool]:
        heard = Heard()
        endless = request("Tell a story.", ALONE, max_tokens=400, ignore_eos=True)
        asked = asyncio.ensure_future(provider.ask(endless, heard))
        await heard.spoke.wait()
        while_asked = await asyncio.to_thread(busy)
        asked.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asked
        end = time.monotonic() + DEADLINE_S
        while (still := await asyncio.to_thread(busy)) and time.monotonic() < end:
            await asyncio.sleep(0.02)
        return while_asked, still

    try:
        assert run(ALONE, use) == (True, False)
    finally:
        servers.release(server)


def test_a_server_that_dies_is_a_failed_call_and_starts_anew() -> None:
    """What was in flight fails with a row's error that may be tried again; the next request is answered."""
    model = SMOL.replace(weights=Weights(slots=1, context_tokens=256))

    async def use(provider: local.LocalProvider) -> Answer:
        heard = Heard()
        endless = request("Tell a story.", model, max_tokens=200, ignore_eos=True)
        asked = asyncio.ensure_future(provider.ask(endless, heard))
        await heard.spoke.wait()
        assert provider._server.pid is not None
        os.kill(provider._server.pid, signal.SIGKILL)
        with pytest.raises(ProviderError) as caught:
            await asked
        assert caught.value.retryable
        end = time.monotonic() + DEADLINE_S
        while provider._server.alive and time.monotonic() < end:
            await asyncio.sleep(0.01)
        return await provider.ask(request("hi", model), Heard())

    assert run(model, use).usage.output_tokens


def test_a_server_that_cannot_start_anew_is_a_failed_connection(tmp_path: Path) -> None:
    """Where the file has gone with its server, each request fails as one that was never sent."""
    path = tmp_path / "gone.gguf"
    shutil.copy(weights.pull("smollm2-135m"), path)
    model = Model("local/gone", weights=Weights(path=path, slots=1, context_tokens=256))

    async def use(provider: local.LocalProvider) -> None:
        path.unlink()
        provider._server.stop()
        with pytest.raises(ConnectionFailed, match="the server of local/gone ended"):
            await provider.ask(request("hi", model), Heard())
        with pytest.raises(ConnectionFailed, match="the server of local/gone ended"):
            await provider.count_tokens(request("hi", model))

    run(model, use)


def test_a_closed_provider_asks_no_more() -> None:
    """After `close`, which may come twice, nothing is asked."""

    async def use(provider: Provider) -> None:
        await provider.close()
        await provider.close()
        with pytest.raises(ConnectionFailed, match="was closed"):
            await provider.ask(request("hi"), Heard())

    run(SMOL, use)


def test_what_is_no_model_cannot_be_connected(tmp_path: Path) -> None:
    """A file that llama.cpp does not take is an error before anything is asked, and leaves no server."""
    path = tmp_path / "no.gguf"
    path.write_bytes(b"GGUF but not really")
    with pytest.raises(WeightsError, match="cannot be served"):
        local.connect(Model("local/no", weights=Weights(path=path)), None)


def test_nothing_is_said(capfd: pytest.CaptureFixture[str]) -> None:
    """From connecting to closing, neither labkit nor llama.cpp writes to standard output or error."""
    model = SMOL.replace(weights=Weights(slots=1, context_tokens=256))
    ask(model, request("hi", model))
    assert capfd.readouterr() == ("", "")


def test_its_key_is_not_shown() -> None:
    """The server's key is in no repr of what asks it."""

    async def use(provider: local.LocalProvider) -> str:
        return provider._server.key.reveal() + "\n" + repr(provider) + repr(vars(provider))

    secret, _, shown = run(SMOL, use).partition("\n")
    assert secret not in shown
