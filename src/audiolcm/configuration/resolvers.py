"""Resolvers of ``conf``: what ``${name:...}`` stands for in its files.

One of them tells whether the teacher inside the package stands in for the one that a configuration would train, or
begins it.
"""

import hashlib
import os
import re
import typing
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import OmegaConf

from audiolcm.configuration.plugins import holding
from audiolcm.configuration.words import option, tell_options
from audiolcm.storage.plain_data import read_yaml
from audiolcm.weights.card import CONFIG, check_files, read_card
from audiolcm.weights.place import FOLEY, folder_of, weights_folder

DATA_VARIABLE = "AUDIOLCM_DATA"
CORPORA = "corpora"
_ASSUMED: ContextVar[bool | None] = ContextVar("weights at hand", default=None)
_TYPED: ContextVar[list[str] | None] = ContextVar("words", default=None)
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


def register_resolvers() -> None:
    """Make ten resolvers known to Hydra.

    ``${scale:}`` is the profile (``scale_of``); ``${slug:...}`` a folder name for a list of overrides;
    ``${sweep_name:}`` what the jobs of a sweep share; ``${one_of:key,{a:1,b:2}}`` the value of one of the keys;
    ``${data_folder:}`` the folder of all corpora; ``${corpus:name}`` that of one of them (``corpus_folder``);
    ``${if_at_hand:file,a,b}`` is a where the folder of published weights has the file, else b;
    ``${embedded_if_fitting:teacher}`` names the embedded teacher of the configuration, if one fits;
    ``${option:group,a,b}``, of lists of defaults, is a where the group has such an option, else b;
    ``${times:a,b}`` is a product.
    """
    tell_options()
    for name, resolver in {
        "option": option, "scale": scale_of, "slug": slug, "sweep_name": sweep_name, "data_folder": data_folder,
        "one_of": lambda key, values: values[key], "corpus": corpus_folder, "if_at_hand": if_at_hand,
        "embedded_if_fitting": embedded_if_fitting, "times": times,
    }.items():  # fmt: skip
        OmegaConf.register_new_resolver(name, resolver, replace=True)


def times(factor: float, number: object) -> float | None:
    """Return the product; None where the second is no number, which is told when that setting is checked."""
    return factor * number if isinstance(number, int | float) else None


def data_folder() -> str:
    """Return the standing folder of all corpora."""
    return os.environ.get(DATA_VARIABLE) or CORPORA


def corpus_folder(name: str = "", *, _root_: typing.Any) -> str | None:
    """Return the standing folder of a corpus, below ``paths.corpora``; of no name ``paths.corpora`` itself.

    None where no such folder was ever named: then ``dataset.root`` must be typed.
    """
    corpora = str(OmegaConf.select(_root_, "paths.corpora"))
    folder = Path(corpora).expanduser()
    return str(folder / name) if corpora != CORPORA or folder.is_dir() else None


def if_at_hand(filename: str, there: str, absent: str) -> str:
    """Return ``there`` where the folder of published weights has the file, else ``absent``."""
    assumed = _ASSUMED.get()
    is_there = (weights_folder() / filename).exists() if assumed is None else assumed
    return there if is_there else absent


def embedded_if_fitting(use: str, *, _root_: typing.Any) -> str | None:
    """Return the embedded teacher where a configuration can use it: as its "teacher", or as the "start" of it."""
    sections = {name: OmegaConf.select(_root_, name) for name in COMPARED}
    others = [OmegaConf.select(_root_, f"parents.{stage}") for stage in ("autoencoder", "text_encoder")]
    if any(place is not None for place in others) or None in sections.values():
        return None  # its latents or text are others; or a section was left out, which is told when all are checked
    if use == "start" and OmegaConf.select(_root_, "parents.teacher") is not None:
        return None
    fits = {"teacher": fitting_teacher, "start": fitting_start}[use]
    try:
        # The rest of it is to be found here
        sections["teacher"] = {"backbone": sections["teacher"].get("backbone")}
        plain = {
            name: OmegaConf.to_container(node, resolve=True) if OmegaConf.is_config(node) else node
            for name, node in sections.items()
        }
        return fits(plain, _typed(_root_))
    except (KeyError, TypeError, AttributeError):  # a setting was left out, or is no setting: likewise
        return None


def _typed(root: typing.Any) -> list[str]:
    """Return the words that a configuration was composed of."""
    if (words := _TYPED.get()) is not None:
        return words
    found = OmegaConf.select(root, "hydra.overrides.task")
    if found is None and HydraConfig.initialized():
        found = HydraConfig.get().overrides.task
    return list(found or [])


def typed(words: list[str]) -> AbstractContextManager[None]:
    """Let resolvers know the words that a configuration is composed of where Hydra does not tell them."""
    return holding(_TYPED, words)


def assuming_at_hand(is_there: bool | None) -> AbstractContextManager[None]:
    """Compose as a machine would that has all such files, or none; None looks whether they are there."""
    return holding(_ASSUMED, is_there)


def scale_of(_root_: typing.Any) -> str:
    """Return the scale of a configuration, such as replica: the profile of train.py, ``scale`` of evaluate.py."""
    chosen = OmegaConf.select(_root_, "hydra.runtime.choices.profile")
    return str(chosen or OmegaConf.select(_root_, "scale") or "replica")


def sweep_name() -> str | None:
    """Return what the jobs of one sweep share: the name of its experiment or of its folder; None for a single run."""
    if not HydraConfig.initialized() or HydraConfig.get().mode != RunMode.MULTIRUN:
        return None
    hydra_cfg = HydraConfig.get()
    return hydra_cfg.runtime.choices.get("experiment") or Path(hydra_cfg.sweep.dir).name


def slug(overrides: str, parent: str | None = None) -> str:
    """Return overrides as one readable folder name: ``backbone/norm=x,seed=1`` becomes ``backbone.norm-x+seed-1``.

    No sign in it needs quotes in an override or in a shell. Of a list over 120 characters the keys' last words stay,
    and of what is still too long the middle goes. Names from which the list could not be read again end in a hash of
    it, so that two different lists never share a folder.

    Args:
        overrides: joined by commas.
        parent: the folder that holds the folder. One of a version that named it otherwise stays in use there, so that
            a run that is done is found so, and one that is not goes on.
    """
    former = _former_slug(overrides)
    if parent is not None and (Path(parent) / former).is_dir():
        return former
    name = re.sub(r"[^\w.+@-]", "-", former.replace("=", "-").replace(",", "+"), flags=re.ASCII)
    is_plain = former.isascii() and not re.search(r"[^,]\+|(^|,)[^=,]*-", former)
    return name if is_plain or former.endswith(_hash(overrides)) else f"{name}-{_hash(overrides)}"


def _former_slug(overrides: str) -> str:
    """Return the name that versions up to 0.2 gave: with = and commas in it, which Hydra takes for its own."""
    keys_dotted = re.sub(r"(^|,)[^,=]+=", lambda key: key[0].replace("/", "."), overrides)
    name = re.sub(r"[^\w.,=+@-]+", "-", keys_dotted).strip("-") or "default"
    if len(name) > 120:
        name = re.sub(r"(^|,)[^,=]*\.([^,=.]+=)", r"\1\2", name)
    if len(name) > 110:
        name = f"{name[:54]}..{name[-54:]}"
    return f"{name}-{_hash(overrides)}" if overrides and name != keys_dotted else name


def _hash(overrides: str) -> str:
    return hashlib.sha256(overrides.encode()).hexdigest()[:8]


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
