"""labkit.catalog.sdk_client: what may stand as the client of a model."""

from __future__ import annotations

from typing import Any

import anthropic
import httpx2
import openai
import pytest

import labkit as lk
from labkit.catalog.model import Model
from labkit.catalog.sdk_client import faults
from labkit.errors import DefinitionError

KEY = "sk-test-0123456789abcdef"
OPENAI = {"api_key": KEY, "base_url": "http://127.0.0.1:9/v1"}
AZURE = {"api_key": KEY, "azure_endpoint": "https://x.openai.azure.com", "api_version": "2024-10-21"}


@pytest.mark.parametrize(
    ("id", "client"),
    [
        ("openai/m", openai.AsyncOpenAI(**OPENAI)),
        ("azure/m", openai.AsyncAzureOpenAI(**AZURE)),
        ("anthropic/m", anthropic.AsyncAnthropic(api_key=KEY)),
        ("anthropic/m", anthropic.AsyncAnthropicBedrock(api_key=KEY, aws_region="us-east-1")),
        ("anthropic/m", anthropic.AsyncAnthropicVertex(region="r", project_id="p", access_token=KEY)),
        ("scripted/m", lk.Script(["x"], version="1")),
        ("openai/m", None),
    ],
)
def test_async_clients_of_the_dialect_are_taken(id: str, client: Any) -> None:
    """The async clients of both SDKs, of clouds too, may be asked in their dialect."""
    assert faults(Model(id, client=client)) == []
    assert faults(Model(id, client=client).replace(label="x")) == []


class Posting:
    """Something else that posts."""

    async def post(self, *_: Any, **__: Any) -> None:
        """Nothing of an SDK's."""


def closed() -> Any:
    """A client whose connections are closed."""
    import asyncio

    client = openai.AsyncOpenAI(**OPENAI)
    asyncio.run(client.close())
    return client


@pytest.mark.parametrize(
    ("model", "why"),
    [
        (Model("openai/m", client=KEY), "is a text, not a client"),
        (Model("anthropic/m", client=KEY.encode()), "is a text, not a client"),
        (Model("openai/m", client=""), "is a text, not a client"),
        (Model("openai/m", client=openai.OpenAI(**OPENAI)), "is OpenAI, which labkit cannot ask"),
        (Model("azure/m", client=openai.AzureOpenAI(**AZURE)), "is AzureOpenAI, which labkit cannot ask"),
        (Model("anthropic/m", client=anthropic.Anthropic(api_key=KEY)), "give it an async client"),
        (Model("openai/m", client=openai.AsyncOpenAI), "is the class AsyncOpenAI"),
        (Model("openai/m", client=openai), "is module"),
        (Model("openai/m", client=object()), "is object"),
        (Model("openai/m", client=httpx2.AsyncClient()), "is AsyncClient, which labkit cannot ask"),
        (Model("openai/m", client=Posting()), "is Posting, which labkit cannot ask"),
        (Model("openai/m", client=lk.Script(["x"])), "is Script"),
        (Model("openai/m", client=openai.AsyncOpenAI(**OPENAI).chat), "is AsyncChat"),
        (Model("openai/m", client=closed()), "is closed"),
        (Model("anthropic/m", client=openai.AsyncOpenAI(**OPENAI)), "but its dialect is 'anthropic'"),
        (Model("openai/m", client=anthropic.AsyncAnthropic(api_key=KEY)), "or dialect='anthropic'"),
        (Model("scripted/m", client=openai.AsyncOpenAI(**OPENAI)), "lk.Script(…)"),
        (Model("scripted/m", client=KEY), "lk.Script(…)"),
        (
            Model("anthropic/m", client=anthropic.AsyncAnthropicBedrock(aws_region="us-east-1")),
            "with boto3, which is not installed",
        ),
        (
            Model("anthropic/m", client=anthropic.AsyncAnthropicVertex(region="r", project_id="p")),
            "with google-auth, which is not installed",
        ),
    ],
)
def test_anything_else_is_refused_before_it_is_asked(
    model: Model, why: str, lab: lk.Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A synchronous client, one of the other dialect, a class, a key in its place: each is told when the plan
    is made, and the message shows no key."""
    monkeypatch.setattr("labkit.catalog.sdk_client._installed", lambda name: False)
    with pytest.raises(DefinitionError, match=r"client of|of anthropic/m") as raised:
        lab.plan(prompts=["Say hi"], models=[model])
    assert why in str(raised.value)
    assert KEY not in str(raised.value)
    assert model.id in str(raised.value)
