"""What objects, errors and widgets show of the keys they work with: groups S2, S3 and S24."""

from __future__ import annotations

import asyncio
import copy
import io
import json
import pickle
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

import labkit as lk
from labkit import keys, providers
from labkit.engine.executor import Executor
from labkit.errors import ProviderError
from labkit.records import Request

NAMES = {"openai": "OPENAI_API_KEY", "openai-responses": "HOUSE_KEY", "anthropic": "ANTHROPIC_API_KEY"}
FAULTS: list[dict[str, Any]] = [
    {"status": 400},
    {"status": 401},
    {"status": 403},
    {"status": 404},
    {"status": 409},
    {"status": 422},
    {"status": 429},
    {"status": 500},
    {"status": 529},
    {"status": 307, "headers": {"location": "/elsewhere"}},
    {"reset": True},
    {"cut_after": 2},
    {"truncate_after": 2},
    {"garble_after": 2},
    {"raw": "<html>", "content_type": "text/html"},
    {"raw": ""},
    {"error_after": 1, "error": {"type": "error", "error": {"type": "api_error", "message": "oops"}}},
]


@dataclass
class Deaf:
    """A listener that keeps what it hears."""

    heard: list[str] = field(default_factory=list)

    def opened(self, headers: Any) -> None: ...

    def event(self) -> None: ...

    def thought(self, delta: str) -> None: ...

    def text(self, delta: str) -> None:
        self.heard.append(delta)


def shown(error: BaseException) -> str:
    """The traceback as Python, pytest -l, IPython and rich write it, with every variable, and all pickles."""
    from IPython.core.ultratb import VerboseTB
    from rich.console import Console
    from rich.traceback import Traceback

    texts = ["".join(traceback.format_exception(error)), repr(error), repr(vars(error))]
    texts += traceback.TracebackException.from_exception(error, capture_locals=True).format()
    seen = (type(error), error, error.__traceback__)
    texts.append(VerboseTB(theme_name="nocolor", include_vars=True).text(*seen))
    out = io.StringIO()
    whole: dict[str, Any] = {"locals_max_length": None, "locals_max_string": None}
    Console(file=out, width=200).print(Traceback.from_exception(*seen, show_locals=True, **whole))
    texts.append(out.getvalue())
    texts += [pickle.dumps(error, protocol).decode("latin-1") for protocol in range(6)]
    return "\n".join(texts)


def request_for(model: lk.Model) -> Request:
    """A request to `model`."""
    messages = ({"role": "user", "content": "Hi?"},)
    known = {"request_id": "r1:x", "endpoint": "x", "messages": messages, "params": {"max_tokens": 5}}
    return Request(provider=model.provider, dialect=model.dialect, model=model.id, name=model.name, **known)


async def fail(model: lk.Model, count: int) -> list[BaseException]:
    """Ask `count` times over one connection and give the errors, with the frames they came through."""
    provider = providers.load(model.dialect).connect(model, keys.for_model(model))
    errors: list[BaseException] = []
    for _ in range(count):
        try:
            await provider.ask(request_for(model), Deaf())
        except Exception as error:  # noqa: BLE001 - it is looked at
            errors.append(error)
    await provider.close()
    return errors


@pytest.mark.parametrize("dialect", NAMES)
def test_no_error_shows_a_key(
    dialect: str, marked: None, kit: Any, channel_for: Callable[[str], Any]
) -> None:
    """S2: no failure of any kind shows a piece of the key, in any form of traceback or in its pickle."""
    channel = channel_for(dialect)
    channel.script(*FAULTS)
    gone = channel.model("gone", key_env=NAMES[dialect]).replace(base_url="http://127.0.0.1:1/v1")
    errors = asyncio.run(fail(channel.model(key_env=NAMES[dialect]), len(FAULTS)))
    errors += asyncio.run(fail(gone, 1))
    assert len(errors) == len(FAULTS) + 1
    assert all(isinstance(error, ProviderError) for error in errors)
    for error in errors:
        text = shown(error)
        assert "wire.py" in text
        assert kit.leaks(text) == set(), error
        assert error.__cause__ is None
        assert error.__context__ is None


def test_no_object_shows_a_key(
    marked: None, kit: Any, lab: lk.Lab, channel_for: Callable[[str], Any]
) -> None:
    """S3: repr, str, HTML, variables, copies and pickles of everything a person or an error can hold show no
    piece of a key; what holds a connection refuses to be pickled."""
    things: list[Any] = [lab, lab.models, lab.prompts, lab.store]
    models = []
    for dialect, name in NAMES.items():
        model = channel_for(dialect).model(dialect, key_env=name)
        models.append(model)
        provider = providers.load(dialect).connect(model, keys.for_model(model))
        things += [model, provider, provider._wire, vars(provider), keys.for_model(model)]
        for held in (provider, provider._wire, [provider], keys.for_model(model)):
            with pytest.raises(TypeError, match="cannot be pickled"):
                pickle.dumps(held)
            with pytest.raises(TypeError, match="cannot be pickled"):
                copy.copy(held) if held is provider._wire else pickle.dumps({"a": held})
    plan = lab.plan(prompts=[lk.Prompt("p", "{{ q }}")], models=models, dataset=[{"q": "a"}])
    run = plan.run()
    found = plan.services.find_keys(models)
    executor = Executor({model.id: model for model in models}, found, sink=lab.store.writer())
    things += [
        plan,
        plan.design,
        plan.services,
        run,
        run._launch,
        vars(run._launch),
        found,
        executor,
        vars(executor),
    ]
    things += [vars(executor._scheduler), executor._scheduler.endpoints, lab.generations(), run.summary()]
    for thing in things:
        html = getattr(thing, "_repr_html_", str)
        assert kit.leaks(f"{thing!r} {thing} {html()}") == set(), type(thing)
    for thing in (*models, plan.design.dataset, plan.estimate(), run.generations()):
        assert kit.leaks(pickle.dumps(copy.deepcopy(thing))) == set() if not _frozen(thing) else True


def _frozen(thing: Any) -> bool:
    """Whether it holds mappings that Python cannot pickle, key or no key."""
    try:
        pickle.dumps(thing)
    except TypeError:
        return True
    return False


def test_widgets_save_no_secret(marked: None, kit: Any, lab: lk.Lab, channel_for: Any) -> None:
    """S24: what widgets keep in a saved notebook, and what they show without a kernel, holds no key."""
    import ipywidgets

    lab.models.add(*(channel_for(dialect).model(dialect, key_env=name) for dialect, name in NAMES.items()))
    chosen = [f"faulty/{dialect}" for dialect in NAMES]
    kept = []
    for widget in (
        lk.ModelSelector(lab, value=chosen),
        lk.Workbench(lab),
        lk.PromptSelector(lab),
        lk.History(lab),
    ):
        # A saved notebook holds the state of everything that was drawn.
        kept.append(widget.form)
        shown = widget._repr_html_() if hasattr(widget, "_repr_html_") else ""
        assert kit.leaks(f"{widget!r} {shown}") == set()
    states = json.dumps(ipywidgets.Widget.get_manager_state(), default=repr)
    assert "faulty/anthropic" in states
    assert kit.leaks(states) == set()


def test_the_extension_does_nothing_by_itself(here: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """S24: importing labkit and loading its extension makes no file, no thread and no connection."""
    import subprocess

    code = (
        "import threading, os, sys, socket\n"
        "def no(*a, **k): raise SystemExit('a connection')\n"
        "socket.socket.connect = no\n"
        "from IPython.testing.globalipapp import start_ipython\n"
        "shell = start_ipython()\n"
        "before = threading.active_count()\n"
        "shell.run_line_magic('load_ext', 'labkit')\n"
        "assert threading.active_count() == before\n"
        "assert os.listdir('.') == [], os.listdir('.')\n"
        "assert not {'openai', 'anthropic', 'duckdb'} & set(sys.modules)\n"
    )
    monkeypatch.setenv("IPYTHONDIR", str(here.parent / "ipython"))
    done = subprocess.run([sys.executable, "-c", code], cwd=here, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
