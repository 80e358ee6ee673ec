"""The part of the report that lets people hear: cards with sound, picture and scores, and the table of all clips."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from audiolcm.audio.mel import SAMPLE_RATE
from audiolcm.pages.html import Html, element, scrolling
from audiolcm.pages.media import figure, sound_uris
from evaluation.record import Record, Score, ScoredClip
from evaluation.report.sample import MAX_SECONDS, choose_clips, read_excerpt
from evaluation.tables.table import DASH, column, decimals

KEYS = (
    "With a clip in focus: space plays it, R plays its reference, arrows go to the next and the previous one."
)
PICTURES = (
    "The pictures are mel spectrograms: time to the right, 80 bands from 0 to 8 kHz upward, all on one scale from "
    "black (silence) to yellow."
)


def clips_section(record: Record, folder: Path, max_clips: int) -> Html:
    """Return the section with the controls, the sounds of a sample, and the scores of every clip.

    Raises:
        UserError: when a sound of the sample is missing or damaged.
    """
    scores = [score for score in record.row.scores if score.per_clip]
    sample = choose_clips(record, max_clips)
    cards, codec = _cards(sample, scores, folder)
    return element(
        "section",
        element("h2", "Clips"),
        element("p", _sample_in_words(record, sample, scores)),
        _controls(scores),
        element("p", f"{PICTURES} {KEYS} Sound is {codec}.", class_="hint") if cards else None,
        element("ol", *cards, id="cards", class_="cards"),
        element("h3", f"All {len(record.clips)} clips"),
        _table(record, scores, [clip.name for clip in sample]),
        id="clips",
    )


def _sample_in_words(record: Record, sample: Sequence[ScoredClip], scores: Sequence[Score]) -> str:
    if len(sample) == len(record.clips):
        return f"All {len(sample)} clips can be heard here."
    by = ", ".join(score.title for score in scores)
    how = f"two thirds are the best and the worst by {by}, the rest is" if scores else "they are"
    shown = f"{len(sample)} of {len(record.clips)}"
    return f"{shown} clips can be heard here: {how} spread evenly over the others."


def _controls(scores: Sequence[Score]) -> Html:
    keys = [("name", "Name", "higher")]
    keys += [(str(index), column(score).heading, score.better) for index, score in enumerate(scores)]
    buttons = [_sort_button(*key, aria_pressed="false") for key in keys]
    label = element("label", "Find in captions", for_="filter")
    field = element("input", type="search", id="filter", autocomplete="off", spellcheck="false")
    group = {"class_": "sort", "role": "group", "aria_label": "Sort the clips"}
    sort = element("div", element("span", "Sort by"), *buttons, **group)
    return element("div", label, field, sort, element("p", id="status", role="status"), class_="controls")


def _sort_button(key: int | str, label: str, better: str, **attributes: str) -> Html:
    return element("button", label, type="button", data_sort=key, data_better=better, **attributes)


def _cards(sample: Sequence[ScoredClip], scores: Sequence[Score], folder: Path) -> tuple[list[Html], str]:
    files = [file for clip in sample for file in (clip.audio, clip.reference) if file is not None]
    waveforms = {file: read_excerpt(folder / file) for file in dict.fromkeys(files)}
    addresses, codec = sound_uris(list(waveforms.values()))
    uris = dict(zip(waveforms, addresses, strict=True))
    cards = []
    for number, clip in enumerate(sample):
        parts = [("Generated", clip.audio), ("Reference", clip.reference)]
        figures = [
            _figure(kind, clip, file, waveforms[file], uris[file]) for kind, file in parts if file is not None
        ]
        header = element("header", element("h3", clip.name), element("p", clip.caption, class_="caption"))
        body = element("div", *figures, class_="sounds")
        attributes = {"id": f"clip-{number}", "tabindex": 0, **_sort_values(clip, scores)}
        cards.append(element("li", header, _chips(clip, scores), body, class_="card", **attributes))
    return cards, codec


def _figure(kind: str, clip: ScoredClip, file: str, waveform: np.ndarray, uri: str) -> Html:
    seconds = len(waveform) / SAMPLE_RATE
    cut = " (its start)" if seconds >= MAX_SECONDS else ""
    return figure(kind, clip.name, f"{seconds:.1f} s{cut}", waveform, uri, file)


def _chips(clip: ScoredClip, scores: Sequence[Score]) -> Html | None:
    if not scores:
        return None
    figures = [(column(score).heading, _value(score, clip.name)) for score in scores]
    chips = [element("div", element("dt", name), element("dd", value)) for name, value in figures]
    return element("dl", *chips, class_="chips")


def _value(score: Score, name: str) -> str:
    """Return the score of one clip, with as many digits behind the point as the mean of all."""
    if name not in score.per_clip:
        return DASH
    return f"{score.per_clip[name]:.{decimals(score.value)}f}"


def _sort_values(clip: ScoredClip, scores: Sequence[Score]) -> dict[str, str | float | None]:
    return {"data_name": clip.name} | {
        f"data_score_{index}": score.per_clip.get(clip.name) for index, score in enumerate(scores)
    }


def _table(record: Record, scores: Sequence[Score], heard: Sequence[str]) -> Html:
    """Return the scores of all clips; names of clips that can be heard lead to their cards."""
    heads = [element("th", _sort_button("name", "Name", "higher"), scope="col", aria_sort="none")]
    heads.append(element("th", "Caption", scope="col"))
    for index, score in enumerate(scores):
        button = _sort_button(index, column(score).heading, score.better)
        heads.append(element("th", button, scope="col", aria_sort="none", class_="number"))
    targets = {name: f"#clip-{number}" for number, name in enumerate(heard)}
    rows = []
    for clip in record.clips:
        name = element("a", clip.name, href=targets[clip.name]) if clip.name in targets else clip.name
        cells = [element("td", _value(score, clip.name), class_="number") for score in scores]
        caption = element("td", clip.caption, class_="caption")
        head = element("th", name, scope="row")
        rows.append(element("tr", head, caption, *cells, **_sort_values(clip, scores)))
    table = element("table", element("thead", element("tr", *heads)), element("tbody", *rows, id="rows"))
    return scrolling(table, "Scores of all clips")
