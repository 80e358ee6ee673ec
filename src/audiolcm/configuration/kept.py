"""The configuration kept beside an artifact: plain YAML, which is read without Hydra."""

from pathlib import Path
from typing import Any

from audiolcm.configuration import sections
from audiolcm.configuration.checking import allowed_calls, check
from audiolcm.configuration.ranges import check_numbers
from audiolcm.errors import UserError
from audiolcm.storage import plain_data


def load_yaml(path: Path) -> dict[str, Any]:
    """Return the resolved configuration kept beside an artifact, checked like a fresh one."""
    plain = read_yaml(path)
    check(plain)
    return plain


def read_yaml(path: Path) -> dict[str, Any]:
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
    if missing := [name for name in sections.needed_to_hear(plain) if not sections.is_there(plain, name)]:
        raise UserError(f"{path} lacks the section {missing[0]!r}, or it is no such section. {advice}")
    allowed_calls(plain, "", path)
    check_numbers(plain)
    sections.check_model(plain["model"])
    return plain
