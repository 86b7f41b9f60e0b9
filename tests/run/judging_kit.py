"""Scripted writers and judges: whom the tests of judging ask, and what they were asked."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import labkit as lk
from labkit.providers.script import Reply
from labkit.records import Request, Usage

GRADES = {"no": 0, "yes": 1}
ROWS = [{"n": str(number), "gold": f"g{number}"} for number in range(6)]
USD_MTOK = {"input": 1000.0, "output": 1000.0}
_PART = re.compile(
    r"^<<< (?P<mark>\w+) (?P<heading>[^\n]*)\n(?P<text>.*?)\n>>> (?P=mark)$", re.DOTALL | re.MULTILINE
)


def parts(request: Request) -> dict[str, str]:
    """What a judge was shown, by heading."""
    return {found["heading"]: found["text"] for found in _PART.finditer(request.messages[-1]["content"])}


def answers(request: Request) -> list[str]:
    """The answers that it was shown, in their order."""
    return [text for heading, text in parts(request).items() if heading.endswith("answer")]


def verdict(word: str, reason: str = "because") -> str:
    """What a judge is to say."""
    return json.dumps({"reason": reason, "verdict": word})


class Judged:
    """A judge that answers by a function of its request, and keeps what it was asked."""

    def __init__(self, says: Callable[[Request], Any] | str, name: str = "judge", **model: Any) -> None:
        self.asked: list[Request] = []
        self.says = says
        version = model.pop("version", "1")
        script = {name: model.pop(name) for name in ("first_token_s", "delay_s") if name in model}
        self.model = lk.Model(
            f"scripted/{name}", client=lk.Script(self._answer, version=version, **script), **model
        )

    def _answer(self, request: Request) -> Any:
        self.asked.append(request)
        said = self.says if isinstance(self.says, str) else self.says(request)
        return verdict(said) if isinstance(said, str) and not said.startswith("{") else said


def writer(
    name: str = "writer", says: Callable[[str], str] = lambda asked: f"re: {asked}", **model: Any
) -> lk.Model:
    """A contender that answers by a function of the question; each answer costs two cents, if it has a
    price."""

    def reply(request: Request) -> Reply:
        said = says(request.messages[-1]["content"])
        return Reply(said, usage=Usage(input_tokens=10, output_tokens=10))

    return lk.Model(f"scripted/{name}", client=lk.Script(reply, version="1"), **model)


def longer(request: Request) -> str:
    """What a lawful judge says: the longer one is better, and of two as long neither."""
    first, second = map(len, answers(request))
    return "tie" if first == second else "first" if first > second else "second"
