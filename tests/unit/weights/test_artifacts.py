"""Identity, completeness and the messages of wrong folders."""

import json
from pathlib import Path

import pytest
import torch
from torch import nn

from audiolcm.errors import UserError
from audiolcm.storage.hashing import content_hash
from audiolcm.weights.artifacts import ArtifactStore, Identity, newest, open_artifact


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
    with pytest.raises(UserError, match="of the stage student, not teacher"):
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


def test_a_changed_configuration_is_refused(tmp_path: Path) -> None:
    store, identity = finished(tmp_path)
    path = store.folder(identity) / "config.yaml"
    assert store.find(identity).config_file() == path
    path.write_text("solver: {k: 21}\n")
    with pytest.raises(UserError, match=r"config.yaml was changed or damaged.*Put back a whole copy"):
        store.find(identity).config_file()
    path.unlink()
    with pytest.raises(UserError, match=r"config.yaml is missing"):
        store.find(identity).config_file()


def test_changed_tokenizers_are_refused_too(tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path)
    identity = Identity("text_encoder", "toy", {})
    vocabulary = store.folder(identity) / "t5_tokenizer/vocabulary.json"
    vocabulary.parent.mkdir(parents=True)
    vocabulary.write_text("{}")
    store.finish(identity, nn.Linear(1, 1), "a: 1\n", {})
    store.find(identity).config_file()
    vocabulary.write_text('{"a": 1}')
    with pytest.raises(UserError, match=r"t5_tokenizer/vocabulary.json was changed"):
        store.find(identity).config_file()
    vocabulary.write_text("{}")
    vocabulary.with_name("added_tokens.json").write_text("{}")
    with pytest.raises(UserError, match=r"t5_tokenizer/added_tokens.json was changed"):
        store.find(identity).config_file()


def test_any_flipped_bit_of_a_card_is_one_message(tmp_path: Path) -> None:
    store, identity = finished(tmp_path)
    path = store.folder(identity) / "card.json"
    whole = path.read_bytes()
    known = open_artifact(path.parent).card
    for place in range(len(whole)):
        flipped = bytearray(whole)
        flipped[place] ^= 1 << (place % 8)
        path.write_bytes(bytes(flipped))
        try:
            assert open_artifact(path.parent).card == known  # a space became another space
        except UserError:
            continue
    path.write_bytes(whole)
    assert open_artifact(path.parent).card == known


@pytest.mark.parametrize(
    "facts",
    [
        {"parents": None}, {"parents": []}, {"parents": {"teacher": 1}}, {"made_from": None}, {"made_from": "x"},
        {"made_from": {"trainer": 1}}, {"made_from": {"trainer": {"steps": "x"}}}, {"origin": "x"}, {"figures": [1]},
        {"derived_from": ["x"]}, {"derived_from": {}}, {"step": "x"}, {"num_parameters": True}, {"hash": None},
        {"format_version": 0}, {"format_version": True}, {"training_seconds": "x"}, {"hardware": {}},
    ],
)  # fmt: skip
def test_an_odd_card_is_one_message(tmp_path: Path, facts: dict[str, object]) -> None:
    """Also one of the first format, which has no hash of its own, and one whose writer made the hash."""
    store, identity = finished(tmp_path)
    path = store.folder(identity) / "card.json"
    card = json.loads(path.read_text())
    for version in (1, 2):
        odd = {name: value for name, value in card.items() if name != "card_hash"}
        odd |= {"format_version": version} | facts
        path.write_text(json.dumps(odd | {"card_hash": content_hash(odd)}))
        with pytest.raises(UserError, match="not the card of an artifact"):
            open_artifact(path.parent)


def test_an_artifact_of_the_first_format_is_still_read(tmp_path: Path) -> None:
    store, identity = finished(tmp_path)
    path = store.folder(identity) / "card.json"
    card = json.loads(path.read_text())
    del card["card_hash"], card["files"]
    path.write_text(json.dumps(card | {"format_version": 1}))
    found = store.find(identity)
    assert found.config_file().read_text() == "solver: {k: 20}\n"
    found.load_weights(nn.Linear(2, 3))
    path.write_text(json.dumps(card))
    with pytest.raises(UserError, match="not the card"):  # the second format without its hashes
        open_artifact(path.parent)


def test_newest_and_none(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="Run `python train.py` first"):
        newest(tmp_path, "student")
    finished(tmp_path)
    assert newest(tmp_path, "student").card["stage"] == "student"
