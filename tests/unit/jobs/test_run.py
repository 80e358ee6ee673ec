"""Jobs of ``train.py``: what stages that train nothing leave in ``result.json``, and how a failure is told."""

import os
import signal
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from hydra import compose as hydra_compose
from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.types import RunMode
from omegaconf import OmegaConf

from audiolcm.configuration.resolvers import register_resolvers
from audiolcm.distributed import processes
from audiolcm.environment.interrupts import Interrupted
from audiolcm.errors import UserError
from audiolcm.jobs import run
from audiolcm.jobs.run import _explain, _train, run_job
from audiolcm.sweeps.summary import read_result

CONF = Path(__file__).resolve().parents[3] / "conf"
OF_FOLDERS = OmegaConf.create({"paths": {"artifacts": "artifacts", "cache": "cache"}})


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


@pytest.fixture
def of_hydra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = SimpleNamespace(
        runtime=SimpleNamespace(output_dir=str(tmp_path), config_sources=[]), mode=RunMode.RUN
    )
    monkeypatch.setattr(run.HydraConfig, "get", lambda: found)


def fails_with(error: Exception, *, asked_to_stop: bool = False) -> Callable[..., None]:
    def job(*_: object) -> None:
        try:
            raise error
        finally:
            if asked_to_stop:
                os.kill(os.getpid(), signal.SIGTERM)

    return job


@pytest.mark.usefixtures("of_hydra")
def test_a_failure_is_told_to_its_end(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What stops this process may come while it says why it fails: torchrun does so when another one died."""
    monkeypatch.setattr(run, "write_result", lambda *_: os.kill(os.getpid(), signal.SIGTERM))
    with pytest.raises(SystemExit) as caught:
        run_job(OF_FOLDERS, fails_with(UserError("The data are gone.")))
    assert caught.value.code == 1 and "The data are gone." in caplog.text


@pytest.mark.usefixtures("of_hydra")
@pytest.mark.parametrize("is_another", [True, False])
def test_a_stop_hides_no_lost_process(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, is_another: bool
) -> None:
    monkeypatch.setattr(processes, "lost_another", lambda error: is_another)
    with pytest.raises(Interrupted):
        run_job(OF_FOLDERS, fails_with(RuntimeError("closed by peer"), asked_to_stop=True))
    assert ("Another process of this run died (closed by peer)" in caplog.text) == is_another
    assert ("Stopped." in caplog.text) != is_another
