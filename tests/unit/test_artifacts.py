"""Identity, completeness and the messages of wrong folders."""

import json
from pathlib import Path

import pytest
import torch
from torch import nn

from audiolcm.artifacts import ArtifactStore, Identity, newest, open_artifact
from audiolcm.errors import UserError


def finished(root: Path, **content: object) -> tuple[ArtifactStore, Identity]:
    store = ArtifactStore(root)
    identity = Identity("student", "toy", {"k": 20, **content})
    store.finish(identity, nn.Linear(2, 3), "solver: {k: 20}\n", {"hardware": "test"})
    return store, identity


def test_identity_covers_content_and_stage_but_not_the_order_of_keys() -> None:
    one = Identity("student", "a", {"k": 20, "w": 4})
    assert one.hash == Identity("student", "b", {"w": 4, "k": 20}).hash
    assert one.hash != Identity("student", "a", {"k": 21, "w": 4}).hash
    assert one.hash != Identity("teacher", "a", {"k": 20, "w": 4}).hash


def test_found_again_with_the_same_weights(tmp_path: Path) -> None:
    store, identity = finished(tmp_path)
    found = store.find(identity)
    assert found is not None
    a, b = found.load_weights(nn.Linear(2, 3)), found.load_weights(nn.Linear(2, 3))
    torch.testing.assert_close(a.weight, b.weight, rtol=0, atol=0)
    assert found.card["num_parameters"] == 9
    assert store.find(Identity("student", "toy", {"k": 5})) is None


def test_no_card_means_unfinished(tmp_path: Path) -> None:
    store, identity = finished(tmp_path)
    folder = store.folder(identity)
    (folder / "card.json").unlink()
    assert store.find(identity) is None
    (folder / "checkpoints").mkdir()
    with pytest.raises(UserError, match=r"unfinished training.*train it: `python train.py`"):
        open_artifact(folder)


def test_the_command_of_a_row_that_was_not_trained_is_told(tmp_path: Path) -> None:
    command = r"`python train.py \+experiment=table6_backbone profile=esc10 row=full-seed1`"
    with pytest.raises(UserError, match=command):
        open_artifact(tmp_path / "esc10/table6_backbone/train/full-seed1")


def test_other_architecture_names_the_first_odd_tensor(tmp_path: Path) -> None:
    store, identity = finished(tmp_path)
    with pytest.raises(UserError, match=r"another architecture.*bias.*\(3,\).*\(4,\)"):
        store.find(identity).load_weights(nn.Linear(2, 4))


def test_damaged_weights(tmp_path: Path) -> None:
    store, identity = finished(tmp_path)
    path = store.folder(identity) / "model.safetensors"
    whole = path.read_bytes()
    for damaged in (whole[:-5], whole[:-4] + bytes(4), b""):
        path.write_bytes(damaged)
        with pytest.raises(UserError, match="changed or damaged since it was written"):
            store.find(identity).load_weights(nn.Linear(2, 3))
    path.unlink()
    with pytest.raises(UserError, match="cannot be read"):
        store.find(identity).load_weights(nn.Linear(2, 3))


def test_newer_format_other_stage_and_broken_card(tmp_path: Path) -> None:
    store, identity = finished(tmp_path)
    card = store.folder(identity) / "card.json"
    with pytest.raises(UserError, match="holds a student, not a teacher"):
        open_artifact(card.parent, "teacher")
    card.write_text(json.dumps(json.loads(card.read_text()) | {"format_version": 99}))
    with pytest.raises(UserError, match="format 99.*Upgrade"):
        open_artifact(card.parent)
    for content in (b"{", b"\xff\x80\x00"):
        card.write_bytes(content)
        with pytest.raises(UserError, match="not JSON"):
            open_artifact(card.parent)
    for text in ("[]", "{}", '{"format_version": "x"}'):
        card.write_text(text)
        with pytest.raises(UserError, match="not the card of an artifact"):
            open_artifact(card.parent)


def test_newest_and_none(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="Run `python train.py` first"):
        newest(tmp_path, "student")
    finished(tmp_path)
    assert newest(tmp_path, "student").card["stage"] == "student"
