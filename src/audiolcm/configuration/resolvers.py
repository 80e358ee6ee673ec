"""Resolvers of ``conf``: what ``${name:...}`` stands for in its files."""

import hashlib
import os
import re
import typing
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import OmegaConf

from audiolcm.configuration import stand_in
from audiolcm.configuration.choices import option, tell_options
from audiolcm.weights.place import weights_folder

DATA_VARIABLE = "AUDIOLCM_DATA"
CORPORA = "corpora"
_ASSUMED: ContextVar[bool | None] = ContextVar("weights at hand", default=None)
_TYPED: ContextVar[list[str] | None] = ContextVar("words", default=None)


def register_resolvers() -> None:
    """Make nine resolvers known to Hydra.

    ``${scale:}`` is the profile (``scale_of``); ``${slug:...}`` a folder name for a list of overrides;
    ``${sweep_name:}`` what the jobs of a sweep share; ``${one_of:key,{a:1,b:2}}`` the value of one of the keys;
    ``${data_folder:}`` the folder of all corpora; ``${corpus:name}`` that of one of them (``corpus_folder``);
    ``${if_at_hand:file,a,b}`` is a where the folder of published weights has the file, else b;
    ``${embedded_if_fitting:teacher}`` names the embedded teacher of the configuration, if one fits (``stand_in``);
    ``${option:group,a,b}``, of lists of defaults, is a where the group has such an option, else b.
    """
    tell_options()
    OmegaConf.register_new_resolver("option", option, replace=True)
    OmegaConf.register_new_resolver("scale", scale_of, replace=True)
    OmegaConf.register_new_resolver("slug", slug, replace=True)
    OmegaConf.register_new_resolver("sweep_name", sweep_name, replace=True)
    OmegaConf.register_new_resolver("one_of", lambda key, values: values[key], replace=True)
    OmegaConf.register_new_resolver("data_folder", data_folder, replace=True)
    OmegaConf.register_new_resolver("corpus", corpus_folder, replace=True)
    OmegaConf.register_new_resolver("if_at_hand", if_at_hand, replace=True)
    OmegaConf.register_new_resolver("embedded_if_fitting", embedded_if_fitting, replace=True)


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
    sections = {name: OmegaConf.select(_root_, name) for name in stand_in.COMPARED}
    if OmegaConf.select(_root_, "parents.autoencoder") is not None or None in sections.values():
        return None  # its latents are others; or a section was left out, which is told when all are checked
    if use == "start" and OmegaConf.select(_root_, "parents.teacher") is not None:
        return None
    fits = {"teacher": stand_in.fitting_teacher, "start": stand_in.fitting_start}[use]
    try:
        sections["teacher"] = {
            "backbone": sections["teacher"].get("backbone")
        }  # the rest is to be found here
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


@contextmanager
def typed(words: list[str]) -> Iterator[None]:
    """Let resolvers know the words that a configuration is composed of where Hydra does not tell them."""
    token = _TYPED.set(words)
    try:
        yield
    finally:
        _TYPED.reset(token)


@contextmanager
def assuming_at_hand(is_there: bool | None) -> Iterator[None]:
    """Compose as a machine would that has all such files, or none; None looks whether they are there."""
    token = _ASSUMED.set(is_there)
    try:
        yield
    finally:
        _ASSUMED.reset(token)


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
