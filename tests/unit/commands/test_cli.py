"""The front door: every command is on one page with an example, and leads where it says."""

import re
import shlex
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from audiolcm.commands.cli import DOORS, EXAMPLES, main

ROOT = Path(__file__).resolve().parents[3]


def shown(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as stop:
        main(words)
    assert stop.value.code == 0
    return capsys.readouterr().out


def test_the_page_has_every_command_with_an_example_or_a_help_of_its_own(
    capsys: pytest.CaptureFixture[str],
) -> None:
    page = shown(["--help"], capsys)
    listed = set(re.findall(r"^    (\w[\w-]+)", page, re.MULTILINE))
    assert listed >= {*DOORS, "generate", "prepare", "structure", "convert", "export", "doctor"}
    with_example = {shlex.split(line)[1] for line in EXAMPLES.splitlines()[1:]}
    assert with_example == listed - {"export", "generate-classes"}


@pytest.mark.parametrize("name", [name for name, (place, _) in DOORS.items() if not place.endswith(".py")])
def test_a_door_shows_its_own_help_under_its_own_name(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    page = shown([name, "--help"], capsys)
    assert page.startswith(f"usage: audiolcm {name} ")
    with pytest.raises(SystemExit):
        import_module(DOORS[name][0]).main(["--help"])
    assert "usage: python -m e" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["train", "evaluate"])
def test_a_script_behind_a_door_is_that_script(name: str, tmp_path: Path) -> None:
    def run(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, *words, "--cfg", "job", "seed=7" if name == "train" else "seeds=[7]"]
        return subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)

    through, direct = run("-m", "audiolcm.commands.cli", name), run(str(ROOT / f"{name}.py"))
    assert through.returncode == 0 and through.stdout == direct.stdout
    assert "7" in through.stdout


def test_what_a_door_says_of_a_mistake_comes_through(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["experiments", "status", "nowhere"]) == 1
    assert "There is no table, figure or folder nowhere." in capsys.readouterr().err


def test_a_missing_script_is_one_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("audiolcm.configuration.words.CONF", tmp_path / "conf")
    assert main(["train"]) == 1
    assert "train.py is missing: install the project from its checkout" in caplog.text
