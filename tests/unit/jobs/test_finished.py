"""A run is known to be finished by its inputs, and the figure that a search is told."""

import copy
import math
import os
from pathlib import Path
from typing import Any

import pytest

from audiolcm.configuration.schema import compose
from audiolcm.errors import UserError
from audiolcm.jobs import finished
from audiolcm.jobs.finished import found_finished, inputs_of, objective_of
from audiolcm.storage.run_folder import read_result, write_result


@pytest.fixture(scope="module")
def cfg(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    cache = tmp_path_factory.mktemp("cache")
    return compose(["trainer=smoke", f"paths.cache={cache}"])


def test_what_changes_a_result_changes_the_inputs(cfg: dict[str, Any]) -> None:
    def changed(section: str, **values: object) -> str:
        other = copy.deepcopy(cfg)
        other[section] |= values
        return inputs_of(other)

    before = inputs_of(cfg)
    assert inputs_of(copy.deepcopy(cfg)) == before
    assert changed("logger", project="other") == changed("paths", runs="elsewhere") == before
    assert inputs_of(cfg | {"objective_metric": "train/student"}) == before
    others = {changed("solver", k=5), changed("preview", num_clips=1), changed("dataset", num_train=24)}
    others |= {inputs_of(cfg | {"seed": 1}), inputs_of(cfg | {"stage": "teacher"})}
    assert len(others | {before}) == 6


def test_a_file_or_folder_that_the_configuration_names_counts_with_its_content(
    cfg: dict[str, Any], tmp_path: Path
) -> None:
    bert, checkpoint = tmp_path / "bert", tmp_path / "clap.pth"
    bert.mkdir()
    (bert / "vocab.txt").write_text("a")
    checkpoint.write_bytes(b"1")
    named = cfg | {"text_encoder": {"bert": str(bert), "clap_checkpoint": str(checkpoint)}}
    seen = [inputs_of(named)]
    checkpoint.write_bytes(b"12")
    seen.append(inputs_of(named))
    os.utime(bert / "vocab.txt", (1, 1))
    seen.append(inputs_of(named))
    assert len(set(seen)) == 3


def test_a_name_on_the_hubs_shelf_counts_with_its_version(
    cfg: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    named = cfg | {"text_encoder": {"t5": "google/t5-v1_1-large"}}
    seen = [inputs_of(named)]
    for version in ("snapshots/1", "snapshots/2"):
        (tmp_path / version).mkdir(parents=True)
        (tmp_path / version / "config.json").write_text("{}")
        found = str(tmp_path / version / "config.json")
        monkeypatch.setattr(finished, "try_to_load_from_cache", lambda name, file, found=found: found)
        seen.append(inputs_of(named))
    assert len(set(seen)) == 3


def test_only_a_whole_result_of_the_same_inputs_counts(tmp_path: Path) -> None:
    run, artifacts = tmp_path / "run", tmp_path / "artifacts"
    made = artifacts / "student/x"
    made.mkdir(parents=True)
    assert not found_finished(run, "abc", artifacts)
    write_result(run, {"status": "done", "folder": str(made), "inputs": "abc"})
    needed = [run / "summary.md", made / "card.json", made / "model.safetensors"]
    for path in needed:
        path.touch()
    assert found_finished(run, "abc", artifacts)
    assert not found_finished(run, "abd", artifacts)
    assert not found_finished(run, "abc", tmp_path / "other")
    for path in needed:
        path.unlink()
        assert not found_finished(run, "abc", artifacts), path
        path.touch()
    write_result(run, read_result(run) | {"status": "failed"})
    assert not found_finished(run, "abc", artifacts)


def test_a_search_is_told_the_figure_and_of_failures_the_worst(tmp_path: Path) -> None:
    assert objective_of(tmp_path, "a", "minimize") == math.inf
    write_result(tmp_path, {"status": "failed", "error": "x"})
    assert objective_of(tmp_path, "a", "minimize") == math.inf
    assert objective_of(tmp_path, "a", "maximize") == -math.inf
    write_result(tmp_path, {"status": "done", "figures": {"a": 0.5, "b": math.nan}})
    assert objective_of(tmp_path, "a", "minimize") == 0.5
    assert objective_of(tmp_path, "b", "maximize") == -math.inf
    with pytest.raises(UserError, match="There are: a, b"):
        objective_of(tmp_path, "c", "minimize")
