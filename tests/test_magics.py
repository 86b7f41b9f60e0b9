"""The notebook's magics, in an IPython shell without a browser."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell

import labkit as lk
from labkit.errors import DefinitionError
from labkit.magics import Prompting


@pytest.fixture
def shell(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """An IPython shell that keeps nothing in the home folder."""
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path_factory.mktemp("ipython")))
    made: Any = InteractiveShell.instance()
    made.history_manager.enabled = False
    yield made
    InteractiveShell.clear_instance()


@pytest.fixture
def magics(here: Path, shell: Any, echo: Callable[..., Any]) -> Prompting:
    """The magics in a notebook that has a lab with two scripted models."""
    found = Prompting(shell)
    shell.user_ns["lab"] = lk.Lab(here / "lab.duckdb", models=[echo("one"), echo("two")])
    return found


def test_prompt_asks_each_model(magics: Prompting) -> None:
    """The cell's text goes to every model named, and the run comes back."""
    run = magics.prompt("scripted/one scripted/two -n 2 --wait", "Say hi\n").generations()
    assert sorted(run["model"]) == ["scripted/one"] * 2 + ["scripted/two"] * 2
    assert set(run["text"]) == {"Say hi"}


def test_prompt_returns_at_once(here: Path, magics: Prompting, echo: Callable[..., Any]) -> None:
    """Without --wait the run is a handle that can be waited for."""
    magics.shell.user_ns["lab"] = lk.Lab(here / "lab.duckdb", models=[echo("one", delay_s=0.5)])
    run = magics.prompt("scripted/one", "Say hi and ho")
    assert run.status == "running"
    assert run.wait().status == "finished"


def test_prompt_takes_notebook_variables(magics: Prompting) -> None:
    """`{{ name }}` is the notebook's variable, and a text that looks like a template is not run as one."""
    magics.shell.user_ns["word"] = "{{ 7 * 7 }}"
    run = magics.prompt("scripted/one --wait", "Say {{ word }}")
    assert run.generations()["text"].tolist() == ["Say {{ 7 * 7 }}"]


def test_prompt_names_missing_variables(magics: Prompting) -> None:
    """All variables the notebook does not have are named at once, and nothing is asked."""
    with pytest.raises(DefinitionError, match="nobody and nothing"):
        magics.prompt("scripted/one", "{{ nobody }} {{ nothing }}")


def test_prompt_sends_options(magics: Prompting) -> None:
    """Options become params and the system part."""
    magics.prompt("scripted/one --max-tokens 7 --temperature 0 --system 'Be short' --wait", "Hello")
    asked = magics.shell.user_ns["lab"].models["scripted/one"].client.asked[-1]
    assert asked.params == {"max_tokens": 7, "temperature": 0.0}
    assert asked.messages[0] == {"role": "system", "content": "Be short"}


@pytest.mark.parametrize("line", ["", "--repeats x scripted/one", "scripted/one --nonsense", "'scripted/one"])
def test_prompt_refuses_wrong_lines(magics: Prompting, line: str) -> None:
    """A line that cannot be read says so in words, without a traceback through the parser."""
    with pytest.raises(UsageError, match="%%prompt"):
        magics.prompt(line, "Hello")


def test_prompt_refuses_unknown_models(magics: Prompting) -> None:
    """A model the lab does not know is refused before anything is asked."""
    with pytest.raises(lk.errors.UnknownModel):
        magics.prompt("scripted/nobody", "Hello")


def test_prompt_says_what_the_plan_says(magics: Prompting) -> None:
    """A limit beyond the context is refused with the room there is, as in a plan."""
    with pytest.raises(lk.errors.DefinitionError, match="more than its context of 2,048 tokens"):
        magics.prompt("local/smollm2-135m --max-tokens 1000000000", "Hello")


def test_models_lists_by_words(magics: Prompting) -> None:
    """All words must occur, whatever the case."""
    frame = magics.models("SCRIPTED two")
    assert frame["id"].tolist() == ["scripted/two"]
    assert len(magics.models("")) > len(frame)


def test_loading_registers_and_does_nothing_else(here: Path, shell: Any) -> None:
    """`%load_ext labkit` opens no lab and asks nobody: the folder stays empty."""
    lk.load_ipython_extension(shell)
    assert "prompt" in shell.magics_manager.magics["cell"]
    assert "models" in shell.magics_manager.magics["line"]
    assert list(here.iterdir()) == []


CHAIN = """---
name: reply
steps: [facts, reply]
---
## facts
List {{ word }}

## reply
Answer {{ facts }}
"""


def test_a_cell_in_the_form_of_a_file_is_a_chain(magics: Prompting) -> None:
    """A cell whose front matter lists steps is asked step by step, each step by the models given for it."""
    magics.shell.user_ns["word"] = "tea"
    run = magics.prompt("facts=scripted/one,scripted/two reply=scripted/one --wait", CHAIN)
    assert dict(run.generations()[["model", "text"]].itertuples(index=False)) == {
        "scripted/one": "Answer List tea",
        "facts: scripted/two, reply: scripted/one": "Answer List tea",
    }
    assert set(run.generations()["prompt"]) == {"reply"}


def test_a_cell_can_name_what_the_lab_has(magics: Prompting) -> None:
    """A name, with its version or without, asks the saved chain; any other word is a text."""
    magics.shell.user_ns["lab"].prompts.save(
        lk.Chain("reply", lk.Step("facts", "List tea"), lk.Step("reply", "Answer {{ facts }}"))
    )
    for cell, text in {"reply": "Answer List tea", "reply@1": "Answer List tea", "Hello": "Hello"}.items():
        assert magics.prompt("scripted/one --wait", cell).generations()["text"].tolist() == [text]


def test_a_chain_takes_no_system_part(magics: Prompting) -> None:
    """The system part is a step's, so one for the whole chain is refused in words."""
    magics.shell.user_ns["word"] = "tea"
    with pytest.raises(DefinitionError, match="each step of the chain 'reply' has its own"):
        magics.prompt("scripted/one --system 'Be short'", CHAIN)


def test_what_is_wrong_in_a_chain_is_told_of_the_cell(magics: Prompting) -> None:
    """A step without its text is named, and that it is the cell that lacks it."""
    with pytest.raises(DefinitionError, match=r"'reply' has no text: .*\(cell\)"):
        magics.prompt("scripted/one", CHAIN.replace("## reply", "## answer"))
