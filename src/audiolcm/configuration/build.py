"""From configuration to objects. Hydra and OmegaConf stop here and in config.py."""

from collections.abc import Mapping
from typing import Any

import hydra.utils
from hydra.errors import InstantiationException

from audiolcm.configuration.checking import check
from audiolcm.errors import UserError
from audiolcm.storage.plain_data import plain

BAD_VALUE = (
    TypeError, ValueError, ArithmeticError, AttributeError, LookupError, MemoryError, RuntimeError,
)  # fmt: skip
"""What constructors, and those of torch, raise for a value that will not do, such as a width of a billion."""


def build(node: Mapping[str, Any], path: str, kind: type = object, /, **given: Any) -> Any:
    """Return the object that ``node`` describes.

    A node marked ``_partial_`` without ``given`` becomes a factory.

    Args:
        node: a mapping with ``_target_`` in our own packages.
        path: where the node stands in the configuration, for messages.
        kind: a class, or a protocol that can be asked for, of which the object must be.
        **given: what only the program knows.

    Raises:
        UserError: what the constructor says of a bad value, an unknown setting, or an object of another kind.
    """
    try:
        # What is checked is what is built: Hydra walks through containers that others pass by
        tree = plain(node)
    except ValueError as error:
        raise UserError(f"{path} cannot be built: {error}") from error
    if "${" in str(tree):  # Hydra would put something else into its place, which nobody has checked
        raise UserError(f"{path} cannot be built: it holds a ${{...}} that is not resolved.")
    check(tree, path)
    try:
        maker = hydra.utils.instantiate(tree | {"_partial_": True}, _convert_="all")
    except InstantiationException as error:  # of a node below this one
        if isinstance(error.__cause__, UserError):
            raise error.__cause__ from None
        if isinstance(error.__cause__, BAD_VALUE):
            raise UserError(f"{path} cannot be built: {error.__cause__}") from error.__cause__
        raise
    try:
        made = maker if tree.get("_partial_", False) and not given else maker(**given)
    except BAD_VALUE as error:
        raise UserError(f"{path} cannot be built: {error}") from error
    if not isinstance(made, kind):
        raise UserError(f"{path} cannot be built: {tree['_target_']} makes no {kind.__name__}.")
    return made
