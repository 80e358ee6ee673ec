"""The architecture and the rules of the code, read from the syntax trees: who imports whom, sizes, forbidden calls.

DESIGN: root scripts and experiments -> evaluation -> audiolcm, never back. Inside audiolcm: everything that composes
(build, pipeline, recipe, cli, ...) -> training -> objectives -> models, diffusion, data -> audio -> types, errors.
"""

import ast
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path += [str(ROOT / "tools"), str(Path(__file__).parent)]

from house import PACKAGES, PICTURE, floors, house, imports, module_of, room_of  # noqa: E402
from rooms import GROUND, MAY_IMPORT  # noqa: E402

PACKAGE_FOLDERS = set(MAY_IMPORT) | GROUND
"""Rooms are packages, but for the modules that lie right under a top package."""
FORBIDDEN_PACKAGES = {
    "audiolcm": {"evaluation", "experiments", "benchmarks", "train", "evaluate"},
    "evaluation": {"experiments", "benchmarks", "train", "evaluate"},
    "experiments": {"benchmarks", "train", "evaluate"},
}
DIFFUSION_MAY_IMPORT = {"torch", "numpy", "jaxtyping"}
HYDRA = {"hydra", "omegaconf", "hydra_plugins"}
HYDRA_ROOMS = {"audiolcm.configuration", "audiolcm.sweeps", "audiolcm.sweeps.slurm"}
"""What composes, and what launches. Besides, the bodies of the two root scripts:"""
HYDRA_MODULES = {"audiolcm.commands.entry", "audiolcm.jobs.run", "evaluation.run"}

MAX_FILE_LINES = 300
MAX_FUNCTION_LINES = 40
LONGER_FUNCTIONS = {("audiolcm.training.loop", "fit"): 70, ("audiolcm.objectives.consistency", "losses"): 70}


@dataclass(frozen=True)
class Source:
    """One file: where it is, the module that it makes ("" for a test or a script) and its syntax tree."""

    path: Path
    module: str
    text: str
    tree: ast.Module

    @property
    def package(self) -> str:
        """The top-level package, or "" outside of the three."""
        return self.module.partition(".")[0]

    @property
    def room(self) -> str:
        """Where it lies, such as audiolcm.models; "" outside of the three packages."""
        return room_of(self.module, PACKAGE_FOLDERS) if self.module else ""


def read_source(root: Path, path: Path) -> Source:
    text = path.read_text(encoding="utf-8")
    return Source(path.relative_to(root), module_of(root, path), text, ast.parse(text))


def sources(root: Path) -> Iterator[Source]:
    """Every Python file of the project: root scripts, packages, tests, benchmarks."""
    folders = [*PACKAGES.values(), "tests", "benchmarks"]
    for path in [*root.glob("*.py"), *(file for folder in folders for file in (root / folder).rglob("*.py"))]:
        yield read_source(root, path)


def import_faults(source: Source) -> Iterator[str]:
    for line, name in imports(source.tree, source.module, source.path.name == "__init__.py"):
        where, top = f"{source.path}:{line}: ", name.partition(".")[0]
        if top in FORBIDDEN_PACKAGES.get(source.package, ()):
            yield f"{where}{source.package} imports {top}"
        elif top in PACKAGES and source.room:
            yield from (
                f"{where}{fault}" for fault in room_faults(source.room, room_of(name, PACKAGE_FOLDERS))
            )
        in_bounds = source.room in HYDRA_ROOMS or source.module in HYDRA_MODULES
        if top in HYDRA and source.package and not in_bounds:
            bounds = ", ".join(sorted(HYDRA_ROOMS | HYDRA_MODULES))
            yield f"{where}{top} outside of {bounds} and the root scripts"
        outside = top not in DIFFUSION_MAY_IMPORT | {"audiolcm"} | sys.stdlib_module_names
        if source.room == "audiolcm.diffusion" and outside:
            yield f"{where}audiolcm.diffusion imports {top}"


def room_faults(room: str, other: str) -> Iterator[str]:
    if room not in MAY_IMPORT and room not in GROUND:
        yield f"{room} is in no list of tests/architecture/rooms.py"
    elif other != room and other not in GROUND | MAY_IMPORT.get(room, set()):
        yield f"{room} imports {other}"


def size_faults(source: Source) -> Iterator[str]:
    lines = source.text.count("\n")
    if lines >= MAX_FILE_LINES:
        yield f"{source.path}: {lines} lines, must be under {MAX_FILE_LINES}"
    for node in ast.walk(source.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = node.end_lineno - node.lineno + 1
            first = node.body[0]
            if ast.get_docstring(node, clean=False) is not None:
                length -= first.end_lineno - first.lineno + 1
            limit = LONGER_FUNCTIONS.get((source.module, node.name), MAX_FUNCTION_LINES)
            if length >= limit:
                yield f"{source.path}:{node.lineno}: {node.name} has {length} lines, must be under {limit}"


def call_faults(source: Source) -> Iterator[str]:
    for node in ast.walk(source.tree):
        where = f"{source.path}:{getattr(node, 'lineno', 0)}: "
        if isinstance(node, ast.ExceptHandler) and node.type is None:
            yield f"{where}bare except"
        if not isinstance(node, ast.Call):
            continue
        name = ast.unparse(node.func)
        constants = {k.arg: k.value.value for k in node.keywords if isinstance(k.value, ast.Constant)}
        if name == "print":
            yield f"{where}print"
        if constants.get("strict") is False and name != "zip":
            yield f"{where}strict=False"
        if name == "torch.load" and constants.get("weights_only") is not True:
            yield f"{where}torch.load without weights_only=True"
        elif constants.get("weights_only") is False:
            yield f"{where}weights_only=False"


def docstring_faults(source: Source) -> Iterator[str]:
    stem = source.path.stem
    public = not stem.startswith("_") or stem in ("__init__", "__main__")
    if (
        public
        and source.path.parts[0] != "tests"
        and source.text.strip()
        and not ast.get_docstring(source.tree)
    ):
        yield f"{source.path}: module without a docstring"


def faults(root: Path) -> list[str]:
    rules = (import_faults, size_faults, call_faults, docstring_faults)
    return [fault for source in sources(root) for rule in rules for fault in rule(source)]


def test_project_keeps_the_rules() -> None:
    found = faults(ROOT)
    assert not found, "\n".join(found)


def test_the_rooms_are_those_that_are_listed_and_import_all_that_they_may() -> None:
    drawn = {room: others - GROUND for room, others in house(ROOT).items() if room not in GROUND}
    assert drawn == MAY_IMPORT
    assert all(others <= GROUND for room, others in house(ROOT).items() if room in GROUND)


def test_the_picture_shows_every_room() -> None:
    shown = set(re.findall(r"<text[^>]*>([\w.]+)</text>", (ROOT / PICTURE).read_text(encoding="utf-8")))
    names = {room.partition(".")[2] or room for room in house(ROOT)}
    assert shown == names | set(PACKAGES), "draw it again: python tools/house.py"


def test_no_room_leads_back_to_itself() -> None:
    assert floors(house(ROOT))["audiolcm.errors"] == 0
    with pytest.raises(ValueError, match="a circle: a -> b -> a"):
        floors({"a": {"b"}, "b": {"a"}})


BODY = "\n".join(["    x = 0"] * 40)
BROKEN = [
    (
        "src/audiolcm/models/a.py",
        "import audiolcm.diffusion.schedule",
        "models imports audiolcm.diffusion",
    ),
    (
        "src/audiolcm/models/a.py",
        "from audiolcm.data.loading.dataset import MelClips",
        "models imports audiolcm.data.loading",
    ),
    (
        "src/audiolcm/models/a.py",
        "from audiolcm import training",
        "models imports audiolcm.training",
    ),
    (
        "src/audiolcm/models/sub/a.py",
        "from ...training import loop",
        "models imports audiolcm.training",
    ),
    (
        "src/audiolcm/models/__init__.py",
        "from ..configuration.build import build",
        "models imports audiolcm.configuration",
    ),
    (
        "src/audiolcm/audio/a.py",
        "def f() -> None:\n    from audiolcm.models import b",
        "audio imports audiolcm.models",
    ),
    (
        "src/audiolcm/data/a.py",
        "from audiolcm.models.autoencoder import Autoencoder",
        "data imports audiolcm.models",
    ),
    (
        "src/audiolcm/diffusion/a.py",
        "from audiolcm.models import b",
        "diffusion imports audiolcm.models",
    ),
    ("src/audiolcm/diffusion/a.py", "import scipy.special", "audiolcm.diffusion imports scipy"),
    ("src/audiolcm/pipeline.py", "import evaluation.metrics", "audiolcm imports evaluation"),
    ("src/audiolcm/pipeline.py", "from experiments import table", "audiolcm imports experiments"),
    ("evaluation/trial.py", "from experiments import table", "evaluation imports experiments"),
    ("evaluation/trial.py", "import benchmarks.soundness", "evaluation imports benchmarks"),
    ("src/audiolcm/new/a.py", "import audiolcm.errors", "audiolcm.new is in no list"),
    ("src/audiolcm/training/a.py", "from omegaconf import DictConfig", "omegaconf outside of"),
    ("evaluation/trial.py", "import hydra.utils", "hydra outside of"),
    ("tests/a.py", "x = 1\n" * 300, "302 lines, must be under 300"),
    ("src/audiolcm/a.py", f"def f() -> None:\n{BODY}", "f has 41 lines, must be under 40"),
    (
        "src/audiolcm/training/loop.py",
        f"class A:\n  def fit(self) -> None:\n{BODY}\n{BODY}",
        "must be under 70",
    ),
    ("train.py", "print('x')", "print"),
    ("evaluation/a.py", "try:\n    pass\nexcept:\n    pass", "bare except"),
    ("experiments/a.py", "model.load_state_dict(state, strict=False)", "strict=False"),
    ("src/audiolcm/a.py", "import torch\ntorch.load('x')", "torch.load without weights_only=True"),
    ("src/audiolcm/a.py", "import torch\ntorch.load('x', weights_only=False)", "without weights_only=True"),
    ("src/audiolcm/a.py", "from torch import hub\nhub.f('x', weights_only=False)", "weights_only=False"),
]
ALLOWED = [
    ("src/audiolcm/models/a.py", "from audiolcm.audio.mel import NUM_MELS\nfrom audiolcm.models.b import B"),
    ("src/audiolcm/diffusion/a.py", "import math\nimport torch\nfrom audiolcm.types import Latent"),
    ("src/audiolcm/configuration/schema.py", "from omegaconf import OmegaConf"),
    ("src/audiolcm/training/loop.py", f"def fit() -> None:\n{BODY}"),
    ("src/audiolcm/a.py", f'def f() -> None:\n    """{"one line" + chr(10) * 50}"""\n    return None'),
    ("src/audiolcm/a.py", "import torch\ntorch.load('x', weights_only=True)\nzip((), (), strict=False)"),
    ("train.py", "import hydra\nfrom audiolcm.jobs.run import run_training\nfrom evaluation import score"),
    (
        "experiments/rendering/a.py",
        "from evaluation.tables import table\nfrom audiolcm.pipeline import AudioLCM",
    ),
]


def write(root: Path, name: str, code: str) -> None:
    path = root / name
    path.parent.mkdir(parents=True)
    path.write_text(code, encoding="utf-8")


@pytest.mark.parametrize(("name", "code", "expected"), BROKEN)
def test_broken_rule_is_found(tmp_path: Path, name: str, code: str, expected: str) -> None:
    write(tmp_path / "project", name, f'"""Docstring."""\n{code}\n')
    (found,) = faults(tmp_path / "project")
    assert name in found
    assert expected in found


def test_missing_docstring_is_found(tmp_path: Path) -> None:
    write(tmp_path / "project", "src/audiolcm/a.py", "x = 1\n")
    assert faults(tmp_path / "project") == ["src/audiolcm/a.py: module without a docstring"]


@pytest.mark.parametrize(("name", "code"), ALLOWED)
def test_kept_rules_are_quiet(tmp_path: Path, name: str, code: str) -> None:
    write(tmp_path / "project", name, f'"""Docstring."""\n{code}\n')
    assert faults(tmp_path / "project") == []
