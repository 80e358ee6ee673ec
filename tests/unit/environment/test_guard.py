"""A user whom the system does not know, as in a container; Hydra's own options on this Python, also on 3.14."""

import argparse
import os
import subprocess
import sys
from pathlib import Path
from typing import cast

import pytest
from hydra._internal.utils import get_args_parser

from audiolcm.environment.guard import allow_lazy_help, settle_user

NOBODY = """
import pwd
def unknown(uid):
    raise KeyError(uid)
pwd.getpwuid = unknown
"""
TELLS = "; import getpass, pathlib; sys.stdout.write(f'{getpass.getuser()} {pathlib.Path.home()}')"


def run(tmp_path: Path, code: str) -> subprocess.CompletedProcess:
    (tmp_path / "site").mkdir(exist_ok=True)
    (tmp_path / "site/sitecustomize.py").write_text(NOBODY)
    names = ("HOME", "USER", "LOGNAME", "LNAME", "USERNAME")
    environment = {name: value for name, value in os.environ.items() if name not in names}
    environment |= {"PYTHONPATH": str(tmp_path / "site"), "TMPDIR": str(tmp_path)}
    return subprocess.run(
        [sys.executable, "-c", f"import sys{code}"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_without_a_name_or_a_home_there_is_one_of_each_and_it_is_said(tmp_path: Path) -> None:
    assert "KeyError" in run(tmp_path, TELLS).stderr  # else this test shows nothing
    done = run(tmp_path, f"; from audiolcm.environment.guard import settle_user; settle_user(){TELLS}")
    folder = tmp_path / f"audiolcm-{os.getuid()}"
    assert done.stdout == f"user{os.getuid()} {folder}"
    assert folder.stat().st_mode & 0o077 == 0
    assert done.stderr.count("\n") == 1 and "Set HOME=FOLDER" in done.stderr


@pytest.mark.parametrize("trap", ["open", "link"])
def test_a_folder_that_others_may_enter_is_not_taken(tmp_path: Path, trap: str) -> None:
    folder = tmp_path / f"audiolcm-{os.getuid()}"
    if trap == "open":
        folder.mkdir(mode=0o755)
    else:
        (tmp_path / "elsewhere").mkdir(mode=0o700)
        folder.symlink_to(tmp_path / "elsewhere")
    done = run(tmp_path, f"; from audiolcm.environment.guard import settle_user; settle_user(){TELLS}")
    home = Path(done.stdout.split()[1])
    assert home not in (folder, tmp_path / "elsewhere") and home.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("command", [["doctor", "--json"], ["structure", "rain"]])
def test_the_command_works_for_such_a_user(tmp_path: Path, command: list[str]) -> None:
    done = run(tmp_path, f"; from audiolcm.commands.cli import main; sys.exit(main({command}))")
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr


def test_whoever_stands_in_a_folder_that_is_gone_is_told_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    with pytest.raises(SystemExit) as ended:
        settle_user()
    assert ended.value.code == 1 and capsys.readouterr().err.count("\n") == 1


@pytest.fixture
def help_is_restored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(argparse.HelpFormatter, "_expand_help", argparse.HelpFormatter._expand_help)


@pytest.mark.usefixtures("help_is_restored")
def test_hydra_makes_its_options() -> None:
    allow_lazy_help()
    assert get_args_parser().parse_args(["-m", "seed=1"]).multirun


class Lazy:
    def __repr__(self) -> str:
        return "made 100% when shown"


@pytest.mark.usefixtures("help_is_restored")
def test_a_help_that_is_no_text_is_taken_as_what_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 14, 0))
    allow_lazy_help()
    parser, lazy = argparse.ArgumentParser(prog="train.py"), cast("str", Lazy())
    texts = [
        argparse.HelpFormatter("train.py")._expand_help(argparse.Action([], "lazy", default=3, help=text))
        for text in (lazy, "%(default)s of %(prog)s")
    ]
    assert texts == ["made 100% when shown", "3 of train.py"]
    parser.add_argument("--lazy", help=lazy)
