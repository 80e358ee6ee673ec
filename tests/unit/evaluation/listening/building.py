"""How the tests of this folder type `build`."""

from pathlib import Path

from evaluation.listening.__main__ import main

AMOUNTS = ["--items", "3", "--low-anchors", "2", "--checks", "2", "--repeats", "2"]


def build(runs: Path, output: Path, *more: str) -> int:
    """Build a test of the two runs and return the exit code."""
    return main(["build", f"one={runs / 'one'}", f"two={runs / 'two'}", "-o", str(output), *more])
