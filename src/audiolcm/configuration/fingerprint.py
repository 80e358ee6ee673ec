"""Whether a figure would come out the same today: hashes of a job's settings, and of the code that decided it.

The code of other people's classes stands in an identity too: an edited plugin makes another artifact.
"""

import ast
import hashlib
import importlib.util
import pkgutil
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib.machinery import ModuleSpec
from importlib.metadata import packages_distributions, version
from pathlib import Path
from typing import Any

from audiolcm.configuration.plugins import is_allowed, is_ours, targets
from audiolcm.moved import MOVED, SPLIT
from audiolcm.storage.hashing import content_hash

_PLACES = {
    "paths", "logger", "hardware", "parallel", "checkpoint", "path", "preview", "report_clips", "crosscheck",
    "objective_metric", "row", "scale", "plan", "plugins",
}  # fmt: skip
"""Sections that say where things lie, what runs them, what is shown of them, or which packages may be named."""
_PLACES_WITHIN = {
    "dataset": {"root", "exclude"},  # what is excluded is in the data's own hash
    "protocol": {"captions"},
    "system": {"checkpoint", "artifacts", "hardware", "path"},
    # Where its one file lies, no other is opened; the others have no settings. Metrics name what they hear with.
    "features": {"yamnet", "texture", "patches"},
}
_ADDED = {
    "guidance": {"interval"}, "teacher": {"initial"}, "solver": {"max_step"}, "dataset": {"resampler", "mels"},
    "parents": {"text_encoder"}, "text_encoder": {"trainable"},
    **{section: {"interval", "kind", "spacing", "eta"} for section in ("sampler", "teacher_sampler")},
    "system": {"interval", "kind", "spacing", "eta", "clamp_mel"},
}  # fmt: skip
"""Settings that came after the first records: null is as it was without them."""
DECIDING = (
    "audiolcm.assembly", "audiolcm.audio", "audiolcm.candidates", "audiolcm.configuration.build",
    "audiolcm.data.loading.batches", "audiolcm.data.loading.cache", "audiolcm.data.loading.dataset",
    "audiolcm.diffusion", "audiolcm.random_numbers", "audiolcm.models",
    "audiolcm.objectives", "audiolcm.pipeline", "audiolcm.published.conventions", "audiolcm.stages",
    "audiolcm.training.loop", "audiolcm.training.optimization", "audiolcm.training.micro_batches",
    "audiolcm.training.reproducibility",
    "evaluation.efficiency", "evaluation.embedded", "evaluation.features", "evaluation.measures",
    "evaluation.metrics", "evaluation.protocol", "evaluation.sound", "evaluation.systems",
)  # fmt: skip
"""Modules and packages whose code can change a figure; the others move, show and keep it. Data has its own hash."""
_IDLE_FIELDS = ("ctx", "kind", "type_comment")
"""Of syntax trees: what follows from the rest, or changes nothing."""
_PARSING = threading.Lock()


def settings_fingerprint(plain: Mapping[str, Any]) -> str:
    """Return a hash of a resolved configuration without its places, so that it is the same on every machine."""
    return content_hash(_without_places(plain))


def settings_made(plain: Mapping[str, Any]) -> dict[str, Any]:
    """Return what results and records keep of their settings: the hash of all, and one of each section.

    The first tells whether they changed, the others which of them did.
    """
    sections = {name: content_hash(section) for name, section in _without_places(plain).items()}
    return {"settings": settings_fingerprint(plain), "sections": sections}


def _without_places(plain: Mapping[str, Any]) -> dict[str, Any]:
    def without(section: str, content: Any) -> Any:
        if not isinstance(content, Mapping):
            return content
        places, added = _PLACES_WITHIN.get(section, ()), _ADDED.get(section, ())
        return {n: v for n, v in content.items() if n not in places and (v is not None or n not in added)}

    return {name: without(name, content) for name, content in plain.items() if name not in _PLACES}


def method_fingerprint() -> dict[str, str]:
    """Return a hash of each loaded module that can change a figure."""
    names = sorted(name for name in sys.modules if name not in MOVED and _decides(name))
    return {name: code for name in names if (code := code_hash(name))}


def changed_modules(method: Mapping[str, str]) -> list[str]:
    """Return the modules of an earlier ``method_fingerprint`` whose code is another one now, or gone; not those moved.

    To find a module Python imports its packages, so names of others in a record from anywhere are not looked for.
    """
    return [name for name, known in method.items() if not is_ours(name) or code_now(name) != known]


def code_now(module: str) -> str | None:
    """Return a hash of a module's code by the name that it has or had; None: there is no such module."""
    if module in SPLIT:
        return code_of(SPLIT[module])
    return code_hash(MOVED.get(module, module))


def code_of(packages: Sequence[str]) -> str:
    """Return one hash of the code of modules and of all modules of packages."""
    names = []
    for package in packages:
        found = importlib.util.find_spec(package)
        within = found.submodule_search_locations if found else None
        names += [package, *(m.name for m in pkgutil.walk_packages(within or [], f"{package}."))]
    return content_hash([code_hash(name) for name in names])


def parsed(code: str | bytes) -> ast.Module:
    """Return the syntax tree of code: one at a time, for in Python 3.11 two threads that parse disturb each other."""
    with _PARSING:
        return ast.parse(code)


@cache
def code_hash(module: str) -> str | None:
    """Return a hash of a module's code; None: there is no such module.

    Comments, layout and docstrings do not count, nor where names are imported from: what they do is in other modules.
    Nor does the version of Python: ``ast.unparse`` and ``ast.dump`` write the same code differently from 3.12 on.
    """
    try:
        spec = importlib.util.find_spec(module)
    except ModuleNotFoundError:
        return None
    if spec is None or spec.origin is None or not spec.origin.endswith(".py"):
        return None
    tree = parsed(Path(spec.origin).read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            node.body = [part for part in node.body if not _is_idle(part)] or [ast.Pass()]
    return content_hash(_told(tree))


def _told(node: object) -> object:
    """Return a part of a syntax tree as plain values: what is empty, and where it stands, left out."""
    if isinstance(node, list):
        return [_told(part) for part in node]
    if not isinstance(node, ast.AST):
        return repr(node)
    if isinstance(node, ast.JoinedStr):  # Python 3.12 leaves empty texts in the formats of its values
        return ["JoinedStr", [_told(part) for part in node.values if getattr(part, "value", None) != ""]]
    fields = {name: _told(value) for name, value in ast.iter_fields(node) if name not in _IDLE_FIELDS}
    return [type(node).__name__, {name: told for name, told in fields.items() if told not in ("None", [])}]


def _is_idle(node: ast.AST) -> bool:
    """Return whether a statement is a docstring or an import."""
    is_text = isinstance(node, ast.Expr) and isinstance(getattr(node.value, "value", None), str)
    return is_text or isinstance(node, ast.Import | ast.ImportFrom)


def _decides(module: str) -> bool:
    return any(module == known or module.startswith(f"{known}.") for known in DECIDING)


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
