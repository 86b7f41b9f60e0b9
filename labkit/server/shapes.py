"""What leaves over HTTP, as shapes for the description: so that clients made from it know the members.

They check nothing: answers are made elsewhere, and a test holds them to these. What is not required is absent
where it is not known, and never null.
"""

from __future__ import annotations

from typing import (
    Annotated,
    Any,
    Literal,
    Required,  # pydantic takes no other below Python 3.12
)

from pydantic import Field
from typing_extensions import TypedDict

Status = Literal["pending", "running", "completed", "failed", "cancelled"]


class Pricing(TypedDict, total=False):
    """USD for 1,000 tokens."""

    inputCostPer1kTokens: float
    outputCostPer1kTokens: float


class Model(TypedDict, total=False):
    """A model of the catalog, under the id or alias that was asked for."""

    id: Required[str]
    name: Required[str]
    provider: Required[str]
    supportsStreaming: Required[bool]
    maxTokens: int
    contextWindow: int
    costPer1kTokens: float
    description: str
    pricing: Pricing
    metadata: dict[str, Any]


class Metrics(TypedDict, total=False):
    """The numbers of a `PromptRun` once more; times are milliseconds, `cost` is USD."""

    totalTokens: int
    duration: float
    inputTokens: int
    outputTokens: int
    latency: float
    cost: float


class PromptRun(TypedDict, total=False):
    """One prompt asked of one model."""

    id: Required[str]
    workspaceId: Required[str]
    promptSnapshot: Required[str]
    contextBlockIds: Required[list[str]]
    modelId: Required[str]
    status: Required[Status]
    startedAt: Required[str]
    createdAt: str
    completedAt: str
    durationMs: float
    inputTokens: int
    outputTokens: int
    totalTokens: int
    cost: float
    output: str
    error: str
    metrics: Metrics
    metadata: dict[str, Any]


class Provider(TypedDict):
    """Whether a provider's key, or its weights, are found. Nobody is contacted."""

    configured: bool
    available: bool
    type: Literal["api", "local"]


class ApiStatus(TypedDict):
    """Who answers, and the providers."""

    mode: str
    providers: dict[str, Provider]


class WorkbenchUsage(TypedDict, total=False):
    """Tokens."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class WorkbenchAnswer(TypedDict, total=False):
    """The answer of one model."""

    run_id: Required[str]
    model_id: Required[str]
    output: Required[str]
    usage: Required[WorkbenchUsage]
    created_at: Required[str]
    latency_ms: float


class StreamUsage(TypedDict, total=False):
    """Tokens, and USD."""

    promptTokens: int
    completionTokens: int
    totalTokens: int
    estimatedCost: float


class StartData(TypedDict):
    """The model is asked, or its text comes anew: drop what there was of it."""

    type: Literal["start"]


class TokenData(TypedDict):
    """The next piece of text."""

    type: Literal["token"]
    token: str
    index: int


class UsageData(TypedDict):
    """What it took."""

    type: Literal["usage"]
    usage: StreamUsage


class CompleteData(TypedDict, total=False):
    """The whole text."""

    type: Required[Literal["complete"]]
    output: Required[str]
    usage: Required[StreamUsage]
    finishReason: str


class ErrorData(TypedDict, total=False):
    """Why there is no answer; `code` is the kind of it."""

    type: Required[Literal["error"]]
    error: Required[str]
    code: str


class EndData(TypedDict, total=False):
    """All runs in the order asked. Without them only this connection ends, for the reason."""

    type: Required[Literal["end"]]
    runs: list[PromptRun]
    reason: str


StreamData = StartData | TokenData | UsageData | CompleteData | ErrorData | EndData


class StreamEvent(TypedDict, total=False):
    """The data of a server-sent event. It is about one model, or, without `modelId`, about the whole run."""

    type: Required[Literal["start", "token", "usage", "complete", "error", "end"]]
    runId: Required[str]
    modelId: str
    timestamp: Required[str]
    data: Required[Annotated[StreamData, Field(discriminator="type")]]
