"""What stands for the code of other people's classes in an identity: an edited plugin makes another artifact."""

import ast
import hashlib
import importlib.util
import pkgutil
from collections.abc import Iterator
from importlib.machinery import ModuleSpec
from importlib.metadata import packages_distributions, version
from pathlib import Path

from audiolcm.configuration.fingerprint import code_hash, parsed
from audiolcm.configuration.plugins import is_allowed, is_ours, targets


def code_of_plugins(node: object) -> dict[str, str]:
    """Return what ``code_of_class`` does of every class outside of ours below ``node``; mostly nothing.

    Meant for a configuration that was checked: a class that is not allowed is passed over.
    """
    code: dict[str, str] = {}
    for _, call in targets(node):
        target = str(call["_target_"])
        if not is_ours(target) and is_allowed(target):
            code |= code_of_class(pkgutil.resolve_name(target))
    return code


def code_of_class(made: object) -> dict[str, str]:
    """Return a hash of the module outside of ours that defines a class, and of each that it imports of its package.

    Comments and docstrings do not count. Of an installed distribution (not of an editable one) the module and the
    version stand for all of it.
    """
    code: dict[str, str] = {}
    waiting = [str(getattr(made, "__module__", ""))]
    while waiting:
        module = waiting.pop()
        if module in code or not module or is_ours(module):
            continue
        spec = _found(module)
        if spec is None or spec.origin is None or not Path(spec.origin).is_file():
            continue
        code[module] = code_hash(module) or hashlib.sha256(Path(spec.origin).read_bytes()).hexdigest()[:10]
        if "site-packages" in Path(spec.origin).parts:
            package = module.partition(".")[0]
            code |= {f"{name} version": version(name) for name in packages_distributions().get(package, [])}
        else:
            waiting += _imported_of_package(spec)
    return code


def _imported_of_package(spec: ModuleSpec) -> Iterator[str]:
    """Yield what a module's code imports of its own top-level package: modules, and what they hold."""
    package, origin = spec.name.partition(".")[0], Path(str(spec.origin))
    for node in ast.walk(parsed(origin.read_bytes() if origin.suffix == ".py" else b"")):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            relative = "." * node.level + (node.module or "")
            base = importlib.util.resolve_name(relative, spec.parent)
            names = [base, *(f"{base}.{alias.name}" for alias in node.names)]
        yield from (name for name in names if name.partition(".")[0] == package)


def _found(module: str) -> ModuleSpec | None:
    try:
        return importlib.util.find_spec(module)
    except (ModuleNotFoundError, ValueError):  # a class, function or constant of a module; a script
        return None
