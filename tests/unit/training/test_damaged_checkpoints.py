"""A training goes on from whatever is left: to equal weights from the checkpoint before, or from any log."""

import json
import logging
from pathlib import Path

import pytest
import torch
from damage import REPLACED, flipped, outcome, remove
from safetensors.torch import load_file
from test_loop import TwoParts, weights
from torch import Tensor
from toy_training import Numbers, run_in, settings

from audiolcm.storage.tensors import check_seal
from audiolcm.training import checkpoint
from audiolcm.training.checkpoint import Checkpoints, check_snapshots
from audiolcm.training.loop import fit
from audiolcm.training.optimization import AdamW
from audiolcm.training.tracking import MetricLog, NoTracker, read_metrics


class Files:
    """The two checkpoints of a training, and what each restores."""

    def __init__(self, folder: Path) -> None:
        fit(TwoParts(), Numbers(), None, settings(20), run_in(folder))
        self.checkpoints = Checkpoints(folder / "checkpoints", "abc")
        self.newest, self.older = self.checkpoints.files()
        self.content = {path: path.read_bytes() for path in (self.newest, self.older)}
        self.last = self.restored()
        self.newest.unlink()
        self.before = self.restored()
        self.again()

    def again(self) -> None:
        for path in self.newest.parent.iterdir():
            remove(path)
        for path, content in self.content.items():
            path.write_bytes(content)

    def restored(self) -> tuple[int, list[Tensor]]:
        objective = TwoParts()
        optimizers = {part: AdamW().make(weights) for part, weights in objective.parts().items()}
        step = self.checkpoints.restore(objective.trained, optimizers)
        states = [
            state for optimizer in optimizers.values() for state in optimizer.state_dict()["state"].values()
        ]
        return step, [*weights(objective), *(tensor.clone() for state in states for tensor in state.values())]


def same(one: tuple[int, list[Tensor]], other: tuple[int, list[Tensor]]) -> bool:
    return one[0] == other[0] and len(one[1]) == len(other[1]) and all(map(torch.equal, one[1], other[1]))


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


def test_a_flipped_bit_anywhere_falls_back_to_the_checkpoint_before(
    files: Files, caplog: pytest.LogCaptureFixture
) -> None:
    content = files.content[files.newest]
    header = 8 + int.from_bytes(content[:8], "little")
    changed = [files_of + content[header:] for files_of in flipped(content[:header], 250)]
    changed += [content[:header] + payload for payload in flipped(content[header:], 50)]
    for number, damaged in enumerate(changed):
        files.again()
        files.newest.write_bytes(damaged)
        caplog.clear()
        assert same(files.restored(), files.before), number
        assert f"{files.newest} is damaged" in caplog.text and files.older.name in caplog.text
        assert files.newest.with_name(f"damaged-{files.newest.name}").read_bytes() == damaged


@pytest.mark.parametrize("kind", REPLACED)
def test_whatever_stands_in_its_place_the_training_ends_in_equal_weights(
    files: Files, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    REPLACED[kind](files.newest)
    resumed = TwoParts()
    assert fit(resumed, Numbers(), None, settings(20), run_in(files.newest.parents[1])) == 18
    assert all(map(torch.equal, weights(resumed), files.last[1]))
    assert "was put aside" in caplog.text
    assert [path.name for path in files.checkpoints.files()] == [files.newest.name, files.older.name]


@pytest.mark.parametrize("kind", REPLACED)
def test_what_stands_in_the_place_of_an_older_one_is_in_nobodys_way(files: Files, kind: str) -> None:
    REPLACED[kind](files.older)
    assert fit(TwoParts(), Numbers(), None, settings(30), run_in(files.newest.parents[1])) == 20
    last = [path for path in files.checkpoints.files() if path.is_file()]
    assert [path.stem for path in last] == ["step-00000030", "step-00000024"]


def test_with_no_whole_checkpoint_the_training_starts_again_and_says_so(
    files: Files, caplog: pytest.LogCaptureFixture
) -> None:
    for path in (files.newest, files.older):
        path.write_bytes(files.content[path][:-1])
    resumed = TwoParts()
    assert fit(resumed, Numbers(), None, settings(20), run_in(files.newest.parents[1])) == 0
    assert all(map(torch.equal, weights(resumed), files.last[1]))
    assert "The training goes on from its start" in caplog.text


def test_a_checkpoint_without_a_hash_is_gone_on_from_and_its_header_may_be_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoint, "UNSEALED", {})
    monkeypatch.setattr(checkpoint, "FORMAT_VERSION", 1)
    files = Files(tmp_path)
    monkeypatch.undo()
    assert not check_seal(files.newest)
    assert same(files.restored(), files.last)
    content = files.content[files.newest]
    header = 8 + int.from_bytes(content[:8], "little")
    for number, damaged in enumerate(flipped(content[:header], 250)):
        files.again()
        files.newest.write_bytes(damaged + content[header:])
        found, message = outcome(files.restored)
        if not message:
            assert same(found, files.before) or same(found, files.last), number
        assert not message or "belongs to another configuration" in message


def test_a_damaged_snapshot_becomes_no_artifact(tmp_path: Path) -> None:
    fit(TwoParts(), Numbers(), None, settings(6, snapshots=[3]), run_in(tmp_path))
    check_snapshots(tmp_path)
    (path,) = tmp_path.glob("snapshots/*/model.safetensors")
    good, refused = load_file(path), 0
    for damaged in flipped(path.read_bytes(), 40):
        path.write_bytes(damaged)
        _, message = outcome(lambda: check_snapshots(tmp_path))
        refused += "step-00000003/model.safetensors is damaged" in message
        if not message:  # the name of the hash was hit, and nothing else
            assert all(torch.equal(tensor, good[name]) for name, tensor in load_file(path).items())
    assert refused > 50


ROWS = [{"step": step, "train/loss": 0.5 * step, "steps_per_second": 3.25} for step in range(1, 6)]


def test_a_flipped_bit_in_the_log_costs_at_most_two_lines_of_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "metrics.jsonl"
    content = "".join(json.dumps(row) + "\n" for row in ROWS).encode()
    with caplog.at_level(logging.WARNING):
        for damaged in flipped(content, 300):
            path.write_bytes(damaged)
            MetricLog(path, NoTracker(), start_step=10)
            kept = read_metrics(path)
            assert sum(row in ROWS for row in kept) >= len(ROWS) - 2
            assert all(type(value) in (int, float) for row in kept for value in row.values())
    assert "is damaged and left out" in caplog.text


@pytest.mark.parametrize(
    "line", ["{}", "[]", '"a"', "3", '{"step": "3"}', '{"step": 3, "a": null}', "[" * 9999, "\xff"]
)
def test_odd_lines_of_the_log_are_left_out(tmp_path: Path, line: str) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_bytes(line.encode("latin1") + b"\n" + json.dumps(ROWS[0]).encode() + b"\n")
    assert read_metrics(path) == [ROWS[0]]


@pytest.mark.parametrize("kind", REPLACED)
def test_what_stands_in_the_place_of_the_log_is_one_sentence_at_most(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    REPLACED[kind](path)
    _, message = outcome(lambda: MetricLog(path, NoTracker(), start_step=3).record(4, {"loss": 1.0}))
    if kind in ("a folder", "a pipe"):
        assert f"{path} is no file. Move it away" in message
    else:
        assert not message and read_metrics(path)[-1] == {"step": 4, "loss": 1.0}
