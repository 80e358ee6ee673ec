"""Words that choose options of groups, each of which is a file of ``conf``."""

from collections.abc import Sequence
from pathlib import Path

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Glob, Sweep

from audiolcm.errors import UserError
from audiolcm.words import complaint

CONF = Path(__file__).resolve().parents[2] / "conf"
LISTS = ("metrics",)
"""Groups of which several options go together."""


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
        if not options or override.is_delete() or _chooses(override.value(), options, group in LISTS):
            continue
        raise UserError(f"{word}: choose one option of {group}: {', '.join(options)}.")


def _chooses(value: object, options: Sequence[str], takes_several: bool) -> bool:
    """Return whether a value may stand for an option, or for several."""
    if isinstance(value, Glob):
        return bool(value.filter(list(options)))
    return isinstance(value, str | dict | Sweep) or (isinstance(value, list) and takes_several)


def options_of(group: str) -> list[str]:
    """Return the names of a group's options; none where it is no group."""
    return sorted(file.stem for file in (CONF / group).glob("*.yaml")) if group else []
