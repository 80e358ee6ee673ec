"""The page that an assessment leaves: figures of all cases, who agrees with YAMNet, what grows worse."""

from collections.abc import Mapping

import numpy as np

from audiolcm.text_tables import frame, markdown
from benchmarks.soundness.agreement import LEAST, Agreement
from benchmarks.soundness.judges import Column
from evaluation.metrics.rate import wilson_interval

_NO_AUTHORITY = (
    "YAMNet is not at hand, so that nothing tells which of these columns may judge a claim: give it by "
    "features.yamnet.weights=PATH."
)


def heading(hits: np.ndarray, data: str, split: str, num_classes: int) -> str:
    """Return whose figures these are, and how often the embedded evaluator names a class of a true sound."""
    low, high = wilson_interval(int(hits.sum()), len(hits))
    return (
        f"Embedded evaluator of {data}, {num_classes} classes, on the {len(hits)} clips of split {split}: accuracy "
        f"{hits.mean():.3f} (95% interval {low:.3f} to {high:.3f}). It compares with no published figure."
    )


def table(columns: Mapping[str, Column], rows: Mapping[str, Mapping[str, float]]) -> str:
    """Return the Markdown table of figures by row."""
    cells = [[name, *(f"{found[key]:z.3f}" for key in columns)] for name, found in rows.items()]
    titles = ["sounds", *(column.title for column in columns.values())]
    return markdown(frame(titles, cells), ["---", *["---:"] * len(columns)])


def agreement_table(columns: Mapping[str, Column], agreed: Mapping[str, Agreement]) -> str:
    """Return who ranks the cases as YAMNet does, and the rule; a sentence where YAMNet was not asked."""
    if not agreed:
        return _NO_AUTHORITY
    first = next(iter(agreed.values()))
    titles = [
        "column",
        *(f"all cases, {columns[name].title}" for name in first.overall),
        *(f"through the mel, {columns[name].title}" for name in first.through_mel),
        *first.within,
        "may judge claims",
    ]
    cells = [
        [columns[key].title, *map(_told, _correlations(one)), "yes" if one.may_judge else "NO"]
        for key, one in agreed.items()
    ]
    rule = (
        "Spearman's rank correlation with YAMNet's order, 1 where it is the same; within a way of spoiling: with its "
        f"FAD. A column may judge claims where none of those over all cases and through the mel is below {LEAST}."
    )
    return f"{rule}\n\n{markdown(frame(titles, cells), ['---', *['---:'] * (len(titles) - 2), '---'])}"


def _correlations(one: Agreement) -> list[float | None]:
    return [*one.overall.values(), *one.through_mel.values(), *one.within.values()]


def _told(correlation: float | None) -> str:
    return "" if correlation is None else f"{correlation:z.2f}"


def remarks(
    columns: Mapping[str, Column],
    verdicts: Mapping[str, Mapping[str, bool]],
    others: float,
    found: Mapping[str, tuple[float, int]],
) -> str:
    """Return sentences: which figures grow worse from level to level, and what the evaluator hears in the true ones."""
    lines = [f"CLAP of the true sounds with each other's captions: {others:.3f}."]
    for name, verdict in verdicts.items():
        parts = [f"{columns[key].title} {'yes' if holds else 'NO'}" for key, holds in verdict.items()]
        lines.append(f"No better from level to level, {name}: {', '.join(parts)}.")
    lines += [f"True sounds, {name}: {value:.3f} of {count} clips." for name, (value, count) in found.items()]
    return "\n".join(lines)
