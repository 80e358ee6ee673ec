"""Words that choose options of groups, each of which is a file of ``conf``."""

from collections.abc import Sequence
from pathlib import Path

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Glob, Override, Sweep

from audiolcm.configuration.words import complaint
from audiolcm.errors import UserError

CONF = Path(__file__).resolve().parents[3] / "conf"
LISTS = ("metrics",)
"""Groups of which several options go together."""
OPTIONAL = ("recipe",)
"""Groups whose option Hydra leaves out where there is no such file."""


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
