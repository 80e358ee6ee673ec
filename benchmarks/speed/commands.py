"""Whole commands, each in a process of its own: how long a user waits."""

import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import audiolcm
from audiolcm.configuration.build import build
from audiolcm.configuration.schema import compose
from audiolcm.distributed.hardware import Hardware
from benchmarks.speed.case import Case
from benchmarks.speed.work import Work, repeated

ROOT = Path(audiolcm.__file__).parents[2]
"""Of the version of the package that is measured."""

CALL = "import sys; from audiolcm.commands.cli import main; sys.exit(main())"
STARTS = {
    "generate": ["-c", CALL, "generate", "a dog barks", "--seed", "0", "-o", "dog.wav"],
    "help": [str(ROOT / "train.py"), "--help"],
    "import": ["-c", "import audiolcm"],
}


def start(case: Case, words: list[str]) -> Work:
    """Measure one of ``STARTS``, such as a sound of the embedded model in a new process."""
    return Work(_command(STARTS[case.variant]), _hardware(words), 0.0, warm_up=1)


def main_job(case: Case, words: list[str]) -> Work:
    """Measure ``python train.py`` where nothing is there yet: its data, its stages, its sounds."""
    return Work(_command([str(ROOT / "train.py"), *words]), _hardware(words), 0.0, warm_up=0)


def _hardware(words: list[str]) -> Hardware:
    named = [word for word in words if word.startswith("hardware")]
    return build(compose(named)["hardware"], "hardware", Hardware)


def _command(arguments: list[str]) -> Callable[..., object]:
    def unit() -> None:
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, *arguments]
            subprocess.run(command, cwd=folder, check=True, capture_output=True)

    return repeated(unit)
