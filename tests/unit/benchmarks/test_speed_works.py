"""Every kind of measurement does its work, at a tiny size and in this process."""

import io
import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from audiolcm.audio.mel import NUM_MELS
from audiolcm.distributed.hardware import Hardware
from audiolcm.errors import UserError
from audiolcm.models import int8
from audiolcm.models.int8 import convolve_int8
from audiolcm.models.layers import TokenConv1d
from benchmarks.published import RELEASED
from benchmarks.speed import synthesis
from benchmarks.speed.case import KINDS, read_case
from benchmarks.speed.denoising import configured, flops_of_call, inputs, network
from benchmarks.speed.floor import Product, count_flops
from benchmarks.speed.stages import released_vocoder_network, vocoder_network
from benchmarks.speed.tracing import NUM_SHOWN, traced
from benchmarks.speed.training import flops_of_distillation
from benchmarks.speed.work import Work, readied, repeated
from benchmarks.speed.worker import Metronome, make_work

SMALL = [
    "model.width=32", "model.depth=1", "model.num_heads=2", "autoencoder.model.channels=32", "hardware.num_threads=1",
    "vocoder.model.width=32", "vocoder.model.depth=1", "vocoder.model.sharpening_passes=1",
    *(f"trainer.{stage}.batch_size=2" for stage in ("autoencoder", "vocoder", "teacher", "student")),
    *(f"trainer.{stage}.crop_seconds=0.512" for stage in ("autoencoder", "vocoder", "teacher", "student")),
]  # fmt: skip
BIGVGAN = {"tiny": {"channels": 64, "block_kernels": [3], "block_dilations": [[1]]}}
OTHERS = ["main-job"]
"""Kinds that are not tried here: it is the whole of ``python train.py``."""
NAMES = [
    "denoiser-tiny-bfloat16-b2-1s", "denoiser-tiny-int8-1s", "released-denoiser-tiny-1s",
    "sampler-tiny-float32-1s-3steps", "decoder-tiny-1s",
    "released-decoder-tiny-1s", "vocoder-tiny-istft-1s", "released-vocoder-tiny-1s",
    "synthesis-tiny-float32-istft-b2-1s", "warm-synthesis-tiny-float32-istft-1s", "released-synthesis-tiny-float32-1s",
    "training-tiny-float32-autoencoder", "training-tiny-float32-vocoder", "training-tiny-float32-teacher",
    "training-tiny-bfloat16-student", "distillation-tiny-float32-b2-1s", "released-distillation-tiny-float32-b2-1s",
    "start-tiny-import",
]  # fmt: skip


@pytest.fixture(autouse=True)
def small_products(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.speed.floor._SIDE", {"cpu": 64})
    monkeypatch.setattr("benchmarks.speed.stages.BIGVGAN", BIGVGAN)


def test_every_kind_is_tried() -> None:
    assert {read_case(name).kind for name in NAMES} == set(KINDS) - set(OTHERS)


def test_eight_bits_are_what_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    monkeypatch.setattr(int8, "convolve_int8", lambda *given: made.append(given) or convolve_int8(*given))
    for name in ("denoiser-tiny-int8-1s", "sampler-tiny-int8-1s-1steps"):
        made.clear()
        Metronome(make_work(name, SMALL), 0, io.StringIO("0.0\n"), io.StringIO()).run()
        assert made
    network = readied(torch.nn.Sequential(TokenConv1d(4, 4, 3)), Hardware("cpu", "bfloat16"))
    assert network[0].keeps


@pytest.mark.parametrize("name", NAMES)
def test_work_is_timed(name: str) -> None:
    answers = io.StringIO()
    Metronome(make_work(name, SMALL), 0, io.StringIO("0.0\n0.0\n"), answers).run()
    facts, first, second, end = map(json.loads, answers.getvalue().splitlines())
    assert facts["device"] == "cpu" and facts["flops"] >= 0
    assert (
        len(first["seconds"]) == len(second["seconds"]) == 1
        and first["seconds"][0] > 0
        and second["rate"] > 0
    )
    assert end["peak_bytes"] > 0
    stages = ["text", "denoiser", "decoder", "vocoder"] if "synthesis" in name else []
    assert list(first["stages"][0]) == stages


def test_larger_models_get_bert_and_t5(monkeypatch: pytest.MonkeyPatch) -> None:
    bert = {
        "vocab_size": 40,
        "hidden_size": 8,
        "num_hidden_layers": 1,
        "num_attention_heads": 1,
        "intermediate_size": 8,
    }
    t5 = {"vocab_size": 40, "d_model": 16, "d_kv": 4, "d_ff": 8, "num_layers": 1, "num_heads": 1}
    monkeypatch.setattr(synthesis, "RELEASED", replace(RELEASED, bert=bert, t5=t5))
    encoder = synthesis.text_encoder(read_case("synthesis-base"), {"text_encoder": {"tokens_per_half": 7}})
    features = encoder(["a dog"], ["<dog& all>"])
    assert features.shape == (1, 14, 16) and not torch.equal(features, encoder(["the rain"], ["<dog& all>"]))


def test_plain_arithmetic_is_that_of_our_network() -> None:
    cfg, hardware = configured(read_case("denoiser-tiny-float32"), SMALL)
    device = hardware.torch_device()
    ours = network(cfg, device)
    given = inputs(cfg, 2, 1, device)
    # Ours multiplies the zeros before and after the tokens too
    assert 1.0 <= count_flops(lambda: ours(**given)) / flops_of_call(cfg, 2, 1) < 1.02


def test_plain_arithmetic_is_that_of_our_bigvgan() -> None:
    """Whose snakes are products here, with the zeros of their matrices."""
    case, device = read_case("vocoder-tiny-float32-bigvgan"), torch.device("cpu")
    ours, released = vocoder_network(case, {}, device), released_vocoder_network(case, device)
    mels = torch.zeros(1, NUM_MELS, 8)
    assert 1.0 <= count_flops(lambda: ours(mels)) / count_flops(lambda: released(mels)) < 1.5


def test_step_costs_six_calls_of_its_denoiser_nearly() -> None:
    cfg, _ = configured(read_case("denoiser-tiny-float32"), SMALL)
    assert 5.5 < flops_of_distillation(cfg, 2, 1) / flops_of_call(cfg, 2, 1) <= 6.0


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_product_has_a_rate(precision: str) -> None:
    assert Product(Hardware("cpu", precision)).rate() > 0


def test_profile_names_the_costliest_operations(tmp_path: Path) -> None:
    operations = traced("denoiser-tiny-float32-1s", SMALL, tmp_path / "trace.json")
    assert len(operations) == NUM_SHOWN
    assert [one["seconds"] for one in operations] == sorted(
        (one["seconds"] for one in operations), reverse=True
    )
    assert json.loads((tmp_path / "trace.json").read_text())["traceEvents"]
    with pytest.raises(UserError, match="is a command of its own"):
        traced("start-tiny-import", [], tmp_path / "none.json")


def test_work_that_is_not_warmed_up_is_timed_from_its_first_unit() -> None:
    done, answers = [], io.StringIO()
    work = Work(repeated(lambda: done.append(1)), Hardware("cpu", "float32"), 0.0, warm_up=0)
    Metronome(work, 0, io.StringIO("0\n"), answers).run()
    assert len(done) == 1 and len(answers.getvalue().splitlines()) == 3
