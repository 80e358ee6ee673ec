"""The planner against real steps whose tensors are counted, and its table as people read it."""

from dataclasses import replace
from pathlib import Path

import pytest
import tiny_bigvgan
import torch
from text_files import WIDTH, save_text_files
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode

from audiolcm.configuration.schema import compose
from audiolcm.errors import UserError
from audiolcm.models.bigvgan import BigVGAN
from audiolcm.models.bigvgan_checkpoint import published_layout
from audiolcm.models.layers import lay_out
from audiolcm.sizing import plan as planning
from audiolcm.sizing.memory import (
    CopiesWithoutContent,
    LiveBytes,
    StepMemory,
    in_one_process,
    losses,
    random_batch,
    simulate,
    untrained,
)
from audiolcm.sizing.plan import GB, SIZED, _rows, plan_table, sizes, smallest_gpu
from audiolcm.sizing.texts import language_models
from audiolcm.training.optimization import AdamW

SMALL = ["model.width=64", "model.depth=2", "trainer=smoke", "dataset.duration=2.0"]


def measured(cfg: dict[str, object], stage: str, examples: int, recompute: bool) -> int:
    """Return the peak bytes of the tensors of a real second step, with the optimizer's state of the first."""
    with LiveBytes() as live:
        objective = untrained(cfg, stage)
        lay_out(objective)
        for module in objective.modules():
            if hasattr(module, "recompute"):
                module.recompute = recompute
        parts = objective.parts()
        optimizers = {part: AdamW().make(trained) for part, trained in parts.items()}
        batch = random_batch(cfg, stage, examples)
        for _ in range(2):
            live.peak = live.now
            for part, loss, _ in losses(objective, batch, 100_000, False):
                loss.backward(inputs=parts[part])
                torch.nn.utils.clip_grad_norm_(parts[part], 1.0)
                optimizers[part].step()
                optimizers[part].zero_grad(set_to_none=True)
            objective.after_step(0)
    return live.peak


@pytest.mark.parametrize("recompute", [False, True])
@pytest.mark.parametrize("stage", SIZED)
def test_plan_is_what_a_real_step_takes(stage: str, recompute: bool) -> None:
    cfg = compose(SMALL)
    planned = simulate(cfg, stage, 4, recompute, False)
    assert planned.total == pytest.approx(measured(cfg, stage, 4, recompute), rel=0.1)


@pytest.mark.parametrize("objective", ["spectral", "released"])
def test_plan_of_an_autoencoder_counts_its_discriminator(objective: str) -> None:
    """Its weights, the optimizer's two numbers for each, and what a gradient of a gradient keeps."""
    words = [*SMALL, "autoencoder.model.channels=32", f"autoencoder/objective={objective}"]
    cfg = compose([*words, "autoencoder.objective.adversary.start_step=0"])
    planned = simulate(cfg, "autoencoder", 4, False, False)
    assert planned.total == pytest.approx(measured(cfg, "autoencoder", 4, False), rel=0.1)
    parts = untrained(cfg, "autoencoder").parts()
    assert planned.parameters == sum(p.numel() for part in parts.values() for p in part)
    assert planned.optimizer == 2 * 4 * planned.parameters
    later = simulate(
        compose([*words, "autoencoder.objective.adversary.start_step=20"]), "autoencoder", 4, False, False
    )
    trained_until_then = (
        sum(p.numel() for p in parts["generator"]) if objective == "spectral" else planned.parameters
    )
    assert later.optimizer == 2 * 4 * trained_until_then, "trainer=smoke has 20 steps"


@pytest.mark.parametrize("examples", [1, 4])
def test_plan_of_a_vocoder_is_what_a_real_step_takes(
    tmp_path: Path, examples: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tiny_bigvgan.save(tmp_path / "published")
    words = ["vocoder=bigvgan_finetuned", f"vocoder.model.path={folder}", *tiny_bigvgan.WORDS]
    cfg = compose([*words, "vocoder.objective.mpd.channels=4"])
    planned = simulate(cfg, "vocoder", examples, False, True)
    assert planned.total == pytest.approx(measured(cfg, "vocoder", examples, False), rel=0.1)
    in_float32 = simulate(cfg, "vocoder", examples, False, False)
    assert planned.total == pytest.approx(in_float32.total, rel=0.01), "it is float32 whatever the precision"
    asked = []

    def fake(_: object, *what: object) -> StepMemory:
        asked.append(what)
        return planned

    monkeypatch.setattr(planning, "simulate", fake)
    row = next(row for row in _rows(cfg, 1, "ddp", True) if row[1] == "vocoder")
    assert row[:4] == ["any", "vocoder", f"{planned.parameters / 1e6:.1f} M", "8"]
    assert asked[:2] == [("vocoder", 8, recompute, True) for recompute in (False, True)]


def released_vocoder_parameters() -> int:
    """BigVGAN's with the lengths of its weight norm, and the discriminators'."""
    with torch.device("meta"):
        layout = published_layout(BigVGAN())
    lengths = sum(shape[0] for name, shape in layout.items() if name.endswith("weight_g"))
    return 112_199_473 + lengths + 41_105_770 + 280_902


def test_the_released_vocoder_is_made_without_its_files() -> None:
    cfg = compose(["profile=paper", "vocoder=bigvgan_finetuned"])
    with FakeTensorMode(allow_non_fake_inputs=True), CopiesWithoutContent():
        parts = untrained(cfg, "vocoder").parts()
    assert sum(count(nn.ParameterList(part)) for part in parts.values()) == released_vocoder_parameters()


@pytest.mark.slow
def test_the_released_vocoder_is_planned_without_its_files() -> None:
    cfg = compose(["profile=paper", "vocoder=bigvgan_finetuned", "trainer.vocoder.crop_seconds=0.128"])
    assert simulate(cfg, "vocoder", 1, False, False).parameters == released_vocoder_parameters()


@pytest.mark.parametrize("recompute", [False, True])
def test_a_trained_text_encoder_is_planned_with_its_teacher(tmp_path: Path, recompute: bool) -> None:
    places = [f"text_encoder.{name}={place}" for name, place in save_text_files(tmp_path).items()]
    cfg = compose([*SMALL, "text_encoder=clap_t5", "text_encoder.trainable=true", *places])
    planned = simulate(cfg, "teacher", 4, recompute, False)
    assert planned.total == pytest.approx(measured(cfg, "teacher", 4, recompute), rel=0.1)
    frozen = compose([*SMALL, "text_encoder.tokens_per_half=77", f"text_encoder.width={WIDTH}"])
    bert, t5 = (count(network) for network in language_models(cfg["text_encoder"]))
    assert planned.parameters == simulate(frozen, "teacher", 4, recompute, False).parameters + t5
    assert planned.unshared == 4 * bert
    shared = in_one_process(planned, 4, "fsdp", False)
    assert shared.weights == pytest.approx((planned.weights + 3 * planned.unshared) / 4, abs=4)
    assert simulate(cfg, "student", 4, recompute, False) == simulate(frozen, "student", 4, recompute, False)


def count(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def test_a_student_of_recordings_is_planned_too() -> None:
    """Its teacher is guided in an interval and takes several steps a stride, without gradients: no more at its peak."""
    plain, recordings = (
        simulate(compose([*SMALL, *words]), "student", 4, False, False)
        for words in ([], ["guidance.interval=[200,700]", "solver.k=100", "solver.max_step=25"])
    )
    assert recordings.total == pytest.approx(plain.total, rel=0.02)


def test_recomputing_and_smaller_pieces_take_less() -> None:
    cfg = compose(SMALL)
    whole, again, half = (
        simulate(cfg, "teacher", n, r, False) for n, r in ((4, False), (4, True), (2, False))
    )
    assert again.activations < 0.6 * whole.activations
    assert half.activations < 0.6 * whole.activations


def test_the_update_of_the_weights_takes_no_memory_of_its_own() -> None:
    cfg = compose([*SMALL, "model.width=256"])
    planned = simulate(cfg, "student", 1, True, False)
    assert planned.total == pytest.approx(measured(cfg, "student", 1, True), rel=0.1)


def test_a_teacher_in_bfloat16_takes_half_unless_it_is_shared() -> None:
    plain, rounded = (simulate(compose(SMALL), "student", 1, False, bf16) for bf16 in (False, True))
    assert rounded.weights == plain.weights - rounded.rounded
    assert rounded.rounded == pytest.approx(plain.weights / 6, rel=0.02)
    assert in_one_process(rounded, 2, "fsdp", True).weights == plain.weights // 2


MEMORY = StepMemory(10**9, 12 * 10**9, 4 * 10**9, 8 * 10**9, 6 * 10**9, 10**8, 2 * 10**8)


def test_smallest_gpu_is_named() -> None:
    assert MEMORY.total == 30 * GB
    assert smallest_gpu(MEMORY) == "40"
    assert smallest_gpu(replace(MEMORY, weights=int(20.6e9))) == "48", "1.5 GB are kept free"
    assert smallest_gpu(replace(MEMORY, weights=150 * 10**9)) == "-"


def test_sharded_processes_hold_a_share_and_gather_blocks() -> None:
    shared = in_one_process(MEMORY, 4, "fsdp", False)
    assert (shared.weights, shared.gradients, shared.optimizer) == (3 * 10**9, 10**9, 2 * 10**9)
    assert shared.activations == MEMORY.activations + 3 * MEMORY.block + MEMORY.around_blocks
    assert in_one_process(MEMORY, 4, "ddp", False) == MEMORY


def test_table_names_every_size_and_stage(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def fake(
        cfg: dict[str, object], stage: str, examples: int, recompute: bool, bfloat16: bool
    ) -> StepMemory:
        asked.append((cfg["model"]["width"], stage, examples, recompute, bfloat16))
        return replace(MEMORY, activations=(3 if recompute else 6) * 10**9)

    monkeypatch.setattr(planning, "simulate", fake)
    table = plan_table(compose([*SMALL, "trainer.teacher.batch_size=8"]) | {"plan": 4})
    row = (
        "| this one | teacher | 1000.0 M | 2 | 12.00 | 4.00 | 8.00 | 6.00 (3.00) | 30.00 (27.00) | 40 (40) |"
    )
    assert row in table.splitlines(), table
    for name in ("tiny", "base", "medium", "large", "xl"):
        assert table.count(f"| {name} | ") == 2
    assert table.count("| any | autoencoder | 1000.0 M | 2 |") == 1
    assert (64, "student", 2, True, True) in asked
    assert "one of 4 processes (ddp" in table


def test_each_size_is_the_one_of_its_file() -> None:
    found = dict(sizes(compose(["model=base"])))
    assert [cfg["model"]["width"] for cfg in found.values()] == [128, 576, 768, 1024, 1600]
    assert found["tiny"]["backbone"]["feed_forward"]["kernel_size"] == 3
    assert found["xl"]["backbone"]["feed_forward"]["kernel_size"] == 9


@pytest.mark.parametrize("plan", [0, "yes", -1, 1.5])
def test_plan_is_true_or_a_number(plan: object) -> None:
    with pytest.raises(UserError, match=r"\+plan=8"):
        plan_table(compose(SMALL) | {"plan": plan})
