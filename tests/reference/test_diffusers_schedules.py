"""Schedules of diffusers' own files, and our timesteps and steps against its schedulers, from the same noise."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import DDIMScheduler, DDPMScheduler, LCMScheduler
from torch import Tensor

from audiolcm.configuration.build import build
from audiolcm.configuration.schema import compose
from audiolcm.diffusion.boundary import BoundaryScalings
from audiolcm.diffusion.diffusers_schedule import read_schedule
from audiolcm.diffusion.sampler import ConsistencySampler, DDIMSampler, NoiseSource, Sampler
from audiolcm.diffusion.schedule import LinearSchedule, NoiseSchedule, ScaledLinearSchedule
from audiolcm.diffusion.solver import ddim_step
from audiolcm.errors import UserError
from audiolcm.stages.recipe import Recipe

PAPER = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}
TEXT = torch.zeros(3, 1, 1)
SEEDS = [1, 2, 3]


def saved(folder: Path, kind: type = DDIMScheduler, **fields: Any) -> Path:
    """What a scheduler writes of itself, and the folder."""
    kind(**({"clip_sample": False} | PAPER | fields)).save_pretrained(folder)
    return folder


def edited(folder: Path, **fields: Any) -> str:
    """A saved file with other fields; a field that is ... is taken out."""
    file = saved(folder) / "scheduler_config.json"
    values = json.loads(file.read_text()) | fields
    file.write_text(json.dumps({name: value for name, value in values.items() if value is not ...}))
    return str(file)


class Played:
    """A denoiser that answers with noise of its own, the n-th answer to the n-th call, and keeps what it was given."""

    def __init__(self, calls: int) -> None:
        g = torch.Generator().manual_seed(9)
        self.answers = [torch.randn(3, 4, 16, generator=g) for _ in range(calls)]
        self.given: list[Tensor] = []

    def __call__(self, z_t: Tensor, t: Tensor, text: Tensor, omega: Tensor | None = None) -> Tensor:
        self.given.append(z_t)
        return self.answers[len(self.given) - 1]


def assert_same(ours: Tensor, theirs: Tensor, largest: float = 1e-6) -> None:
    assert float((ours - theirs).abs().max() / theirs.abs().max()) < largest


@pytest.mark.parametrize("kind", [DDIMScheduler, DDPMScheduler, LCMScheduler])
@pytest.mark.parametrize(
    ("beta_schedule", "ours"), [("scaled_linear", ScaledLinearSchedule), ("linear", LinearSchedule)]
)
@pytest.mark.parametrize(
    ("steps", "start", "end"), [(1000, 0.00085, 0.012), (500, 0.0015, 0.0195), (1000, 1e-4, 0.02)]
)
def test_betas_are_those_of_the_file(
    tmp_path: Path, kind: type, beta_schedule: str, ours: type, steps: int, start: float, end: float
) -> None:
    fields = {
        "num_train_timesteps": steps,
        "beta_start": start,
        "beta_end": end,
        "beta_schedule": beta_schedule,
    }
    schedule = read_schedule(str(saved(tmp_path, kind, **fields)), steps)
    theirs = kind.from_pretrained(tmp_path)
    assert type(schedule) is ours
    torch.testing.assert_close(schedule.betas, theirs.betas, rtol=0, atol=1e-6)
    torch.testing.assert_close(schedule.betas, theirs.betas, rtol=1e-5, atol=0)
    torch.testing.assert_close(schedule.alphas, theirs.alphas_cumprod.sqrt(), rtol=0, atol=1e-6)
    torch.testing.assert_close(schedule.sigmas, (1.0 - theirs.alphas_cumprod).sqrt(), rtol=0, atol=2e-6)


def test_file_may_be_named_by_its_folders(tmp_path: Path) -> None:
    scheduler = saved(tmp_path / "scheduler")
    for path in (tmp_path, scheduler, scheduler / "scheduler_config.json"):
        assert read_schedule(str(path)).num_timesteps == 1000


@pytest.mark.parametrize("k", [5, 20, 50])
@pytest.mark.parametrize("steps", [1, 2, 3, 4, 7, 8, 20])
def test_consistency_timesteps_are_those_of_lcm(k: int, steps: int) -> None:
    theirs = LCMScheduler(original_inference_steps=1000 // k)
    theirs.set_timesteps(steps)
    assert ConsistencySampler(steps, k=k).timesteps(1000) == theirs.timesteps.tolist()


@pytest.mark.parametrize("steps", [1, 2, 4, 50])
def test_ddim_timesteps_are_trailing(steps: int) -> None:
    theirs = DDIMScheduler(timestep_spacing="trailing")
    theirs.set_timesteps(steps)
    assert DDIMSampler(steps).timesteps(1000) == theirs.timesteps.tolist()


def test_boundary_scalings_are_those_of_lcm() -> None:
    theirs, ours = LCMScheduler(timestep_scaling=10.0), BoundaryScalings()
    for t in (0, 1, 19, 999):
        skip, out = theirs.get_scalings_for_boundary_condition_discrete(torch.tensor(t))
        torch.testing.assert_close(ours.c_skip(torch.tensor([t])).flatten()[0], skip.float())
        torch.testing.assert_close(ours.c_out(torch.tensor([t])).flatten()[0], out.float())


def assert_same_path(sampler: Sampler, schedule: NoiseSchedule, theirs: Any, **step: Any) -> None:
    """Every latent on the way from noise to z_0, under the same predictions, is that of their scheduler."""
    ours = Played(sampler.num_steps)
    sampled = sampler.sample(ours, schedule, NoiseSource(SEEDS, 4, 16), TEXT, TEXT)
    source = NoiseSource(SEEDS, 4, 16)
    z = source.draw()
    for t, answer, given in zip(theirs.timesteps, ours.answers, ours.given, strict=True):
        assert_same(given, z)
        z = theirs.step(answer, t, given, generator=source.generators, **step).prev_sample
    assert_same(sampled.latents, z)


@pytest.mark.parametrize("steps", [1, 2, 4])
@pytest.mark.parametrize("beta_schedule", ["scaled_linear", "linear"])
def test_consistency_steps_are_those_of_lcm(tmp_path: Path, beta_schedule: str, steps: int) -> None:
    """One call, and re-noising to the next timestep with the noise that their generators draw."""
    schedule = read_schedule(str(saved(tmp_path, LCMScheduler, beta_schedule=beta_schedule)))
    theirs = LCMScheduler.from_pretrained(tmp_path)
    theirs.set_timesteps(steps)
    assert_same_path(ConsistencySampler(steps), schedule, theirs)


@pytest.mark.parametrize("steps", [1, 2, 10])
def test_ddim_steps_are_those_of_diffusers(tmp_path: Path, steps: int) -> None:
    schedule = read_schedule(str(saved(tmp_path, timestep_spacing="trailing")))
    theirs = DDIMScheduler.from_pretrained(tmp_path)
    theirs.set_timesteps(steps)
    assert_same_path(DDIMSampler(steps, omega=0.0), schedule, theirs, eta=0.0)


@pytest.mark.parametrize("t", [999, 519, 39, 19])
def test_solver_step_is_that_of_diffusers(t: int) -> None:
    """The step of distillation; below the grid it ends at timestep 0, as with set_alpha_to_one=False."""
    theirs = DDIMScheduler(**PAPER, clip_sample=False, set_alpha_to_one=False)
    theirs.set_timesteps(50)  # steps of 20 timesteps
    z, epsilon = torch.randn(2, 3, 4, 16, generator=torch.Generator().manual_seed(t))
    times = torch.full((3,), t), torch.full((3,), max(t - 20, 0))
    ours = ddim_step(z, epsilon, *times, ScaledLinearSchedule())
    assert_same(ours, theirs.step(epsilon, t, z).prev_sample)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"prediction_type": "v_prediction"}, "prediction_type=.*beta_end=0.012 model.prediction_type=velocity"),
        ({"prediction_type": "sample"}, "prediction_type=.*another quantity"),
        ({"rescale_betas_zero_snr": True}, "rescale_betas_zero_snr=true"),
        ({"trained_betas": [0.1] * 1000}, r"trained_betas=\[0.1, .{1,40}\.\.\."),
        ({"beta_schedule": "squaredcos_cap_v2"}, "beta_schedule=squaredcos_cap_v2"),
        ({"clip_sample": True}, "clip_sample=true.*type schedule=scaled_linear schedule.num_timesteps=1000 "),
        ({"clip_sample": ...}, "clip_sample=true"),  # what DDIMScheduler takes where the file is silent
        ({"thresholding": True}, "thresholding=true"),
        ({"set_alpha_to_one": False}, "set_alpha_to_one=false.*last DDIM step"),
        ({"timestep_scaling": 5.0}, "objective.boundary.timestep_scaling=5.0"),
        ({"variance_type": "learned_range"}, "variance_type"),
        ({"beta_start": ...}, "lacks beta_start"),
        ({"_class_name": "PNDMScheduler"}, "_class_name=PNDMScheduler.*DDIMScheduler.from_config"),
        ({"num_train_timesteps": 500}, "num_train_timesteps=500. Type schedule.num_timesteps=500"),
        ({"num_train_timesteps": 1e3}, "num_train_timesteps=1000.0, but a whole number"),
        ({"beta_end": "0.012"}, "beta_end='0.012', but a number"),
        ({"beta_end": 0.0001}, "beta_start <= beta_end"),
        ({"noise_offset": 0.1}, "noise_offset=0.1, which is unknown"),
    ],
)  # fmt: skip
def test_what_ours_is_not_is_refused_by_its_name(
    tmp_path: Path, fields: dict[str, Any], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        read_schedule(edited(tmp_path, **fields))


@pytest.mark.parametrize(
    "fields",
    [
        {"_class_name": "LCMScheduler", "set_alpha_to_one": False, "clip_sample": ...},
        {"timestep_spacing": "trailing", "steps_offset": 1, "skip_prk_steps": True},
        {"prediction_type": ..., "thresholding": ..., "_diffusers_version": "0.2"},
    ],
)
def test_what_changes_nothing_is_accepted(tmp_path: Path, fields: dict[str, Any]) -> None:
    schedule = read_schedule(edited(tmp_path, **fields))
    torch.testing.assert_close(schedule.betas, ScaledLinearSchedule().betas, rtol=0, atol=0)


def test_set_alpha_to_one_is_what_lcm_never_reads(tmp_path: Path) -> None:
    """Why it is refused of DDIM only: the last step of LCM is the same either way, that of DDIM is not."""
    z, epsilon = torch.randn(2, 3, 4, 16, generator=torch.Generator().manual_seed(0))
    for kind, same in ((LCMScheduler, True), (DDIMScheduler, False)):
        ends = []
        for to_one in (True, False):
            theirs = kind(**PAPER, clip_sample=False, timestep_spacing="trailing", set_alpha_to_one=to_one)
            theirs.set_timesteps(1)
            ends.append(theirs.step(epsilon, theirs.timesteps[0], z).prev_sample)
        assert torch.equal(*ends) is same


@pytest.mark.parametrize("content", [None, "", "[]", "{", "\x00"])
def test_missing_and_broken_files_say_what_to_type(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "scheduler_config.json").write_text(content)
    with pytest.raises(UserError, match=r"[Tt]ype schedule\.path=FOLDER"):
        read_schedule(str(tmp_path))
    with pytest.raises(UserError, match=r"type schedule\.path=FOLDER"):
        read_schedule(None)


def test_configuration_composes_with_solver_and_sampler(tmp_path: Path) -> None:
    path = saved(tmp_path, num_train_timesteps=600)
    cfg = compose(
        ["schedule=diffusers", f"schedule.path={path}", "schedule.num_timesteps=600", "solver.k=30"]
    )
    schedule, solver = build(cfg["schedule"], "schedule"), build(cfg["solver"], "solver")
    assert (solver.num_timesteps, solver.k) == (600, 30)
    assert build(cfg["sampler"], "sampler").timesteps(schedule.num_timesteps) == [599, 299]
    with pytest.raises(UserError, match="schedule.num_timesteps=600"):
        build(compose(["schedule=diffusers", f"schedule.path={path}"])["schedule"], "schedule")


def test_content_and_not_the_path_is_what_a_run_is_made_from(tmp_path: Path) -> None:
    """The same betas are the same artifacts wherever they were read, and artifacts need the file no more."""
    paths = [f"paths.{name}={tmp_path / name}" for name in ("artifacts", "cache", "runs")]
    words = ["teacher=scratch", *paths]
    read = Recipe(compose(["schedule=diffusers", f"schedule.path={saved(tmp_path / 'model')}", *words]))
    written = Recipe(compose(words))
    assert read.cfg == written.cfg == read.runner.cfg
