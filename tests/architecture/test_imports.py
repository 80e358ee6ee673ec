"""The architecture and the rules of the code, read from the syntax trees: who imports whom, sizes, forbidden calls.

DESIGN: root scripts and experiments -> evaluation -> audiolcm, never back. Inside audiolcm: everything that composes
(build, pipeline, recipe, cli, ...) -> training -> objectives -> models, diffusion, data -> audio -> types, errors.
"""

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = {"audiolcm": "src/audiolcm", "evaluation": "evaluation", "experiments": "experiments"}

FOUNDATION = {"draws", "types", "errors", "files", "plain_data", "tensors"}
METHOD = {"audio", "data", "models", "objectives"}
# What a part of audiolcm may import of audiolcm, itself aside. Parts not named here compose the others: they may import
# anything of audiolcm, and nothing named here may import them.
PARTS = {
    "draws": set(),
    "types": set(),
    "processes": {"errors"},
    "errors": set(),
    "interrupts": set(),
    "terminal": set(),
    "deadline": set(),
    "plain_data": set(),
    "files": {"errors"},
    "hashing": set(),
    "card": {"errors", "files", "hashing", "plain_data", "weights"},
    "environment": {"errors", "files", "terminal"},
    "fingerprint": {"hashing"},
    "plugins": {"errors"},
    "checking": {"environment", "errors", "plugins"},
    "plugin_code": {"fingerprint", "plugins"},
    "tensors": {"errors", "files"},
    "text_tables": set(),
    "audio": FOUNDATION,
    "diffusion": {"draws", "errors", "plain_data", "types"},
    "locks": {"errors", "files", "plain_data"},
    "weights": {"deadline", "errors", "files", "locks", "plain_data"},
    "models": FOUNDATION | {"audio", "weights"},
    "data": FOUNDATION
    | {"audio", "hashing", "locks", "plain_data", "plugin_code", "terminal", "text_tables"},
    "structure": {"data", "deadline", "errors", "files", "plain_data", "terminal"},
    "objectives": FOUNDATION | {"audio", "data", "diffusion", "models", "processes"},
    "result": {"files", "hashing", "plain_data"},
    "cluster": {
        "checking",
        "environment",
        "errors",
        "files",
        "plain_data",
        "config",
        "plugins",
        "result",
        "sections",
        "sweep",
        "version",
    },
    "training": FOUNDATION | METHOD | {"deadline", "interrupts", "plain_data", "processes", "weights"},
}
FORBIDDEN_PACKAGES = {
    "audiolcm": {"evaluation", "experiments", "train", "evaluate"},
    "evaluation": {"experiments", "train", "evaluate"},
    "experiments": {"train", "evaluate"},
}
DIFFUSION_MAY_IMPORT = {"torch", "numpy", "jaxtyping"}
HYDRA = {"hydra", "omegaconf"}
# The last ones are the bodies of root scripts: what train.py and evaluate.py call, the callback that ends a sweep.
HYDRA_PARTS = (
    "build",
    "checking",
    "cli",
    "config",
    "local",
    "choices",
    "mistakes",
    "planned",
    "rows",
    "run",
    "sweep",
    "words",
)
HYDRA_MODULES = {f"audiolcm.{name}" for name in (*HYDRA_PARTS, "cluster.launcher", "cluster.settings")} | {
    "evaluation.run"
}

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
    def part(self) -> str:
        """What comes after audiolcm in the module's name: models, diffusion, config, ..."""
        return self.module.split(".")[1] if self.module.startswith("audiolcm.") else ""


def read_source(root: Path, path: Path) -> Source:
    text = path.read_text(encoding="utf-8")
    module = ""
    for package, folder in PACKAGES.items():
        if path.is_relative_to(root / folder):
            names = [package, *path.relative_to(root / folder).with_suffix("").parts]
            module = ".".join(names).removesuffix(".__init__")
    return Source(path.relative_to(root), module, text, ast.parse(text))


def sources(root: Path) -> Iterator[Source]:
    """Every Python file of the project: root scripts, packages, tests, benchmarks."""
    folders = [*PACKAGES.values(), "tests", "benchmarks"]
    for path in [*root.glob("*.py"), *(file for folder in folders for file in (root / folder).rglob("*.py"))]:
        yield read_source(root, path)


def imported(source: Source) -> Iterator[tuple[int, str]]:
    """Line and absolute name of everything that is imported, also inside functions."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parents = source.module.split(".")
                is_package = source.path.name == "__init__.py"
                kept = parents[: len(parents) - node.level + is_package]
                base = ".".join([*kept, *([node.module] if node.module else [])])
            yield from ((node.lineno, f"{base}.{alias.name}") for alias in node.names)


def import_faults(source: Source) -> Iterator[str]:
    for line, name in imported(source):
        where, top = f"{source.path}:{line}: ", name.partition(".")[0]
        if top in FORBIDDEN_PACKAGES.get(source.package, ()):
            yield f"{where}{source.package} imports {top}"
        if top in HYDRA and source.package and source.module not in HYDRA_MODULES:
            yield f"{where}{top} outside of {', '.join(sorted(HYDRA_MODULES))} and the root scripts"
        part = name.split(".")[1] if top == "audiolcm" and "." in name else ""
        if part and source.part in PARTS and part != source.part and part not in PARTS[source.part]:
            yield f"{where}{source.part} imports {part}"
        outside = top not in DIFFUSION_MAY_IMPORT | {"audiolcm"} | sys.stdlib_module_names
        if source.part == "diffusion" and outside:
            yield f"{where}diffusion imports {top}"


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


def test_every_part_was_read() -> None:
    seen = {source.part for source in sources(ROOT)}
    assert PARTS.keys() - seen <= {"tensors"}, "a part was renamed: correct PARTS"


BODY = "\n".join(["    x = 0"] * 40)
BROKEN = [
    ("src/audiolcm/models/a.py", "import audiolcm.diffusion.schedule", "models imports diffusion"),
    ("src/audiolcm/models/a.py", "from audiolcm.data.loading.dataset import MelClips", "models imports data"),
    ("src/audiolcm/models/a.py", "from audiolcm import training", "models imports training"),
    ("src/audiolcm/models/sub/a.py", "from ...training import loop", "models imports training"),
    ("src/audiolcm/models/__init__.py", "from ..build import build", "models imports build"),
    (
        "src/audiolcm/audio/a.py",
        "def f() -> None:\n    from audiolcm.models import b",
        "audio imports models",
    ),
    ("src/audiolcm/data/a.py", "from audiolcm.models.autoencoder import Autoencoder", "data imports models"),
    ("src/audiolcm/diffusion/a.py", "from audiolcm.models import b", "diffusion imports models"),
    ("src/audiolcm/diffusion/a.py", "import scipy.special", "diffusion imports scipy"),
    ("src/audiolcm/pipeline.py", "import evaluation.metrics", "audiolcm imports evaluation"),
    ("src/audiolcm/pipeline.py", "from experiments import table", "audiolcm imports experiments"),
    ("evaluation/trial.py", "from experiments import table", "evaluation imports experiments"),
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
    ("experiments/a.py", "from evaluation import score\nfrom audiolcm.pipeline import AudioLCM"),
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
