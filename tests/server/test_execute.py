"""`POST /execute`: answers in the order asked, literal prompts, partial failure."""

from __future__ import annotations

from tests.server.running import Running


def test_each_model_answers_in_the_order_asked(served: Running) -> None:
    """The answer is a bare array of completed `PromptRun`s, one per model, in the order asked."""
    runs = served.execute("Say {{ this }} {% raw %}", "scripted/parrot", "scripted/echo")
    assert [run["modelId"] for run in runs] == ["scripted/parrot", "scripted/echo"]
    assert {run["status"] for run in runs} == {"completed"}
    assert {run["output"] for run in runs} == {"Say {{ this }} {% raw %}"}
    (row, _) = served.ask("GET", "/executions").json()
    assert row == runs[0]
    one = served.ask("GET", f"/executions/{runs[1]['id']}").json()
    assert one == runs[1]
