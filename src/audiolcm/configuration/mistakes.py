"""What is wrong with the words of a command line of Hydra's, told in one message with the nearest right word."""

import difflib
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn

from hydra import compose
from hydra._internal import utils
from hydra.core.config_loader import ConfigLoader
from hydra.core.global_hydra import GlobalHydra
from hydra.core.object_type import ObjectType
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, ValueType
from hydra.errors import HydraException, MissingConfigException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from audiolcm.configuration.checking import nearest
from audiolcm.configuration.words import (
    CONF,
    LISTS,
    complaint,
    composing,
    in_shell,
    of_unreadable,
    options_of,
    quoted,
    refuse_odd_choices,
    without_advice,
)
from audiolcm.environment.guard import stopped
from audiolcm.errors import UserError

_ADDED = ("plan", "sanity", "crosscheck")
"""Settings that no default has, which are typed with a +."""


@contextmanager
def explained_words(entry: str) -> Iterator[None]:
    """Around ``hydra.main`` of a script: a mistake on its command line is one message, and exit code 1.

    ``HYDRA_FULL_ERROR=1`` shows Hydra's stack trace instead. Ctrl-C while the script starts is one line as well.
    """
    report, overrides = utils.run_and_report, list[str]()
    try:
        overrides = _without_options(sys.argv[1:])
        refuse_odd_choices(overrides)
        utils.run_and_report = lambda func: report(lambda: _told(func, entry, overrides))
        yield
    except UserError as error:
        sys.exit(str(error))
    except (HydraException, OmegaConfBaseException) as error:
        # Where Hydra reports none: --help with other words
        sys.exit(str(explained(entry, overrides, error)))
    except KeyboardInterrupt:
        stopped()
    finally:
        utils.run_and_report = report


def _without_options(words: Sequence[str]) -> list[str]:
    """Return the overrides of a command line.

    Raises:
        UserError: an option, which begins with a dash, is unknown or lacks its value.
    """
    parser = utils.get_args_parser()
    parser.error = _refuse
    known, unknown = parser.parse_known_args(words)
    options = [name for action in parser._actions for name in action.option_strings]
    if odd := [word for word in unknown if word.startswith("-")]:
        raise UserError(
            f"There is no option {odd[0]}.{nearest(odd[0], options)} Settings are typed without dashes, as NAME=VALUE."
        )
    commands = (known.run, known.multirun, known.cfg, known.info, known.shell_completion)
    if sum(map(bool, commands)) > 1:
        raise UserError(
            "--run, --multirun (or several rows), --cfg, --info and --shell-completion go one at a time."
        )
    if known.resolve and not (known.cfg or known.help):
        raise UserError("--resolve goes with --cfg or --help.")
    return [*known.overrides, *unknown]


def _refuse(message: str) -> NoReturn:
    raise UserError(f"{message[:1].upper()}{message[1:]}.")


def _told(call: Callable[[], Any], entry: str, words: Sequence[str]) -> Any:
    """Call a part of Hydra; what it says of the words is told in ours, unless its stack trace is wanted."""
    try:
        return call()
    except (HydraException, OmegaConfBaseException, UserError) as error:
        if os.environ.get("HYDRA_FULL_ERROR") == "1":
            raise
        told = error if isinstance(error, UserError) else explained(entry, words, error)
        sys.exit(str(told))


def explained(entry: str, words: Sequence[str], error: Exception) -> UserError:
    """Return what to tell of words with which a configuration does not compose: which is wrong, and the nearest right.

    Args:
        entry: the configuration, such as ``train``.
        words: overrides of the command line or of a job.
        error: what Hydra said.
    """
    if odd := [word for word in words if complaint(word)]:
        return UserError(of_unreadable(odd[0]))
    with composing():
        loader = GlobalHydra.instance().config_loader()
        overrides = OverridesParser.create(loader).parse_overrides(list(words))
        told = next(filter(None, (_of_option(override, loader) for override in overrides)), None)
        return UserError(told or _of_keys(entry, overrides, loader) or _of_hydra(error, overrides))


def _of_option(override: Override, loader: ConfigLoader) -> str | None:
    """Return what is wrong with the options that an override chooses of a group; None where it chooses none."""
    group = override.key_or_group
    if not group:
        return f"{override.input_line} names no setting: type NAME=VALUE."
    if not loader.get_group_options(group) or override.is_delete():
        return None
    for value in _chosen(override):
        head, _, name = f"{group}/{value}".rpartition("/")
        options = loader.get_group_options(head)
        if name not in options and "${" not in value:
            near = _near(name, options)
            meant = f" Did you mean '{override.get_key_element()}={near}'?" if near else ""
            return f"There is no {group}={value}.{meant} {group} is one of: {', '.join(sorted(options))}."
    return None


def _chosen(override: Override) -> list[str]:
    """Return the texts that an override names; those of a sweep one after the other."""
    if override.is_sweep_override():
        return [value.strip("'\"") for value in override.sweep_string_iterator()]
    value = override.value()
    return [one for one in (value if isinstance(value, list) else [value]) if isinstance(one, str)]


def _of_keys(entry: str, overrides: Sequence[Override], loader: ConfigLoader) -> str | None:
    """Return what is wrong with the names of groups and settings; None where all are known."""
    groups = list(_groups(loader))
    choices = [override for override in overrides if override.key_or_group in groups]
    try:
        cfg = compose(entry, [_first(choice) for choice in choices], return_hydra_config=True)
    except HydraException:
        known = compose(entry, return_hydra_config=True).hydra.runtime.choices
        return next(filter(None, (_of_plus(choice, known, entry) for choice in choices)), None)
    return next(filter(None, (_of_key(o, cfg, groups) for o in overrides if o not in choices)), None)


def _groups(loader: ConfigLoader, parent: str = "") -> Iterator[str]:
    for name in loader.list_groups(parent):
        group = f"{parent}/{name}" if parent else name
        if loader.get_group_options(group, ObjectType.CONFIG):
            yield group
        yield from _groups(loader, group)


def _first(choice: Override) -> str:
    """Return the words of an override, of a sweep with its first value only."""
    if not choice.is_sweep_override():
        return str(choice.input_line)
    return f"{choice.get_key_element()}={next(choice.sweep_string_iterator())}"


def _of_plus(choice: Override, known: DictConfig, entry: str) -> str | None:
    """Return where a group lacks the + of those that are in no list of defaults, or has it though it is in one."""
    name = choice.get_key_element().lstrip("+~")
    is_known, word = name in known, _first(choice).lstrip("+~")
    if choice.is_add() or choice.is_force_add():
        return f"{name} has a default: type {in_shell(word)}, without the +." if is_known else None
    if is_known:
        return None
    if choice.package is not None or choice.is_delete():
        return f"{name} is nothing that could be replaced or left out here."
    other = "train" if entry == "evaluate" else "evaluate"
    if name in compose(other, return_hydra_config=True).hydra.runtime.choices:
        return f"{name} is chosen for {other}.py; {entry}.py has no such group."
    return f"{name} has no default that could be replaced: type {in_shell(f'+{word}')}"


def _of_key(override: Override, cfg: DictConfig, groups: Sequence[str]) -> str | None:
    """Return what is wrong with the name of a setting; what + adds is refused when the run begins."""
    key = override.key_or_group
    if "/" in key or override.package is not None:
        return f"There is no group {key}.{_meant(_near(key, groups))}"
    node: Any = cfg
    parts = key.split(".")
    for depth, part in enumerate(parts):
        here = ".".join(parts[:depth])
        if not isinstance(node, DictConfig):
            return f"There is no setting {key}: {here} is one value."
        names = [str(name) for name in node]
        if part not in names:
            if override.is_add() or override.is_force_add():
                return None
            if key in _ADDED:
                return f"{key} is typed with a +: {in_shell(f'+{override.input_line}')}"
            if elsewhere := _of_other_options(here, part, cfg):
                return f"There is no setting {key}: {elsewhere}"
            meant = _meant_key(parts, depth, [*names, *([] if here else groups)], cfg)
            listed = f" {here} has: {', '.join(names)}." if here else ""
            return f"There is no setting {key}.{_meant(meant)}{listed}"
        try:
            node = node[part]
        except OmegaConfBaseException:  # it leads to something that is still missing
            return None
    return None


def _meant_key(parts: Sequence[str], depth: int, names: Sequence[str], cfg: DictConfig) -> str | None:
    """Return the setting that is nearest to one whose part at ``depth`` is none of the names there."""
    elsewhere, near = _elsewhere(".".join(parts), cfg), _near(parts[depth], names)
    is_last_word = len(parts) == 1 and bool(elsewhere) and str(elsewhere).endswith(f".{parts[0]}")
    if near is None or is_last_word:
        return elsewhere
    meant = ".".join([*parts[:depth], near, *parts[depth + 1 :]])
    is_known = len(parts) == 1 or any(f"{path}.".startswith(f"{meant}.") for path, _ in _leaves(cfg))
    return meant if is_known else elsewhere


def _of_other_options(group: str, name: str, cfg: DictConfig) -> str | None:
    """Return which options of a group know a setting that the chosen one does not; None where none does."""
    chosen = cfg.hydra.runtime.choices.get(group)
    files = sorted((CONF / group).glob("*.yaml")) if chosen else []
    know = [file.stem for file in files if name in OmegaConf.load(file)]
    return f"{group}={chosen} has no {name}; these have: {group}={', '.join(know)}." if know else None


def _near(word: str, options: Sequence[str]) -> str | None:
    """Return the option next to a word, in capitals or not."""
    by_letters = {option.lower(): option for option in options}
    found = difflib.get_close_matches(word.lower(), by_letters, n=1)
    return by_letters[found[0]] if found else None


def _meant(near: str | None) -> str:
    return f" Did you mean {near!r}?" if near else ""


def _elsewhere(key: str, cfg: DictConfig) -> str | None:
    """Return the setting anywhere that is near a key, or whose last word is; rather one than its copies."""
    leaves = [leaf for leaf in _leaves(cfg) if leaf[0].startswith("hydra.") == key.startswith("hydra.")]
    paths = [path for path, _ in sorted(leaves, key=lambda leaf: leaf[1])]
    last = {path.rpartition(".")[2]: path for path in reversed(paths)}
    near = _near(key, paths) or ("" if "." in key else last.get(_near(key, list(last)) or ""))
    return last.get(key) or near or None


def _leaves(node: DictConfig, path: str = "") -> Iterator[tuple[str, bool]]:
    """Yield the path of every single value, and whether it stands for another one."""
    for name, child in node.items_ex(resolve=False):
        here = f"{path}.{name}" if path else str(name)
        if isinstance(child, DictConfig) and not child._is_none() and not child._is_interpolation():
            yield from _leaves(child, here)
        else:
            yield here, OmegaConf.is_interpolation(node, str(name))


def _of_hydra(error: Exception, overrides: Sequence[Override]) -> str:
    """Return Hydra's own message on one line, without advice that leads astray."""
    several = [override for override in overrides if override.is_sweep_override()]
    if several and str(error).startswith(("Ambiguous value", "Sweep parameters")):
        key, _, value = str(several[0].input_line).partition("=")
        told = f"{key}={value} has several values. A job for each: add -m."
        if several[0].value_type != ValueType.SIMPLE_CHOICE_SWEEP or (options_of(key) and key not in LISTS):
            return told
        told += f" One list: {in_shell(f'{key}=[{value}]')}."
        text = in_shell(f"{key}={quoted(value)}")
        return told if options_of(key) else f"{told} One text, such as a folder's name: {text}"
    said = ": ".join(filter(None, (without_advice(link) for link in (error, error.__cause__) if link)))
    if isinstance(error, MissingConfigException) and error.missing_cfg_file and error.options:
        name = error.missing_cfg_file.rpartition("/")[2]
        near = _meant(_near(name, list(error.options)))
        return f"There is no conf/{error.missing_cfg_file}.yaml.{near} There are: {', '.join(error.options)}."
    return said or type(error).__name__
