"""Words of a command line of Hydra's: in Hydra's quotes where a value needs them, and as a shell needs them."""

import os
import re
import shlex
from collections.abc import Sequence

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Quote, QuotedString
from hydra.errors import HydraException

from audiolcm.configuration.checking import nearest

CALL = re.compile(r"(\w+)\(.*\)", re.DOTALL)
"""A function of Hydra's, such as range(1,5)."""
_QUOTES = set("'\"`\u2018\u2019\u201c\u201d\u201e\u00ab\u00bb")
_ADVICE = ("To append to your", "See https", "full_key:", "object_type=", "reference_type=")
"""How lines of Hydra's messages begin that help nobody here: what + adds is refused when the run begins."""
_MEANS_ITSELF = re.compile(r"[\w./@%+:-]*", re.ASCII)
"""A value of such signs only is to Hydra, and to a shell, what it is."""


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
