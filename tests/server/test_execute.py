"""`POST /execute`: answers in the order asked, literal prompts, partial failure, streams, replay, keys."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

import labkit as lk
from labkit.errors import InvalidRequest, ProviderError, RunBusy, StoreError
from labkit.providers.script import Reply
from tests.server.running import Running, running


def test_each_model_answers_in_the_order_asked(served: Running) -> None:
    """The answer is a bare array of completed `PromptRun`s, one per model, in the order asked."""
    runs = served.execute("hello", "scripted/parrot", "scripted/echo")
    assert [run["modelId"] for run in runs] == ["scripted/parrot", "scripted/echo"]
    assert {run["status"] for run in runs} == {"completed"}
    assert {run["output"] for run in runs} == {"hello"}
    assert served.ask("GET", "/executions").json() == runs
    assert served.ask("GET", f"/executions/{runs[1]['id']}").json() == runs[1]


def test_the_numbers_stand_flat_and_in_metrics(served: Running) -> None:
    """A `PromptRun` has its numbers twice, its times in UTC with `Z`, and no null anywhere."""
    (run,) = served.execute("one two three", "scripted/echo")
    assert run["metrics"] == {
        "totalTokens": run["totalTokens"],
        "duration": run["durationMs"],
        "inputTokens": run["inputTokens"],
        "outputTokens": run["outputTokens"],
        "latency": pytest.approx(run["durationMs"], abs=1000),
        "cost": run["cost"],
    }
    assert run["createdAt"] == run["startedAt"] < run["completedAt"]
    assert run["completedAt"].endswith("Z")
    assert run["promptSnapshot"] == "one two three"
    assert (run["workspaceId"], run["contextBlockIds"]) == ("default", [])
    assert "null" not in json.dumps(run)


@pytest.mark.parametrize(
    "text",
    [
        "{{ prompt }} {% raw %} {{ 7 * 7 }} {# no #}",
        "a\nb\r\nc\t \u2028\u0085 é 🦊",
        "</block> {{",
        "x" * 5_000,
    ],
)
def test_a_prompt_is_literal_text(served: Running, text: str) -> None:
    """Whatever a prompt looks like, the model is sent that text and nothing else."""
    (run,) = served.execute(text, "scripted/echo")
    assert run["output"] == text
    assert served.ask("GET", f"/executions/{run['id']}").json()["promptSnapshot"] == text


def test_aliases_are_echoed_as_asked(tmp_path: Path, echo: Callable[..., Any]) -> None:
    """A model that is asked for by an alias is named by it in the answer, the history and `/models/{id}`."""
    with running(tmp_path, [echo("echo").replace(aliases=("claude-9.5-sonnet",))]) as served:
        (run,) = served.execute("hi", "claude-9.5-sonnet")
        assert run["modelId"] == "claude-9.5-sonnet"
        assert served.ask("GET", "/executions").json()[0]["modelId"] == "claude-9.5-sonnet"
        assert served.ask("GET", "/models/claude-9.5-sonnet").json()["id"] == "claude-9.5-sonnet"


@pytest.fixture
def troubled(tmp_path: Path, echo: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> Iterator[Running]:
    """A service with a model that answers, one that refuses, and one whose key is missing."""

    def refuse(_: object) -> ProviderError:
        return InvalidRequest("this model takes no such request")

    models = [
        echo("echo"),
        lk.Model("scripted/no", client=lk.Script(refuse, version="1")),
        lk.Model("elsewhere/keyless", base_url="http://127.0.0.1:9/v1", key_env="ELSEWHERE_SECRET_WORD"),
    ]
    with running(tmp_path, models) as served:
        yield served


def test_some_fail_and_the_others_answer(troubled: Running) -> None:
    """Where one model refuses and one has no key, the answer is 200 with all three, in the order asked."""
    refused, keyless, done = troubled.execute("hi", "scripted/no", "elsewhere/keyless", "scripted/echo")
    assert (refused["status"], keyless["status"], done["status"]) == ("failed", "failed", "completed")
    assert "takes no such request" in refused["error"]
    assert "ELSEWHERE_SECRET_WORD" in keyless["error"]
    assert {"cost", "output"} & keyless.keys() == set()
    assert len(troubled.ask("GET", "/executions").json()) == 3


def test_all_fail_and_it_is_still_an_answer(troubled: Running) -> None:
    """Where all fail, the answer is 200 with each of them `failed`."""
    runs = troubled.execute("hi", "scripted/no", "elsewhere/keyless")
    assert {run["status"] for run in runs} == {"failed"}


def test_what_cannot_be_asked_says_why_before(
    troubled: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A model whose key or weights are not here is not `ready`, and `lacks` is the sentence that asking it
    gives: a failed run for the key, 422 for the weights."""
    monkeypatch.setenv("LABKIT_WEIGHTS", str(tmp_path / "none"))
    names = ("scripted/echo", "elsewhere/keyless", "local/gemma-3-270m")
    found = [troubled.ask("GET", f"/models/{name}").json()["metadata"] for name in names]
    assert [one["ready"] for one in found] == [True, False, False]
    echo, keyless, unpulled = (one.get("lacks") for one in found)
    assert echo is None
    assert "ELSEWHERE_SECRET_WORD" in keyless
    assert "labkit pull gemma-3-270m" in unpulled
    assert troubled.execute("hi", names[1])[0]["error"] == keyless
    refused = troubled.ask("POST", "/execute", json={"prompt": "hi", "model_ids": names[2:]})
    assert (refused.status_code, refused.json()["detail"]) == (422, unpulled)


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"model_ids": ["scripted/echo"]}, "prompt"),
        ({"prompt": " \n", "model_ids": ["scripted/echo"]}, "prompt is blank"),
        ({"prompt": 7, "model_ids": ["scripted/echo"]}, "prompt"),
        ({"prompt": "hi", "model_ids": []}, "model_ids is empty"),
        ({"prompt": "hi", "model_ids": ["scripted/echo"] * 1000}, "at most 32"),
        ({"prompt": "hi", "model_ids": ["scripted/echo", "echo"]}, "twice"),
        ({"prompt": "hi", "model_ids": ["scripted/echo", "nope/x", "nope/y"]}, "'nope/y'"),
        ({"prompt": "hi", "model_ids": ["local:/etc/passwd"]}, "no model"),
        ({"prompt": "hi", "model_ids": ["scripted/echo"], "context_blocks": ["nope"]}, "'nope'"),
    ],
)
def test_what_is_wrong_is_told_and_nothing_is_asked(served: Running, body: dict[str, Any], told: str) -> None:
    """A wrong request gets 422 with one text that names what is wrong; nothing is asked or written."""
    answer = served.ask("POST", "/execute", json=body)
    assert answer.status_code == 422
    assert told in answer.json()["detail"]
    assert served.ask("GET", "/executions").json() == []
    assert served.service.lab.models["scripted/echo"].client.asked == []


@pytest.mark.parametrize("workspace", ["other", "no such"])
def test_a_workspace_of_others_is_not_there(served: Running, workspace: str) -> None:
    """A workspace that one is no member of, and one that does not exist, get the same 404."""
    body = {"prompt": "hi", "model_ids": ["scripted/echo"], "workspace_id": workspace}
    answer = served.ask("POST", "/execute", json=body)
    assert answer.status_code == 404
    assert answer.json()["detail"] == f"There is no workspace {workspace!r} that you are a member of."


def test_viewers_read_and_do_not_ask(served: Running) -> None:
    """A viewer's request to execute is 403, and the history is theirs to read."""
    served.execute("hi", "scripted/echo")
    asked = {"prompt": "hi", "model_ids": ["scripted/echo"]}
    assert served.ask("POST", "/execute", as_="vic", json=asked).status_code == 403
    assert len(served.ask("GET", "/executions", as_="vic").json()) == 1


def test_the_only_workspace_is_meant(served: Running) -> None:
    """Who is in one workspace alone need not name it."""
    (run,) = served.execute("hi", "scripted/echo", as_="otto")
    assert run["workspaceId"] == "other"


def test_blocks_are_put_in_front_by_name_or_hash(served: Running) -> None:
    """Saved blocks go in front of the prompt, and the answer names them as they were asked for."""
    block = lk.Block("style", "Write plainly.")
    served.service.lab.prompts.save(lk.Prompt("any", "Say {{ x }}", blocks=[block]))
    (run,) = served.execute("hi", "scripted/echo", context_blocks=["style"])
    assert run["contextBlockIds"] == ["style"]
    assert run["output"] == '<block name="style">\nWrite plainly.\n</block>\n\nhi'
    assert run["promptSnapshot"] == "hi"
    (again,) = served.execute("hi", "scripted/echo", context_blocks=[block.hash])
    assert again["output"] == run["output"]


def test_blocks_of_other_workspaces_are_not_there(served: Running) -> None:
    """A block that only another workspace's runs used is as unknown as one that does not exist."""
    prompt = lk.Prompt("theirs", "Say {{ x }}", blocks=[lk.Block("secret", "the plan")])
    plan = served.service.lab.within("other").plan(
        prompts=prompt, models=["scripted/echo"], dataset=[{"x": "1"}]
    )
    plan.run()
    body = {"prompt": "hi", "model_ids": ["scripted/echo"], "context_blocks": ["secret"]}
    answer = served.ask("POST", "/execute", json=body)
    assert (answer.status_code, "those there are: none" in answer.json()["detail"]) == (422, True)
    assert served.ask("POST", "/execute", as_="otto", json=body).status_code == 200


def test_the_same_is_asked_afresh(served: Running) -> None:
    """Two equal requests are two askings; `replay` takes the answer that is there, and says so."""
    asked = served.service.lab.models["scripted/echo"].client.asked
    for _ in range(2):
        served.execute("hi", "scripted/echo")
    assert len(asked) == 2
    (run,) = served.execute("hi", "scripted/echo", replay=True)
    assert (len(asked), run["output"], run["metadata"]["replayed"]) == (2, "hi", True)


def test_replay_stays_within_what_one_may_read(served: Running) -> None:
    """An answer of a workspace that the caller may not read is not replayed to them."""
    served.execute("hi", "scripted/echo", as_="otto")
    (run,) = served.execute("hi", "scripted/echo", replay=True)
    assert "replayed" not in run["metadata"]
    assert len(served.service.lab.models["scripted/echo"].client.asked) == 2


def test_a_token_that_may_not_read_replays_nothing(served: Running) -> None:
    """A replay reads: a token for asking alone is refused it, in words, and asks afresh."""
    served.execute("hi", "scripted/echo")
    made = served.ask("POST", "/tokens", json={"name": "asks", "scopes": ["execute"], "days": 1}).json()
    shown = {"Authorization": f"Bearer {made['token']}"}
    body = {"prompt": "hi", "model_ids": ["scripted/echo"]}
    refused = served.ask("POST", "/execute", as_=None, headers=shown, json={**body, "replay": True})
    assert (refused.status_code, "reads earlier answers" in refused.json()["detail"]) == (403, True)
    assert served.ask("POST", "/execute", as_=None, headers=shown, json=body).status_code == 200
    assert len(served.service.lab.models["scripted/echo"].client.asked) == 2


def test_stream_in_the_body_alone_does_not_stream(served: Running) -> None:
    """`stream: true` without `Accept: text/event-stream` is answered with an array."""
    assert served.execute("hi", "scripted/echo", stream=True)[0]["output"] == "hi"


def test_all_models_stream_in_one_connection(served: Running) -> None:
    """With `Accept: text/event-stream` all models stream, numbered, and the last event has all answers."""
    body = {"prompt": "one two three", "model_ids": ["scripted/echo", "scripted/parrot"]}
    answer = served.ask("POST", "/execute", json=body, headers={"Accept": "text/event-stream"})
    assert answer.headers["content-type"].startswith("text/event-stream")
    events = list(events_of(answer.text))
    assert [number for number, _, _ in events] == list(range(1, len(events) + 1))
    for model in body["model_ids"]:
        told = [
            data["data"]["token"] for _, kind, data in events if kind == "token" and data["modelId"] == model
        ]
        assert "".join(told) == "one two three"
    kinds = [kind for _, kind, _ in events]
    assert (kinds.count("start"), kinds.count("complete"), kinds[-1]) == (2, 2, "end")
    assert events[-1][2]["data"]["runs"] == served.ask("GET", "/executions").json()


def test_a_run_can_be_looked_at_later(served: Running) -> None:
    """`Prefer: respond-async` is answered by 202, what there is so far, and where its events are."""
    body = {"prompt": "hi", "model_ids": ["scripted/echo"]}
    answer = served.ask("POST", "/execute", json=body, headers={"Prefer": "respond-async"})
    assert answer.status_code == 202
    assert [run["modelId"] for run in answer.json()] == ["scripted/echo"]
    stream = httpx2.get(f"{served.url}{answer.headers['location']}", headers=served.bearer("ada"))
    events = list(events_of(stream.text))
    assert events[-1][1] == "end"
    assert events[-1][2]["data"]["runs"][0]["id"] == answer.json()[0]["id"]


@pytest.mark.alone
def test_two_models_answer_in_the_time_of_the_slower(tmp_path: Path, echo: Callable[..., Any]) -> None:
    """Models of 500 and 900 ms answer together in less than 1.1 s."""
    with running(tmp_path, [echo("a", first_token_s=0.5), echo("b", first_token_s=0.9)]) as served:
        served.execute("warm up", "scripted/a", "scripted/b")
        began = time.monotonic()
        served.execute("hi", "scripted/a", "scripted/b")
        assert time.monotonic() - began < 1.1


def test_a_stopped_run_keeps_its_text(tmp_path: Path, echo: Callable[..., Any]) -> None:
    """DELETE ends a run: its executions are cancelled, with the text so far. Twice is harmless."""
    words = " ".join(map(str, range(2000)))
    with running(tmp_path, [echo("slow", answers=lambda _: Reply(words, delay_s=60.0))]) as served:
        body = {"prompt": "hi", "model_ids": ["scripted/slow"]}
        answer = served.ask("POST", "/execute", json=body, headers={"Prefer": "respond-async"})
        run_id = answer.json()[0]["metadata"]["runId"]
        with httpx2.stream(
            "GET", f"{served.url}{answer.headers['location']}", headers=served.bearer("ada"), timeout=20
        ) as stream:
            lines = stream.iter_lines()
            next(line for line in lines if line == "event: token")
            assert [served.ask("DELETE", f"/runs/{run_id}").status_code for _ in range(2)] == [204, 204]
            list(lines)
        (run,) = served.ask("GET", "/executions").json()
        assert run["status"] == "cancelled"
        assert words.startswith(run["output"][:20])
        assert run["output"]


def test_a_lab_that_was_moved_away_takes_no_work(served: Running) -> None:
    """Nothing is asked while another file, or none, is where the lab was; put back, it goes on."""
    path = served.service.settings.lab
    served.execute("hi", "scripted/echo")
    served.service.lab.store.fold()
    served.execute("hi", "scripted/echo")
    away = path.rename(path.with_name("away.duckdb"))
    refused = served.ask("POST", "/execute", json={"prompt": "hi", "model_ids": ["scripted/echo"]})
    assert (refused.status_code, "moved or replaced" in refused.json()["detail"]) == (503, True)
    assert len(served.service.lab.models["scripted/echo"].client.asked) == 2
    away.rename(path)
    served.execute("hi", "scripted/echo")


def test_what_is_sent_is_running(tmp_path: Path, echo: Callable[..., Any]) -> None:
    """From the event `start` on the history and a 202 say `running`, until it has ended."""
    with running(tmp_path, [echo("slow", first_token_s=60.0)]) as served:
        asked = {
            "json": {"prompt": "hi", "model_ids": ["scripted/slow"]},
            "headers": {"Prefer": "respond-async", "Idempotency-Key": "k-1"},
        }
        answer = served.ask("POST", "/execute", **asked)
        (run,) = answer.json()
        with httpx2.stream(
            "GET", f"{served.url}{answer.headers['location']}", headers=served.bearer("ada"), timeout=20
        ) as stream:
            lines = stream.iter_lines()
            next(line for line in lines if line == "event: start")
            told = [
                *served.ask("GET", "/executions?status=running").json(),
                served.ask("GET", f"/executions/{run['id']}").json(),
                *served.ask("POST", "/execute", **asked).json(),
            ]
            assert [(one["id"], one["status"]) for one in told] == [(run["id"], "running")] * 3
            assert served.ask("DELETE", f"/runs/{run['metadata']['runId']}").status_code == 204
            list(lines)
        assert [one["status"] for one in served.ask("GET", "/executions").json()] == ["cancelled"]


def test_a_run_is_driven_until_its_end_is_kept(tmp_path: Path, echo: Callable[..., Any]) -> None:
    """While the end of a run waits for the database nobody else can take the run for one that was broken off;
    after it the run is free."""
    with running(tmp_path, [echo("slow", answers=lambda _: Reply("hi", delay_s=1.0))]) as served:
        body = {"prompt": "hi", "model_ids": ["scripted/slow"]}
        answer = served.ask("POST", "/execute", json=body, headers={"Prefer": "respond-async"})
        run_id = answer.json()[0]["metadata"]["runId"]
        service = served.service
        stream = service.board._streams[run_id]
        with service.state.writing():
            while not stream.over:
                time.sleep(0.01)  # until it was asked and answered
            with pytest.raises(RunBusy), service.lab.store.drive(run_id):
                pass
            assert run_id in service.asked
        while run_id in service.asked:
            time.sleep(0.01)  # until it is kept
        with service.lab.store.drive(run_id):
            pass
        assert served.ask("GET", "/executions").json()[0]["status"] == "completed"


def test_an_answer_that_cannot_be_kept_may_have_been_paid_for(
    tmp_path: Path, echo: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was sent and whose row the lab does not take fails, says why, and is `maybePaid`."""

    def refuse(*_: Any) -> None:
        raise StoreError("The lab takes nothing more.")

    with running(tmp_path, [echo("echo")]) as served:
        monkeypatch.setattr(served.service.lab.store.writer(), "generation", refuse)
        (run,) = served.execute("hi", "scripted/echo")
    assert (run["status"], run["error"]) == ("failed", "The lab takes nothing more.")
    assert run["metadata"]["maybePaid"] is True


def test_one_model_of_a_run_is_stopped_alone(tmp_path: Path, echo: Callable[..., Any]) -> None:
    """DELETE with `model_id`, an id or the alias asked for, ends that model with its text; the other answers
    to its end, and a model the run does not ask is 404."""
    words = " ".join(map(str, range(2000)))
    slow = lk.Script(lambda _: Reply(words, delay_s=60.0), version="1")
    models = [
        lk.Model("scripted/slow", client=slow, aliases=("slowly",)),
        echo("other", answers=lambda _: Reply("one two", delay_s=1.0)),
    ]
    with running(tmp_path, models) as served:
        body = {"prompt": "hi", "model_ids": ["slowly", "scripted/other"]}
        answer = served.ask("POST", "/execute", json=body, headers={"Prefer": "respond-async"})
        run = f"/runs/{answer.json()[0]['metadata']['runId']}"
        with httpx2.stream(
            "GET", f"{served.url}{answer.headers['location']}", headers=served.bearer("ada"), timeout=20
        ) as stream:
            lines = stream.iter_lines()
            next(line for line in lines if '"modelId":"slowly"' in line and '"token"' in line)
            unknown = served.ask("DELETE", run, params={"model_id": "scripted/none"})
            for name in ("slowly", "scripted/slow"):
                assert served.ask("DELETE", run, params={"model_id": name}).status_code == 204
            list(lines)
        assert unknown.status_code == 404
        assert "It asks slowly, scripted/other." in unknown.json()["detail"]
        stopped, other = sorted(served.ask("GET", "/executions").json(), key=lambda one: one["status"])
        assert (stopped["modelId"], stopped["status"]) == ("slowly", "cancelled")
        assert stopped["error"] == "scripted/slow was stopped: a user asked for it"
        assert words.startswith(stopped["output"][:20])
        assert stopped["output"]
        assert (other["status"], other["output"]) == ("completed", "one two")


def test_a_key_that_comes_again_is_answered_by_the_same_run(served: Running) -> None:
    """Under one `Idempotency-Key` the same body is asked once, and another body is 422."""
    key = {"Idempotency-Key": "k-1"}
    body = {"prompt": "hi", "model_ids": ["scripted/echo"]}
    first, second = (served.ask("POST", "/execute", json=body, headers=key) for _ in range(2))
    assert first.json() == second.json()
    assert (first.headers.get("idempotency-replayed"), second.headers["idempotency-replayed"]) == (
        None,
        "true",
    )
    other = served.ask("POST", "/execute", json={**body, "prompt": "ho"}, headers=key)
    assert other.status_code == 422
    assert len(served.service.lab.models["scripted/echo"].client.asked) == 1


def test_the_workbench_asks_one_model(served: Running) -> None:
    """`POST /workbench/execute` answers in its own form, and 502 with the reason where there is no answer."""
    body = {"prompt": "one two", "model_id": "scripted/echo", "parameters": {"max_tokens": 5}}
    answer = served.ask("POST", "/workbench/execute", json=body).json()
    assert (answer["output"], answer["model_id"]) == ("one two", "scripted/echo")
    assert (
        answer["usage"]["total_tokens"]
        == answer["usage"]["prompt_tokens"] + answer["usage"]["completion_tokens"]
    )
    assert answer["latency_ms"] > 0


def test_who_asked_is_in_the_lab(served: Running) -> None:
    """The lab's rows have the service's user and workspace, and the run is an ordinary run of the lab."""
    (run,) = served.execute("hi", "scripted/echo")
    lab = served.service.lab
    (row,) = lab.generations().to_dict("records")
    assert (row["user"], row["workspace"], row["text"]) == ("ada", "default", "hi")
    assert lab.run(run["metadata"]["runId"]).status == "finished"
    assert lab.run("latest").generations()["sample.prompt"].tolist() == ["hi"]


def events_of(text: str) -> Iterator[tuple[int, str, dict[str, Any]]]:
    """The numbered events of a stream: number, kind, data."""
    for block in text.split("\n\n"):
        fields = dict(
            line.partition(": ")[::2] for line in block.split("\n") if line and not line.startswith(":")
        )
        if "event" in fields:
            yield int(fields["id"].rpartition("-")[2]), fields["event"], json.loads(fields["data"])
