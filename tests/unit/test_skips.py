"""What pytest says of tests that did not run; without their data they fail in continuous integration."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CONFTEST = Path(__file__).parents[1] / "conftest.py"
TESTS = """
import pytest

def test_of_data(shared_data): ...

@pytest.mark.skip(reason="no such system")
def test_of_a_system(): ...

def test_that_runs(): ...
"""


def run(folder: Path, **environment: str) -> tuple[int, str]:
    """Run three tests in a checkout that has no data beside it."""
    tests = folder / "project/tests"
    tests.mkdir(parents=True)
    shutil.copy(CONFTEST, tests)
    (tests / "test_three.py").write_text(TESTS)
    known = {name: value for name, value in os.environ.items() if name not in ("CI", "PYTEST_ADDOPTS")}
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "--rootdir",
        str(tests),
        str(tests),
    ]
    done = subprocess.run(command, env=known | environment, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout


def test_every_skip_is_listed_with_its_reason(tmp_path: Path) -> None:
    code, said = run(tmp_path)
    assert code == 0 and "1 passed, 2 skipped" in said
    assert "1 of test_three.py: needs the data of" in said and "1 of test_three.py: no such system" in said


@pytest.mark.parametrize("value", ["true", "1"])
def test_data_that_are_missing_fail_in_continuous_integration(value: str, tmp_path: Path) -> None:
    code, said = run(tmp_path, CI=value)
    assert code == 1 and "1 passed, 1 skipped, 1 error" in said and "needs the data of" in said
    assert "1 of test_three.py: no such system" in said
