"""Whether an error is an installed package's fault, and the sentence that says so."""

import importlib.metadata
import sys
import traceback
from collections.abc import Iterator
from types import FrameType

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from audiolcm.environment import installed
from audiolcm.errors import UserError
from audiolcm.storage.files import DISK_TROUBLE

_OURS = ("audiolcm", "evaluation", "experiments", "train", "evaluate")
_OUR_PLUGINS = "hydra_plugins.audiolcm"  # hydra_plugins itself is a namespace that others share
_LOADER = "hydra-core"  # it says ImportError of whatever class it was asked for and did not find
_LONGEST_REASON = 300


def explain(error: Exception) -> str | None:
    """Return one message for an error that an installed package is to blame for: its version, needs, what to type.

    Such are errors while a package of others is imported, also deep inside another one, and imports of what is not
    installed. None for every other error: a name that our own code lacks is a defect, whose stack trace is wanted.
    """
    links = list(_chain(error))
    if any(isinstance(link, UserError) for link in links):
        return None
    for link in reversed(links):
        if package := _blamed(link):
            importer = _importer(link) if isinstance(link, ModuleNotFoundError) else ""
            by = "" if importer in ("", package) else f"; {importer} imports it"
            return sentence(package, f"{_first_line(link)}{by}")
    return None


def explain_module(module: str, error: Exception | str) -> str:
    """Return one message for a module of others that was imported by itself, whatever that raised or said."""
    told = None if isinstance(error, str) else explain(error)
    package = _package_of(module) or canonicalize_name(module.partition(".")[0])
    return told or sentence(package, error if isinstance(error, str) else _first_line(error))


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines() or [""]
    return f"{type(error).__name__}: {lines[0][:_LONGEST_REASON]}"


def sentence(package: str, reason: str) -> str:
    """Return the message for a package that cannot be imported.

    Args:
        package: its name in the index of packages; of a module of Python itself ``python``.
        reason: what importing it said.
    """
    if package == "python":
        return (
            f"This Python, {sys.executable}, was built without a part of its library ({reason}). Take another "
            "one, such as `uv venv --python 3.13` makes, or build it again with the library that this part needs."
        )
    here = installed.version(package)
    if here is None:
        needs = [f"AudioLCM needs {need}." for need in _wanted_as(package)]
        return " ".join([f"The package {package} is not installed ({reason}).", *needs, advice(package, [])])
    unmet = installed.unmet_requirements([*installed.wanted(), Requirement(package)])
    mine = [fault for fault in unmet if fault.package == package] or unmet
    needs = [f"{fault}." for fault in mine[:3]]
    return " ".join([f"{package} {here} cannot be imported ({reason}).", *needs, advice(package, mine)])


def advice(package: str, unmet: list[installed.Unmet]) -> str:
    """Return what to type for a package that is missing, damaged, or (``unmet``) lacks what it needs."""
    root, here, pin = installed.checkout(), installed.version(package), installed.locked().get(package)
    if root is None:
        named = _wanted_as(package) or [package]
        again = f"--force-reinstall --no-deps {package}=={here}" if here and not unmet else f"'{named[0]}'"
        return f"Type `pip install {again}`."
    if pin is None and not here:
        return f"Type `pip install {package}`."
    if pin is None:
        return f"It is not in {installed.LOCK} and nothing here needs it. Type `pip uninstall {package}`."
    if here == pin and not unmet:
        return f"Its files may be damaged. Type `pip install --force-reinstall --no-deps {package}=={pin}`."
    whole = pin is not None and not _only_of_extras(package)
    return f"Type, in {root}: `pip install -c {installed.LOCK} {'-e .' if whole else package}`."


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and what it was raised from; an import error may also just follow the one behind it."""
    link: BaseException | None = error
    while link is not None:
        yield link
        follows = isinstance(link, ImportError) and not link.__suppress_context__
        link = link.__cause__ or (link.__context__ if follows else None)


def _blamed(error: BaseException) -> str | None:
    """Return the package that an error blames; None where it blames none, or our own code."""
    if isinstance(error, OSError) and error.errno in DISK_TROUBLE:
        return None
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    if not isinstance(error, ImportError):
        return _importing(frames)
    importer = _importer(error)
    if not importer:
        return _blamed_by_us(error)
    if isinstance(error, ModuleNotFoundError) and error.name:
        return _named(error.name)
    return None if importer == _LOADER and not _importing(frames) else importer


def _importer(error: BaseException) -> str:
    """Return the package whose code was the last to run before an error; "" where it was ours."""
    names = [_name(frame) for frame, _ in traceback.walk_tb(error.__traceback__)]
    last = next((name for name in reversed(names) if not _is_of_python(name)), "")
    return _package_of(last) or ""


def _blamed_by_us(error: ImportError) -> str | None:
    """Return the package that an import in our own code did not get; None where the fault is the import's."""
    package = _package_of(error.name or "")
    if package is None:
        is_missing = isinstance(error, ModuleNotFoundError) and error.name in sys.stdlib_module_names
        return "python" if is_missing else None
    wrong_name = str(error).startswith("cannot import name") or "." in (error.name or "")
    here = installed.version(package)
    if wrong_name and here is not None and here == installed.locked().get(package):
        return None  # in the locked version everything that we name was found: the name is wrong
    return package


def _named(module: str) -> str | None:
    """Return the package of a module that a package of others did not find; None for one of ours, a wrong name."""
    if _is_ours(module):
        return None
    if module in sys.stdlib_module_names:
        return "python"
    return _package_of(module) or canonicalize_name(module.partition(".")[0])


def _importing(frames: list[FrameType]) -> str | None:
    """Return the package of the innermost module being imported, unless our own code ran below it."""
    for frame in reversed(frames):
        if _is_ours(_name(frame)):
            return None
        if frame.f_code.co_name == "<module>" and (package := _package_of(_name(frame))):
            return package
    return None


def _name(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__", ""))


def _is_of_python(module: str) -> bool:
    return module.partition(".")[0] in sys.stdlib_module_names


def _is_ours(module: str) -> bool:
    return module.partition(".")[0] in _OURS or module.startswith(_OUR_PLUGINS)


def _package_of(module: str) -> str | None:
    """Return the package that a module comes from, or would; None for ours, Python's and unknown ones."""
    top = module.partition(".")[0]
    if top in ("", "__main__") or _is_ours(module) or _is_of_python(module):
        return None
    for package, modules in installed.MODULES.items():
        if any(top == known.partition(".")[0] for known in modules):
            return package
    named = canonicalize_name(top)
    if named in installed.locked() or installed.version(named) is not None or _wanted_as(named):
        return named
    providers = importlib.metadata.packages_distributions().get(top, ())
    return canonicalize_name(providers[0]) if providers and installed.PROJECT not in providers else None


def _wanted_as(package: str) -> list[str]:
    return [f"{r.name}{r.specifier}" for r in installed.wanted() if canonicalize_name(r.name) == package]


def _only_of_extras(package: str) -> bool:
    of_extras = {canonicalize_name(r.name) for extra in installed.extras() for r in installed.wanted(extra)}
    return package in of_extras and not _wanted_as(package)
