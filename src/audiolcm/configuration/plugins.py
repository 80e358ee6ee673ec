"""Classes of other people: which packages a configuration may name besides ours.

A run allows packages by name (``plugins=[mypkg]``); a distribution that registers itself under the entry point group
``audiolcm.plugins`` is allowed by being installed. Nothing else is: what an artifact names is looked up here before it
is imported.
"""

import importlib
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from importlib.metadata import entry_points
from pathlib import Path
from typing import TypeVar

from audiolcm.errors import UserError

OUR_PACKAGES = ("audiolcm", "evaluation", "experiments")
_OF_MODELS = tuple(
    f"audiolcm.{name}"
    for name in ("data", "diffusion", "distributed.hardware", "models", "objectives", "training")
)
"""Of ours, what a model may be made of. The rest has classes that make folders or ask servers when they are built."""
T = TypeVar("T")
GROUP = "audiolcm.plugins"
"""Entry points of this group name a package each; a distribution that has one is allowed once it is installed."""
_named: ContextVar[tuple[str, ...]] = ContextVar("_named", default=())


@contextmanager
def holding(variable: ContextVar[T], value: T) -> Iterator[None]:
    """Give a variable another value within a ``with`` block; other threads do not see it."""
    token = variable.set(value)
    try:
        yield
    finally:
        variable.reset(token)


def allowing(packages: object) -> AbstractContextManager[None]:
    """Allow packages within a ``with`` block, besides those of the blocks around it; other threads do not see it.

    Args:
        packages: names such as ``mypkg`` or ``mypkg.losses``, which are imported now; None for no more.

    Raises:
        UserError: it is no list, or one of them is no package or cannot be imported.
    """
    return holding(_named, (*_named.get(), *imported(packages)))


def imported(packages: object) -> tuple[str, ...]:
    """Return the names of packages that were typed, after importing each; none for None.

    Raises:
        UserError: it is no list, or one of them is no package or cannot be imported.
    """
    if packages is None:
        return ()
    if not isinstance(packages, Sequence) or isinstance(packages, str):
        raise UserError(f"plugins={packages} must be a list of packages: plugins=[{packages}].")
    for name in packages:
        if not _is_name(name):
            raise UserError(
                f"plugins: {name!r} is no name of a package: type it as Python imports it, plugins=[mypkg]."
            )
        if _is_of_python(name):
            raise UserError(
                f"plugins: {name} is part of Python itself, whose classes are no parts of a model."
            )
        _import(name)
    return tuple(packages)


def allowed_packages() -> tuple[str, ...]:
    """Return all packages that a configuration may name now: ours, those of this run, installed plugins."""
    return tuple(dict.fromkeys((*OUR_PACKAGES, *_named.get(), *_installed())))


def is_allowed(name: str) -> bool:
    """Return whether a module, or what it holds, may be named; nothing is imported."""
    return is_ours(name) or _within(name, _named.get()) or _within(name, _installed())


def is_ours(name: str) -> bool:
    """Return whether a module, or what it holds, is of this project."""
    return _within(name, OUR_PACKAGES)


def may_be_of_a_model(name: str) -> bool:
    """Return whether what is read from a model may name a class: ours that models are made of, and all plugins."""
    return is_allowed(name) and (not is_ours(name) or _within(name, _OF_MODELS))


def refusal(strange: Sequence[tuple[str, str]], origin: Path | None) -> str:
    """Return what to say of classes that are not allowed: of the first, and how to allow all of them.

    Args:
        strange: where each stands in a configuration, and its name.
        origin: the file of a model that names them; None for what the user typed or wrote.
    """
    where, names = strange[0][0], [name for _, name in strange]
    said, allowed = f"{where}._target_={names[0]}", ", ".join(allowed_packages())
    if origin is None:
        said = f"{said} is refused: only classes of {allowed} may be named here."
    else:
        said = (
            f"{origin} is refused: its {said} is outside of this project's packages. What is read from a model may "
            f"name only classes of what this run allows: {allowed}."
        )
    if ours := [name for name in names if is_ours(name)]:
        return f"{origin} is refused: it names {ours[0]}, and no model is made of that."
    if odd := [name for name in names if not _is_name(name) or "." not in name]:
        return f"{said} {odd[0]!r} is no name of a class in a package."
    if odd := [name for name in names if _is_of_python(name)]:
        return f"{said} {odd[0]} is part of Python itself and cannot be allowed."
    packages = list(dict.fromkeys((*_named.get(), *(name.partition(".")[0] for name in names))))
    options = " ".join(f"--plugins {package}" for package in packages)
    return (
        f"{said} If you trust that code, which is then run: plugins=[{','.join(packages)}] "
        f"(audiolcm generate: {options}; in Python: plugins={packages})."
    )


def import_from_here() -> None:
    """Let Python find packages in the current folder too, last of all places, if the command line names plugins.

    Only then: whoever names none may stand in a stranger's folder.
    """
    here, names_some = os.getcwd(), any(word.startswith(("plugins=", "--plugins")) for word in sys.argv)
    if names_some and here not in sys.path:
        sys.path.append(here)


def targets(node: object, path: str = "") -> Iterator[tuple[str, Mapping[str, object]]]:
    """Yield every mapping with a ``_target_`` below ``node``, with where it stands.

    Raises:
        UserError: there is something else than mappings, lists and plain values, in which a ``_target_`` could hide.
    """
    children: list[tuple[str, object]] = []
    if isinstance(node, Mapping):
        if "_target_" in node:
            yield path, node
        children = [(f"{path}.{key}" if path else str(key), value) for key, value in node.items()]
    elif isinstance(node, list):
        children = [(f"{path}[{index}]", value) for index, value in enumerate(node)]
    elif not (node is None or isinstance(node, str | int | float)):
        raise UserError(
            f"{path} is of type {type(node).__name__}: only numbers, words, lists and mappings will do."
        )
    for where, child in children:
        yield from targets(child, where)


def _installed() -> Iterator[str]:
    return (point.module for point in entry_points(group=GROUP))


def _within(name: str, packages: Sequence[str] | Iterator[str]) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def _is_name(name: object) -> bool:
    return isinstance(name, str) and all(part.isidentifier() for part in name.split("."))


def _is_of_python(name: str) -> bool:
    """Return whether a name is of Python's own library, which no model is made of."""
    return name.partition(".")[0] in sys.stdlib_module_names


def _import(name: str) -> None:
    try:
        importlib.import_module(name)
    except Exception as error:  # whatever its own code raises
        raise UserError(
            f"plugins: {name} cannot be imported ({type(error).__name__}: {error}). Install it into this environment "
            f"(pip install -e FOLDER), or start in the folder that holds it; this one is {Path.cwd()}."
        ) from error
