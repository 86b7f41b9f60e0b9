"""What contenders are called in sentences, tables and charts: by short labels that tell them apart.

It knows ids and labels; what is said of a contender it does not know.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence

from labkit.contender import joined, steps_of
from labkit.summary.contender_table import BETWEEN
from labkit.visible import visible

_ASIDE = re.compile(r"\s*\([^()]*\)\s*$")


def whole_labels(ids: Sequence[str], labels: Mapping[str, str]) -> dict[str, str]:
    """Per model its label, or its id where labels are alike or there is none.

    >>> whole_labels(["a", "b", "c"], {"a": "Gemma (base)", "b": "GPT", "c": "GPT"})
    {'a': 'Gemma (base)', 'b': 'b', 'c': 'c'}
    """
    return _told_apart([{name: _called(name, labels) for name in ids}, {name: name for name in ids}])


def short_labels(ids: Sequence[str], labels: Mapping[str, str]) -> dict[str, str]:
    """As `whole_labels`, without what stands in brackets at a label's end, which tables and charts have.

    The whole label where two are alike without it.

    >>> short_labels(["a", "b"], {"a": "Gemma (base)", "b": "Qwen (chat)"})
    {'a': 'Gemma', 'b': 'Qwen'}
    >>> short_labels(["a", "b", "c"], {"a": "Gemma (base)", "b": "Gemma (chat)", "c": "a"})
    {'a': 'Gemma (base)', 'b': 'Gemma (chat)', 'c': 'a'}
    >>> short_labels(["a", "b"], {"a": "GPT", "b": "GPT"})
    {'a': 'a', 'b': 'b'}
    """
    whole = {name: _called(name, labels) for name in ids}
    brief = {name: _ASIDE.sub("", label) or label for name, label in labels.items()}
    short = {name: _called(name, brief) for name in ids}
    return _told_apart([short, whole, {name: name for name in ids}])


def _called(name: str, labels: Mapping[str, str]) -> str:
    """A contender by its label, or by those of the models that answer its steps, which are several and
    brief."""
    if name in labels or not (steps := steps_of(name)):
        return labels.get(name) or name
    brief = {model: _ASIDE.sub("", labels.get(model) or "") or model for model in steps.values()}
    alike = len(set(brief.values())) < len(brief)
    return joined((step, model if alike else brief[model]) for step, model in steps.items())


def _told_apart(candidates: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """Of each model the first of its names that no other has; all by the last, where two would be alike."""
    found = dict(candidates[0])
    for others in candidates[1:]:
        counts = Counter(found.values())
        found = {name: told if counts[told] == 1 else others[name] for name, told in found.items()}
    return found if len(set(found.values())) == len(found) else dict(candidates[-1])


def names(keys: Sequence[tuple[str, ...]], labels: Mapping[str, str]) -> dict[str, str]:
    """What each contender is called, made safe to show; by its name, which joins its prompt and its model.

    >>> names([("ask", "x/m"), ("steps", "x/m")], {"x/m": "Gemma (base)"})
    {'ask · x/m': 'ask · Gemma', 'steps · x/m': 'steps · Gemma'}
    """
    last = list(dict.fromkeys(key[-1] for key in keys))
    called = short_labels(last, labels)
    ids = {BETWEEN.join(key): key for key in keys}
    said = {name: visible(BETWEEN.join([*key[:-1], called[key[-1]]]), limit=80) for name, key in ids.items()}
    alike = Counter(said.values())
    return {name: told if alike[told] == 1 else visible(name, limit=400) for name, told in said.items()}


def together(members: Sequence[str], shown: Mapping[str, str]) -> list[str]:
    """What to call some of the contenders, a model by its own name where all its prompts are among them.

    >>> shown = {"p · a": "p · A", "q · a": "q · A", "p · b": "p · B", "q · b": "q · B"}
    >>> together(["p · a", "q · a", "p · b"], shown)
    ['A', 'p · B']
    """
    whose = {name: told.rpartition(BETWEEN) for name, told in shown.items()}
    models = Counter(model for _, between, model in whose.values() if between)
    among = Counter(whose[name][2] for name in members)
    called = [
        whose[name][2] if 1 < models[whose[name][2]] == among[whose[name][2]] else shown[name]
        for name in members
    ]
    return list(dict.fromkeys(called))
