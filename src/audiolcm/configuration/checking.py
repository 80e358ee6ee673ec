"""Whether a configuration can be built: every class that it names may be, and takes the settings beside it.

Each option of each group names the class that it configures (``_target_``), and that class's constructor is the
schema: its parameters, their types and its own checks. There is no second list of fields to keep in step.
"""

import collections.abc
import difflib
import importlib
import inspect
import types
import typing
from collections.abc import Iterable, Mapping
from pathlib import Path

from audiolcm.configuration import plugins
from audiolcm.environment.guard import broken_set
from audiolcm.errors import UserError

_MAKERS = {"audiolcm.diffusion.diffusers_schedule.read_schedule"}
"""Functions that a ``_target_`` may name; everything else that it names is a class or its classmethod."""
_HINTS = {int: (int,), float: (int, float), bool: (bool,), str: (str,)}
_LISTS = (list, tuple, collections.abc.Sequence, collections.abc.Iterable)


def check(node: object, path: str = "") -> None:
    """Check every ``_target_`` below ``node`` against the constructor that it names.

    Args:
        node: of a configuration.
        path: where it stands there, for messages.

    Raises:
        UserError: a class is outside of the packages that are allowed, in which case none was imported, or is no
            class; or its settings are unknown or of the wrong type.
    """
    for where, call, target in allowed_calls(node, path):
        _check_call(call, target, where)


def allowed_calls(
    node: object, path: str, origin: Path | None = None
) -> list[tuple[str, Mapping[str, object], str]]:
    """Return where each ``_target_`` stands, its node and its name; nothing is imported.

    Args:
        node: of a configuration.
        path: where it stands there, for messages.
        origin: the file of a model that it was read from; None for what the user typed or wrote.

    Raises:
        UserError: one of them is outside of the packages that are allowed.
    """
    calls = [(where, call, str(call["_target_"])) for where, call in plugins.targets(node, path)]
    may = plugins.is_allowed if origin is None else plugins.may_be_of_a_model
    if strange := [(where, target) for where, _, target in calls if not may(target)]:
        raise UserError(plugins.refusal(strange, origin))
    return calls


def named(target: str) -> typing.Any:
    """Return what a dotted name stands for; modules on the way are imported.

    Raises:
        ImportError: there is no such module, or it cannot be imported.
        AttributeError: what is before a dot holds nothing of the name behind it.
    """
    module, *rest = target.split(".")
    found = importlib.import_module(module)
    for name in rest:
        module = f"{module}.{name}"
        is_unknown_module = inspect.ismodule(found) and not hasattr(found, name)
        found = importlib.import_module(module) if is_unknown_module else getattr(found, name)
    return found


def _check_call(node: Mapping[str, object], target: str, path: str) -> None:
    try:
        called = named(target)
    except Exception as error:
        said = " ".join(str(error).split())
        wrong = UserError(f"{path}._target_={target} does not exist: {said}")
        raise (plugins.is_ours(target) and broken_set(error)) or wrong from error
    # A name may lead through an allowed module to what that module imports, such as numpy.load: refuse that too.
    origin, may = str(getattr(called, "__module__", "")), plugins.may_be_of_a_model
    if not plugins.is_allowed(origin) or (may(target) and not may(origin)):
        raise UserError(f"{path}._target_={target} is refused: it is not defined in {_allowed()}.")
    # Only what makes a part: a class, or what makes an object of its class. A stranger's configuration calls no others.
    makes = inspect.isclass(called) or inspect.isclass(getattr(called, "__self__", None)) or target in _MAKERS
    if not makes or "._" in target:
        raise UserError(f"{path}._target_={target} is refused: it is no class of {_allowed()}.")
    _check_settings(node, called, path)


def _allowed() -> str:
    return ", ".join(plugins.allowed_packages())


def _check_settings(node: Mapping[str, object], called: typing.Any, path: str) -> None:
    parameters = inspect.signature(called).parameters
    try:
        hints = typing.get_type_hints(called.__init__ if inspect.isclass(called) else called)
    except NameError:  # of a plugin whose hints are imported for type checkers only
        hints = {}
    if type(node.get("_partial_", False)) is not bool:
        raise UserError(f"{path}._partial_={node['_partial_']!r} must be true or false.")
    for key, value in node.items():
        if key in ("_target_", "_partial_"):
            continue
        if key not in parameters:
            options = [name for name in parameters if name != "self"]
            # Hydra adds to the settings of an option; of ours each has a file, which replaces them.
            left_there = f" If another class left it there: '~{path}.{key}'."
            left = "" if plugins.is_ours(called.__module__) else left_there
            raise UserError(
                f"Unknown setting {path}.{key}.{nearest(str(key), options)} "
                f"{called.__name__} knows: {', '.join(options) or 'none'}.{left}"
            )
        _check_type(f"{path}.{key}", value, hints.get(str(key)))


def _check_type(path: str, value: object, hint: object) -> None:
    choices: tuple[typing.Any, ...] = typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
    if value is None and type(None) in choices:
        return
    if lists := [choice for choice in choices if typing.get_origin(choice) in _LISTS]:
        _check_list(path, value, lists[0], choices)
        return
    if any(choice not in _HINTS and choice is not type(None) for choice in choices):
        _check_part(path, value, choices)
        return
    accepted = [kind for choice in choices if choice in _HINTS for kind in _HINTS[choice]]
    if type(value) not in accepted:
        wanted = " or ".join(choice.__name__ for choice in choices)
        given = "empty (null)" if value is None else f"of type {type(value).__name__}"
        raise UserError(f"{path}={value!r} is {given}, but {wanted} is needed.")


def _check_list(path: str, value: object, hint: object, choices: tuple[typing.Any, ...]) -> None:
    """Check a value that may be a list, whose elements are all of one kind."""
    if isinstance(value, list):
        kinds = set(typing.get_args(hint)) - {...}
        for index, element in enumerate(value if len(kinds) == 1 else ()):
            _check_type(f"{path}[{index}]", element, *kinds)
    elif not isinstance(value, Mapping) and type(value) not in choices:
        raise UserError(f"{path}={value} is one value, but a list is needed, such as {path}=[{value}].")


def _check_part(path: str, value: object, choices: tuple[typing.Any, ...]) -> None:
    """Refuse what can be no object of a class of ours, where the constructor asks for one."""
    kinds = [choice for choice in choices if choice is not type(None)]
    if not all(plugins.is_ours(getattr(kind, "__module__", "")) for kind in kinds):
        return
    if not isinstance(value, Mapping) or "_target_" not in value or value.get("_partial_", False):
        names = " or ".join(kind.__name__ for kind in kinds)
        raise UserError(
            f"{path} must be an object of {names}: leave it to its default, or give a section with a _target_."
        )


def nearest(word: str, options: Iterable[str]) -> str:
    """Return `` Did you mean 'x'?`` for the option next to a misspelled word; nothing when none is near."""
    close = difflib.get_close_matches(word, list(options), n=1)
    return f" Did you mean {close[0]!r}?" if close else ""
