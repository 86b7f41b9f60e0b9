"""labkit.design: the product of prompts, models, samples and repeats, and its identities."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from labkit.catalog.model import Model
from labkit.datasets import load
from labkit.design import Design, build
from labkit.prompts import Prompt
from labkit.providers.script import Script

SCRIPT = Script(["x"], version="1")
WORDS = st.text("ab", min_size=1, max_size=2)


def design(
    texts: list[str], samples: list[dict[str, Any]], *, models: int = 1, repeats: int = 1, share: bool = False
) -> Design:
    """A design of scripted models; prompts are named after their position."""
    return build(
        experiment="e",
        workspace="w",
        prompts=[Prompt(f"p{i}", text) for i, text in enumerate(texts)],
        models=[Model(f"scripted/m{i}", client=SCRIPT) for i in range(models)],
        params=[{} for _ in range(models)],
        dataset=load(samples),
        repeats=repeats,
        share=share,
    )


@given(st.lists(WORDS, min_size=1, max_size=4), st.integers(1, 3), st.integers(1, 3))
def test_every_combination_is_there_once(words: list[str], models: int, repeats: int) -> None:
    """Each prompt, model, sample and repeat meet in exactly one cell, with an id of its own."""
    made = design(["a {{ w }}", "b {{ w }}"], [{"w": word} for word in words], models=models, repeats=repeats)
    where = {place[:4] for place in made.places}
    assert len(where) == len(made.places) == 2 * models * len(words) * repeats
    assert len({made.generation_id(place, "run") for place in made.places}) == len(made.places)


@given(st.lists(WORDS, min_size=1, max_size=5), st.integers(1, 3))
def test_no_two_cells_share_a_replay_key(words: list[str], repeats: int) -> None:
    """`(request_id, draw)` is unique within a plan, so no stored answer ever serves two of its cells."""
    made = design(["{{ w }}"], [{"w": word} for word in words], repeats=repeats)
    assert len({(place.request_id, place.draw) for place in made.places}) == len(made.places)


def test_draws_count_repeat_major() -> None:
    """Two samples with the same text and two repeats draw 0, 1 in the first repeat and 2, 3 in the second."""
    made = design(["{{ w }}"], [{"w": "a"}, {"w": "a"}], repeats=2)
    assert [(place.repeat, place.sample, place.draw) for place in made.places] == [
        (0, 0, 0),
        (0, 1, 1),
        (1, 0, 2),
        (1, 1, 3),
    ]


def test_sharing_gives_equal_requests_of_one_repeat_one_key() -> None:
    """With sharing, cells of one repeat that send the same request have the same replay key."""
    made = design(["{{ w }}"], [{"w": "a"}, {"w": "a"}], repeats=2, share=True)
    assert [place.draw for place in made.places] == [0, 0, 1, 1]


def test_a_cut_design_counts_its_draws_anew() -> None:
    """After a cut, draws number the cells that are left, and the plan has another id."""
    made = design(["{{ w }}"], [{"w": "a"}, {"w": "a"}])
    cut = made.keep([1])
    assert [place.draw for place in cut.places] == [0]
    assert cut.plan_id != made.plan_id
    assert made.keep([0, 1]).plan_id == made.plan_id


def test_the_plan_id_follows_what_is_asked() -> None:
    """The same definition has the same plan_id; another text, sample or number of repeats has another."""
    base = design(["{{ w }}"], [{"w": "a"}])
    assert design(["{{ w }}"], [{"w": "a"}]).plan_id == base.plan_id
    others = [
        design(["{{ w }}!"], [{"w": "a"}]),
        design(["{{ w }}"], [{"w": "b"}]),
        design(["{{ w }}"], [{"w": "a"}], repeats=2),
    ]
    assert len({base.plan_id, *(other.plan_id for other in others)}) == 4


def test_the_request_holds_what_is_sent() -> None:
    """A cell's request carries the rendered messages, the model's name and the params."""
    made = design(["Say {{ w }}"], [{"w": "hi"}])
    request = made.request(made.places[0])
    assert request.messages == ({"role": "user", "content": "Say hi"},)
    assert (request.model, request.name, request.request_id) == (
        "scripted/m0",
        "m0",
        made.places[0].request_id,
    )
