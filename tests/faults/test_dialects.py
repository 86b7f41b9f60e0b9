"""Whole experiments against the fault server, in every dialect: images, schemas, cache marks, faults."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import labkit as lk
from labkit.errors import DefinitionError

GIF = b"GIF89a\x02\x00\x03\x00;"
DIALECTS = ("openai", "openai-responses", "anthropic")
SCHEMA = {"type": "object", "properties": {"label": {"enum": ["a", "b"]}}, "required": ["label"]}
FORMAT = {"type": "json_schema", "json_schema": {"name": "label", "schema": SCHEMA}}


@pytest.fixture
def channels(channel_for: Callable[[str], Any]) -> list[Any]:
    """A channel for each dialect."""
    return [channel_for(dialect) for dialect in DIALECTS]


def test_images_in_every_dialect(channels: list[Any], lab: lk.Lab) -> None:
    """A column of image files is sent as images in every dialect, is known afterwards, and asked anew when
    the file changes; the stored request holds its hash and not the image."""
    Path("a.gif").write_bytes(GIF)
    models = [channel.model(f"m{number}") for number, channel in enumerate(channels)]

    def plan() -> Any:
        return lab.plan(
            prompts=[lk.Prompt("p", "{{ photo | image }} {{ q }}")],
            models=models,
            dataset=[{"id": "1", "photo": "a.gif", "q": "What?"}],
        )

    frame = plan().run().generations()
    assert set(frame["status"]) == {"done"}
    for channel in channels:
        (seen,) = channel.seen()
        assert base64.b64encode(GIF).decode() in json.dumps(seen["body"])
    assert plan().frame()["known"].all()
    stored = lab.sql("select messages::varchar as text from requests")["text"]
    assert stored.str.contains("i1:").all()
    assert not stored.str.contains(base64.b64encode(GIF).decode()).any()
    Path("a.gif").write_bytes(GIF + b"changed")
    assert not plan().frame()["known"].any()


def test_images_no_model_can_take_are_refused_beforehand(channels: list[Any], lab: lk.Lab) -> None:
    """A model known to see nothing, and one that takes smaller images only, are named with the samples."""
    Path("a.gif").write_bytes(GIF + b"\0" * 6_000_000)
    blind = channels[0].model("blind", lacks={"vision"})
    with pytest.raises(DefinitionError) as caught:
        lab.plan(
            prompts=["{{ photo | image }}"],
            models=[blind, channels[1].model("seeing"), channels[2].model("small")],
            dataset=[{"id": "1", "photo": "a.gif"}],
        )
    assert [fault.partition(",")[0] for fault in caught.value.faults] == [
        "faulty/blind reads no images",
        "faulty/small takes images of at most 5 MiB",
    ]
    assert all("'1'" in fault for fault in caught.value.faults)


def test_a_broken_image_is_named_with_its_sample(channels: list[Any], lab: lk.Lab) -> None:
    """A row without its image is named before anything is asked."""
    rows = [{"id": "1", "photo": "https://example.com/a.png"}, {"id": "2", "photo": "gone.png"}]
    with pytest.raises(DefinitionError, match=r"no image 'gone\.png'.*sample '2'"):
        lab.plan(prompts=["{{ photo | image }}"], models=[channels[0].model()], dataset=rows)
    assert channels[0].seen() == []


def test_answers_are_held_to_their_schema(channels: list[Any], lab: lk.Lab) -> None:
    """Answers asked for by a schema are all kept with their stop reason; those that do not fit score 0 with
    the place where they do not, and a model asked without a schema is not scored."""
    texts = ['{"label": "a"}', '{"label": "c"}', '{"label": ']
    for channel, finish in zip(channels, ("length", "max_output_tokens", "max_tokens"), strict=True):
        channel.script(*({"text": text} for text in texts[:2]), {"text": texts[2], "finish": finish})
    models = [
        channel.model(f"m{n}", params={"response_format": FORMAT}) for n, channel in enumerate(channels)
    ]
    free = lk.Model("scripted/free", client=lk.Script(["no JSON"]))
    run = lab.plan(
        prompts=["{{ q }}"],
        models=[*(model.replace(concurrency=1) for model in models), free],
        dataset=[{"q": str(number)} for number in range(3)],
    ).run()
    frame = run.generations()
    assert set(frame["status"]) == {"done"}
    asked = frame[frame["provider"] == "faulty"]
    assert asked.groupby("model")["score.structure"].sum().tolist() == [1.0, 1.0, 1.0]
    assert frame.loc[frame["provider"] == "scripted", "score.structure"].isna().all()
    cut = asked[asked["text"] == texts[2]]
    assert set(cut["stop_reason"]) == {"max_tokens"}
    assert (cut["score.structure"] == 0).all()
    scores = lab.sql("select explanation from scores where scorer = 'structure' and value = 0")["explanation"]
    assert scores.str.startswith("$.label: 'c' is not one of").sum() == 3
    assert scores.str.startswith("no JSON").sum() == 3
    again = lab.plan(prompts=["{{ q }}"], models=[free], dataset=[{"q": "1"}])
    assert again.scorers == ()


def test_a_schema_that_is_none_is_refused(channels: list[Any], lab: lk.Lab) -> None:
    """A schema that is wrong, or refers to a document elsewhere, is refused before anything is asked."""
    for schema in ({"type": "no such type"}, {"$ref": "https://example.com/schema.json"}):
        asked = {"type": "json_schema", "json_schema": {"name": "n", "schema": schema}}
        with pytest.raises(DefinitionError, match="schema of faulty/m"):
            lab.plan(prompts=["Say hi."], models=[channels[0].model()], params={"response_format": asked})


def test_what_caching_costs_is_shown(channels: list[Any], lab: lk.Lab) -> None:
    """A marked block goes to Anthropic with its mark; what was written and read is counted and priced; and an
    answer known without the mark is replayed with it."""
    channel = channels[2]
    usage = {"input_tokens": 10, "output_tokens": 4}
    channel.script(
        {"usage": {**usage, "cache_creation_input_tokens": 2000}},
        {"usage": {**usage, "cache_read_input_tokens": 2000}},
    )
    prices = {"input": 1.0, "output": 5.0, "cache_write": 1.25, "cache_read": 0.1}
    model = channel.model(prices=prices, concurrency=1)
    rows = [{"q": "1"}, {"q": "2"}]

    def plan(cache: bool) -> Any:
        block = lk.Block("manual", "Long. " * 500, cache=cache)
        return lab.plan(
            prompts=[lk.Prompt("p", "{{ q }}", blocks=[block])], models=[model], dataset=rows, experiment="e"
        )

    frame = plan(True).run().generations()
    first = channel.seen()[0]["body"]["messages"][0]["content"]
    assert first[0]["cache_control"] == {"type": "ephemeral"}
    assert "cache_control" not in first[1]
    assert sorted(frame["cost_usd"] * 1e6) == pytest.approx([10 + 200 + 20, 10 + 2500 + 20])
    assert frame["cache_write_tokens"].sum() == frame["cache_read_tokens"].sum() == 2000
    assert plan(False).frame()["known"].all()
    saved = lab.prompts["p@1"]
    assert saved.blocks[0].cache


def test_the_same_model_under_both_apis(channels: list[Any], lab: lk.Lab) -> None:
    """An answer of chat completions is never replayed for responses; a run of responses is planned again as
    that."""
    base = channels[1].model().base_url
    rows = [{"q": "1"}]
    for api in ("chat", "responses"):
        model = lk.Model("faulty/m", base_url=base, api=api)
        lab.models.add(lk.Model("faulty/m", base_url=base))
        run = lab.plan(prompts=["{{ q }}"], models=[model], dataset=rows, experiment=api).run()
        assert run.generations()["replayed_from"].isna().all()
    assert [seen["path"] for seen in channels[1].seen()] == ["/v1/chat/completions", "/v1/responses"]
    assert lab.again("latest").design.models[0].dialect == "openai-responses"


@pytest.mark.parametrize("fault", ["cut_after", "truncate_after", "garble_after"])
@pytest.mark.parametrize("after", [0, 1, 3, 6])
def test_responses_that_break(fault: str, after: int, channels: list[Any], put: Callable[..., Any]) -> None:
    """A responses stream that breaks anywhere before its end is asked for once more, and kept as partial."""
    channels[1].script(then={fault: after, "events": 6})
    (row,) = put(channels[1].model()).sink.generations
    assert row.error_type in ("MalformedAnswer", "ConnectionLost")
    assert row.status == ("partial" if after > 2 else "failed")
    assert row.stop_reason is None
    assert row.attempts == len(channels[1].seen()) == 2


@pytest.mark.parametrize("finish", ["completed", "max_output_tokens", "content_filter"])
@pytest.mark.parametrize("stream", [True, False])
def test_responses_that_end(finish: str, stream: bool, channels: list[Any], put: Callable[..., Any]) -> None:
    """A responses answer, streamed or whole, is finished with its reason, its text and its counts."""
    channels[1].script(then={"finish": finish, "text": "hello there"})
    (row,) = put(channels[1].model(), params={"stream": stream}).sink.generations
    stops = {"completed": "stop", "max_output_tokens": "max_tokens"}
    assert (row.status, row.stop_reason, row.text) == ("done", stops.get(finish, finish), "hello there")
    assert (row.input_tokens, row.output_tokens, row.response_model) == (7, 12, "m-2026")


def test_unknown_params_are_sent_and_recorded(channels: list[Any], lab: lk.Lab) -> None:
    """A param labkit has never heard of reaches every provider and stands in the stored request."""
    models = [channel.model(f"m{number}") for number, channel in enumerate(channels)]
    params = {"brand_new": {"x": [1, None]}, "seed": 3, "temperature": 0.5, "stop": ["END"], "max_tokens": 9}
    lab.plan(prompts=["Say hi."], models=models, params=params).run()
    for channel in channels:
        (seen,) = channel.seen()
        body = seen["body"]
        assert (body["brand_new"], body["seed"], body["temperature"]) == ({"x": [1, None]}, 3, 0.5)
        assert (body.get("stop") or body["stop_sequences"]) == ["END"]
        assert 9 in (body.get("max_tokens"), body.get("max_output_tokens"))
    stored = lab.sql("select params::varchar as text from requests")["text"].map(json.loads)
    assert all(params.items() <= one.items() for one in stored)


def test_extra_body_reaches_the_top_of_every_body(channels: list[Any], lab: lk.Lab) -> None:
    """What the SDKs would put there is put there, the model's own and the plan's; it is one request with the
    same written among the params."""
    extra = {"chat_template_kwargs": {"enable_thinking": False}}
    models = [
        channel.model(f"m{n}", params={"extra_body": {"top_k": 4}}) for n, channel in enumerate(channels)
    ]

    def plan(params: dict[str, Any]) -> Any:
        return lab.plan(prompts=["Say hi."], models=models, params=params)

    plan({"extra_body": extra}).run()
    for channel in channels:
        (seen,) = channel.seen()
        assert {**seen["body"], **extra, "top_k": 4} == seen["body"]
        assert "extra_body" not in seen["body"]
    assert plan(extra).frame()["known"].all()


def test_models_that_do_not_stream(channels: list[Any], lab: lk.Lab) -> None:
    """Each is asked for one piece, answers, has its clocks, and is known where it streams."""
    models = [channel.model(f"m{n}", stream=False) for n, channel in enumerate(channels)]
    frame = lab.plan(prompts=["Say hi."], models=models).run().generations()
    assert set(frame["status"]) == {"done"}
    assert (frame["ttft_s"] <= frame["latency_s"]).all()
    assert [seen["body"]["stream"] for channel in channels for seen in channel.seen()] == [False] * 3
    again = lab.plan(prompts=["Say hi."], models=[model.replace(stream=True) for model in models])
    assert again.frame()["known"].all()


def test_scorers_see_the_answer(channels: list[Any], lab: lk.Lab) -> None:
    """Reasoning in a tag is no part of the text that is scored, unless the model says that it is."""
    for channel in channels:
        channel.script(then={"text": "<think>no or yes?</think>\n\nyes", "events": 9})
    models = [channel.model(f"m{n}") for n, channel in enumerate(channels)]
    models.append(channels[0].model("kept", think_tag=None))
    frame = (
        lab.plan(prompts=["Well?"], models=models, dataset=[{"target": "yes"}], scorers=[lk.exact()])
        .run()
        .generations()
        .set_index("model")
    )
    assert frame["score.exact"].to_dict() == {
        "faulty/kept": 0,
        "faulty/m0": 1,
        "faulty/m1": 1,
        "faulty/m2": 1,
    }
    assert json.loads(frame.loc["faulty/m0", "raw"])["reasoning"] == "no or yes?"
    assert frame.loc["faulty/kept", "text"] == "<think>no or yes?</think>\n\nyes"


@pytest.mark.parametrize("place", range(3))
def test_a_cut_answer_is_known_under_its_own_limit_only(place: int, channels: list[Any], lab: lk.Lab) -> None:
    """An answer that ended at `max_tokens` is replayed where the same limit is asked for, and asked anew
    under a greater one: a cut answer never stands for a whole one."""
    channel = channels[place]
    finish = {"openai": "length", "openai-responses": "max_output_tokens", "anthropic": "max_tokens"}
    channel.script({"finish": finish[channel.dialect], "text": "the quick"})
    model = channel.model()

    def plan(most: int) -> Any:
        return lab.plan(prompts=["Say hi."], models=[model], params={"max_tokens": most})

    first = plan(5).run().generations().iloc[0]
    assert (first["status"], first["stop_reason"]) == ("done", "max_tokens")
    assert plan(5).frame()["known"].all()
    assert not plan(50).frame()["known"].any()
    assert plan(5).run().generations().iloc[0]["text"] == "the quick"
    assert len(channel.seen()) == 1
    second = plan(50).run().generations().iloc[0]
    assert (second["stop_reason"], len(channel.seen())) == ("stop", 2)
