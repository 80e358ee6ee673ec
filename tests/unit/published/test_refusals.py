"""What a conversion refuses: files of another kind, code in them, companions that do not belong to them."""

import contextlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from released_file import Layout, random_state, save, save_tokenizers
from sealed import sealed_again

from audiolcm.commands.cli import main
from audiolcm.errors import UserError
from audiolcm.models.clap_t5_files import read_tokenizer
from audiolcm.pipeline import AudioLCM
from audiolcm.published.models import open_vocoder


def one(folder: Path, stage: str) -> Path:
    (found,) = (folder / stage).iterdir()
    return found


def test_without_vocoder_or_tokenizers_the_message_says_how(
    small: Layout, weights: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    source = save(random_state(small), tmp_path / "audiolcm.ckpt")
    assert main(["convert", str(source), "-o", str(tmp_path / "a")]) == 0
    assert "There is no vocoder" in caplog.text and "bigvnat16k93.5w" in caplog.text
    with pytest.raises(UserError, match="names no vocoder. Give one by --vocoder"):
        AudioLCM.from_checkpoint(tmp_path / "a")
    with pytest.raises(UserError, match="hf download bert-base-uncased"):
        AudioLCM.from_checkpoint(tmp_path / "a", vocoder="griffin_lim")


def test_tokenizers_of_other_weights_are_refused(convert: Callable[..., Path], tmp_path: Path) -> None:
    folder = convert()
    save_tokenizers(tmp_path / "large", bert_size=41)
    kind = one(folder, "text_encoder") / "bert_tokenizer"
    for file in (tmp_path / "large" / "bert").iterdir():
        (kind / file.name).write_bytes(file.read_bytes())
    sealed_again(kind.parent)
    with pytest.raises(UserError, match="has 41 tokens, but the weights know 40"):
        AudioLCM.from_checkpoint(folder)


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"<html>Access denied</html>", "a web page"),
        (b"version https://git-lfs.github.com/spec/v1\n", "pointer of Git LFS"),
        (b"PK\x03\x04 and no end", "cut off"),
        (b"", "empty"),
    ],
)
def test_what_is_no_checkpoint_is_called_by_its_name(
    content: bytes, kind: str, weights: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "audiolcm.ckpt").write_bytes(content)
    assert main(["convert", str(tmp_path / "audiolcm.ckpt"), "-o", str(tmp_path / "a")]) == 1
    assert kind in caplog.text and "get this one again" in caplog.text
    assert not list(tmp_path.glob("a/*/*/card.json"))


def test_unknown_names_and_places_are_one_message(weights: Path, caplog: pytest.LogCaptureFixture) -> None:
    for source, message in (
        ("published:audiolm", "Choose from: published:audiolcm, published:make_an_audio_2"),
        ("nowhere.ckpt", "There is no file nowhere.ckpt"),
    ):
        caplog.clear()
        assert main(["convert", source, "-o", "x"]) == 1
        assert message in caplog.text
    with pytest.raises(UserError, match="no artifact"):
        open_vocoder("nowhere")


def test_a_tokenizer_that_can_not_be_read_stops_before_anything_is_written(
    small: Layout, weights: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    source = save(random_state(small), tmp_path / "audiolcm.ckpt")
    options = save_tokenizers(tmp_path)
    (tmp_path / "bert" / "tokenizer.json").write_text('{"a": 1}')
    assert main(["convert", str(source), "-o", str(tmp_path / "a"), *options]) == 1
    assert "No tokenizer at" in caplog.text
    assert not (tmp_path / "a").exists()


def test_code_beside_a_tokenizer_is_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_tokenizers(tmp_path)
    config = json.loads((tmp_path / "bert" / "tokenizer_config.json").read_text())
    config |= {"auto_map": {"AutoTokenizer": ["evil.Evil", "evil.Evil"]}, "tokenizer_class": "Evil"}
    (tmp_path / "bert" / "tokenizer_config.json").write_text(json.dumps(config))
    (tmp_path / "bert" / "evil.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\nclass Evil: pass\n")
    monkeypatch.setattr("builtins.input", lambda *_: "y")
    with contextlib.suppress(UserError):
        read_tokenizer(str(tmp_path / "bert"), 10)
    assert not (tmp_path / "ran").exists()


def test_a_strangers_configuration_calls_no_function(convert: Callable[..., Path], tmp_path: Path) -> None:
    folder = convert()
    path = one(folder, "vocoder") / "config.yaml"
    cfg = yaml.safe_load(path.read_text())
    elsewhere = (
        "audiolcm.storage.run_folder.write_result",
        "audiolcm.commands.cli.main",
        "audiolcm.storage.files.remove_leftovers",
    )
    said = dict.fromkeys(elsewhere, "no model is made of that") | {
        "audiolcm.data.tables.write_table": "is refused: it is no class"
    }
    for target, reason in said.items():
        cfg["vocoder"]["model"] = {"_target_": target, "path": str(tmp_path / "written"), "text": "x"}
        path.write_text(yaml.safe_dump(cfg))
        sealed_again(path.parent)
        with pytest.raises(UserError, match=reason):
            AudioLCM.from_checkpoint(folder)
    assert not (tmp_path / "written").exists()
