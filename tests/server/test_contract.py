"""The contract with the older workbench's front end: a strict client against the running service."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import update

from labkit.catalog.model import Model
from labkit.errors import InvalidRequest
from labkit.providers.script import Script
from labkit.records import Request
from labkit.server.state.tables import User
from tests.server.running import PASSWORD, running
from tests.server.strict_client import Failed, StrictClient


def said(request: Request) -> str:
    """What the models answer: the prompt, and a mark."""
    return f"{request.messages[-1]['content']}!"


def refused(request: Request) -> InvalidRequest:
    """What a model that takes nothing answers."""
    return InvalidRequest("This model takes no prompt.")


MODELS = [
    Model(
        "scripted/echo",
        client=Script(said),
        aliases=("older-name",),
        context_window=200_000,
        prices={"input": 3.0, "output": 15.0},
    ),
    Model("scripted/bare", client=Script(said)),
    Model("scripted/refuses", client=Script(refused)),
    Model("scripted/deep/name", client=Script(said)),
]


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a running service, with a user `ada` who has an e-mail address."""
    with running(tmp_path_factory.mktemp("contract"), MODELS) as there:
        with there.service.state.writing() as rows:
            rows.execute(update(User).where(User.name == "ada").values(email="ada@lab.example"))
        yield there.url


@pytest.fixture(scope="module")
def ada(url: str) -> StrictClient:
    """The page, with `ada` logged in."""
    page = StrictClient(url)
    page.log_in("ada", PASSWORD)
    return page


def test_both_log_ins_give_a_token_that_the_page_reads(url: str) -> None:
    """JSON and form give a JWT whose `sub` is the name, with an id, an e-mail address and an end; `/auth/me`
    says the same."""
    for way in ("log_in", "log_in_by_form"):
        page = StrictClient(url)
        user = getattr(page, way)("ada", PASSWORD)
        assert (user.username, user.email, user.expired) == ("ada", "ada@lab.example", False)
        assert user.user_id not in ("", "ada")
        me = page.me()
        assert (me["username"], me["user_id"], me["email"]) == ("ada", user.user_id, "ada@lab.example")


def test_a_wrong_password_is_told(url: str) -> None:
    """The page shows why a log-in failed."""
    for way in ("log_in", "log_in_by_form"):
        with pytest.raises(Failed, match="wrong") as raised:
            getattr(StrictClient(url), way)("ada", "not it")
        assert raised.value.code == "LOGIN"


@pytest.mark.parametrize("token", [None, "[object Object]", "null", "undefined", "a.b.c"])
def test_without_a_log_in_the_page_shows_what_to_do(url: str, token: str | None) -> None:
    """`x-user-id: anonymous` and what older pages sent in place of a token are 401 with a text."""
    page = StrictClient(url, token=token)
    with pytest.raises(Failed) as raised:
        page.models()
    assert page.statuses == [401]
    assert raised.value.code == "API_ERROR"
    assert "[object" not in raised.value.message
    assert "log in" in raised.value.message.lower()


@pytest.mark.parametrize("origin", ["http://localhost:5173", "http://localhost:5174"])
def test_both_addresses_of_the_page_may_ask(url: str, ada: StrictClient, origin: str) -> None:
    """The page is served from one of two addresses; both get the preflight they need."""
    assert StrictClient(url, origin=origin, token=ada.token).models()


def test_another_page_sees_nothing(url: str, ada: StrictClient) -> None:
    """A page of another origin does not get as far as asking."""
    page = StrictClient(url, origin="http://localhost:3000", token=ada.token)
    with pytest.raises(Failed, match="NETWORK_ERROR"):
        page.models()
    assert page.statuses == []


def test_models_are_a_bare_array(ada: StrictClient) -> None:
    """Each model has what the page needs; prices are by 1,000 tokens, and what is not known is absent."""
    found = {model["id"]: model for model in ada.models()}
    for model in found.values():
        assert isinstance(model["name"], str)
        assert isinstance(model["provider"], str)
        assert isinstance(model["supportsStreaming"], bool)
        assert None not in model.values()
    echo = found["scripted/echo"]
    assert echo["maxTokens"] == echo["contextWindow"] == 200_000
    assert echo["costPer1kTokens"] == pytest.approx(0.003)
    assert echo["pricing"] == pytest.approx({"inputCostPer1kTokens": 0.003, "outputCostPer1kTokens": 0.015})
    assert "gpt-4o" in {name.partition("/")[2] for name in found}


@pytest.mark.parametrize(
    "name",
    ["scripted/echo", "scripted%2Fecho", "scripted/deep/name", "scripted%2Fdeep%2Fname", "older-name"],
)
def test_a_model_is_found_by_any_form_of_its_id(ada: StrictClient, name: str) -> None:
    """An id goes into the path as it is or escaped, as does an alias; the answer has what was asked."""
    assert ada.model(name)["id"] == name.replace("%2F", "/")


@pytest.mark.parametrize("name", ["gpt-9", "no/such/model", "scripted/ech%00o", "x" * 10_000, "%2e%2e"])
def test_an_unknown_model_is_told(ada: StrictClient, name: str) -> None:
    """The page shows one sentence for an id that is not there, whatever is in it."""
    with pytest.raises(Failed) as raised:
        ada.model(name)
    assert raised.value.code == "API_ERROR"
    if name in ("gpt-9", "no/such/model"):
        assert raised.value.message.startswith("Model not found")


@pytest.mark.parametrize(
    "model", ["claude-3.5-sonnet", "claude-3.5-haiku", "gpt-4-turbo", "gpt-4o", "gpt-3.5-turbo"]
)
def test_the_older_names_are_known(ada: StrictClient, model: str) -> None:
    """The ids that the older workbench had are found, and echoed as they were asked."""
    assert ada.model(model)["id"] == model


def test_execute_answers_in_the_order_asked(ada: StrictClient) -> None:
    """A bare array: a `PromptRun` for each model, under the id that was asked, its numbers twice."""
    names = ["scripted/bare", "older-name"]
    first, second = ada.execute("Say {{ it }}", names, workspace_id="default", stream=False)
    assert [first["modelId"], second["modelId"]] == names
    for run in (first, second):
        assert run["status"] == "completed"
        assert run["output"] == "Say {{ it }}!"
        assert run["promptSnapshot"] == "Say {{ it }}"
        assert run["workspaceId"] == "default"
        assert run["createdAt"] == run["startedAt"] <= run["completedAt"]
        assert run["totalTokens"] == run["inputTokens"] + run["outputTokens"]
        metrics = run["metrics"]
        assert metrics["duration"] == run["durationMs"]
        for name in ("inputTokens", "outputTokens", "totalTokens", "cost"):
            assert metrics[name] == run[name]
    assert second["cost"] > 0


def test_the_least_body_is_enough(ada: StrictClient) -> None:
    """`prompt` and `model_ids` are all that is needed; `stream` in the body alone changes nothing."""
    (run,) = ada.execute("Hi", ["scripted/bare"])
    assert run["output"] == "Hi!"
    (run,) = ada.execute("Hi", ["scripted/bare"], stream=True, context_blocks=[])
    assert run["output"] == "Hi!"


def test_a_model_that_fails_stops_no_other(ada: StrictClient) -> None:
    """Some or all failed: the array is whole, and the failed say why."""
    failed, answered = ada.execute("Hi", ["scripted/refuses", "scripted/bare"])
    assert (failed["status"], answered["status"]) == ("failed", "completed")
    assert "takes no prompt" in failed["error"]
    assert "output" not in failed
    (alone,) = ada.execute("Hi", ["scripted/refuses"])
    assert alone["status"] == "failed"
    assert ada.statuses[-2:] == [200, 200]


def test_a_model_without_a_key_fails_by_name(ada: StrictClient) -> None:
    """The error names the variable that is missing."""
    run, _ = ada.execute("Hi", ["openai/gpt-4o", "scripted/bare"])
    assert run["status"] == "failed"
    assert "OPENAI_API_KEY" in run["error"]


def test_history_is_newest_first(ada: StrictClient) -> None:
    """What was asked is in the history: newest first, as many as wanted, and one of them by its id."""
    for text in ("one", "two", "three"):
        ada.execute(text, ["scripted/bare"])
    runs = ada.executions("?limit=3&workspace_id=default")
    assert [run["promptSnapshot"] for run in runs] == ["three", "two", "one"]
    one = ada.execution(runs[0]["id"])
    assert one["output"] == "three!"


def test_an_unknown_execution_is_told(ada: StrictClient) -> None:
    """404 has a text."""
    with pytest.raises(Failed, match="Execution not found"):
        ada.execution("run_1763794248443_gpt-3.5-turbo")
    assert ada.statuses[-1] == 404


def test_the_neighbours_answer(ada: StrictClient) -> None:
    """The three calls beside the five have the form the page reads."""
    providers = ada.providers()
    assert ada.api_status()["providers"] == providers
    assert providers["openai"] == {"configured": False, "available": False, "type": "api"}
    assert providers["ollama"]["type"] == "local"
    answer = ada.workbench_execute("Hi", "older-name", parameters={"temperature": 0.5, "max_tokens": 10})
    assert answer["model_id"] == "older-name"
    assert answer["output"] == "Hi!"
    usage = answer["usage"]
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]


def test_a_failure_of_the_older_call_is_an_error(ada: StrictClient) -> None:
    """It throws where its model gave no answer, and says why."""
    with pytest.raises(Failed, match="takes no prompt"):
        ada.workbench_execute("Hi", "scripted/refuses")


def test_wrong_bodies_are_told_in_a_sentence(ada: StrictClient) -> None:
    """The page shows what is wrong with what it sent, never `[object Object]`."""
    for prompt, models in (
        ("", ["scripted/bare"]),
        ("Hi", []),
        ("Hi", ["gpt-9"]),
        ("Hi", ["scripted/bare"] * 2),
    ):
        with pytest.raises(Failed) as raised:
            ada.execute(prompt, models)
        assert raised.value.code == "EXECUTION_ERROR"
        assert raised.value.message.endswith(".")
        assert ada.statuses[-1] == 422
    with pytest.raises(Failed, match="workspace"):
        ada.execute("Hi", ["scripted/bare"], workspace_id="elsewhere")
    with pytest.raises(Failed, match="ctx-1"):
        ada.execute("Hi", ["scripted/bare"], context_blocks=["ctx-1"])
