"""The shape of a composed configuration: what may stand in it, checked before anything is built."""

import typing
from collections.abc import Iterable, Mapping
from pathlib import Path

import hydra
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from audiolcm.configuration import sections
from audiolcm.configuration.checking import check, nearest
from audiolcm.configuration.mistakes import explained
from audiolcm.configuration.plugins import allowing
from audiolcm.configuration.ranges import check_numbers
from audiolcm.configuration.resolvers import register_resolvers, typed
from audiolcm.configuration.words import CONF, composing, readable, refuse_odd_choices, respelled
from audiolcm.errors import UserError
from audiolcm.storage import plain_data

LOCAL = "local.yaml"
"""A user's own file in ``conf``, which both entry points compose where it is there."""


def check_local(conf: Path) -> None:
    """Refuse a user's own ``local.yaml`` in ``conf`` that says more than where things lie.

    What else it said would change what is made, and no command line, name of a folder or record would tell of it.

    Raises:
        UserError: it cannot be read, or holds another section than ``paths``.
    """
    path = conf / LOCAL
    if not path.is_file():
        return
    try:
        content = plain_data.read_yaml(path)
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read ({error}).") from error
    held = list(content) if isinstance(content, Mapping) else [str(content)]
    if odd := [str(section) for section in held if section != "paths"]:
        raise UserError(
            f"{path} holds {odd[0]!r}, but it may only say where things lie, in its section paths: "
            f"{', '.join(sections.PATHS)}. Corpora lie in paths.corpora, a folder (or link) for each, named "
            "as its dataset. Type all else on the command line."
        )


def resolve(cfg: DictConfig) -> dict[str, typing.Any]:
    """Return the configuration of ``train.py`` as plain dictionaries, interpolations resolved, checked.

    Raises:
        UserError: on a missing value, an unknown section, an unknown parameter or a value of the wrong type.
    """
    plain = to_plain(cfg, sections.SECTIONS)
    sections.check_sections(plain)
    with allowing(plain.get("plugins")):
        check(plain)
    return plain


def to_plain(cfg: DictConfig, known: Iterable[str]) -> dict[str, typing.Any]:
    """Return a configuration as plain dictionaries, interpolations resolved; only ``known`` sections may stand in it.

    Raises:
        UserError: on a missing value, an unknown section or a number out of its range.
    """
    try:
        container = OmegaConf.to_container(cfg, resolve=True, throw_on_missing=True)
    except OmegaConfBaseException as error:
        if isinstance(error.__cause__, UserError):  # of a resolver
            raise error.__cause__ from error
        raise UserError(f"The configuration is incomplete: {str(error).splitlines()[0]}") from error
    plain = typing.cast("dict[str, typing.Any]", container)
    unknown = sorted(set(plain) - set(known))
    if unknown:
        raise UserError(f"Unknown configuration section {unknown[0]!r}.{nearest(unknown[0], known)}")
    check_numbers(plain)
    return plain


def compose(overrides: list[str]) -> dict[str, typing.Any]:
    """Return the configuration that ``python train.py`` would run with, for other entry points."""
    if not CONF.is_dir():
        raise UserError(f"{CONF} is missing: install the project from its checkout, `pip install -e .`.")
    register_resolvers()
    words = respelled("train", readable(overrides))
    refuse_odd_choices(words)
    check_local(CONF)
    try:
        with typed(words), composing():
            return resolve(hydra.compose("train", words))
    except HydraException as error:
        raise explained("train", words, error) from error


def compose_features() -> dict[str, typing.Any]:
    """Return the networks of conf/features by name, as ``python evaluate.py`` would build them."""
    if not CONF.is_dir():
        raise UserError(f"{CONF} is missing: install the project from its checkout, `pip install -e .`.")
    with composing():
        return to_plain(hydra.compose("features/default"), {"features"})["features"]


def to_yaml(plain: Mapping[str, object]) -> str:
    """Return the configuration as YAML."""
    return OmegaConf.to_yaml(OmegaConf.create(dict(plain)))
