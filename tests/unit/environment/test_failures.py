"""Which errors are an installed package's fault, and what is said of them; ours stay stack traces."""

import errno
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from audiolcm.environment import guard, installed
from audiolcm.environment.failures import advice, explain, explain_module
from audiolcm.environment.guard import BrokenSet, explained, one_sentence
from audiolcm.environment.installed import Unmet, locked
from audiolcm.errors import UserError

Raised = Callable[..., Exception]


@pytest.fixture
def raised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Raised:
    """A function that makes modules, runs code as if it stood in one of ours, and returns what that raises."""

    def run(code: str, as_module: str = "audiolcm.made", **modules: str) -> Exception:
        for name, content in modules.items():
            monkeypatch.delitem(sys.modules, name, raising=False)
            (tmp_path / f"{name}.py").write_text(content)
        with pytest.raises(Exception) as caught:
            exec(compile(code, "made.py", "exec"), {"__name__": as_module})
        return caught.value

    monkeypatch.syspath_prepend(tmp_path)
    return run


def test_missing_package_names_what_is_needed(raised: Raised, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installed, "version", lambda name: None)
    told = explain(raised("raise ModuleNotFoundError('No module named hydra', name='hydra')"))
    assert told.startswith(
        "The package hydra-core is not installed (ModuleNotFoundError: No module named hydra)."
    )
    assert "AudioLCM needs hydra-core<1.4,>=1.3.3." in told
    assert "pip install -c constraints.txt -e ." in told


def test_what_a_package_of_others_does_not_find_is_said_with_its_name(raised: Raised) -> None:
    told = explain(raised("import soxr", soxr="import not_there_at_all"))
    assert "The package not-there-at-all is not installed" in told
    assert "soxr imports it" in told


@pytest.mark.parametrize("kind", ["OSError", "RuntimeError", "ImportError", "AttributeError"])
def test_error_inside_an_import_is_the_packages(raised: Raised, kind: str) -> None:
    told = explain(raised("import soxr", soxr=f"def f():\n  raise {kind}('no such symbol\\nmore')\nf()"))
    assert told.startswith(f"soxr {installed.version('soxr')} cannot be imported ({kind}: no such symbol).")
    assert f"pip install --force-reinstall --no-deps soxr=={locked()['soxr']}" in told


def test_cause_is_found_behind_what_another_package_makes_of_it(raised: Raised) -> None:
    outer = (
        "try:\n  import soxr\nexcept OSError as e:\n  raise ModuleNotFoundError('Could not import') from e"
    )
    told = explain(raised("import resampy", soxr="raise OSError('undefined symbol')", resampy=outer))
    assert told.startswith("soxr ")


@pytest.mark.parametrize(
    "code",
    [
        "from audiolcm.types import no_such_name",
        "import audiolcm.no_such_module",
        "import no_such_package_of_anyone",
        "from soxr import no_such_name",  # in the locked version: the name is wrong
        "import soxr.no_such_module",
        "raise RuntimeError('ours')",
        "import soxr; soxr.resample(1, 2)",
        f"raise OSError({errno.ENOSPC}, 'disk full')",
    ],
)
def test_defects_of_ours_stay_stack_traces(raised: Raised, code: str) -> None:
    assert explain(raised(code)) is None


def test_our_code_below_an_import_is_ours(raised: Raised) -> None:
    code = "exec(compile('1 / 0', 'x', 'exec'), {'__name__': 'audiolcm.models.made'})"
    assert explain(raised("import soxr", soxr=code)) is None


def test_name_that_another_version_lacks_is_that_packages(
    raised: Raised, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(installed, "locked", lambda: {"soxr": "0.0.1"})
    assert "cannot import name" in explain(raised("from soxr import no_such_name"))


def test_users_mistake_is_left_alone() -> None:
    error = UserError("mine")
    error.__cause__ = ModuleNotFoundError("No module named 'hydra'", name="hydra")
    assert explain(error) is None


def test_part_of_python_that_was_not_built(raised: Raised) -> None:
    told = explain(
        raised("import soxr", soxr="raise ModuleNotFoundError(\"No module named '_lzma'\", name='_lzma')")
    )
    assert told.startswith(f"This Python, {sys.executable}, was built without")


def test_advice_fits_the_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    lacks = [Unmet("soxr", "0.1", "numpy>=3", None)]
    assert "-c constraints.txt -e ." in advice("soxr", lacks)
    assert "--force-reinstall" in advice("soxr", [])
    monkeypatch.setattr(installed, "version", lambda name: None)
    assert advice("torchsde", []).endswith("`pip install -c constraints.txt torchsde`.")  # of an extra
    monkeypatch.setattr(installed, "checkout", lambda: None)
    assert advice("soxr", []) == "Type `pip install 'soxr<2,>=0.5'`."


def test_foreign_package_beside_the_lock_can_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installed, "locked", dict)
    assert "pip uninstall soxr" in advice("soxr", [])


def test_module_that_crashes_python_is_told_too() -> None:
    told = explain_module("google.protobuf", "ends Python with code -11.")
    assert told.startswith("protobuf ")
    assert "(ends Python with code -11.)" in told


def test_api_raises_a_kind_of_import_error(raised: Raised) -> None:
    error = raised("import soxr", soxr="raise OSError('undefined symbol')")
    with pytest.raises(BrokenSet, match="soxr .* undefined symbol") as caught, explained():
        raise error
    assert isinstance(caught.value, ImportError)
    assert isinstance(caught.value, UserError)
    with pytest.raises(ZeroDivisionError), explained():
        1 / 0  # noqa: B018


def test_old_python_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(guard.sys, "version_info", (3, 10, 13))
    with pytest.raises(SystemExit) as ended, one_sentence():
        raise AssertionError("nothing runs in it")
    assert ended.value.code == 1
    assert capsys.readouterr().err.startswith("AudioLCM needs Python 3.11 or newer; ")
