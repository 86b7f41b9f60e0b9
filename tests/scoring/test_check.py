"""labkit.scoring.check: what is no scorer, and which columns are not there, is told beforehand."""

from __future__ import annotations

import functools
import inspect

import pytest

import labkit as lk
from labkit import scoring
from labkit.errors import DefinitionError
from labkit.records import Sample
from labkit.scoring import Scorer, scorers
from labkit.scoring.check import column_faults

MAKERS = [
    getattr(scoring, name)
    for name in scoring.__all__
    if inspect.isfunction(getattr(scoring, name))
    and str(inspect.signature(getattr(scoring, name)).return_annotation) == "Scorer"
]


class Judge:
    """A scorer as some write it: an object that is called."""

    def __init__(self, first: str = "", second: str = "") -> None:
        self.first, self.second = first, second

    def __call__(self, generation: object, sample: object) -> float:
        return 1.0


def one_argument(generation):
    return 1


def three_arguments(generation, sample, target):
    return 1


def optional_third(generation, sample, target="target"):
    return 1


def of_anything(*given, **more):
    return 1


def made(left: str, right: str) -> lk.Scorer:
    return lk.exact(left, name=right)


@pytest.mark.parametrize("maker", MAKERS, ids=lambda one: one.__name__)
def test_a_built_in_that_is_not_called_is_refused_with_how_to_call_it(maker) -> None:
    """Each built-in given as itself is told to be written with its brackets, under the name it is had by."""
    assert len(MAKERS) == 11
    with pytest.raises(DefinitionError) as caught:
        scorers([maker])
    (fault,) = caught.value.faults
    home = "lk." if hasattr(lk, maker.__name__) else "labkit.scoring."
    assert fault.endswith(f"makes a scorer and is none itself; write {home}{maker.__name__}(…)")


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (one_argument, "scorer 'one_argument' takes (generation); a scorer takes two arguments"),
        (three_arguments, "takes (generation, sample, target)"),
        (made, "scorer 'made' makes a scorer and is none itself; write made(…)"),
        (Judge, "scorer 'Judge' is a class"),
        (Scorer, "scorer 'Scorer' is a class"),
        (dict, "is a class"),
        (len, "scorer 'len' takes (obj, /)"),
        (Judge("a", "b").__call__.__func__, "takes (self"),
        ("contains", "scorer 1 is 'contains'; give a Scorer, such as lk.contains(…), or a function"),
        (None, "scorer 1 is None"),
    ],
)
def test_what_cannot_be_called_with_a_generation_and_a_sample_is_refused(given, why) -> None:
    """Classes, factories and functions of one or three arguments are named with what is wrong with them."""
    with pytest.raises(DefinitionError) as caught:
        scorers(given if isinstance(given, str) else [given])
    assert len(caught.value.faults) == 1
    assert why in caught.value.faults[0]
    if callable(given):
        with pytest.raises(DefinitionError, match="scorer 'own'"):
            Scorer("own", given)


@pytest.mark.parametrize(
    "given",
    [
        optional_third,
        of_anything,
        lk.exact(),
        Scorer("judge", Judge()),
        Scorer("bound", Judge().__call__),
        Scorer("part", functools.partial(three_arguments, target="x")),
        Scorer("max", max),
    ],
)
def test_what_takes_two_arguments_is_a_scorer(given) -> None:
    """Functions that can be called with two, objects, methods and partial ones are all taken."""
    assert len(scorers([given])) == 1


def test_columns_are_names() -> None:
    """One column may be given as it is; what is no text is refused."""
    assert Scorer("a", optional_third, "label").columns == ("label",)
    assert Scorer("a", optional_third, ["label", "kind"]).columns == ("label", "kind")
    with pytest.raises(DefinitionError, match="a column of scorer 'a' is 3; give a text"):
        Scorer("a", optional_third, 3)  # type: ignore[arg-type] # what is refused
    with pytest.raises(DefinitionError, match="a column of scorer 'a' is None"):
        Scorer("a", optional_third, ["label", None])  # type: ignore[list-item] # what is refused


def rows(**columns):
    return [
        Sample(id=f"r{at}", fields=dict(zip(columns, cells, strict=True)))
        for at, cells in enumerate(zip(*columns.values(), strict=True))
    ]


def test_a_column_that_is_not_there_is_told_with_those_that_are() -> None:
    """Scorer, column and the columns there are, the nearest first; each fault of each scorer."""
    given = [lk.exact("lable"), lk.contains(), Scorer("own", optional_third, ("text", "kind"))]
    has_not = "which the dataset does not have; its columns:"
    assert column_faults(given, rows(text=["a"], label=["b"])) == [
        f"scorer 'exact' reads column 'lable', {has_not} 'label', 'text'",
        f"scorer 'contains' reads column 'target', {has_not} 'text', 'label'",
        f"scorer 'own' reads column 'kind', {has_not} 'text', 'label'",
    ]
    (fault,) = column_faults([lk.exact()], [Sample(id="single", fields={})])
    assert fault.endswith("its columns: none")


def test_a_column_that_is_empty_everywhere_is_no_column_to_score_by() -> None:
    """Empty in every row is a fault; empty in some is not, since only those are not scored."""
    (fault,) = column_faults([lk.exact()], rows(target=[None, "  "]))
    assert "'target', which is empty in every row" in fault
    assert column_faults([lk.exact()], rows(target=[None, "b"])) == []


def test_the_id_of_a_sample_can_be_scored_by() -> None:
    """As in a prompt, `id` is the sample's."""
    assert column_faults([lk.contains("id")], rows(text=["a"])) == []
