"""Stages of ``train.py`` that train nothing: what they leave in ``result.json``."""

from pathlib import Path

import pytest
from hydra import compose as hydra_compose
from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra

from audiolcm.config import register_resolvers
from audiolcm.run import _explain, _train
from audiolcm.sweep import read_result

CONF = Path(__file__).resolve().parents[2] / "conf"


def result_of(folder: Path, *overrides: str) -> dict[str, object]:
    """What ``python train.py`` with these words leaves."""
    GlobalHydra.instance().clear()
    register_resolvers()
    with initialize_config_dir(version_base="1.3", config_dir=str(CONF)):
        cfg = hydra_compose("train", [*overrides, f"paths.cache={folder}", f"paths.artifacts={folder}"])
    _train(cfg, folder)
    return read_result(folder)


def test_describe_needs_neither_data_nor_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUDIOLCM_WEIGHTS", str(tmp_path / "none"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    found = result_of(tmp_path, "profile=paper", "stage=describe")
    assert (found["status"], found["figures"]["num_non_trainable"]) == ("done", 983717292)
    assert 0 < found["seconds"] < 600
    assert [path.name for path in tmp_path.iterdir()] == ["result.json"]


def test_data_leaves_its_census(tmp_path: Path) -> None:
    counts = ["dataset.num_train=4", "dataset.num_validation=2", "dataset.num_test=1", "dataset.duration=2.0"]
    found = result_of(tmp_path, "dataset=foley_music", "stage=data", "logger=jsonl", *counts)
    assert Path(found["folder"]).name.startswith("foley_music-")
    assert (found["figures"]["num_clips"], found["figures"]["share_written"]) == (7, 1.0)
    assert 0 < found["seconds"] < 600
    assert found["figures"]["hours"] == pytest.approx(14.0 / 3600)


def test_what_apples_gpu_lacks_ends_a_job_with_one_message() -> None:
    error = NotImplementedError("The operator 'aten::x' is not currently implemented for the MPS device.")
    reason, expected = _explain(error)
    assert expected and "PYTORCH_ENABLE_MPS_FALLBACK=1" in reason
    assert _explain(NotImplementedError("later")) == ("NotImplementedError: later", False)
