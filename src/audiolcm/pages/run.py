"""The page of a training: what it sounds like, how its figures went (drawn as inline SVG), and where it all lies."""

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import numpy as np

from audiolcm.audio.mel import SAMPLE_RATE
from audiolcm.pages.html import Html, asset, element, head, scrolling
from audiolcm.pages.media import figure, sound_uris
from audiolcm.storage.files import atomic_path
from audiolcm.training.tracking import METRICS, read_metrics
from audiolcm.weights.artifacts import Artifact
from audiolcm.weights.card import CONFIG

PAGE = "index.html"
_PICTURES = (
    "The pictures are mel spectrograms: time to the right, 80 bands from 0 to 8 kHz upward, all on one scale from "
    "black (silence) to yellow."
)
_WIDTH, _HEIGHT, _MARGIN = 600, 120, 4
_MOST_POINTS = 400
_WIDE = 30.0
"""From the largest to the smallest of only positive values: from here on the axis is logarithmic."""


@dataclass(frozen=True)
class Heard:
    """What a preview made: for each kind of sound, such as teacher, a waveform (samples,) of every caption."""

    captions: Sequence[str]
    sounds: Mapping[str, Sequence[np.ndarray]]


def write_page(folder: Path, stages: Sequence[Artifact], heard: Heard | None = None) -> Path:
    """Write ``index.html`` into a run's folder, one file that holds everything but what it links to; return its path.

    Args:
        folder: of the run.
        stages: what was made or used, the last one what the run was for.
        heard: the sounds; None where the stage makes none.
    """
    parts = [_listen(heard)] if heard is not None else []
    parts += [_course(stage) for stage in stages]
    body = element(
        "body",
        _headline(folder, stages),
        element("main", *(part for part in parts if part is not None)),
        element("script", asset("player.js")),
    )
    style = asset("page.css") + asset("run.css")
    top = head(f"AudioLCM: {stages[-1].card['name']}", style, asset("player.js"))
    path = folder / PAGE
    with atomic_path(path) as temporary:
        page = "<!doctype html>\n" + element("html", top, body, lang="en") + "\n"
        temporary.write_text(page, encoding="utf-8")
    return path


def _headline(folder: Path, stages: Sequence[Artifact]) -> Html:
    made = stages[-1].card
    tops = [element("th", name, scope="col") for name in ("stage", "made with")]
    tops += [element("th", name, scope="col", class_="number") for name in ("parameters", "trained in")]
    body = element("tbody", *(_stage(folder, stage) for stage in stages))
    return element(
        "header",
        element("p", "AudioLCM, a training", class_="eyebrow"),
        element("h1", made["name"]),
        element("p", f"{made['stage']}, in {folder.name}", class_="protocol"),
        scrolling(element("table", element("thead", element("tr", *tops)), body), "Stages"),
        class_="headline",
    )


def _stage(folder: Path, stage: Artifact) -> Html:
    """Return a row with links to the resolved settings and to the folder of a stage."""
    places = {"settings": stage.folder / CONFIG, "folder": stage.folder}
    links = [element("a", name, href=quote(os.path.relpath(place, folder))) for name, place in places.items()]
    return element(
        "tr",
        element("th", stage.card["stage"], scope="row"),
        element("td", links[0], " ", links[1]),
        element("td", stage.millions, class_="number"),
        element("td", stage.seconds, class_="number"),
    )


def _listen(heard: Heard) -> Html:
    """Return a row of sounds for each caption."""
    flat = [waveform for waveforms in heard.sounds.values() for waveform in waveforms]
    uris, codec = sound_uris(flat)
    addresses = iter(uris)
    by_kind = {kind: [next(addresses) for _ in waveforms] for kind, waveforms in heard.sounds.items()}
    cards = []
    for index, caption in enumerate(heard.captions):
        figures = []
        for kind, made in heard.sounds.items():
            length = f"{len(made[index]) / SAMPLE_RATE:.1f} s"
            figures.append(figure(kind, caption, length, made[index], by_kind[kind][index]))
        title = element("p", caption, class_="caption")
        cards.append(element("li", title, element("div", *figures, class_="steps"), class_="card"))
    hint = element("p", f"{_PICTURES} Sound is {codec}.", class_="hint")
    return element(
        "section", element("h2", "Sounds"), hint, element("ol", *cards, class_="cards"), id="sounds"
    )


def _course(stage: Artifact) -> Html | None:
    """Return the curves of a stage; nothing where it was not trained here."""
    rows = read_metrics(stage.folder / METRICS)
    if not rows:
        return None
    title = element("h2", f"Training of the {stage.card['stage']}")
    drawn = curves(rows)
    few = element("p", "Too short for curves: its log has no figure twice.", class_="hint")
    return element(
        "section", title, element("div", *drawn, class_="plots") if drawn else few, class_="course"
    )


def curves(rows: Sequence[Mapping[str, float | int]]) -> list[Html]:
    """Return a picture of each figure in the rows of a metrics file that has two values or more."""
    points: dict[str, list[tuple[int, float]]] = {}
    for row in rows:
        for name, value in row.items():
            if name != "step" and math.isfinite(value):
                points.setdefault(name, []).append((int(row["step"]), float(value)))
    return [_curve(name, found) for name, found in points.items() if len({step for step, _ in found}) > 1]


def _curve(name: str, points: Sequence[tuple[int, float]]) -> Html:
    """Draw one figure; every nth point where there are more than the eye can tell apart, and always the last."""
    stride = math.ceil(len(points) / _MOST_POINTS)
    shown = [*points[:-1:stride], points[-1]]
    steps, values = zip(*shown, strict=True)
    low, high = min(values), max(values)
    is_logarithmic = low > 0 and high > _WIDE * low
    heights = [math.log(value) for value in values] if is_logarithmic else values
    places = zip(_spread(steps, _WIDTH), _spread(heights, _HEIGHT), strict=True)
    line = " ".join(f"{x:.1f},{_HEIGHT - y:.1f}" for x, y in places)
    drawing = element(
        "svg",
        element("polyline", points=line, class_="curve"),
        viewBox=f"0 0 {_WIDTH} {_HEIGHT}",
        preserveAspectRatio="none",
        role="img",
        aria_label=f"{name} from {values[0]:.4g} to {values[-1]:.4g}",
    )
    scale = ", logarithmic" * is_logarithmic
    words = (f"{low:.4g} to {high:.4g}{scale}", f"at the end {values[-1]:.4g}")
    ends = (f"step {steps[0]}", f"{steps[-1]}")
    return element(
        "figure",
        element("figcaption", element("b", name)),
        drawing,
        element("p", *(element("span", text) for text in ends), class_="ends"),
        element("p", *(element("span", text) for text in words), class_="ends"),
        class_="plot",
    )


def _spread(values: Sequence[float | int], length: int) -> list[float]:
    """Return the values on an axis of that length; in its middle where all are one."""
    low, high = min(values), max(values)
    span = high - low
    inner = length - 2 * _MARGIN
    return [_MARGIN + inner * ((value - low) / span if span else 0.5) for value in values]
