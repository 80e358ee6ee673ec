"""Whether the teacher inside the package stands in for the one that a configuration would train."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from audiolcm.card import CONFIG, check_files, read_card
from audiolcm.plain_data import read_yaml
from audiolcm.weights.embedded import FOLEY, folder_of

_WHOLE = ("model", "text_encoder", "schedule", "autoencoder", "optimizer")
COMPARED = (*_WHOLE, "stage", "teacher", "backbone", "objective", "dataset")
"""Sections of a configuration that tell."""
_WORD = re.compile(
    r"[+~]*((model|backbone|text_encoder|schedule|autoencoder|optimizer)\b|teacher\."
    r"|objective\.diffusion\b|trainer(=|@|$|\.teacher\b|\.autoencoder\b))"
)
"""A typed word that decides a teacher, whatever it says."""


def fitting_teacher(cfg: Mapping[str, Any], words: Sequence[str]) -> str | None:
    """Return the embedded teacher that stands in for the one that ``cfg`` would train; None where there is none.

    It stands in where network, text, schedule, autoencoder, optimizer and objective of the teacher are its own, and no
    typed word touches them or the training: a sweep over one of them, whose jobs are to be compared, trains a teacher
    for each of them. What the student is distilled with, how many clips and which seed are free.

    Args:
        cfg: the sections ``COMPARED``, resolved.
        words: the typed overrides.

    Raises:
        UserError: the embedded teacher was damaged.
    """
    if cfg["stage"] not in ("student", "vocoder") or any(map(_WORD.match, words)):
        return None
    folder = folder_of(FOLEY) / "teacher"
    check_files(folder, read_card(folder))
    return FOLEY if _deciding(cfg) == _deciding(read_yaml(folder / CONFIG)) else None


def _deciding(cfg: Mapping[str, Any]) -> list[object]:
    backbone = cfg["teacher"].get("backbone") or cfg["backbone"]
    diffusion, corpus = cfg["objective"]["diffusion"], cfg["dataset"]["_target_"]
    return [backbone, diffusion, corpus, *(cfg[name] for name in _WHOLE)]
