"""What a prepared corpus holds, counted: clips, captions, hours, how captions came to be (Table 4 of the paper)."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from audiolcm.audio.mel import SAMPLE_RATE
from audiolcm.data.corpora.esc_captions import CAPTIONS
from audiolcm.data.corpora.mix import Mix
from audiolcm.data.corpora.naming import caption_of_labels
from audiolcm.data.corpora.sidecar import words_of_name
from audiolcm.data.manifest import Corpus
from audiolcm.data.store.arrow_rows import ArrowRows
from audiolcm.data.store.prepared import CLIPS_FILE, PreparedData

Figures = dict[str, int | float]


def census(prepared: PreparedData, corpus: Corpus) -> Figures:
    """Count all splits of a prepared corpus; of a mix each part besides, under "<part>/<figure>".

    Shares and means of nothing are left out.

    Returns:
        ``num_clips``, different sounds; ``num_captions``, rows, each a sound with one caption; ``hours`` of the sounds,
        each once, as they are kept (a corpus cuts them at its ``max_duration``); ``share_written``, rows whose caption
        was written for the sound; ``share_from_labels``, rows whose caption was made of its labels here;
        ``share_from_names``, of its file name; ``labels_a_row``, their mean; ``num_bad_rows`` that were left out (of
        the whole only).
    """
    parts = corpus.corpora if isinstance(corpus, Mix) else {}
    counts = {name: Counter() for name in ("", *parts)}
    for name in prepared.splits:
        split = prepared.open_split(name)
        is_new = np.zeros(len(split), bool)
        is_new[split.sounds] = True
        for row, new in zip(ArrowRows(split.folder / CLIPS_FILE), is_new, strict=True):
            found = _of_row(row, bool(new))
            for part in {"", row["name"].partition("/")[0] if parts else ""}:
                counts[part].update(found)
    figures = _figures(counts.pop("")) | {"num_bad_rows": prepared.num_bad_rows}
    for part, counted in counts.items():
        figures |= {f"{part}/{name}": value for name, value in _figures(counted).items()}
    return figures


def origin(caption: str, labels: tuple[str, ...], audio_path: str | None) -> str:
    """Return how a caption came to be, told from its row: "from_labels", "from_names" (of files) or "written"."""
    of_labels = {caption_of_labels(labels), *(CAPTIONS.get(label) for label in labels if len(labels) == 1)}
    if labels and caption in of_labels:
        return "from_labels"
    if audio_path and caption == words_of_name(Path(audio_path).stem):
        return "from_names"
    return "written"


def _of_row(row: Mapping[str, Any], is_new: bool) -> Figures:
    """Return what one row adds to the counts."""
    found: Figures = {"rows": 1, "labels": len(row["labels"])}
    found[origin(row["caption"], tuple(row["labels"]), row["audio_path"])] = 1
    if is_new:
        found |= {"sounds": 1, "samples": round(row["duration"] * SAMPLE_RATE)}
    return found


def _figures(counts: Mapping[str, int | float]) -> Figures:
    figures = {
        "num_clips": counts["sounds"],
        "num_captions": counts["rows"],
        "hours": counts["samples"] / SAMPLE_RATE / 3600,
    }
    if counts["rows"]:
        for kind in ("written", "from_labels", "from_names"):
            figures[f"share_{kind}"] = counts[kind] / counts["rows"]
        figures["labels_a_row"] = counts["labels"] / counts["rows"]
    return figures
