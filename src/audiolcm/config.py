"""The shape of a composed configuration: what may stand in it, checked before anything is built."""

import hashlib
import os
import re
import typing
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from audiolcm import plain_data, stand_in
from audiolcm.checking import allowed_calls, check, nearest
from audiolcm.choices import CONF, option, refuse_odd_choices, respelled, tell_options
from audiolcm.errors import UserError
from audiolcm.mistakes import explained
from audiolcm.plugins import allowing
from audiolcm.ranges import check_numbers
from audiolcm.sections import PATHS, SECTIONS, check_model, check_sections, is_there, needed_to_hear
from audiolcm.weights.place import weights_folder
from audiolcm.words import readable

LOCAL = "local.yaml"
"""A user's own file in ``conf``, which both entry points compose where it is there."""
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
def assuming_at_hand(is_there: bool | None) -> Iterator[None]:
    """Compose as a machine would that has all such files, or none; None looks whether they are there."""
    token = _ASSUMED.set(is_there)
    try:
        yield
    finally:
        _ASSUMED.reset(token)


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
    sections = list(content) if isinstance(content, Mapping) else [str(content)]
    if odd := [str(section) for section in sections if section != "paths"]:
        raise UserError(
            f"{path} holds {odd[0]!r}, but it may only say where things lie, in its section paths: "
            f"{', '.join(PATHS)}. Corpora lie in paths.corpora, a folder (or link) for each, named "
            "as its dataset. Type all else on the command line."
        )


def scale_of(_root_: typing.Any) -> str:
    """Return the scale of a configuration, such as replica: the profile of train.py, ``scale`` of evaluate.py."""
    chosen = OmegaConf.select(_root_, "hydra.runtime.choices.profile")
    return str(chosen or OmegaConf.select(_root_, "scale") or "replica")


def rows_are_a_sweep(words: list[str]) -> list[str]:
    """Return a script's command line with -m where it chooses among the rows of a table: ``row=a,b``.

    Hydra learns from the experiment's file that rows are a sweep, but not when another word is wrong; it then blames
    the comma instead of that word.
    """
    has_rows = any(word.startswith("row=") and "," in word for word in words)
    others = [word for word in words if word not in ("-m", "--multirun")]  # argparse takes no words behind it
    return [*others, "-m"] if has_rows or len(others) < len(words) else words


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


def resolve(cfg: DictConfig) -> dict[str, typing.Any]:
    """Return the configuration of ``train.py`` as plain dictionaries, interpolations resolved, checked.

    Raises:
        UserError: on a missing value, an unknown section, an unknown parameter or a value of the wrong type.
    """
    plain = to_plain(cfg, SECTIONS)
    check_sections(plain)
    with allowing(plain.get("plugins")):
        check(plain)
    return plain


def to_plain(cfg: DictConfig, sections: Iterable[str]) -> dict[str, typing.Any]:
    """Return a configuration as plain dictionaries, interpolations resolved; only ``sections`` may stand in it.

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
    known = set(sections)
    unknown = sorted(set(plain) - known)
    if unknown:
        raise UserError(f"Unknown configuration section {unknown[0]!r}.{nearest(unknown[0], known)}")
    check_numbers(plain)
    return plain


def compose(overrides: list[str]) -> dict[str, typing.Any]:
    """Return the configuration that ``python train.py`` would run with, for other entry points."""
    from hydra import compose as hydra_compose
    from hydra import initialize_config_dir
    from hydra.core.global_hydra import GlobalHydra
    from hydra.errors import HydraException

    if not CONF.is_dir():
        raise UserError(f"{CONF} is missing: install the project from its checkout, `pip install -e .`.")
    register_resolvers()
    words = respelled("train", readable(overrides))
    refuse_odd_choices(words)
    check_local(CONF)
    token = _TYPED.set(words)
    try:
        # Inside train.py and evaluate.py, with this same folder
        running = GlobalHydra.instance().is_initialized()
        with nullcontext() if running else initialize_config_dir(version_base="1.3", config_dir=str(CONF)):
            return resolve(hydra_compose("train", words))
    except HydraException as error:
        raise explained("train", words, error) from error
    finally:
        _TYPED.reset(token)


def load_yaml(path: Path) -> dict[str, typing.Any]:
    """Return the resolved configuration kept beside an artifact, checked like a fresh one."""
    plain = read_yaml(path)
    check(plain)
    return plain


def read_yaml(path: Path) -> dict[str, typing.Any]:
    """Return the resolved configuration kept beside an artifact, for a few parts of it to be built.

    ``build`` checks each of them; the classes that the other sections name, such as those of the training, are not
    loaded. What it says of ``plugins`` allows nothing: only the run that reads it does.

    Raises:
        UserError: the file cannot be read, is not the configuration of an artifact, has a number out of its range, or
            names a class that no model is made of, or that is not allowed.
    """
    advice = "Give the folder of an artifact that `python train.py` made, whole."
    try:
        plain = plain_data.read_yaml(path)
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read: {error}. {advice}") from error
    if not isinstance(plain, dict) or "${" in str(plain):
        raise UserError(f"{path} is not a resolved configuration. {advice}")
    if missing := [name for name in needed_to_hear(plain) if not is_there(plain, name)]:
        raise UserError(f"{path} lacks the section {missing[0]!r}, or it is no such section. {advice}")
    allowed_calls(plain, "", path)
    check_numbers(plain)
    check_model(plain["model"])
    return plain


def to_yaml(plain: Mapping[str, object]) -> str:
    """Return the configuration as YAML."""
    return OmegaConf.to_yaml(OmegaConf.create(dict(plain)))
