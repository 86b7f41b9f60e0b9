"""What a judge is asked about the answers of a run: a design like any other, whose cells hold what it reads.

It asks nothing, and does not know how a verdict is put in words (see `labkit.scoring.verdict_request`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import permutations

from labkit.datasets import of_samples
from labkit.design import Design, build
from labkit.prompts import Prompt
from labkit.records import Generation, Sample
from labkit.scoring.judge_models import Asked
from labkit.scoring.judges import Judge
from labkit.scoring.verdict_request import MATERIAL
from labkit.store import Store

_PROMPTS = """
    select distinct prompt, prompt_version from generations
    where run_id = ? and prompt_version is not null order by all
"""


def prompts_of(run_id: str, store: Store) -> list[Prompt]:
    """The prompts that the run asked, in the versions that it asked."""
    return [
        prompt
        for row in store.table(_PROMPTS, [run_id]).to_pylist()
        for prompt in store.saved_prompts(row["prompt"])
        if prompt.version == row["prompt_version"]
    ]


def judge_design(
    judge: Judge,
    who: Asked,
    answers: Sequence[Generation],
    samples: Mapping[str, Sample],
    shown: Sequence[str],
    *,
    experiment: str,
    workspace: str,
) -> Design:
    """What the judge is asked about these answers: a cell for each (of a duel for each two, in both orders)
    and each of its models. `shown` are the columns of samples that it sees."""
    cells, judged = list[Sample](), dict[str, str]()
    for pair in compared(judge, answers, samples):
        of, id_ = pair[0], cell_id(pair)
        sample = sample_of(of, samples)
        material = judge.material(sample, shown, *(answer.text or "" for answer in pair))
        cells.append(Sample(id=id_, fields={MATERIAL: material}))
        judged[id_] = of.generation_id
    design = built(judge, who, cells, experiment=experiment, workspace=workspace)
    return replace(design, judged=judged)


def built(judge: Judge, who: Asked, cells: Sequence[Sample], *, experiment: str, workspace: str) -> Design:
    """The design of these cells, of which each holds what the judge reads."""
    return build(
        experiment=experiment,
        workspace=workspace,
        prompts=[judge.prompt],
        models=who.models,
        params=who.params,
        dataset=of_samples(cells, name=judge.prompt.name),
        share=True,  # the same text is judged once
    )


def sample_of(answer: Generation, samples: Mapping[str, Sample]) -> Sample:
    """What was answered; one without columns where the lab has it no more."""
    return samples.get(answer.sample_id, Sample(id=answer.sample_id, fields={}))


def compared(
    judge: Judge, answers: Sequence[Generation], samples: Mapping[str, Sample]
) -> Iterator[tuple[Generation, ...]]:
    """What is shown together: each answer, or each two to a sample and repeat, in both orders. Those to
    samples without a reference, where the judge has one, are not judged."""
    answers = [answer for answer in answers if judge.lacks(sample_of(answer, samples)) is None]
    if not judge.compares:
        yield from ((answer,) for answer in answers)
        return
    for same in to_one_sample(answers):
        yield from permutations(same, 2)


def cell_id(pair: Sequence[Generation]) -> str:
    """How the cell is called in which these answers are judged, in the order in which they are shown."""
    return " ".join(answer.generation_id for answer in pair)


def to_one_sample(answers: Sequence[Generation]) -> list[list[Generation]]:
    """The answers by sample and repeat."""
    groups: defaultdict[tuple[str, int], list[Generation]] = defaultdict(list)
    for answer in answers:
        groups[answer.sample_id, answer.repeat].append(answer)
    return list(groups.values())


def shown_columns(prompts: Sequence[Prompt], samples: Mapping[str, Sample]) -> list[str]:
    """What a judge is shown of a sample: the columns that the prompts use."""
    columns = dict.fromkeys(column for sample in samples.values() for column in sample.fields)
    if any(prompt.takes_row for prompt in prompts):
        return list(columns)
    used = dict.fromkeys(name for prompt in prompts for name in prompt.variables)
    return [name for name in used if name in columns]
