"""labkit.catalog.catalog: getting, adding and completing models (groups B3, B10)."""

from __future__ import annotations

import pytest

from labkit.catalog import Catalog, Model, Weights
from labkit.errors import DefinitionError, UnknownModel

URL = "http://127.0.0.1:8000/v1"


@pytest.fixture
def catalog():
    return Catalog()


@pytest.mark.parametrize(
    "name",
    [
        "openai/gpt-4o",
        "gpt-4o",
        "GPT-4o",
        "gpt-3.5-turbo",
        "claude-3.5-sonnet",
        "claude-3.5-haiku",
        "smollm2",
    ],
)
def test_models_are_got_by_id_alias_or_name(catalog, name):
    """An id, a friendly alias and a bare name, in any case, find the model."""
    assert catalog.get(name) == catalog[name]
    assert name in catalog


def test_the_designs_names_work(catalog):
    """The ids in labkit's own documentation are understood."""
    assert catalog["anthropic/claude-3-5-haiku"].name == "claude-3-5-haiku-20241022"
    assert catalog["local/smollm2-135m"].label == "SmolLM2 135M Instruct"
    assert catalog["smollm2-135m"].id == "local/smollm2-135m"


def test_models_that_are_only_priced_can_be_got(catalog):
    """Any OpenAI or Anthropic model with a price is there, with what is known of it, but is not listed."""
    model = catalog["openai/gpt-5.4-mini"]
    assert (model.id, model.context_window, model.max_output) == ("openai/gpt-5.4-mini", 400_000, None)
    assert catalog["gpt-5.4-mini"] == model
    assert model.id not in [one.id for one in catalog]
    assert catalog["anthropic/claude-opus-4-8"].dialect == "anthropic"


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("gpt4o", "gpt-4o"),
        ("openai/gpt-4oo", "openai/gpt-4o"),
        ("claude-3.5-sonet", "claude-3.5-sonnet"),
        ("openai/gpt-5.4-nanoo", "openai/gpt-5.4-nano"),
        ("smollm", "smollm2"),
    ],
)
def test_an_unknown_id_names_the_nearest(catalog, name, near):
    """B3: a typing error is answered with what was probably meant, and with the way out."""
    with pytest.raises(UnknownModel) as caught:
        catalog.get(name)
    assert near in str(caught.value)
    assert "base_url=" in str(caught.value)


@pytest.mark.parametrize(
    "name",
    ["", " ", "x" * 300, "'; drop table runs; --", "openai/" + "y" * 300, "a/b", "openai/", "\ud800", "<b>"],
)
def test_hostile_ids_are_unknown(catalog, name):
    """B3: empty, overlong and hostile ids are unknown, in a message of bounded length."""
    with pytest.raises(UnknownModel) as caught:
        catalog[name]
    assert len(str(caught.value)) < 500
    assert name not in catalog


@pytest.mark.parametrize("name", [None, 5, ["openai/gpt-4o"], Model("openai/gpt-4o")])
def test_what_is_no_text_is_no_name(catalog, name):
    """B3: a model is got by text."""
    with pytest.raises(UnknownModel, match="named by text"):
        catalog.get(name)
    assert name not in catalog


def test_own_models_are_added_and_replaced(catalog):
    """Added models are got like listed ones; adding one again takes its place, as re-running a cell does."""
    before = len(catalog)
    for label in ("first", "second"):
        catalog.add(Model("vllm/qwen3", base_url=URL, label=label, aliases=("qwen",)))
    assert len(catalog) == before + 1
    assert catalog["qwen"].label == catalog["qwen3"].label == catalog["vllm/qwen3"].label == "second"


def test_an_alias_wins_over_a_bare_name(catalog):
    """Adding a model of the same bare name elsewhere does not change what a friendly alias means."""
    catalog.add(Model("house/gpt-4o", base_url=URL))
    assert catalog["gpt-4o"].id == "openai/gpt-4o"
    assert catalog["house/gpt-4o"].base_url == URL


def test_an_ambiguous_name_is_refused():
    """A bare name of two models is answered with both ids."""
    catalog = Catalog([Model("a/x", base_url=URL), Model("b/x", base_url=URL)])
    with pytest.raises(UnknownModel, match="a/x and b/x"):
        catalog["x"]


def test_taken_aliases_are_refused(catalog):
    """An alias that means another model, there or among those being added, is a fault."""
    for models in (
        [Model("a/x", base_url=URL, aliases=("gpt-4o",))],
        [Model("a/x", base_url=URL, aliases=("GPT-4O",))],
        [Model("a/x", base_url=URL, aliases=("openai/gpt-4o",))],
        [Model("a/x", base_url=URL, aliases=("new",)), Model("b/x", base_url=URL, aliases=("new",))],
    ):
        with pytest.raises(DefinitionError, match="stands for"):
            catalog.add(*models)
    assert "a/x" not in catalog


def test_nothing_is_added_when_anything_is_wrong(catalog):
    """Adding several models is all or nothing, and names every fault."""
    before = [model.id for model in catalog]
    with pytest.raises(DefinitionError) as caught:
        catalog.add(Model("vllm/a", base_url=URL), Model("vllm/b"), Model("c"))
    assert len(caught.value.faults) == 2
    assert [model.id for model in catalog] == before


def test_a_models_file_is_loaded(catalog, tmp_path):
    """`load` adds what a TOML file holds."""
    (tmp_path / "m.toml").write_text(f'[[model]]\nid = "vllm/qwen3"\nbase_url = "{URL}"\n')
    catalog.load(tmp_path / "m.toml")
    assert catalog["qwen3"].base_url == URL


def test_open_fields_are_filled_in(catalog):
    """A model by hand gets the catalog's limits and capabilities where it leaves them open."""
    checked = catalog.checked(Model("openai/gpt-4o", params={"seed": 1}, max_output=5))
    assert (checked.context_window, checked.max_output, checked.params["seed"]) == (128_000, 5, 1)
    assert "vision" in checked.capabilities
    assert catalog.checked(Model("openai/gpt-5.4-mini")).context_window == 400_000


def test_a_model_elsewhere_is_another_model(catalog):
    """A model of a known id at another address gets nothing from the catalog's entry."""
    elsewhere = Model("openai/gpt-4o", base_url=URL)
    assert catalog.checked(elsewhere) == elsewhere


def test_a_wrong_model_is_refused(catalog):
    """B3, B9: everything wrong with a model by hand stands in one error."""
    with pytest.raises(DefinitionError) as caught:
        catalog.checked(Model("openai/gpt-4o", params={"n": 2, "temperature": 9}))
    assert len(caught.value.faults) == 2


def test_a_gguf_file_is_a_model(catalog, tmp_path, monkeypatch):
    """`local:PATH` is the file at PATH, under its own name; a path that is none is a fault."""
    file = tmp_path / "My Model (Q4).gguf"
    file.write_bytes(b"GGUF")
    assert catalog[f"local:{file}"] == Model("local/My-Model-Q4", weights=Weights(path=file))
    monkeypatch.chdir(tmp_path)
    assert catalog["local:My Model (Q4).gguf"].id == "local/My-Model-Q4"
    (tmp_path / "notes.txt").write_text("hello")
    for path, why in (
        ("nope.gguf", "no model file"),
        ("notes.txt", "no GGUF file"),
        ("", "folder"),
        (".", "folder"),
    ):
        with pytest.raises(DefinitionError, match=why):
            catalog.get(f"local:{path}")


def test_keys_are_completed_in_a_notebook(catalog):
    """Tab completion offers ids and aliases."""
    offered = catalog._ipython_key_completions_()
    assert {"openai/gpt-4o", "gpt-4o", "claude-3.5-haiku"} <= set(offered)


def test_it_shows_itself_in_one_line(catalog):
    """The repr is one line that says how many models there are."""
    assert repr(catalog) == f"Catalog({len(catalog)} models)"
    assert [model.id for model in catalog][:2] == ["local/smollm2-135m", "local/gemma-3-270m"]


def test_catalogs_do_not_share_what_was_added():
    """Adding to one catalog leaves others as they are."""
    Catalog().add(Model("vllm/mine", base_url=URL))
    assert "vllm/mine" not in Catalog()
