"""Whatever value a person gives, wherever: a right answer or labkit's own error, never a bare one."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
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


KINDS = tuple(VALUES[place] for place in (0, 4, 5, 7, 11, 14, 16, 18, 20, 22, 23))
"""One value of each kind, for doors that take a name, a number or a choice: what looks at those is shared,
and has tests of its own that go through more."""


BLOCKS = (lk.Block("style", "Be brief."), lk.Block("facts", "Skies are blue."))


@pytest.fixture(scope="module")
def at(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A lab with two runs in it: `lab`, `run` and `measured`, of blocks, `echo`, a model, and `plan`, which
    makes more plans."""
    folder = tmp_path_factory.mktemp("values")
    lab = lk.Lab(folder / "lab.duckdb")
    echo = lk.Model("scripted/echo", client=lk.Script(lambda request: "a", version="1"))
    given = {"prompts": [lk.Prompt("p", "{{ t }}")], "models": [echo], "dataset": [{"t": "x", "target": "a"}]}

    def plan(**other: Any) -> Any:
        return lab.plan(**{**given, **other})

    measured = plan(scorers=[lk.exact()], context=BLOCKS).ablate().run(progress="none")
    run = plan(scorers=[lk.exact()]).run(progress="none")
    choosing = {
        "models": lk.ModelSelector(lab),
        "prompts": lk.PromptSelector(lab),
        "history": lk.History(lab),
        "differences": run.differences(),
    }
    return SimpleNamespace(
        lab=lab,
        run=run,
        measured=measured,
        echo=echo,
        plan=plan,
        folder=folder,
        given=given,
        **choosing,
    )


def scored(at: Any, scorer: lk.Scorer) -> Any:
    """The answers of the run, with a score more."""
    return at.run.score(scorer)


def script(**given: Any) -> lk.Script:
    """A script with one thing said of it."""
    return lk.Script(**{"answers": ["a"], **given})


def more(at: Any, name: str, value: Any) -> Any:
    """A run that is to grow: by what cannot be, so that it is refused before it is asked."""
    beside = {} if name in ("rows", "models", "repeats", "until") else {"repeats": 10**9}
    return at.run.more(**{**beside, name: value}, progress="none")


def asked(at: Any, **given: Any) -> Any:
    """The answers of a plan with one thing in it that is `given`."""
    return at.plan(**given).run(progress="none", policy=lk.Policy(backoff_s=0)).generations()


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
    "compare names": lambda at, v: at.lab.compare("latest", "latest", names=v),
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
        for name in ("score", "by", "against", "better", "margin", "level", "clusters")
    },
    **{
        f"ablation {name}": lambda at, v, name=name: at.measured.ablation(**{name: v})
        for name in ("score", "better", "margin", "level", "clusters")
    },
    **{
        f"ablate {name}": lambda at, v, name=name: at.plan(context=BLOCKS).ablate(**{name: v})
        for name in ("blocks", "design", "needs")
    },
    "ablate a block": lambda at, v: at.plan(context=BLOCKS).ablate(["style", v]),
    "ablate a need": lambda at, v: at.plan(context=BLOCKS).ablate(needs={"style": v}),
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
    "scorer value": lambda at, v: scored(at, lk.Scorer("mine", lambda g, s: v)),
    "exact target": lambda at, v: scored(at, lk.exact(v)),
    "regex": lambda at, v: scored(at, lk.regex(v)),
    "answer": lambda at, v: asked(at, models=[lk.Model("scripted/odd", client=lk.Script([v]))]),
    "budget": lambda at, v: at.plan().run(budget_usd=v, progress="none"),
    "progress": lambda at, v: at.plan().run(progress=v),
    "policy": lambda at, v: at.plan().run(policy=v, progress="none"),
    "deadline": lambda at, v: at.plan().run(policy=lk.Policy(deadline_s=v), progress="none"),
    "head": lambda at, v: at.plan().head(v),
    "sample": lambda at, v: at.plan().sample(v),
    "select": lambda at, v: at.plan().select(v),
    "compare level": lambda at, v: at.lab.compare("latest", "latest", level=v),
    "differences rows": lambda at, v: at.run.differences(rows=v),
    "differences score": lambda at, v: at.run.differences(v),
    "differences by column": lambda at, v: at.differences.by(v),
    "summary baseline": lambda at, v: at.run.summary(baseline=v),
    "card question": lambda at, v: at.run.card(question=v),
    "card by": lambda at, v: at.run.card(by=v),
    "report question": lambda at, v: at.run.report("r.md", question=v),
    "stop": lambda at, v: at.run.stop(v),
    "stop model": lambda at, v: at.run.stop(model=v),
    "wait": lambda at, v: at.run.wait(v),
    "resume budget": lambda at, v: at.run.resume(budget_usd=v, progress="none"),
    **{
        f"limit {name}": lambda at, v, name=name: at.run.limit("scripted/echo", **{name: v})
        for name in ("concurrency", "requests_per_minute", "tokens_per_minute")
    },
    **{
        f"more {name}": lambda at, v, name=name: more(at, name, v)
        for name in ("rows", "models", "repeats", "until", "batch", "scorers")
    },
    "more by": lambda at, v: at.run.more(until="decided", by=v, progress="none"),
    "more level": lambda at, v: at.run.more(until="decided", level=v, progress="none"),
    "sql params": lambda at, v: at.lab.sql("select 1", v),
    "sql timeout": lambda at, v: at.lab.sql("select 1", timeout_s=v),
    "scorers": lambda at, v: at.plan(scorers=v),
    "a scorer": lambda at, v: at.plan(scorers=[v]),
    "run score scorer": lambda at, v: at.run.score(v),
    "again scorers": lambda at, v: at.lab.again("latest", scorers=v),
    "scorer name": lambda at, v: at.plan(scorers=[lk.Scorer(v, lambda g, s: 1)]),
    "scorer function": lambda at, v: at.plan(scorers=[lk.Scorer("m", v)]),
    "exact name": lambda at, v: at.plan(scorers=[lk.exact(name=v)]),
    "contains target": lambda at, v: at.plan(scorers=[lk.contains(v)]),
    "regex target": lambda at, v: at.plan(scorers=[lk.regex("a", target=v)]),
    **{
        f"numeric {name}": lambda at, v, name=name: lk.numeric(**{name: v})
        for name in ("tolerance", "relative", "low", "high", "pick", "unreadable")
    },
    **{
        f"script {name}": lambda at, v, name=name: script(**{name: v})
        for name in ("answers", "first_token_s", "delay_s", "chunk", "faults")
    },
    "script version": lambda at, v: at.plan(models=[lk.Model("scripted/v", client=script(version=v))]),
    "recorded": lambda at, v: lk.Script.recorded(v),
    "a recorded answer": lambda at, v: lk.Script.recorded([v]),
    "recorded speed": lambda at, v: lk.Script.recorded([{"text": "a"}], speed=v),
    **{
        f"policy {name}": lambda at, v, name=name: lk.Policy(**{name: v})
        for name in ("timeout_s", "attempts", "retry_after_cap_s", "backoff_s", "unreachable_s", "fail_fast")
    },
    "policy attempts of": lambda at, v: lk.Policy(attempts={"TimedOut": v}),
    "fresh": lambda at, v: at.plan().run(fresh=v, progress="none"),
    "allow unpriced": lambda at, v: at.plan().run(allow_unpriced=v, progress="none"),
    "pilot": lambda at, v: at.plan().pilot(v, budget_usd="none"),
    "plan seed": lambda at, v: at.plan(seed=v),
    "sample seed": lambda at, v: at.plan().sample(1, seed=v),
    "over": lambda at, v: at.plan().over(v),
    "prompt blocks": lambda at, v: lk.Prompt("q", "{{ t }}", blocks=v),
    "prompt version": lambda at, v: lk.Prompt("q", "{{ t }}", version=v),
    "prompt missing": lambda at, v: lk.Prompt("q", "{{ t }}").missing(v),
    "prompt render": lambda at, v: lk.Prompt("q", "{{ t }}").render(v),
    "prompt render value": lambda at, v: lk.Prompt("q", "{{ t }}").render({"t": v}),
    "save": lambda at, v: at.lab.prompts.save(v),
    **{
        f"model {name}": lambda at, v, name=name: at.plan(models=[elsewhere(**{name: v})])
        for name in ("dialect", "capabilities", "lacks")
    },
    "model capability": lambda at, v: at.plan(models=[elsewhere(capabilities=[v])]),
    "model file": lambda at, v: lk.Lab(at.lab.path).models.load(v),
    **{
        f"{which} selector {name}": lambda at, v, which=which, name=name: getattr(getattr(at, which), name)(v)
        for which, names in {
            "models": ("choose", "found", "params", "renew", "set_params"),
            "prompts": ("choose", "found", "edit", "measure", "prompt", "version", "versions", "use_draft"),
            "history": ("choose", "found"),
        }.items()
        for name in names
    },
    "selector toggle": lambda at, v: at.models.toggle(v, True),
    "selector tags": lambda at, v: at.models.found(tags=v),
    "picked prompt": lambda at, v: at.prompts.pick(v, 1),
    "picked version": lambda at, v: at.prompts.pick("q", v),
    "models selector": lambda at, v: lk.ModelSelector(v),
    "models selector value": lambda at, v: lk.ModelSelector(at.lab, value=v),
    "models selector params": lambda at, v: lk.ModelSelector(at.lab, params=v),
    "models selector params of": lambda at, v: lk.ModelSelector(at.lab, params={"scripted/echo": v}),
    "prompts selector": lambda at, v: lk.PromptSelector(v),
    "prompts selector value": lambda at, v: lk.PromptSelector(at.lab, value=v),
    "prompts selector blocks": lambda at, v: lk.PromptSelector(at.lab, blocks=v),
    "history": lambda at, v: lk.History(v),
    "history since": lambda at, v: lk.History(at.lab, since=v),
    "workbench": lambda at, v: lk.Workbench(v),
    **{
        f"workbench {name}": lambda at, v, name=name: lk.Workbench(at.lab, **{name: v}).plan()
        for name in ("dataset", "repeats", "score", "experiment", "measure")
    },
    "live grid": lambda at, v: lk.LiveGrid(v),
    "charts": lambda at, v: lk.charts.latency(v),
    "chart of blocks": lambda at, v: lk.charts.block_effects(v),
    **{
        f"chart {name} level": lambda at, v, name=name: getattr(lk.charts, name)(at.run, level=v)
        for name in ("drift", "scores", "slices", "speed", "frontier")
    },
    "chart labels": lambda at, v: lk.charts.latency(at.run, labels=v),
    "chart label": lambda at, v: lk.charts.latency(at.run, labels={"scripted/echo": v}),
    "chart prices": lambda at, v: lk.charts.cost_parts(at.run, prices=v),
    "chart price": lambda at, v: lk.charts.cost_parts(
        at.run, prices={"scripted/echo": {"input": v, "output": 1}}
    ),
    "chart slices": lambda at, v: lk.charts.slices(at.run, v),
    "chart baseline": lambda at, v: lk.charts.scores(at.run, baseline=v),
    "chart margin": lambda at, v: lk.charts.forest(at.run, margin=v),
}  # fmt: skip


DATA = frozenset({
    "answer", "a param", "backup", "block text", "card", "dataset", "dataset id", "dataset row",
    "dataset value", "exact target", "experiment", "export", "front matter defaults", "front matter name",
    "front matter system",
    "lab path", "model id", "params", "prompt default", "prompt description", "prompt file", "prompt system",
    "prompt text", "regex", "report", "run export", "scorer value", "seed of a request", "sql", "sql param",
    "weights path",
})  # fmt: skip
"""Doors through which content comes, or a path: each value is tried at these."""


WRITES = frozenset({
    "a param", "allow unpriced", "answer", "backup", "budget", "dataset id", "dataset value", "deadline",
    "experiment", "fresh", "lab path", "lab user", "lab workspace", "more batch", "more by", "more level",
    "more models", "more repeats", "more rows", "more scorers", "more until", "pilot", "policy", "progress",
    "prompt description", "resume budget", "save", "seed", "seed of a request",
})  # fmt: skip
"""Doors behind which something may be asked or written."""


@pytest.mark.parametrize("door", DOORS)
def test_no_value_gives_a_bare_error(
    door: str, at: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half characters, NUL, giant numbers, objects, bytes, endless text: labkit's error, which can be read
    and written down, or a right answer."""
    monkeypatch.chdir(tmp_path)
    bare = []
    # The lab is opened once for all values, but where runs or readers of their own wait for it.
    with nullcontext() if door in WRITES else at.lab.store.one_opening():
        for value in VALUES if door in DATA else KINDS:
            try:
                DOORS[door](at, value)
            except LabkitError as error:
                str(error).encode()  # it is to be written down wherever messages go
            except Exception as error:  # noqa: BLE001 - any other is what is looked for
                bare.append(f"{quoted(value, limit=30)}: {type(error).__name__}: {str(error)[:100]}")
    assert bare == []


def test_a_word_that_is_no_text_finds_no_model() -> None:
    """Bytes on the command line that are none of this system's encoding are a word like any other."""
    from click.testing import CliRunner

    from labkit.cli.main import labkit

    assert "no model matches" in CliRunner().invoke(labkit, ["models", "\udcff"]).output
