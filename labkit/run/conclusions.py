"""What a run says once there are answers: verdict, rows that decide, worth of blocks, report, card, files.

It reads the lab and asks nobody. How each is made stands in `labkit.verdict` and `labkit.report`. It is the
signatures and docstrings of a handle's verbs, which makes it long, and not deep.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from labkit.arguments import able, check, text
from labkit.errors import DefinitionError
from labkit.paths import as_path
from labkit.run import plan_cells
from labkit.run.run_frames import RunFrames
from labkit.store.filters import listed
from labkit.summary.compact_frame import FIGURES
from labkit.visible import quoted

if TYPE_CHECKING:
    import pandas as pd

    from labkit.report import Material
    from labkit.run.arena import Arena
    from labkit.run.labelling import Labelling
    from labkit.verdict import Verdict, Verdicts
    from labkit.verdict.ablation import Ablation
    from labkit.verdict.differences import Differences
    from labkit.verdict.preference import Preference

TABLES = ("generations", "attempts", "summary")


class Conclusions(RunFrames):
    """The part of a run's handle that concludes. `Run` is the one."""

    @overload
    def verdict(
        self,
        score: str | None = None,
        *,
        by: str | Sequence[str] | None = "model",
        margin: float | None = None,
        level: float = 0.95,
        against: str | None = None,
        clusters: str | None = None,
        better: str = "higher",
    ) -> Verdict: ...

    @overload
    def verdict(
        self,
        score: list[str] | tuple[str, ...],
        *,
        by: str | Sequence[str] | None = "model",
        margin: float | Mapping[str, float] | None = None,
        level: float = 0.95,
        against: str | None = None,
        clusters: str | None = None,
        better: str | Mapping[str, str] = "higher",
    ) -> Verdicts: ...

    def verdict(
        self,
        score: str | list[str] | tuple[str, ...] | None = None,
        *,
        by: str | Sequence[str] | None = "model",
        margin: Any = None,
        level: float = 0.95,
        against: str | None = None,
        clusters: str | None = None,
        better: Any = "higher",
    ) -> Verdict | Verdicts:
        """Which model, which prompt, how sure, at what price: a frame, a table and plain sentences.

        Args:
            score: The scorer's name, by default the first. A list gives a verdict by each, corrected over the
                pairs of all; `margin` and `better` are then one for all, or a mapping by score.
            by: `"model"`, `"prompt"`, or both in a list; None: by models, and by both where there are several
                prompts, as charts tell them apart.
            margin: The difference that would not matter (0.02: 2 points of a score from 0 to 1).
            level: How sure: 0.95 is 95 %.
            against: Compare all with this one only.
            clusters: A column in which samples belong together (`sample.author`).
            better: `"lower"` turns the score round.

        A run that was grown by `more` could be looked at before: it has intervals that hold at any moment of
        stopping, or the notes say why not. See `labkit.verdict.verdict`. Raises `DefinitionError` where
        nothing was scored.

        >>> run.verdict("exact", by="model")            # doctest: +SKIP
        >>> run.verdict(["exact", "length"], better={"length": "lower"})  # doctest: +SKIP
        """
        from labkit.charts.chart_data import distinguishing
        from labkit.verdict import verdict

        read = FIGURES if clusters is not None else [name for name in FIGURES if name != "sample.*"]
        frame = self.generations(columns=read)
        return verdict(
            frame,
            score,
            by=distinguishing(frame, None) if by is None else by,
            margin=margin,
            level=level,
            against=against,
            clusters=clusters,
            better=better,
        )

    def label(
        self,
        score: str,
        labels: pd.DataFrame | None = None,
        *,
        n: int | None = None,
        seed: int = 0,
        user: str | None = None,
        grades: Mapping[str, float] | None = None,
    ) -> Labelling:
        """Label answers by hand, so that a verdict on a judge's `score` can be corrected by what people say.

        labkit draws `n` samples at random (40 where no frame is given), and shows each answer to them blind,
        one by one, without what the judge said. In a notebook it is a widget, used by keys. Drawing more
        later keeps those that were drawn.

        Args:
            score: The judge's score; or a name of your own, with `grades`.
            labels: What a person said already: rows with `grade` (or `value`), and columns that name answers:
                `generation_id`, or some of `sample_id`, `prompt`, `model`, `repeat`, `text`; if you like
                `user`, `comment`. With `n` those count that labkit drew, and the others are left aside.
                Without it all are kept, as chosen by hand: a verdict then does not call the judge corrected.
            n: How many samples are drawn.
            seed: Decides which, and in which order they are shown.
            user: Who labels; by default whoever runs.
            grades: What can be said, and the value of each; by default the judge's.

        Raises one `DefinitionError` naming all that is wrong: grades that are none, rows that this run has
        no answer for, one answer twice by one person.

        >>> run.label("polite", n=40)                       # doctest: +SKIP
        >>> run.label("polite", pd.read_csv("labels.csv"), n=40)   # doctest: +SKIP
        """
        from labkit.run.labelling import Labelling

        check([] if labels is None else able("labels", labels, "columns", "to_dict", like="a DataFrame"))
        shown = 40 if n is None and labels is None else n
        labelling = Labelling(
            self.run_id, score, self._services, n=shown, seed=seed, user=user, grades=grades
        )
        if labels is not None:
            labelling.give(labels, drawn=n is not None)
        return labelling

    def agreement(self, score: str | None = None, *, level: float = 0.95) -> pd.DataFrame:
        """How far the judge of a score and people agree on single answers, and people among themselves.

        `score` is by default the first that was labelled. See `labkit.run.label_agreement` for the columns;
        how people and judges agree on pairs tells `run.preference().agreement`. Raises `DefinitionError`
        where nothing was labelled.

        >>> run.agreement("polite")                         # doctest: +SKIP
        """
        from labkit.run.label_agreement import label_agreement

        return label_agreement(self.run_id, score, self._services.store, level=level)

    def ratings(self, *, by: str | Sequence[str] = "model") -> pd.DataFrame:
        """Blind ratings of pairs of this run's answers, by all raters: one row each, oldest first. `by` says
        what is compared. See `labkit.run.rating_frames` for the columns.

        >>> run.ratings()[["left", "right", "preferred", "user"]]       # doctest: +SKIP
        """
        return self._rated(by).ratings()

    def preference(self, *, by: str | Sequence[str] = "model", level: float = 0.95) -> Preference:
        """Who was preferred over whom in blind ratings, how sure that is, and how well raters agree.

        See `labkit.verdict.preference`. Raises `DefinitionError` where there are no two to be rated.

        >>> print(run.preference())                                     # doctest: +SKIP
        b was preferred over a in 58 to 79 of 100 blind comparisons (62 ratings by 2 people, 9 ties).
        """
        return self._rated(by).preference(level=level)

    def _rated(self, by: str | Sequence[str]) -> Arena:
        from labkit.run.arena import Arena

        return Arena(self, by=by)  # type: ignore[arg-type]  # a `Run` is these conclusions

    def ablation(
        self,
        score: str | None = None,
        *,
        margin: float | None = None,
        level: float = 0.95,
        clusters: str | None = None,
        better: str = "higher",
    ) -> Ablation:
        """What each block of context is worth: what it adds to the score, how sure that is, at what price.

        For runs of `plan.ablate()`, and all others whose prompts differ in their blocks only. The arguments
        are those of `verdict`; with a `margin` it can say that a prompt is not worse without a block. Raises
        `DefinitionError` where no prompt was asked in several sets of its blocks, or nothing was scored.

        >>> run.ablation("exact", margin=0.02)          # doctest: +SKIP
        """
        from labkit.run.asked_sets import asked_sets
        from labkit.verdict.ablation import ablation
        from labkit.verdict.block_sentences import CACHED

        read = [name for name in FIGURES if clusters is not None or name != "sample.*"]
        return ablation(
            self.generations(columns=[*read, *CACHED]),
            asked_sets(self.run_id, self._services.store),
            score,
            margin=margin,
            level=level,
            clusters=clusters,
            better=better,
        )

    def differences(
        self, score: str | None = None, *, by: str | Sequence[str] = "model", rows: int = 12
    ) -> Differences:
        """The rows that decide: disagreements, flips between repeats, failures, refusals, longest, dearest.

        At most `rows` for each reason, answers side by side; `.frame()`, and `.by("column")` for counts
        per value of a sample column.
        """
        from labkit.verdict.differences import differences

        return differences(self.generations(), score=score, by=by, rows=rows)

    def design(self) -> pd.DataFrame:
        """The cells that were planned, as the lab has them: one row for each request, without answers.

        Columns: `prompt`, `prompt_version`, `step` (of a chain, its name), `model`, `sample_id`, `repeat`,
        `request_id`, `draw`, `prompt_hash`, by which the prompt's text is found in `lab.sql("from prompts")`,
        `generation_id`, and of a later step `parent_id`, the cell of the step before it.
        """
        return plan_cells.cells(self._services.store, self.run_id)

    def plan_id(self, design: pd.DataFrame | None = None) -> str:
        """The plan's id, computed from its cells as the lab has them; it equals the stored one."""
        store = self._services.store
        return plan_cells.plan_id(store, self.run_id, self.design() if design is None else design)

    def prices(self) -> dict[str, dict[str, float]]:
        """USD per million tokens as listed when the run was made: model → `input`, `output`, `cache_read`…"""
        import json

        rows = self._services.store.table(
            "select model, prices from log.models where run_id = ? order by written_at", [self.run_id]
        )
        found = {row["model"]: json.loads(row["prices"] or "{}") for row in rows.to_pylist()}
        return {model: dict(prices.get("usd_per_mtok") or {}) for model, prices in found.items()}

    def report(
        self,
        path: str | os.PathLike[str],
        *,
        question: str | None = None,
        score: str | None = None,
        by: str | Sequence[str] = "model",
        margin: float | None = None,
        level: float = 0.95,
        against: str | None = None,
        clusters: str | None = None,
        better: str = "higher",
    ) -> Path:
        """Write the run as one page (`.html`) that fetches nothing, or as Markdown (`.md`); gives the path.

        `question` is its title; the rest is as for `verdict`. An existing file is replaced. Raises
        `DefinitionError` for another ending or a folder that is not there.
        """
        from labkit import report

        target = as_path(path, what="report")
        made = {".html": report.page, ".htm": report.page, ".md": report.markdown}.get(target.suffix.lower())
        if made is None:
            raise DefinitionError(
                f"A report ends in .html or .md, not {target.suffix!r:.20}: {target.name:.80}"
            )
        if not target.parent.is_dir():
            raise DefinitionError(f"There is no folder {target.parent.name!r:.80} to write the report to.")
        settings = _settings(score, by, margin, level, against, clusters, better)
        material = self._material(settings, question, charts=target.suffix.lower() != ".md")
        target.write_text(made(material), encoding="utf-8")
        return target

    def card(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        question: str | None = None,
        score: str | None = None,
        by: str | Sequence[str] = "model",
        margin: float | None = None,
        level: float = 0.95,
        against: str | None = None,
        clusters: str | None = None,
        better: str = "higher",
    ) -> dict[str, Any]:
        """Design, provenance and findings as plain values; written to `path` as JSON where one is given.

        `labkit replay CARD` rebuilds plan, tables and verdict from the lab and says whether they agree.
        A card holds no answers.
        """
        from labkit import report

        target = None if path is None else report.card_path(path)
        settings = _settings(score, by, margin, level, against, clusters, better)
        made = report.as_card(self._material(settings, question, charts=False), settings)
        if target is not None:
            report.write_card(made, target)
        return made

    def export(
        self, path: str | os.PathLike[str], *, table: str = "generations", formula_safe: bool = False
    ) -> Path:
        """Write a table as `.csv`, `.parquet` or `.jsonl`, by the path's ending.

        `table` is `generations`, `attempts` or `summary`. `formula_safe` (CSV) puts an apostrophe before
        what a spreadsheet would run. An existing file is replaced.
        """
        from labkit import report

        if table not in TABLES:
            raise DefinitionError(f"There is no table {quoted(table)}; there are {', '.join(TABLES)}.")
        return report.export(getattr(self, table)(), path, formula_safe=formula_safe)

    def _material(self, settings: dict[str, Any], question: str | None, *, charts: bool) -> Material:
        from labkit.run.report_material import gather
        from labkit.summary.scores import score_names

        check(text("question", question, or_none=True))
        row, frame = self._services.store.run_row(self.run_id), self.generations()
        if row is None or frame.empty:
            raise DefinitionError(f"Run {self.run_id} has no answers yet, so there is nothing to report.")
        verdict = self.verdict(**settings) if score_names(frame) else None
        return gather(
            row,
            self._services,
            settings,
            frame=frame,
            verdict=verdict,
            blocks=None if verdict is None else self._blocks(frame, settings),
            summary=self.summary(
                score=verdict.scorer if verdict is not None else None,
                level=settings["level"],
                clusters=settings["clusters"],
            ),
            differences=self.differences(settings["score"], by=settings["by"]),
            question=question,
            prices=self.prices() if charts else None,
        )

    def _blocks(self, frame: pd.DataFrame, settings: dict[str, Any]) -> Ablation | None:
        """What the run tells of blocks; None where it asked no prompt in several sets of them."""
        from labkit.run.asked_sets import asked_sets
        from labkit.verdict.ablation import ablation

        sets = asked_sets(self.run_id, self._services.store)
        names = ("score", "margin", "level", "clusters", "better")
        try:
            return ablation(frame, sets, **{name: settings[name] for name in names}) if sets else None
        except DefinitionError:  # there are sets, and each model was asked one of them
            return None


def _settings(
    score: str | None,
    by: str | Sequence[str],
    margin: float | None,
    level: float,
    against: str | None,
    clusters: str | None,
    better: str,
) -> dict[str, Any]:
    if not isinstance(score, str | None):
        raise DefinitionError(
            f"score={quoted(score)}: a report or a card tells one score; write one for each."
        )
    return {
        "score": score,
        "by": by if isinstance(by, str) else listed(by),
        "margin": margin,
        "level": level,
        "against": against,
        "clusters": clusters,
        "better": better,
    }
