"""Whether the teacher inside the package stands in for the one that a configuration would train, or begins it."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from audiolcm.storage.plain_data import read_yaml
from audiolcm.weights.card import CONFIG, check_files, read_card
from audiolcm.weights.embedded import FOLEY, folder_of

_NETWORK = ("model", "text_encoder", "schedule", "autoencoder")
COMPARED = (*_NETWORK, "optimizer", "stage", "teacher", "backbone", "objective", "dataset")
"""Sections of a configuration that tell."""
_WORD = re.compile(
    r"[+~]*((model|backbone|text_encoder|schedule|autoencoder|optimizer)\b|teacher\."
    r"|objective\.diffusion\b|trainer(=|@|$|\.teacher\b|\.autoencoder\b))"
)
"""A typed word that decides a teacher, whatever it says."""
_WORD_OF_START = re.compile(
    r"[+~]*((model|backbone|text_encoder|schedule|autoencoder)\b|teacher\.|trainer(=|@|$|\.autoencoder\b))"
)
"""One that decides what a teacher's training may start from."""


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
    return FOLEY if _deciding(cfg) == _deciding(_embedded()) else None


def fitting_start(cfg: Mapping[str, Any], words: Sequence[str]) -> str | None:
    """Return the embedded teacher whose weights the training of another one starts from; None: from scratch.

    It starts so on recordings, which have a folder, where network, text, schedule and autoencoder are its own and no
    typed word touches them: a few hundred are not enough to learn from nothing what a sound is.

    Args:
        cfg: the sections ``COMPARED``, resolved.
        words: the typed overrides.

    Raises:
        UserError: the embedded teacher was damaged.
    """
    if cfg["stage"] == "autoencoder" or any(map(_WORD_OF_START.match, words)):
        return None
    return FOLEY if "root" in cfg["dataset"] and _network(cfg) == _network(_embedded()) else None


def _embedded() -> Mapping[str, Any]:
    """Return the configuration of the embedded teacher, whose files are checked first."""
    folder = folder_of(FOLEY) / "teacher"
    check_files(folder, read_card(folder))
    return read_yaml(folder / CONFIG)


def _network(cfg: Mapping[str, Any]) -> list[object]:
    return [cfg["teacher"].get("backbone") or cfg["backbone"], *(cfg[name] for name in _NETWORK)]


def _deciding(cfg: Mapping[str, Any]) -> list[object]:
    return [_network(cfg), cfg["optimizer"], cfg["objective"]["diffusion"], cfg["dataset"]["_target_"]]
