"""A sampler's configuration with other settings, and the configurations that ask for the released sampler."""

import pytest

from audiolcm.assembly import TEACHER_SAMPLERS, with_settings
from audiolcm.configuration.build import build
from audiolcm.configuration.schema import compose
from audiolcm.diffusion.plms import PLMSSampler
from audiolcm.errors import UserError

DDIM = {"_target_": TEACHER_SAMPLERS["ddim"], "num_steps": 50, "omega": 4.0, "interval": None, "eta": None}
STUDENT = {"_target_": "audiolcm.diffusion.sampler.ConsistencySampler", "num_steps": 2, "omega": 4.0, "k": 20}


def test_settings_replace_those_of_the_sampler() -> None:
    assert with_settings(DDIM, {"num_steps": 7}) == DDIM | {"num_steps": 7}
    assert with_settings(STUDENT, {}) == STUDENT
    assert DDIM["num_steps"] == 50


@pytest.mark.parametrize("kind", TEACHER_SAMPLERS)
def test_another_kind_keeps_the_other_settings(kind: str) -> None:
    made = build(with_settings(DDIM, {"kind": kind, "spacing": "released", "num_steps": 10}), "sampler")
    assert f"{type(made).__module__}.{type(made).__qualname__}" == TEACHER_SAMPLERS[kind]
    assert (made.num_steps, made.omega, made.spacing) == (10, 4.0, "released")


def test_what_a_kind_does_not_know_is_refused() -> None:
    with pytest.raises(UserError, match="sampler.eta=0.5 is of DDIM: add sampler.kind=ddim"):
        with_settings(DDIM, {"kind": "plms", "eta": 0.5})
    with pytest.raises(UserError, match="sampler.eta=1 is of DDIM"):
        with_settings(DDIM | {"_target_": TEACHER_SAMPLERS["dpm_solver"]}, {"eta": 1})
    with pytest.raises(UserError, match="sampler.spacing=released is for teachers"):
        with_settings(STUDENT, {"spacing": "released"})
    with pytest.raises(UserError, match="sampler.kind=euler: choose ddim, dpm_solver, plms"):
        with_settings(DDIM, {"kind": "euler"})
    with pytest.raises(UserError, match="sampler.kind=plms is for teachers"):
        with_settings(STUDENT, {"kind": "plms"})


def test_noise_that_a_teacher_has_goes_with_its_sampler() -> None:
    assert "eta" not in with_settings(DDIM | {"eta": 0.5}, {"kind": "plms"})
    assert with_settings(DDIM | {"eta": 0.5}, {"kind": "ddim"})["eta"] == 0.5


def test_a_whole_section_of_another_class_stands_for_itself() -> None:
    """As the preview of a run samples its teacher, whatever that was converted or trained with."""
    asked = compose(["sampler@teacher_sampler=dpm_solver"])["teacher_sampler"]
    assert with_settings(DDIM | {"eta": None, "spacing": "released"}, asked) == asked
    build(with_settings(DDIM, asked), "teacher_sampler").timesteps(1000)


def test_every_kind_is_an_option_for_the_teacher() -> None:
    for kind, target in TEACHER_SAMPLERS.items():
        assert compose([f"sampler@teacher_sampler={kind}"])["teacher_sampler"]["_target_"] == target
    cfg = compose(["sampler@teacher_sampler=plms", "teacher_sampler.spacing=released"])
    assert build(cfg["teacher_sampler"], "teacher_sampler", PLMSSampler).timesteps(1000)[0] == 981


def test_teachers_of_the_paper_profile_are_sampled_as_released() -> None:
    """100 steps at 991, 981, ..., 1; the replica keeps its own."""
    paper = compose(["profile=paper"])["teacher_sampler"]
    assert build(paper, "teacher_sampler").steps(1000) == [
        (10 * i + 1, max(10 * i - 9, 0)) for i in range(99, -1, -1)
    ]
    assert compose([])["teacher_sampler"]["spacing"] is None
