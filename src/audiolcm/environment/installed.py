"""What is installed, beside what is wanted: the requirements of pyproject.toml, the lock, what packages need."""

import importlib.metadata
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

PROJECT = "audiolcm"
LOCK = "constraints.txt"
MODULES = {
    "antlr4-python3-runtime": ("antlr4",),
    "hydra-core": ("hydra",),
    "pillow": ("PIL",),
    "protobuf": ("google.protobuf",),
    "pyyaml": ("yaml",),
    "scikit-learn": ("sklearn",),
    # The last one imports torchaudio where it is installed.
    "transformers": ("transformers", "transformers.audio_utils"),
}
"""What to import of packages whose modules have other names, or import others only when used."""
KNOWN_NEEDS = (
    ("torchaudio==2.11.0", "torch>=2.11,<2.15"),
    ("torchaudio==2.11.1", "torch>=2.13"),
)
"""What packages need without saying so, as measured with torch 2.11 to 2.15 (2026-11-28)."""


@dataclass(frozen=True)
class Unmet:
    """``package``, in its ``version``, needs ``needs``; ``found`` is what is installed, None for nothing."""

    package: str
    version: str
    needs: str
    found: str | None

    def __str__(self) -> str:
        name = Requirement(self.needs).name
        here = f"{name} {self.found} is installed" if self.found else f"{name} is not installed"
        return f"{self.package} {self.version} needs {self.needs}, but {here}"


def checkout() -> Path | None:
    """Return the folder of the checkout that this code lies in; None where there is none (or no lock in it)."""
    root = Path(__file__).resolve().parents[3]
    return root if (root / LOCK).is_file() and (root / "pyproject.toml").is_file() else None


def version(package: str) -> str | None:
    """Return the installed version of a package; None where it is not installed."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def wanted(extra: str = "") -> list[Requirement]:
    """Return what this project requires here, of one of its extras if one is named.

    The checkout's pyproject.toml is asked first: what pip wrote down may be older than it.
    """
    project = _project()
    if project is None:
        return _apply([Requirement(line) for line in _requires(PROJECT)], extra)
    lines = project["optional-dependencies"].get(extra, []) if extra else project["dependencies"]
    return _apply([Requirement(line) for line in lines])


def extras() -> list[str]:
    """Return the names of this project's extras."""
    if (project := _project()) is not None:
        return list(project["optional-dependencies"])
    try:
        return importlib.metadata.metadata(PROJECT).get_all("Provides-Extra") or []
    except importlib.metadata.PackageNotFoundError:
        return []


def _project() -> dict[str, Any] | None:
    root = checkout()
    if root is None:
        return None
    return tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def locked() -> dict[str, str]:
    """Return the version that the checkout's lock holds for each package, here; nothing where there is no checkout."""
    root = checkout()
    return {} if root is None else read_lock((root / LOCK).read_text(encoding="utf-8"))


def read_lock(text: str) -> dict[str, str]:
    """Return the versions of a file of constraints whose markers are true here, by normalized name."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        if not line.strip() or line[0] in "# -":
            continue
        requirement = Requirement(line.partition(" #")[0])
        if requirement.marker is None or requirement.marker.evaluate():
            found[canonicalize_name(requirement.name)] = str(requirement.specifier).removeprefix("==")
    return found


def satisfies(requirement: Requirement, installed: str) -> bool:
    """Return whether an installed version is one that a requirement takes."""
    return requirement.specifier.contains(installed, prereleases=True)


def unmet_requirements(roots: Sequence[Requirement]) -> list[Unmet]:
    """Return what is not as it must be among the packages that ``roots`` bring, in the order in which they are met.

    A root that is not installed is not among it: the roots are the caller's to look at.
    """
    found: dict[Unmet, None] = {}
    seen: set[tuple[str, str]] = set()
    waiting = [(canonicalize_name(r.name), extra) for r in roots for extra in ("", *sorted(r.extras))]
    while waiting:
        package, extra = waiting.pop(0)
        if (package, extra) in seen or (here := version(package)) is None:
            continue
        seen.add((package, extra))
        for need in needs_of(package, here, extra):
            installed = version(need.name)
            if installed is None or not satisfies(need, installed):
                found[Unmet(package, here, f"{need.name}{need.specifier}", installed)] = None
            waiting += [(canonicalize_name(need.name), more) for more in ("", *sorted(need.extras))]
    return list(found)


def needs_of(package: str, here: str, extra: str = "") -> list[Requirement]:
    """Return what an installed package needs here, as it says itself and as is known."""
    said = []
    for line in _requires(package):
        try:
            said.append(Requirement(line))
        except InvalidRequirement:  # in the metadata of others; pip would have refused what matters
            continue
    return [*_apply(said, extra), *known_needs(package, here)]


def known_needs(package: str, here: str) -> Iterator[Requirement]:
    """Yield what ``KNOWN_NEEDS`` says of a package in this version."""
    for pin, need in KNOWN_NEEDS:
        about = Requirement(pin)
        if about.name == package and satisfies(about, here):
            yield Requirement(need)


def _requires(package: str) -> list[str]:
    try:
        return importlib.metadata.requires(package) or []
    except importlib.metadata.PackageNotFoundError:
        return []


def _apply(requirements: Sequence[Requirement], extra: str = "") -> list[Requirement]:
    """Return the requirements that count here; with an extra those that it adds."""
    kept = []
    for requirement in requirements:
        marker = requirement.marker
        always = marker is None or marker.evaluate({"extra": ""})
        if (always and not extra) or (extra and not always and marker.evaluate({"extra": extra})):
            kept.append(requirement)
    return kept
