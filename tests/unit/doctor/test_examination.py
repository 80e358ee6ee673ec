"""What ``audiolcm doctor`` makes of what it finds: states of packages, problems, notes, exit codes."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

from audiolcm.commands.cli import main
from audiolcm.doctor import examination, packages
from audiolcm.doctor.packages import Probed
from audiolcm.doctor.probe import precision_reason
from audiolcm.environment import installed

HARDWARE = {
    "described": "a CPU", "device": "cpu", "device_because": "torch sees no CUDA device", "precision": "float32",
    "precision_because": "of its age", "threads": 2, "cores": 4, "amx": False, "avx512_bf16": False, "cuda": [],
    "cuda_of_torch": None, "mps": False,
}  # fmt: skip
WEIGHTS = {"folder": "/weights", "found": ["vggish"], "absent": ["audiolcm"]}


@pytest.fixture
def facts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the other process knows of a machine where all is well; tests spoil it."""
    monkeypatch.chdir(tmp_path)
    known: dict[str, Any] = {
        "configuration": {
            "paths": {"artifacts": "a", "cache": "c", "runs": "r", "corpora": "corpora"},
            "logger": {"_target_": "x.NoTracker"},
            "dataset": {"_target_": "x.y.Corpus"},
        },
        "hardware": HARDWARE,
        "formats": {"library": "1.2", "names": ["FLAC", "WAV"]},
        "weights": WEIGHTS,
    }
    monkeypatch.setattr(packages, "probe", lambda modules, overrides: Probed({}, known))
    return known


def doctor(capsys: pytest.CaptureFixture[str]) -> tuple[int, dict[str, Any], str]:
    """The exit code, the report and its text."""
    code = main(["doctor", "--json"])
    report = json.loads(capsys.readouterr().out)
    assert main(["doctor"]) == code
    return code, report, capsys.readouterr().out


def test_nothing_wrong_is_0(facts: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    code, report, text = doctor(capsys)
    assert (code, report["problems"]) == (0, [])
    assert text.endswith("Nothing is wrong.\n")
    assert "vggish (of 2 known files)" in text
    assert {row["package"] for row in report["packages"]} >= {"torch", "hydra-core", "wandb"}


def test_broken_package_is_1_with_its_sentence_once(
    facts: dict[str, Any], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    failed = dict.fromkeys(("torch", "librosa"), "torch 9 cannot be imported. Type `pip x`.")
    monkeypatch.setattr(
        packages, "probe", lambda modules, overrides: Probed(failed, {}, {"hardware": "no torch"})
    )
    code, report, text = doctor(capsys)
    assert (code, report["problems"]) == (1, ["torch 9 cannot be imported. Type `pip x`."])
    states = {row["package"]: row["state"] for row in report["packages"]}
    assert (states["torch"], states["librosa"], states["numpy"]) == (
        "does not import",
        "does not import",
        "ok",
    )
    assert "not known, see below" in text


def test_missing_package_is_wrong_another_version_is_a_note(
    facts: dict[str, Any], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packages, "version", lambda name: None if name == "soxr" else installed.version(name))
    monkeypatch.setattr(packages, "locked", lambda: installed.locked() | {"tqdm": "4.66.0"})
    code, report, _ = doctor(capsys)
    assert code == 1
    (problem,) = report["problems"]
    assert problem.startswith("Not installed: soxr. ")
    assert any("in range: tqdm" in note for note in report["notes"])


def test_version_out_of_range_is_wrong(
    facts: dict[str, Any], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packages, "wanted", lambda extra="": [] if extra else [Requirement("tqdm<4")])
    code, report, _ = doctor(capsys)
    assert code == 1
    assert any(f"tqdm {installed.version('tqdm')} is not <4." in problem for problem in report["problems"])


def test_unmet_requirement_is_wrong(
    facts: dict[str, Any], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    lacks = [installed.Unmet("soxr", "1.1.0", f"{name}>9", None) for name in ("one", "two")]
    monkeypatch.setattr(packages, "unmet_requirements", lambda roots: lacks)
    code, report, _ = doctor(capsys)
    assert code == 1
    (problem,) = report["problems"]
    assert "needs one>9, but one is not installed; soxr 1.1.0 needs two>9" in problem


def test_places_that_are_not_as_a_run_needs_them(
    facts: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    facts["configuration"]["paths"]["artifacts"] = __file__  # a file where a folder should be
    facts["configuration"]["dataset"]["root"] = "/not/there"
    facts["configuration"]["logger"] = {"mode": "online"}
    code, report, _ = doctor(capsys)
    assert code == 1
    assert any("paths.artifacts=FOLDER" in problem for problem in report["problems"])
    assert any("There is no folder /not/there" in problem for problem in report["problems"])


def test_root_not_given_is_a_note(facts: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    facts["configuration"]["dataset"]["root"] = None
    code, report, _ = doctor(capsys)
    assert code == 0
    assert any(note.startswith("Corpus needs dataset.root=FOLDER; or") for note in report["notes"])


def test_key_of_wandb_is_asked_for_where_it_is_needed(
    facts: dict[str, Any], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    facts["configuration"]["logger"] = {"mode": "online"}
    code, report, _ = doctor(capsys)
    assert (code, len(report["problems"])) == (1, 1)
    (tmp_path / "netrc").write_text("machine api.wandb.ai login user password secret\n")
    code, report, text = doctor(capsys)
    assert code == 0
    assert "secret" not in text + json.dumps(report)


def test_checkout_without_conf_is_wrong(
    facts: dict[str, Any], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "train.py").touch()
    monkeypatch.setattr(examination, "checkout", lambda: tmp_path)
    code, report, _ = doctor(capsys)
    assert code == 1
    assert any(f"{tmp_path} lacks conf, evaluate.py" in problem for problem in report["problems"])


def test_slurm_names_its_cluster(
    facts: dict[str, Any], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name, told in (("sbatch", ""), ("scontrol", "echo 'ClusterName             = hydra7'")):
        program = tmp_path / name
        program.write_text(f"#!/bin/sh\n{told}\n")
        program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    _, report, text = doctor(capsys)
    assert report["slurm"] == {"sbatch": True, "cluster": "hydra7"}
    assert "cluster hydra7" in text


@pytest.mark.parametrize(
    ("kind", "precision", "amx", "avx512_bf16", "because"),
    [
        ("cpu", "bfloat16", True, True, "has AMX"),
        ("cpu", "bfloat16", False, True, "faster in bfloat16 (it has AVX512-BF16)"),
        ("cpu", "float32", False, True, "not much faster"),
        ("cpu", "float32", False, False, "neither"),
        ("cuda", "bfloat16", False, False, "natively"),
        ("cuda", "float32", True, True, "no native"),
    ],
)
def test_precision_has_a_reason(
    kind: str, precision: str, amx: bool, avx512_bf16: bool, because: str
) -> None:
    facts = {"amx": amx, "avx512_bf16": avx512_bf16}
    assert because in precision_reason("auto", kind, {"precision": precision}, facts)
    assert precision_reason("float32", kind, {"precision": precision}, facts).startswith(
        "hardware.precision=float32"
    )
