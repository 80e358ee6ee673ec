"""The real text encoders on tiny random models and tokenizers made here, in the files' published layout."""

import json
from pathlib import Path

import pytest
import torch
from text_files import WIDTH, save_text_files
from torch.nn.functional import gelu, layer_norm
from torch.testing import assert_close
from transformers import BertConfig, BertModel, T5Config, T5EncoderModel

from audiolcm.errors import UserError
from audiolcm.models.clap_t5 import CaptionEncoder, ClapT5TextEncoder
from audiolcm.models.layers import keep_products


@pytest.fixture
def files(tmp_path: Path) -> dict[str, str]:
    """Arguments of ClapT5TextEncoder that point at tiny files of the published layout."""
    return save_text_files(tmp_path)


def make(files: dict[str, str], **changes: object) -> ClapT5TextEncoder:
    return ClapT5TextEncoder(**({"tokens_per_half": 12, "min_vocabulary": 15} | files | changes))


def edit_checkpoint(files: dict[str, str], remove: str | None = None, **new: torch.Tensor) -> None:
    state = torch.load(files["clap_checkpoint"], weights_only=True)["model"]
    if remove:
        del state[remove]
    torch.save({"model": state | new}, files["clap_checkpoint"])


def test_features_are_bert_projected_and_t5(files: dict[str, str]) -> None:
    encoder = make(files)
    text = encoder(["a dog barks", ""], ["< dog & start >", ""])
    assert text.shape == (2, encoder.num_tokens, encoder.width) == (2, 24, WIDTH)

    state = torch.load(files["clap_checkpoint"], weights_only=True)["model"]
    bert = BertModel(BertConfig.from_pretrained(files["bert"])).eval()
    bert.load_state_dict(
        {k.removeprefix("caption_encoder.base."): v for k, v in state.items() if ".base.emb" in k or ".base.enc" in k
         or ".base.pool" in k}
    )  # fmt: skip
    ids = torch.tensor([[2, 4, 5, 6, 3, *[0] * 7], [2, 3, *[0] * 10]])
    w = {k.rsplit("projection.", 1)[1]: v for k, v in state.items() if "projection." in k}
    with torch.no_grad():
        projected = bert(ids).last_hidden_state @ w["linear1.weight"].T
        plain = projected + gelu(projected) @ w["linear2.weight"].T
        plain = layer_norm(plain, (WIDTH,), w["layer_norm.weight"], w["layer_norm.bias"])
        t5 = T5EncoderModel.from_pretrained(files["t5"]).eval()
        ids = torch.tensor([[2, 13, 5, 15, 17, 14, 3, *[0] * 5], [2, 3, *[0] * 10]])
        structured = t5(ids).last_hidden_state
    assert_close(text, torch.cat((plain, structured), dim=1), atol=1e-5, rtol=1e-5)


def test_frozen_in_eval_mode_and_blind_to_autocast(files: dict[str, str]) -> None:
    encoder = make(files).train()
    assert not any(module.training for module in encoder.modules())
    assert not any(parameter.requires_grad for parameter in encoder.parameters())
    exact = encoder(["rain falls"], ["< rain & all >"])
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(encoder(["rain falls"], ["< rain & all >"]), exact)


def test_what_only_samples_rounds_as_its_caller_does(files: dict[str, str]) -> None:
    encoder = make(files)
    names, exact = list(encoder.state_dict()), encoder(["rain falls"], ["< rain & all >"])
    keep_products(encoder)
    assert torch.equal(encoder(["rain falls"], ["< rain & all >"]), exact)
    with torch.autocast("cpu", torch.bfloat16):
        rounded = encoder(["rain falls"], ["< rain & all >"])
    assert rounded.dtype == torch.float32 and not torch.equal(rounded, exact)
    assert (rounded - exact).norm() < 0.02 * exact.norm()
    assert list(encoder.state_dict()) == names


def test_long_captions_are_cut(files: dict[str, str]) -> None:
    encoder = make(files)
    text = encoder(["a dog barks then " * 9, "a dog barks then " * 7], ["", ""])
    assert text.shape == (2, 24, WIDTH) and torch.equal(text[0], text[1])


@pytest.mark.parametrize("stored", [True, False])
def test_position_ids_may_be_stored_or_not(files: dict[str, str], stored: bool) -> None:
    before = make(files)(["a dog"], [""])
    name = "caption_encoder.base.embeddings.position_ids"
    if stored:
        edit_checkpoint(files, **{name: torch.arange(512)[None]})
    assert torch.equal(make(files)(["a dog"], [""]), before)


@pytest.mark.parametrize(
    ("remove", "new", "message"),
    [
        ("caption_encoder.projection.linear2.weight", {}, "missing projection.linear2.weight"),
        (
            "caption_encoder.base.encoder.layer.1.output.dense.bias",
            {},
            r"missing base.encoder.layer.1.output",
        ),
        ("caption_encoder.projection.linear1.weight", {}, "misses caption_encoder.projection.linear1.weight"),
        (None, {"caption_encoder.extra.weight": torch.zeros(1)}, "unknown extra.weight"),
        (None, {"caption_encoder.projection.layer_norm.bias": torch.zeros(5)}, r"layer_norm.bias is \(5,\)"),
    ],
)
def test_keys_that_do_not_fit_are_named(
    files: dict[str, str], remove: str | None, new: dict[str, torch.Tensor], message: str
) -> None:
    edit_checkpoint(files, remove, **new)
    with pytest.raises(UserError, match=message):
        make(files)


@pytest.mark.parametrize("missing", ["bert", "t5", "clap_checkpoint"])
def test_missing_files_say_what_to_fetch(files: dict[str, str], missing: str) -> None:
    with pytest.raises(UserError, match=r"hf download google/t5-v1_1-large(.|\n)*text_encoder=hashed"):
        make(files, **{missing: "nowhere/at-all"})


@pytest.mark.parametrize("name", ["bert-of-nobody", "nobody/t5-of-nobody"])
def test_hub_names_are_not_downloaded(files: dict[str, str], name: str) -> None:
    with pytest.raises(UserError, match=name):
        make(files, t5=name)


def test_missing_t5_weights(files: dict[str, str]) -> None:
    (Path(files["t5"]) / "model.safetensors").unlink()
    with pytest.raises(UserError, match="No T5 encoder"):
        make(files)


def test_t5_of_fewer_layers_is_refused(files: dict[str, str]) -> None:
    path = Path(files["t5"]) / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"num_layers": 3}))
    with pytest.raises(UserError, match=r"missing keys: encoder\.block\.2"):
        make(files)


def test_t5_of_another_width_is_refused(files: dict[str, str]) -> None:
    config = T5Config(vocab_size=30, d_model=8, d_kv=4, d_ff=8, num_layers=1, num_heads=2)
    T5EncoderModel(config).save_pretrained(files["t5"])
    with pytest.raises(UserError, match="width 24, but T5 .* has width 8"):
        make(files)


def test_broken_checkpoint(files: dict[str, str]) -> None:
    Path(files["clap_checkpoint"]).write_bytes(b"not a checkpoint")
    with pytest.raises(UserError, match="no readable checkpoint"):
        make(files)


def test_small_tokenizers_are_refused(files: dict[str, str]) -> None:
    with pytest.raises(UserError, match=r"knows only 20 tokens \(expected at least 30000\)"):
        make(files, min_vocabulary=30000)


def test_tokenizers_that_encode_all_alike_are_refused(files: dict[str, str]) -> None:
    path = Path(files["t5"]) / "tokenizer.json"
    content = json.loads(path.read_text())
    content["model"]["vocab"] = {k if i < 4 else f"x{i}": i for k, i in content["model"]["vocab"].items()}
    path.write_text(json.dumps(content))
    with pytest.raises(UserError, match="the same tokens"):
        make(files)


def test_empty_folder_has_no_tokenizer(files: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="hf download bert-base-uncased"):
        make(files, bert=str(tmp_path / "empty"))


def test_parameter_names_are_those_of_the_released_checkpoint(
    released_layout: dict[str, dict[str, list[int]]],
) -> None:
    with torch.device("meta"):
        bert = CaptionEncoder(BertConfig(), 1024)
        t5 = T5EncoderModel(T5Config(d_ff=2816, d_model=1024, num_layers=24, num_heads=16, d_kv=64,
                                     feed_forward_proj="gated-gelu"))  # fmt: skip
    ours = {f"caption_encoder.{name}": list(value.shape) for name, value in bert.state_dict().items()}
    ours |= {f"t5_transformer.{name}": list(value.shape) for name, value in t5.state_dict().items()}
    assert ours == released_layout["text encoder"]
