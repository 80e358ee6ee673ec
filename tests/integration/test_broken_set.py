"""Every entry point beside a broken package, as a user types it: one message, no stack trace, exit code not 0.

The broken packages are folders on PYTHONPATH, which stand before what is installed.
"""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest
from packages import needs_package
from small_run import ROOT, SMALL

BROKEN = {
    "torch": "raise ImportError('libcudart.so.13: cannot open shared object file')",
    "torchaudio": "raise OSError('Could not load this library: /x/libtorchaudio.so')",
    "torchvision": "raise RuntimeError('operator torchvision::nms does not exist')",
    "hydra": "raise ModuleNotFoundError(\"No module named 'antlr4'\", name='antlr4')",
    "yaml": "import a_package_that_is_not_there",
    "soundfile": "raise AttributeError('_ARRAY_API not found')",
    "numpy": "raise ImportError('numpy.core.multiarray failed to import')",
}
TRAIN = [str(ROOT / "train.py"), *SMALL]
ROWS = [
    ("hydra", TRAIN, "antlr4-python3-runtime"),
    ("torch", TRAIN, "torch "),
    ("torch", [*TRAIN, "hydra.mode=MULTIRUN", "seed=0,1"], "torch "),
    ("soundfile", TRAIN, "soundfile "),
    ("soundfile", [str(ROOT / "evaluate.py")], "soundfile "),
    ("yaml", [str(ROOT / "evaluate.py")], "a-package-that-is-not-there"),
    ("yaml", ["-m", "experiments", "list"], "a-package-that-is-not-there"),
    ("hydra", ["-m", "experiments", "run", "table7_scale"], "antlr4-python3-runtime"),
    ("numpy", ["-m", "evaluation.listening", "score", "key.json", "a.json"], "numpy "),
    ("torch", ["-m", "audiolcm.commands.cli", "generate", "A dog barks"], "torch "),
    ("hydra", ["-m", "audiolcm.commands.cli", "prepare"], "antlr4-python3-runtime"),
]


def run(folder: Path, broken: str, words: list[str], **variables: str) -> subprocess.CompletedProcess[str]:
    """Run Python with these words, beside a package of which nothing but its error is there."""
    package = folder / "broken" / broken
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(BROKEN[broken] + "\n")
    environment = os.environ | {"PYTHONPATH": str(package.parent), "HF_HUB_OFFLINE": "1"} | variables
    return subprocess.run(
        [sys.executable, *words], cwd=folder, env=environment, capture_output=True, text=True, timeout=400
    )


@pytest.mark.parametrize(("broken", "words", "named"), ROWS, ids=lambda value: str(value)[:30])
def test_entry_point_says_one_sentence(tmp_path: Path, broken: str, words: list[str], named: str) -> None:
    done = run(tmp_path, broken, words)
    told = done.stdout + done.stderr
    assert done.returncode == 1, told[-3000:]
    assert "Traceback" not in told
    (line,) = [line for line in told.splitlines() if "pip " in line]
    assert named in line
    assert line.rstrip().endswith("`.")


@pytest.mark.parametrize("broken", ["torchaudio", "torchvision"])
def test_package_that_another_one_imports_is_named(tmp_path: Path, broken: str) -> None:
    needs_package("laion_clap")
    code = (
        "from audiolcm.environment.guard import one_sentence\nwith one_sentence():\n"
        "  import laion_clap\n  from transformers import ClapModel, ClapFeatureExtractor"
    )
    done = run(tmp_path, broken, ["-c", code])
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"{broken} ")


def test_full_error_shows_the_stack_trace(tmp_path: Path) -> None:
    done = run(tmp_path, "torch", TRAIN, HYDRA_FULL_ERROR="1")
    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert done.stderr.splitlines()[-1].startswith("torch ")


def test_python_api_raises_the_sentence(tmp_path: Path) -> None:
    code = (
        "import audiolcm\ntry:\n  audiolcm.AudioLCM\n"
        "except ImportError as error:\n  print(type(error).__name__, error)"
    )
    done = run(tmp_path, "torch", ["-c", code])
    assert done.stdout.startswith("BrokenSet torch "), done.stderr


def test_script_without_the_project_says_how_to_install_it(tmp_path: Path) -> None:
    for script in ("train.py", "evaluate.py"):
        done = subprocess.run(
            [sys.executable, "-S", str(ROOT / script)], cwd=tmp_path, env={}, capture_output=True, text=True
        )
        assert done.returncode == 1
        (line,) = done.stderr.splitlines()
        assert "pip install -c constraints.txt -e ." in line


@pytest.mark.parametrize(
    "place",
    ["train.py", "evaluate.py", "src/audiolcm/__init__.py", "src/audiolcm/errors.py",
     "src/audiolcm/environment/__init__.py", "src/audiolcm/environment/guard.py"],
)  # fmt: skip
def test_what_runs_first_is_readable_by_old_pythons(place: str) -> None:
    ast.parse((ROOT / place).read_text(), feature_version=(3, 7))
