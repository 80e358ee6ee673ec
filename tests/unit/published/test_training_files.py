"""Files that trainings of the released code leave: an autoencoder alone, a running average, another number of heads."""

import json
from pathlib import Path

import pytest
import torch
import yaml
from released_file import Layout, random_state, save, save_bigvgan, save_tokenizers
from safetensors.torch import load_file
from torch import Tensor, nn

from audiolcm.commands.cli import main
from audiolcm.errors import UserError
from audiolcm.published.checkpoint import read_released
from audiolcm.published.models import open_model, open_part, open_vocoder
from audiolcm.published.released_config import find_config

TEACHER = "model.diffusion_model."


def one(folder: Path, stage: str) -> Path:
    (found,) = (folder / stage).iterdir()
    return found


def autoencoder_state(small: Layout) -> dict[str, Tensor]:
    """What ``main.py -b autoencoder1d.yaml`` saves: the networks, and the loss with its discriminator."""
    state = random_state(small)
    prefix = "first_stage_model."
    own = {n.removeprefix(prefix): t for n, t in state.items() if n.startswith(prefix)}
    own |= {"loss.logvar": torch.zeros(()), "loss.discriminator.main.0.weight": torch.randn(64, 1, 4, 4)}
    return own | {"loss.discriminator.main.3.num_batches_tracked": torch.tensor(80_001)}


class LitEma(nn.Module):
    """The released code's container of averages: a buffer for each parameter, its name without dots."""

    def __init__(self, parameters: dict[str, Tensor]) -> None:
        super().__init__()
        self.register_buffer("decay", torch.tensor(0.9999))
        self.register_buffer("num_updates", torch.tensor(7, dtype=torch.int))
        for name, tensor in parameters.items():
            self.register_buffer(name.replace(".", ""), tensor.clone() + 1)


def with_average(state: dict[str, Tensor]) -> dict[str, Tensor]:
    parameters = {n.removeprefix("model."): t for n, t in state.items() if n.startswith(TEACHER)}
    return state | {f"model_ema.{name}": t for name, t in LitEma(parameters).state_dict().items()}


def config(path: Path, **params: object) -> Path:
    path.write_text(yaml.safe_dump({"model": {"params": {"unet_config": {"params": params}}}}))
    return path


def test_an_autoencoder_alone_becomes_an_artifact(
    small: Layout, weights: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    state = autoencoder_state(small)
    source = save(state, tmp_path / "epoch=000032.ckpt")
    assert main(["convert", str(source), "-o", str(tmp_path / "a")]) == 0
    folder = one(tmp_path / "a", "autoencoder")
    assert "3 tensors of the autoencoder's loss" in caplog.text
    assert f"audiolcm train parents.autoencoder={folder}" in caplog.text and "ask who made" in caplog.text
    stored = load_file(folder / "model.safetensors")
    assert stored.pop("scale_factor") == 1.0
    assert stored.keys() == small["autoencoder"].keys()
    assert all(torch.equal(tensor, state[name]) for name, tensor in stored.items())
    cfg = yaml.safe_load((folder / "config.yaml").read_text())["autoencoder"]["model"]
    assert (cfg["channels"], list(cfg["multipliers"]), cfg["latent_channels"]) == (32, [1, 2, 4], 20)
    assert json.loads((folder / "card.json").read_text())["origin"]["file"] == "epoch=000032.ckpt"


def test_by_its_path_it_is_an_autoencoder_and_no_model(small: Layout, weights: Path, tmp_path: Path) -> None:
    source = save(autoencoder_state(small), tmp_path / "ae.ckpt")
    assert open_part(source, "autoencoder").folder == open_part(source, "autoencoder").folder
    with pytest.raises(UserError, match="stage autoencoder"):
        open_model(source)
    with pytest.raises(UserError, match="holds an autoencoder alone, and no text encoder"):
        open_part(source, "text_encoder")


def test_what_misses_in_an_autoencoder_is_named_as_in_its_file(small: Layout, tmp_path: Path) -> None:
    state = autoencoder_state(small)
    del state["decoder.mid.attn_1.q.bias"]
    state["quant_conv.weight"] = torch.zeros(40, 41, 1)
    state["encoder.lora"] = torch.zeros(1)
    with pytest.raises(
        UserError, match=r"missing decoder\.mid\.attn_1\.q\.bias; unknown encoder\.lora; quant_conv"
    ):
        read_released(save(state, tmp_path / "ae.ckpt"))


def test_companions_of_an_autoencoder_alone_are_refused(
    small: Layout, weights: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    source = save(autoencoder_state(small), tmp_path / "ae.ckpt")
    assert main(["convert", str(source), "-o", str(tmp_path / "a"), "--vocoder", "griffin_lim"]) == 1
    assert "holds an autoencoder alone: leave out the vocoder" in caplog.text


def test_a_loss_within_a_whole_file_is_left_out(small: Layout, tmp_path: Path) -> None:
    state = random_state(small) | {"first_stage_model.loss.logvar": torch.zeros(())}
    assert read_released(save(state, tmp_path / "a.ckpt")).kind == "audiolcm"


def test_parts_of_a_published_file_are_its_own(small: Layout, weights: Path) -> None:
    save(random_state(small, "make_an_audio_2"), weights / "maa2.ckpt")
    teacher = open_model("published:make_an_audio_2")
    for stage in ("autoencoder", "text_encoder"):
        assert open_part("published:make_an_audio_2", stage).folder == teacher.parent(stage).folder
        assert open_part(teacher.parent(stage).folder, stage).card["stage"] == stage


def test_a_vocoder_alone_is_converted_and_named_by_its_path(weights: Path, tmp_path: Path) -> None:
    source = save_bigvgan(tmp_path / "bigvgan")
    for number, place in enumerate((source, source / "best_netG.pt")):
        assert main(["convert", str(place), "-o", str(tmp_path / str(number))]) == 0
        assert open_vocoder(one(tmp_path / str(number), "vocoder")).hash == open_vocoder(place).hash
    assert main(["convert", str(source), "-o", str(tmp_path / "ln"), "--mel-log", "ln"]) == 0
    assert one(tmp_path / "ln", "vocoder").name != one(tmp_path / "0", "vocoder").name


@pytest.mark.parametrize("kind", ["make_an_audio_2", "audiolcm"])
def test_the_running_average_is_the_teachers_and_only_on_request(
    kind: str, small: Layout, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    state = random_state(small, kind)
    source = save(with_average(state), tmp_path / "a.ckpt")
    name = f"{TEACHER}blocks.1.transformer_blocks.0.attn2.to_q.weight"
    ours = "blocks.1.attention2.to_query.weight"
    own, average = read_released(source), read_released(source, ema=True)
    assert torch.equal(own.parts["teacher"][ours], state[name])
    assert torch.equal(average.parts["teacher"][ours], state[name] + 1)
    assert (
        "teacher's own weights are taken" in caplog.text and "taken from its running average" in caplog.text
    )
    if kind == "audiolcm":  # AudioLCM's sampler takes the student's own weights, whatever the teacher's are
        student = state[name.replace("model.", "unet.", 1)]
        assert torch.equal(average.parts["student"][ours], student)


def test_own_and_average_are_artifacts_apart(small: Layout, weights: Path, tmp_path: Path) -> None:
    source = save(with_average(random_state(small, "make_an_audio_2")), tmp_path / "a.ckpt")
    command = ["convert", str(source), "-o", str(tmp_path / "a"), "--vocoder", "griffin_lim"]
    command += save_tokenizers(tmp_path)
    assert main(command) == 0 and main([*command, "--weights", "ema"]) == 0
    assert len(list((tmp_path / "a" / "teacher").iterdir())) == 2
    assert len(list((tmp_path / "a" / "autoencoder").iterdir())) == 1


def test_an_average_that_is_not_there_or_of_another_network_is_refused(small: Layout, tmp_path: Path) -> None:
    state = random_state(small, "make_an_audio_2")
    with pytest.raises(UserError, match="holds no running average"):
        read_released(save(state, tmp_path / "a.ckpt"), ema=True)
    averaged = with_average(state)
    del averaged["model_ema.diffusion_modelpos_embweight"]
    with pytest.raises(UserError, match="missing model_ema.diffusion_modelpos_embweight"):
        read_released(save(averaged, tmp_path / "b.ckpt"))


def test_heads_are_those_of_the_configuration(small: Layout, weights: Path, tmp_path: Path) -> None:
    """Beside the file by its name, or given; the published file without one has 8, and keeps its identity."""
    source = save(random_state(small, "make_an_audio_2"), tmp_path / "mine.ckpt")
    eight = open_model(source)
    config(tmp_path / "mine.yaml", num_heads=4, hidden_size=64, depth=2, context_dim=48)
    four = open_model(source)
    heads = [yaml.safe_load(made.config_file().read_text())["model"]["num_heads"] for made in (eight, four)]
    assert heads == [8, 4] and eight.hash != four.hash
    assert eight.card["made_from"].keys() == {"published"}
    config(tmp_path / "mine.yaml", num_heads=8)
    assert open_model(source).hash == eight.hash


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"num_heads": 4, "hidden_size": 65}, "says hidden_size: 65, but the network in .* has 64"),
        ({"num_heads": 4, "depth": 4}, "says depth: 4"),
        ({"num_heads": 7}, "num_heads: 7, which does not divide the width 64"),
        ({"num_heads": "many"}, "states no usable model.params.unet_config.params.num_heads"),
        ({"hidden_size": 64}, r"num_heads \(None\)"),
    ],
)
def test_a_configuration_of_another_network_is_refused(
    params: dict[str, object], words: str, small: Layout, tmp_path: Path
) -> None:
    source = save(random_state(small, "make_an_audio_2"), tmp_path / "mine.ckpt")
    given = config(tmp_path / "given.yaml", **params)
    with pytest.raises(UserError, match=words):
        read_released(source, find_config(source, given))


def test_a_configuration_that_says_nothing_of_heads(tmp_path: Path) -> None:
    """Beside a file it is passed over, as that of an autoencoder is; one that was given must say it."""
    beside = tmp_path / "mine.yaml"
    beside.write_text("model: {params: {embed_dim: 20}}")
    assert find_config(tmp_path / "mine.ckpt", None) is None
    with pytest.raises(UserError, match="states no usable"):
        find_config(tmp_path / "mine.ckpt", beside)
    with pytest.raises(UserError, match="no readable YAML"):
        find_config(tmp_path / "mine.ckpt", tmp_path / "nowhere.yaml")
