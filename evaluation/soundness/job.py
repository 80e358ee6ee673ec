"""One data set's table of soundness, from a configuration to files."""

from __future__ import annotations

import dataclasses
import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from audiolcm.audio.mel import SAMPLE_RATE
from audiolcm.build import build
from audiolcm.data.manifest import StatesTruth
from audiolcm.data.prepare import prepare
from audiolcm.data.prepared import PreparedSplit
from audiolcm.errors import UserError
from audiolcm.files import atomic_path
from audiolcm.text_tables import frame, markdown
from evaluation.embedded.stage import embedded_extractor
from evaluation.metrics.rate import wilson_interval
from evaluation.soundness.figures import Figures, Soundness, detection, is_monotone
from evaluation.soundness.spoiling import SPOILINGS, TrueSounds

log = logging.getLogger(__name__)

SECTIONS = ("dataset", "evaluator", "trainer", "optimizer", "hardware", "logger", "paths", "seed", "split")
_TITLES = {"frechet": "FAD", "kl": "KL", "caption_similarity": "CLAP", "hit_rate": "hit rate"}


def assess(cfg: Mapping[str, Any], folder: Path) -> None:
    """Leave ``soundness.md`` and ``soundness.json`` of the evaluator and the data of a configuration in ``folder``.

    Raises:
        UserError: when the split is empty.
    """
    extractor = embedded_extractor(cfg)
    corpus = build(cfg["dataset"], "dataset")
    data = prepare(corpus, Path(cfg["paths"]["cache"]))
    split = data.split(cfg["split"])
    sounds = true_sounds(split, data.duration)
    soundness = Soundness(extractor, sounds, cfg["seed"])
    rows = {"true sounds": soundness.figures(soundness.true)}
    verdicts = {}
    for spoiling in SPOILINGS:
        levels = soundness.of(spoiling)
        names = [f"{spoiling.name}, {level:g} {spoiling.unit}" for level in spoiling.levels]
        rows |= dict(zip(names, levels, strict=True))
        verdicts[spoiling.name] = is_monotone([rows["true sounds"], *levels])
    rows["other captions"] = soundness.with_other_captions()
    found = {}
    if isinstance(corpus, StatesTruth):
        stated = [corpus.stated(clip) for clip in split.clips]
        found = detection(soundness.true, stated, sounds.labels, extractor.classes)
    text = "\n\n".join([heading(soundness, data.name, split.name), table(rows), remarks(verdicts, found)])
    content = {
        "evaluator": extractor.about() | {"identity": extractor.identity},
        "data": data.name,
        "split": split.name,
        "clips": len(split),
        "rows": {name: dataclasses.asdict(figures) for name, figures in rows.items()},
        "is_monotone": verdicts,
        "detection": found,
    }
    for name, written in (
        ("soundness.md", text + "\n"),
        ("soundness.json", json.dumps(content, indent=1) + "\n"),
    ):
        with atomic_path(folder / name) as temporary:
            temporary.write_text(written)
    log.info("%s\nWritten to %s", text, folder / "soundness.md")


def true_sounds(split: PreparedSplit, seconds: float) -> TrueSounds:
    """Return the clips of a split; shorter ones end in zeros, as the evaluator's training examples do.

    Raises:
        UserError: when there are none.
    """
    if not len(split):
        raise UserError(
            f"The split {split.name} is empty: choose split=validation, or another fold to hold out."
        )
    needed = round(seconds * SAMPLE_RATE)
    waveforms = [split.waveform(index) for index in range(len(split))]
    return TrueSounds(
        waveforms=[np.pad(wave, (0, max(0, needed - len(wave)))) for wave in waveforms],
        captions=[clip.caption for clip in split.clips],
        labels=[frozenset(clip.labels) for clip in split.clips],
        sample_rate=SAMPLE_RATE,
    )


def heading(soundness: Soundness, data: str, split: str) -> str:
    """Return whose figures these are, and how often the evaluator names a class of a true sound."""
    hits = soundness.hits(soundness.true)
    low, high = wilson_interval(int(hits.sum()), len(hits))
    return (
        f"Embedded evaluator of {data}, {len(soundness.extractor.classes)} classes, on the {len(hits)} clips of split "
        f"{split}: accuracy {hits.mean():.3f} (95% interval {low:.3f} to {high:.3f}). It compares with no published "
        "figure."
    )


def table(rows: Mapping[str, Figures]) -> str:
    """Return the Markdown table of figures by row."""
    cells = [[name, *(f"{getattr(found, key):z.3f}" for key in _TITLES)] for name, found in rows.items()]
    return markdown(frame(["sounds", *_TITLES.values()], cells), ["---", *["---:"] * len(_TITLES)])


def remarks(verdicts: Mapping[str, Mapping[str, bool]], found: Mapping[str, tuple[float, int]]) -> str:
    """Return sentences: which figures grow worse from level to level, and what is heard in the true sounds."""
    lines = []
    for name, verdict in verdicts.items():
        parts = [f"{_TITLES[key]} {'yes' if holds else 'NO'}" for key, holds in verdict.items()]
        lines.append(f"No better from level to level, {name}: {', '.join(parts)}.")
    lines += [f"True sounds, {name}: {value:.3f} of {count} clips." for name, (value, count) in found.items()]
    return "\n".join(lines)
