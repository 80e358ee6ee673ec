"""A diagnosis for people: one table of all students, then for each where it is far, and where it hears omega."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from audiolcm.text_tables import MARKDOWN, all_escaped, escaped, frame, in_blocks, markdown
from evaluation.tables.table import DASH
from experiments.diagnosing.diagnosis import DATA, OWN, Distance, Figures, Response

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Diagnosis:
    """What was found of one student, and what it was trained for."""

    name: str
    facts: dict[str, Any]
    trained_omegas: tuple[float, float]
    figures: Figures

    def content(self) -> dict[str, Any]:
        """Return all of it as plain values."""
        return (
            {"name": self.name} | self.facts | {"trained_omegas": self.trained_omegas} | asdict(self.figures)
        )

    def trained(self, source: str) -> list[Distance]:
        """Return the distances from a source at omegas that the student was trained for."""
        low, high = self.trained_omegas
        return [one for one in self.figures.distances if one.source == source and low <= one.omega <= high]

    def over_range(self) -> list[Response]:
        """Return how it answers to the ends of the range it was trained for; nothing for a fixed omega."""
        return [one for one in self.figures.responses if one.omegas == self.trained_omegas]


def page(diagnoses: Sequence[Diagnosis], told: str, width: int | None = None) -> str:
    """Return everything as Markdown; with a width, of a terminal, tables are as narrow as that."""
    parts = [told, _shown(_overview(diagnoses), width), READING]
    for one in diagnoses:
        parts += [f"## {escaped(one.name, MARKDOWN)}", _worst(one)]
        for source in (DATA, OWN):
            parts.append(f"From {source}, by timestep: student / teacher's one call")
            parts.append(_shown(_distances(one, source), width))
        parts.append("From one omega to another, by timestep: response / cosine / ends apart")
        parts.append(_shown(_responses(one), width))
    return "\n\n".join(parts) + "\n"


READING = """\
- Distances are to the end of the flow, in deviations of the clips' latents: 0 is the flow itself, 1.4 two clips that
  have nothing to do with each other.
- "One call" is the teacher's own, guided, at the same place: what is below it was gained by distillation.
- Response: how far the student moves with omega over how far the end of the flow does; 1 follows, 0 is deaf. Cosine:
  whether in the same direction."""


def _shown(table: "pd.DataFrame", width: int | None) -> str:
    table = all_escaped(table, MARKDOWN)
    return markdown(table) if width is None else in_blocks(table, width)


def _overview(diagnoses: Sequence[Diagnosis]) -> "pd.DataFrame":
    """Return a row for each student: over all timesteps and the omegas that it was trained for."""
    columns = ["student", "steps", "data", "one call", "own sounds", "one call there", "response", "cosine"]
    rows = []
    for one in diagnoses:
        cells = [
            _rms([getattr(found, field) for found in one.trained(source)])
            for source in (DATA, OWN)
            for field in ("student", "one_jump")
        ]
        heard = one.over_range()
        cells += [_mean([found.response for found in heard]), _mean([found.cosine for found in heard])]
        steps = one.facts["trained_steps"]
        rows.append([one.name, DASH if steps is None else str(steps), *map(_text, cells)])
    return frame(columns, rows)


def _worst(one: Diagnosis) -> str:
    """Return in words where the student is farthest, and how far it hears omega."""
    sentences = []
    for source in (DATA, OWN):
        if found := one.trained(source):
            far = max(found, key=lambda distance: distance.student)
            sentences.append(
                f"Farthest from {source}: {_text(far.student)} at timestep {far.timestep}, omega {far.omega:g}."
            )
        lost = sorted({d.timestep for d in found if d.student > d.one_jump}, reverse=True)
        if lost:
            sentences.append(
                f"From {source} not nearer than the teacher's one call at {', '.join(map(str, lost))}."
            )
    low, high = one.trained_omegas
    for word, best in (("most", max), ("least", min)):
        if heard := [found for found in one.over_range() if found.response is not None]:
            there = best(heard, key=lambda found: found.response or 0.0)
            sentences.append(
                f"Omega {low:g} to {high:g} is heard {word} at timestep {there.timestep}: {_text(there.response)}."
            )
    return " ".join(sentences)


def _distances(one: Diagnosis, source: str) -> "pd.DataFrame":
    found = {(d.timestep, d.omega): d for d in one.figures.distances if d.source == source}
    cells = {place: f"{_text(d.student)} / {_text(d.one_jump)}" for place, d in found.items()}
    return _by_timestep(cells, lambda omega: f"omega {omega:g}")


def _responses(one: Diagnosis) -> "pd.DataFrame":
    cells = {
        (r.timestep, r.omegas): f"{_text(r.response)} / {_text(r.cosine)} / {_text(r.ends_apart)}"
        for r in one.figures.responses
    }
    return _by_timestep(cells, lambda pair: f"{pair[0]:g} to {pair[1]:g}")


def _by_timestep(cells: dict[tuple[int, Any], str], heading: Any) -> "pd.DataFrame":
    timesteps = dict.fromkeys(timestep for timestep, _ in cells)
    columns = dict.fromkeys(column for _, column in cells)
    rows = [[str(t), *(cells[t, column] for column in columns)] for t in timesteps]
    return frame(["timestep", *map(heading, columns)], rows)


def _rms(values: Sequence[float]) -> float | None:
    return math.sqrt(sum(value * value for value in values) / len(values)) if values else None


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _text(value: float | None) -> str:
    return DASH if value is None else f"{value:.3f}"
