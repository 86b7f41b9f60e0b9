"""An arena for notebooks of the browser tests: their cells name no model and no prompt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hostile import HOSTILE

import labkit as lk

NAMES = ("kindly-7b", "gruffly-2", "oddly-xl")
PROMPT = "secret-prompt"
PRICES = {"input": 7.77131, "output": 31.17177}
REPLIES = {
    "kindly-7b": "Thank you for writing. Your parcel left our warehouse on Monday and should reach you by "
    "Thursday. If it has not come by then, answer this message and we will send another one.\n\n"
    "Kindly-7B, at your service",
    "gruffly-2": "It was sent. Wait.",
    "oddly-xl": "Parcels are like rivers: they arrive. As oddly-xl I cannot see yours, but most do."
    " Wait a week.",
}
ASKED = "Hello,\nI ordered a lamp two weeks ago (number {n}) and it has not come. Where is it?\nAda"


def arena(
    name: str, *, rows: int = 20, replies: Mapping[str, Sequence[str]] | None = None, **given: Any
) -> Any:
    """An arena in the lab `name`, whose run is made at first: three models, `rows` samples."""
    texts = replies or {one: [f"{REPLIES[one]} ({n})" for n in range(rows)] for one in NAMES}
    lab = lk.Lab(f"{name}.duckdb", models=[_model(one, said) for one, said in texts.items()])
    plan = lab.plan(
        prompts=[lk.Prompt(PROMPT, "Reply to {{ message }}")],
        models=[f"scripted/{one}" for one in texts],
        dataset=[{"id": f"row-{n:03}", "message": ASKED.format(n=n)} for n in range(rows)],
    )
    plan.run(progress="none")
    return lk.Arena(lab.run("latest"), user="ada", **given)


def hostile(name: str) -> Any:
    """An arena of hostile, empty, and endless answers, beside a plain one."""
    nasty = [*HOSTILE, "", " \n ", "\u05d0\u05d1\u05d2 123 \u05d3", "word " * 200_000]
    plain = [f"plain {n}" for n in range(len(nasty))]
    return arena(name, rows=len(nasty), replies={NAMES[0]: nasty, NAMES[1]: plain})


def _model(name: str, said: Sequence[str]) -> lk.Model:
    def answer(request: Any) -> str:
        return said[int(request.messages[-1]["content"].split("number ")[1].split(")")[0])]

    return lk.Model(f"scripted/{name}", client=lk.Script(answer, version="1"), prices=PRICES)
