"""From configuration to objects, as Hydra instantiates them, of checked nodes; Hydra itself is slow to import."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from audiolcm.configuration.checking import check, named
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
        tree = plain(node)
    except ValueError as error:
        raise UserError(f"{path} cannot be built: {error}") from error
    if "${" in str(tree):
        raise UserError(f"{path} cannot be built: it holds a ${{...}} that is not resolved.")
    check(tree, path)
    try:
        maker = _maker(tree)
        made = maker if tree.get("_partial_", False) and not given else maker(**given)
    except BAD_VALUE as error:
        raise UserError(f"{path} cannot be built: {error}") from error
    if not isinstance(made, kind):
        raise UserError(f"{path} cannot be built: {tree['_target_']} makes no {kind.__name__}.")
    return made


def _maker(node: Mapping[str, Any]) -> partial[Any]:
    """Return the factory of what ``node`` describes, with its settings, of which those that are nodes are built."""
    settings = {name: _built(value) for name, value in node.items() if name not in ("_target_", "_partial_")}
    return partial(named(node["_target_"]), **settings)


def _built(value: Any) -> Any:
    if isinstance(value, list):
        return [_built(part) for part in value]
    if not isinstance(value, dict):
        return value
    if "_target_" not in value:
        return {name: _built(part) for name, part in value.items()}
    maker = _maker(value)
    return maker if value.get("_partial_", False) else maker()
