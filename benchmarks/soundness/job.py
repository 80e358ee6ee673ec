"""One data set's table of soundness, from a configuration to files."""

import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from audiolcm.audio.mel import SAMPLE_RATE
from audiolcm.configuration.build import build
from audiolcm.data.manifest import StatesTruth
from audiolcm.data.preparing.prepare import prepare
from audiolcm.data.store.prepared import PreparedSplit
from audiolcm.errors import UserError
from audiolcm.pipeline import AudioLCM
from audiolcm.storage.files import atomic_path
from benchmarks.soundness.agreement import Agreement, agreements
from benchmarks.soundness.cases import SPOILINGS, steps_of
from benchmarks.soundness.figures import Figures, Soundness, detection, is_monotone
from benchmarks.soundness.judges import (
    Judge,
    embedded_judge,
    hits,
    patches_judge,
    texture_judge,
    with_other_captions,
    yamnet_at_hand,
    yamnet_judge,
)
from benchmarks.soundness.spoiling import Spoiling, TrueSounds
from benchmarks.soundness.text import agreement_table, heading, remarks, table
from evaluation.embedded.features import EmbeddedExtractor
from evaluation.embedded.stage import embedded_extractor
from evaluation.features.yamnet import YamNet

log = logging.getLogger(__name__)

SECTIONS = (
    "dataset", "evaluator", "features", "trainer", "optimizer", "hardware", "logger", "paths", "seed", "split",
    "checkpoint",
)  # fmt: skip


def assess(cfg: Mapping[str, Any], folder: Path) -> None:
    """Leave ``soundness.md`` and ``soundness.json`` of the judges and the data of a configuration in ``folder``.

    Raises:
        UserError: when the split is empty, or the checkpoint is none.
    """
    yamnet = yamnet_at_hand(cfg["features"]["yamnet"])
    ways = [*SPOILINGS, *_student(cfg)]
    extractor = embedded_extractor(cfg)
    corpus = build(cfg["dataset"], "dataset")
    data = prepare(corpus, Path(cfg["paths"]["cache"]))
    split = data.split(cfg["split"])
    sounds = true_sounds(split, data.duration)
    soundness = Soundness(_all_judges(extractor, yamnet, sounds), sounds, cfg["seed"])
    columns = soundness.columns
    rows, verdicts, agreed = _judged(soundness, ways)
    heard = extractor.extract(sounds.waveforms)
    stated = [corpus.stated(clip) for clip in split.clips] if isinstance(corpus, StatesTruth) else []
    found = detection(heard, stated, sounds.labels, extractor.classes) if stated else {}
    others = with_other_captions(extractor, heard, sounds.captions)
    parts = [
        heading(hits(extractor, heard, sounds), data.name, split.name, len(extractor.classes)),
        table(columns, rows),
        agreement_table(columns, agreed),
        remarks(columns, verdicts, others, found),
    ]
    content = {
        "evaluator": extractor.about() | {"identity": extractor.identity},
        "data": data.name,
        "split": split.name,
        "clips": len(split),
        "rows": rows,
        "other_captions": others,
        "is_monotone": verdicts,
        "agreement": {key: one.as_json() for key, one in agreed.items()},
        "detection": found,
    }
    _write(folder, "\n\n".join(parts), content)


def _judged(
    soundness: Soundness, ways: Sequence[Spoiling]
) -> tuple[dict[str, Figures], dict[str, dict[str, bool]], dict[str, Agreement]]:
    """Return the figures of all cases, which columns get no better by way, and which agree with YAMNet."""
    true = soundness.figures(soundness.sounds.waveforms)
    rows = {"true sounds": true}
    verdicts, groups = {}, {}
    for way in ways:
        found = soundness.of(way)
        rows |= found
        groups[way.name] = list(found.values())
        if way.grows:
            verdicts[way.name] = is_monotone(soundness.columns, [true, *groups[way.name]])
    through_mel = {way.name for way in ways if way.through_mel}
    return rows, verdicts, agreements(soundness.columns, groups, through_mel)


def _write(folder: Path, text: str, content: dict[str, Any]) -> None:
    for name, written in (("soundness.md", text), ("soundness.json", json.dumps(content, indent=1))):
        with atomic_path(folder / name) as temporary:
            temporary.write_text(written + "\n")
    log.info("%s\nWritten to %s", text, folder / "soundness.md")


def _student(cfg: Mapping[str, Any]) -> list[Spoiling]:
    if cfg["checkpoint"] is None:
        return []
    return [
        steps_of(AudioLCM.from_checkpoint(cfg["checkpoint"], hardware=build(cfg["hardware"], "hardware")))
    ]


def _all_judges(extractor: EmbeddedExtractor, yamnet: YamNet | None, sounds: TrueSounds) -> list[Judge]:
    """Return the embedded evaluator, those without training, and YAMNet where it is at hand."""
    found = [embedded_judge(extractor, sounds), texture_judge(sounds), patches_judge(sounds)]
    return found if yamnet is None else [*found, yamnet_judge(yamnet, sounds)]


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
        structured=[clip.structured_caption for clip in split.clips],
    )
