"""Whatever value a person gives, wherever: a right answer or labkit's own error, never a bare one."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import labkit as lk
from labkit.errors import LabkitError
from labkit.visible import quoted


class Unspeakable:
    """An object that cannot even be printed."""

    def __repr__(self) -> str:
        raise RuntimeError("no")


VALUES = (
    "\ud800",
    "\udcff",
    "a\0b",
    "\x1b[2J",
    "",
    "x" * 10**6,
    "9" * 5000,
    10**5000,
    -(10**5000),
    10**30,
    -1,
    float("nan"),
    float("inf"),
    True,
    b"bytes",
    object(),
    Unspeakable(),
    (),
    ["\ud800"],
    [10**5000],
    [[]],
    {},
    {"a": 10**5000},
    {"\ud800": "a"},
    date.max,
)


@pytest.fixture(scope="module")
def at(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A lab with a run in it: `lab`, `run`, `echo`, a model, and `plan`, which makes more plans."""
    folder = tmp_path_factory.mktemp("values")
    lab = lk.Lab(folder / "lab.duckdb")
    echo = lk.Model("scripted/echo", client=lk.Script(lambda request: "a", version="1"))
    given = {"prompts": [lk.Prompt("p", "{{ t }}")], "models": [echo], "dataset": [{"t": "x", "target": "a"}]}

    def plan(**other: Any) -> Any:
        return lab.plan(**{**given, **other})

    run = plan(scorers=[lk.exact()]).run(progress="none")
    return SimpleNamespace(lab=lab, run=run, echo=echo, plan=plan, folder=folder, given=given)


def asked(at: Any, **given: Any) -> Any:
    """The answers of a plan with one thing in it that is `given`."""
    return at.plan(**given).run(progress="none").generations()


def elsewhere(**more: Any) -> lk.Model:
    """A model at an address, with one more thing said of it."""
    return lk.Model("a/b", **{"base_url": "https://example.com/v1", "key_env": "", **more})


def from_file(at: Any, field: str, value: Any) -> Any:
    """A prompt file with that value in its front matter."""
    path = at.folder / "written.md"
    written = f"{value:#x}" if type(value) is int else str(value) if isinstance(value, str) else quoted(value)
    path.write_bytes(f"---\n{field}: {written}\n---\nhi".encode(errors="surrogatepass"))
    return lk.Prompt.load(path)


Door = Callable[[Any, Any], Any]
DOORS: dict[str, Door] = {
    **{
        f"generations {name}": lambda at, v, name=name: at.lab.generations(**{name: v})
        for name in (
            "run", "experiment", "model", "prompt", "workspace", "status", "since", "until", "limit",
            "columns",
        )
    },
    **{
        f"runs {name}": lambda at, v, name=name: at.lab.runs(**{name: v})
        for name in ("workspace", "limit", "status", "since", "until", "experiment")
    },
    **{
        f"reprice {name}": lambda at, v, name=name: at.lab.reprice(**{name: v})
        for name in ("at", "by", "run", "model", "since", "prices")
    },
    "reprice a price": lambda at, v: at.lab.reprice(prices={"scripted/echo": {"input": v, "output": 1}}),
    "attempts run": lambda at, v: at.lab.attempts(run=v),
    "a run by its id": lambda at, v: at.lab.run(v),
    "again": lambda at, v: at.lab.again(v),
    "compare": lambda at, v: at.lab.compare(v, "latest"),
    "compare score": lambda at, v: at.lab.compare("latest", "latest", score=v),
    "a prompt by its name": lambda at, v: at.lab.prompts[v],
    "a model by its id": lambda at, v: at.lab.models[v],
    "sql": lambda at, v: at.lab.sql(v),
    "sql param": lambda at, v: at.lab.sql("select ?", [v]),
    "lab path": lambda at, v: lk.Lab(v).generations(),
    "lab workspace": lambda at, v: lk.Lab(at.lab.path, workspace=v).plan(**at.given).run(progress="none"),
    "lab user": lambda at, v: lk.Lab(at.lab.path, user=v).plan(**at.given).run(progress="none", fresh=True),
    "lab models": lambda at, v: lk.Lab(at.lab.path, models=v).models.frame(),
    "backup": lambda at, v: at.lab.backup(v),
    "export": lambda at, v: at.lab.export(v),
    "run export": lambda at, v: at.run.export(v),
    "run export table": lambda at, v: at.run.export("x.csv", table=v),
    "report": lambda at, v: at.run.report(v),
    "chart": lambda at, v: at.run.chart(v),
    "run columns": lambda at, v: at.run.generations(columns=v),
    "run score": lambda at, v: at.run.score(v),
    "run limit": lambda at, v: at.run.limit(v, concurrency=1),
    **{
        f"verdict {name}": lambda at, v, name=name: at.run.verdict(**{name: v})
        for name in ("score", "by", "against", "better")
    },
    "differences by": lambda at, v: at.run.differences(by=v),
    "summary by": lambda at, v: at.run.summary(by=v),
    "summary score": lambda at, v: at.run.summary(score=v),
    "prompt name": lambda at, v: at.plan(prompts=[lk.Prompt(v, "{{ t }}")]),
    "prompt text": lambda at, v: at.plan(prompts=[lk.Prompt("q", v)]),
    "prompt system": lambda at, v: at.plan(prompts=[lk.Prompt("q", "{{ t }}", system=v)]),
    "prompt description": lambda at, v: at.lab.prompts.save(lk.Prompt("q", "{{ t }}", description=v)),
    "prompt file": lambda at, v: lk.Prompt.load(v),
    "front matter name": lambda at, v: from_file(at, "name", v),
    "front matter system": lambda at, v: from_file(at, "system", v),
    "front matter defaults": lambda at, v: from_file(at, "defaults", v),
    "prompts": lambda at, v: at.plan(prompts=v),
    "a prompt": lambda at, v: at.plan(prompts=[v]),
    "block name": lambda at, v: at.plan(context=[lk.Block(v, "x")]),
    "block text": lambda at, v: at.plan(context=[lk.Block("b", v)]),
    "block cache": lambda at, v: at.plan(context=[lk.Block("b", "x", cache=v)]),
    "context": lambda at, v: at.plan(context=v),
    "models": lambda at, v: at.plan(models=v),
    "a model": lambda at, v: at.plan(models=[v]),
    "model id": lambda at, v: at.plan(models=[lk.Model(v)]),
    "model api": lambda at, v: at.plan(models=[elsewhere(api=v)]),
    "model api key": lambda at, v: repr(elsewhere(key_env=v)),
    **{
        f"model {name}": lambda at, v, name=name: at.plan(models=[elsewhere(**{name: v})])
        for name in (
            "base_url", "key_env", "allow_host", "params", "prices", "label", "aliases",
            "context_window", "max_output", "retired", "concurrency", "stream",
            "stream_options", "think_tag", "weights", "client",
        )
    },
    "model price": lambda at, v: at.plan(models=[elsewhere(prices={"input": v, "output": 1})]),
    "weights path": lambda at, v: at.plan(models=[lk.Model("local/x", weights=lk.Weights(path=v))]),
    "weights slots": lambda at, v: at.plan(models=[lk.Model("local/x", weights=lk.Weights(slots=v))]),
    "dataset": lambda at, v: at.plan(dataset=v),
    "dataset value": lambda at, v: asked(at, dataset=[{"t": v}]),
    "dataset id": lambda at, v: asked(at, dataset=[{"t": "x", "id": v}]),
    "dataset row": lambda at, v: at.plan(dataset=[v]),
    "id": lambda at, v: at.plan(id=v),
    "card": lambda at, v: at.run.card(v),
    "prompt default": lambda at, v: at.plan(
        prompts=[lk.Prompt("q", "{{ t }}{{ u }}", defaults={"u": v})]
    ),
    "params": lambda at, v: at.plan(params=v),
    "seed of a request": lambda at, v: asked(at, params={"seed": v}),
    "max_tokens": lambda at, v: at.plan(params={"max_tokens": v}),
    "a param": lambda at, v: asked(at, params={"house": v}),
    "repeats": lambda at, v: at.plan(repeats=v),
    "duplicates": lambda at, v: at.plan(duplicates=v),
    "experiment": lambda at, v: asked(at, experiment=v),
    "seed": lambda at, v: asked(at, seed=v),
    "scorer value": lambda at, v: asked(at, scorers=[lk.Scorer("mine", lambda g, s: v)]),
    "exact target": lambda at, v: asked(at, scorers=[lk.exact(v)]),
    "regex": lambda at, v: asked(at, scorers=[lk.regex(v)]),
    "answer": lambda at, v: asked(at, models=[lk.Model("scripted/odd", client=lk.Script([v]))]),
    "budget": lambda at, v: at.plan().run(budget_usd=v, progress="none"),
    "progress": lambda at, v: at.plan().run(progress=v),
    "policy": lambda at, v: at.plan().run(policy=v, progress="none"),
    "deadline": lambda at, v: at.plan().run(policy=lk.Policy(deadline_s=v), progress="none"),
    "head": lambda at, v: at.plan().head(v),
    "sample": lambda at, v: at.plan().sample(v),
    "select": lambda at, v: at.plan().select(v),
}  # fmt: skip


@pytest.mark.parametrize("door", DOORS)
def test_no_value_gives_a_bare_error(
    door: str, at: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half characters, NUL, giant numbers, objects, bytes, endless text: labkit's error, which can be read
    and written down, or a right answer."""
    monkeypatch.chdir(tmp_path)
    bare = []
    for value in VALUES:
        try:
            DOORS[door](at, value)
        except LabkitError as error:
            str(error).encode()  # it is to be written down wherever messages go
        except Exception as error:  # noqa: BLE001 - any other is what is looked for
            bare.append(f"{quoted(value, limit=30)}: {type(error).__name__}: {str(error)[:100]}")
    assert bare == []
