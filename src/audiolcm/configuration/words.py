"""Words of a command line of Hydra's: quoted as Hydra and a shell need them, and which options of groups they choose.

Each option is a file of ``conf``.
"""

import os
import re
import shlex
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from hydra import initialize_config_dir
from hydra._internal import config_loader_impl
from hydra._internal.config_repository import IConfigRepository
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Glob, Override, Quote, QuotedString, Sweep
from hydra.errors import HydraException

from audiolcm.configuration.checking import nearest
from audiolcm.configuration.plugins import holding
from audiolcm.errors import UserError

CALL = re.compile(r"(\w+)\(.*\)", re.DOTALL)
"""A function of Hydra's, such as range(1,5)."""
_QUOTES = set("'\"`\u2018\u2019\u201c\u201d\u201e\u00ab\u00bb")
_ADVICE = ("To append to your", "See https", "full_key:", "object_type=", "reference_type=")
"""How lines of Hydra's messages begin that help nobody here: what + adds is refused when the run begins."""
_MEANS_ITSELF = re.compile(r"[\w./@%+:-]*", re.ASCII)
"""A value of such signs only is to Hydra, and to a shell, what it is."""
CONF = Path(__file__).resolve().parents[3] / "conf"
LISTS = ("metrics",)
"""Groups of which several options go together."""
OPTIONAL = ("recipe",)
"""Groups whose option Hydra leaves out where there is no such file."""
FORMER = {"trainer": ("", "recordings"), "protocol": ("for_", "replica")}
"""Groups that once had an option for every data set: how its name began, and the option that most of them were."""
SCALE_WORD = {"train": "profile", "evaluate": "scale"}
"""What chooses the scale in a script; the other's word is understood."""
_COMPOSED_FROM: ContextVar[IConfigRepository | None] = ContextVar("folders of options", default=None)
_defaults_list = config_loader_impl.create_defaults_list


def readable(words: Sequence[str]) -> list[str]:
    """Return words of a command line, a value in Hydra's quotes where it is a path, or nothing that Hydra can read.

    Of a value that Hydra would read as something else, such as ``[x]``, ``a,b`` or ``c#1``, the file or folder of
    that name decides: where there is one, it is meant.
    """
    return [_readable(word.rstrip("\r")) for word in words]  # of lines that end as on Windows


def _readable(word: str) -> str:
    key, equals, value = word.partition("=")
    if not equals or word.startswith("-") or _MEANS_ITSELF.fullmatch(value):
        return word
    for parts in ([value], value.split(",")):
        if all(map(os.path.exists, parts)):
            return f"{key}={','.join(map(quoted, parts))}"
    return word if CALL.fullmatch(value) or complaint(word) is None else f"{key}={quoted(value)}"


def quoted(value: str) -> str:
    """Return a value as Hydra reads it, in quotes where it needs them."""
    return value if _MEANS_ITSELF.fullmatch(value) else QuotedString(value, Quote.single).with_quotes()


def complaint(word: str) -> HydraException | None:
    """Return what Hydra says of a word that is no override to it."""
    try:
        OverridesParser.create().parse_override(word)
    except HydraException as error:
        return error
    return None


def of_unreadable(word: str) -> str:
    """Return what is wrong with a word that is no override to Hydra."""
    key, equals, value = word.partition("=")
    if not equals:
        return (
            f"{word.strip() or 'An empty word'} is no setting: type NAME=VALUE, without spaces around =, in quotes "
            "where it has others."
        )
    if call := CALL.fullmatch(value):
        functions = OverridesParser.create().functions.definitions
        if call[1] in functions:
            return f"{word}: {without_advice(complaint(word) or Exception())}"
        as_text = in_shell(f"{key}={quoted(value)}")
        return f"{word}: there is no {call[1]}(...).{nearest(call[1], functions)} As a text: {as_text}"
    if quotes := _QUOTES & set(key):
        return (
            f"{key} holds a quotation mark, {min(quotes)}: type the straight ones, around all of NAME=VALUE."
        )
    return f"{word}: {key} is no name of a setting. Names have letters, digits, _ and . only, such as model.width."


def without_advice(error: BaseException) -> str:
    """Return what Hydra says, on one line."""
    lines = [line.strip() for line in str(error).splitlines()]
    return " ".join(line for line in lines if line and not line.startswith(_ADVICE))


def in_shell(word: str) -> str:
    """Return a word as a shell needs it, in double quotes where these do: Hydra's own are single ones."""
    if re.search(r'[$"\\`!]', word):
        return shlex.quote(word)
    return word if shlex.quote(word) == word else f'"{word}"'


def refuse_odd_choices(words: Sequence[str]) -> None:
    """Refuse what Hydra takes for the option of a group, or fails at: null, numbers, and several where one counts.

    Raises:
        UserError: it lists the options.
    """
    for word in words:
        if complaint(word):
            continue  # told when Hydra comes to it
        override = OverridesParser.create().parse_override(word)
        group = override.key_or_group
        options = options_of(group)
        if not options and isinstance(override.value(), Glob):
            raise UserError(f"{word}: glob chooses among the options of a group, and {group} is none.")
        if not options or override.is_delete() or _chooses(override, options):
            continue
        raise UserError(f"{word}: choose one option of {group}: {', '.join(options)}.")


def _chooses(override: Override, options: Sequence[str]) -> bool:
    """Return whether an override names an option of its group, or several where that may be."""
    value = override.value()
    if isinstance(value, Glob):
        return bool(value.filter(list(options)))
    if override.key_or_group in OPTIONAL:
        names = override.sweep_string_iterator() if override.is_sweep_override() else [value]
        return all(str(name).strip("'\"") in options for name in names)
    return isinstance(value, str | dict | Sweep) or (
        isinstance(value, list) and override.key_or_group in LISTS
    )


def options_of(group: str) -> list[str]:
    """Return the names of a group's options; none where it is no group."""
    return sorted(file.stem for file in (CONF / group).glob("*.yaml")) if group else []


def respelled(entry: str, words: Sequence[str]) -> list[str]:
    """Return words of a script's command line, the other script's for a scale and those of former versions as ours.

    Of former versions only where all options are ours: a user's own folder of options may have one of that name.
    """
    ours = not any(word.startswith(("hydra.searchpath=", "--config-dir", "-cd")) for word in words)
    return [_respelled(entry, word, ours) for word in words]


def _respelled(entry: str, word: str, ours: bool) -> str:
    key, equals, value = word.partition("=")
    if equals and key in SCALE_WORD.values():
        return f"{SCALE_WORD[entry]}={value}"
    if not equals or key not in FORMER or not ours:
        return word
    start, now = FORMER[key]
    former = {f"{start}{name}" for name in options_of("dataset")} - set(options_of(key))
    return f"{key}={','.join(now if name in former else name for name in value.split(','))}"


def composing() -> AbstractContextManager[Any]:
    """Return the context in which Hydra composes from ``CONF``, as it does already inside train.py and evaluate.py."""
    if GlobalHydra.instance().is_initialized():
        return nullcontext()
    return initialize_config_dir(version_base="1.3", config_dir=str(CONF))


def option(group: str, name: str, otherwise: str) -> str:
    """Return ``name`` where the group has such an option, else another: of a list of defaults.

    Options are those of all folders that Hydra composes from, ``hydra.searchpath`` included.
    """
    folders = _COMPOSED_FROM.get()
    is_there = folders.config_exists(f"{group}/{name}") if folders else name in options_of(group)
    return name if is_there else otherwise


def tell_options() -> None:
    """Let ``option`` know what Hydra composes from, which Hydra tells none that resolves its lists of defaults."""
    config_loader_impl.create_defaults_list = _told_defaults_list


def _told_defaults_list(repo: IConfigRepository, *args: Any, **kwargs: Any) -> Any:
    with holding(_COMPOSED_FROM, repo):
        return _defaults_list(repo, *args, **kwargs)


def rows_are_a_sweep(words: list[str]) -> list[str]:
    """Return a script's command line with -m where it chooses among the rows of a table: ``row=a,b``.

    Hydra learns from the experiment's file that rows are a sweep, but not when another word is wrong; it then blames
    the comma instead of that word.
    """
    has_rows = any(word.startswith("row=") and "," in word for word in words)
    others = [word for word in words if word not in ("-m", "--multirun")]  # argparse takes no words behind it
    return [*others, "-m"] if has_rows or len(others) < len(words) else words
