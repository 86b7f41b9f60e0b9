"""The SDKs' clients of clouds, asked on loopback: Bedrock's frames, Vertex's and Azure's addresses."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import anthropic
import openai
import pytest

import labkit as lk
from labkit.providers import aws_frames

sys.path.insert(0, str(Path(__file__).parent.parent / "providers"))
from test_aws_frames import event, frame  # type: ignore[import-not-found]

SECRET = "hunter2-0123456789"
EVENTS = [
    {"type": "message_start", "message": {"id": "m1", "model": "c", "usage": {"input_tokens": 3}}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hel"}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "lo"}},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 2}},
    {"type": "message_stop", "amazon-bedrock-invocationMetrics": {"inputTokenCount": 3}},
]
CHUNKS = [
    {"id": "c1", "model": "m", "choices": [{"index": 0, "delta": {"content": "Hello"}}]},
    {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
    {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 2}},
]
FRAMED = b"".join(map(event, EVENTS))


def lines(events: list[Any]) -> bytes:
    """Events as most servers write them."""
    return b"".join(b"data: " + json.dumps(one).encode() + b"\n\n" for one in events)


class Cloud:
    """Answers every request in one way, and keeps what came."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, dict[str, str], Any]] = []
        self.kind, self.body = "text/event-stream", b""
        cloud = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                cloud.seen.append((self.path, dict(self.headers), json.loads(body)))
                self.send_response(200)
                self.send_header("content-type", cloud.kind)
                self.send_header("content-length", str(len(cloud.body)))
                self.end_headers()
                for at in range(0, len(cloud.body), 50):
                    self.wfile.write(cloud.body[at : at + 50])
                    self.wfile.flush()

            def log_message(self, *args: Any) -> None:
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    """A cloud on this machine."""
    made = Cloud()
    yield made
    made.server.shutdown()
    made.server.server_close()


def answers(lab: lk.Lab, client: Any, *, id: str) -> Any:
    """The rows of two questions to a model that is asked through `client`."""
    model = lk.Model(id, client=client)
    rows = [{"n": "one"}, {"n": "two"}]
    plan = lab.plan(prompts=["Say {{ n }}"], models=[model], dataset=rows, params={"max_tokens": 9})
    return plan.run(progress="none").generations()


BEDROCK = "anthropic/anthropic.claude-haiku-4-5-20251001-v1:0"


def bedrock(url: str) -> Any:
    """Bedrock with a bearer token."""
    return anthropic.AsyncAnthropicBedrock(api_key=SECRET, aws_region="us-east-1", base_url=url)


def test_bedrock_is_asked_and_its_frames_are_read(lab: lk.Lab, cloud: Cloud) -> None:
    """One request an answer, at Bedrock's address for a stream; text, counts and end are in the row."""
    cloud.kind, cloud.body = aws_frames.CONTENT_TYPE, FRAMED
    frame = answers(lab, bedrock(cloud.url), id=BEDROCK)
    assert frame["status"].tolist() == ["done", "done"]
    assert frame["text"].tolist() == ["Hello", "Hello"]
    assert frame["stop_reason"].tolist() == ["stop", "stop"]
    assert (frame["input_tokens"].tolist(), frame["output_tokens"].tolist()) == ([3, 3], [2, 2])
    name = BEDROCK.partition("/")[2]
    assert [path for path, _, _ in cloud.seen] == [f"/model/{name}/invoke-with-response-stream"] * 2
    assert "stream" not in cloud.seen[0][2]


def test_a_refusal_inside_bedrocks_stream_is_one(lab: lk.Lab, cloud: Cloud) -> None:
    """An exception among the frames ends the answer as that kind of refusal, and what was said is kept."""
    refusal = {":message-type": "exception", ":exception-type": "validationException"}
    cloud.kind = aws_frames.CONTENT_TYPE
    cloud.body = b"".join(map(event, EVENTS[:3])) + frame(b'{"message": "too long"}', **refusal)
    found = answers(lab, bedrock(cloud.url), id=BEDROCK)
    assert found["status"].tolist() == ["partial", "partial"]
    assert found["error_type"].tolist() == ["InvalidRequest"] * 2
    assert "too long" in found["error_message"][0]
    assert found["text"].tolist() == ["Hel", "Hel"]
    assert len(cloud.seen) == 2


def test_bedrocks_stream_that_breaks_off_is_no_answer(lab: lk.Lab, cloud: Cloud) -> None:
    """Frames that end in the middle, or are damaged, are no finished answer."""
    cloud.kind, cloud.body = aws_frames.CONTENT_TYPE, FRAMED[:-20]
    found = answers(lab, bedrock(cloud.url), id=BEDROCK)
    assert set(found["status"]) == {"partial"}
    assert set(found["error_type"]) == {"MalformedAnswer"}


CLOUDS: list[tuple[str, Callable[[str], Any], str, list[Any]]] = [
    (
        "anthropic/claude-haiku-4-5",
        lambda url: anthropic.AsyncAnthropicVertex(
            region="europe-west1", project_id="p", access_token=SECRET, base_url=url + "/v1"
        ),
        "/v1/projects/p/locations/europe-west1/publishers/anthropic/models/claude-haiku-4-5:streamRawPredict",
        EVENTS,
    ),
    (
        "anthropic/claude-haiku-4-5",
        lambda url: anthropic.AsyncAnthropicFoundry(api_key=SECRET, base_url=url),
        "/v1/messages",
        EVENTS,
    ),
    (
        "anthropic/claude-haiku-4-5",
        lambda url: anthropic.AsyncAnthropicBedrockMantle(api_key=SECRET, aws_region="r", base_url=url),
        "/v1/messages",
        EVENTS,
    ),
    (
        "anthropic/claude-haiku-4-5",
        lambda url: anthropic.AsyncAnthropicAWS(
            api_key=SECRET, aws_region="us-east-1", workspace_id="w", base_url=url
        ),
        "/v1/messages",
        EVENTS,
    ),
    (
        "openai/gpt-4o",
        lambda url: openai.AsyncBedrockOpenAI(api_key=SECRET, aws_region="us-east-1", base_url=url + "/v1"),
        "/v1/chat/completions",
        CHUNKS,
    ),
    (
        "openai/gpt-4o",
        lambda url: openai.AsyncAzureOpenAI(api_key=SECRET, azure_endpoint=url, api_version="2024-10-21"),
        "/openai/deployments/gpt-4o/chat/completions?api-version=2024-10-21",
        CHUNKS,
    ),
]


@pytest.mark.parametrize(("id", "make", "path", "events"), CLOUDS)
def test_other_clouds_are_asked_at_their_addresses(
    lab: lk.Lab,
    cloud: Cloud,
    id: str,
    make: Callable[[str], Any],
    path: str,
    events: list[Any],
) -> None:
    """Vertex, Foundry, Mantle and Azure: the SDK's own addresses and credentials, labkit's reading; the
    credentials stand in no row."""
    cloud.body = lines(events)
    found = answers(lab, make(cloud.url), id=id)
    assert found["text"].tolist() == ["Hello", "Hello"], found["error_message"].tolist()
    assert [one[0] for one in cloud.seen] == [path] * 2
    assert any(SECRET in value for value in cloud.seen[0][1].values())
    assert SECRET not in found.to_json(date_format="iso")
