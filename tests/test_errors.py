"""labkit.errors: the tree, and what its messages hold."""

from __future__ import annotations

import inspect
import pickle
import re

from labkit import errors


def _classes() -> dict[str, type[BaseException]]:
    return {
        name: found
        for name, found in vars(errors).items()
        if inspect.isclass(found) and issubclass(found, Exception)
    }


def test_the_drawn_tree_is_the_real_one() -> None:
    """The tree in the module's docstring names every exception under its real parent."""
    assert errors.__doc__ is not None
    parents: list[tuple[int, str]] = []
    drawn: dict[str, str | None] = {}
    for line in errors.__doc__.splitlines():
        found = re.match(r"^    ([│├└─ ]*)([A-Z]\w+)", line)
        if found is None:
            continue
        depth = len(found[1])
        parents = [parent for parent in parents if parent[0] < depth]
        drawn[found[2]] = parents[-1][1] if parents else None
        parents.append((depth, found[2]))
    real = {
        name: None if found is errors.LabkitError else found.__bases__[0].__name__
        for name, found in _classes().items()
    }
    assert drawn == real


def test_every_class_says_what_it_means() -> None:
    """Each exception has a docstring of its own."""
    assert all(found.__doc__ for found in _classes().values())


def test_all_faults_stand_in_one_message() -> None:
    """A definition with several faults names each of them, numbered."""
    error = errors.DefinitionError(["no prompt", "no model"])
    assert str(error) == "2 things to mend:\n  1. no prompt\n  2. no model"
    assert str(errors.DefinitionError("no prompt")) == "no prompt"


def test_definition_errors_survive_a_pickle() -> None:
    """Faults cross a process boundary unharmed."""
    error = pickle.loads(pickle.dumps(errors.MissingVariables(["a", "b"])))
    assert type(error) is errors.MissingVariables
    assert error.faults == ("a", "b")


def test_what_may_be_paid_for_is_said_by_the_class() -> None:
    """A connection that was never made cannot cost anything; a broken or late answer may."""
    assert not errors.ConnectionFailed("x").maybe_paid
    assert errors.TimedOut("x").maybe_paid
    assert errors.ConnectionLost("x").maybe_paid
    assert not errors.RateLimited("x").maybe_paid
