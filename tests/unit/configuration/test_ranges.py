"""Numbers that could never be meant are refused by one message, wherever they are typed."""

import math
from pathlib import Path

import pytest
import yaml

from audiolcm.commands.cli import main
from audiolcm.configuration.ranges import check_numbers, check_options
from audiolcm.configuration.schema import compose
from audiolcm.configuration.words import CONF
from audiolcm.errors import UserError

FILES = sorted(path for path in CONF.rglob("*.yaml") if not {"experiment", "hydra"} & set(path.parts))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(CONF)))
def test_what_this_project_ships_is_in_range(path: Path) -> None:
    check_numbers(yaml.safe_load(path.read_text()))


@pytest.mark.parametrize(
    "word",
    ["trainer.student.crop_seconds=1e9", "sampler.omega=1e39", "sampler.omega=nan", "trainer.student.learning_rate=inf",
     "optimizer.eps=-1", "optimizer.beta1=1.5", "seed=-1", "seed=9223372036854775808", "guidance.w_max=1e39",
     "trainer.student.num_validation=-1", "trainer.teacher.warmup_steps=-5", "preview.student_steps=[1,-2]",
     "hardware.num_threads=100000", "model.width=1000000000", "solver.num_timesteps=1000000000"],
)  # fmt: skip
def test_a_number_out_of_its_range_is_one_message(word: str) -> None:
    with pytest.raises(UserError, match=rf"{word.partition('=')[0]}=.* is out of range: .* to .*\.") as told:
        compose([word])
    assert "\n" not in str(told.value)


def test_numbers_of_other_peoples_classes_must_be_finite_only() -> None:
    check_numbers({"loss": {"_target_": "mypkg.Loss", "level": -80.0}})
    with pytest.raises(UserError, match="loss.level=nan is out of range"):
        check_numbers({"loss": {"_target_": "mypkg.Loss", "level": math.nan}})
    with pytest.raises(UserError, match=r"solver\.level=-80\.0 is out of range"):
        check_numbers({"solver": {"_target_": "audiolcm.Solver", "level": -80.0}})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"clips_per_class": -3}, "--clips-per-class -3 is out of range: 1 to"),
        ({"omega": 1e39}, r"--omega 1e\+39 is out of range: -1 to 1,000"),
        ({"mel_range": [20.0, math.inf]}, "--mel-range inf is out of range: 0 to 24,000"),
        ({"max_seconds": math.nan}, "--max-seconds nan is out of range"),
    ],
)
def test_an_option_out_of_its_range(options: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=message):
        check_options(options | {"name": "x", "flag": True, "steps": None})


@pytest.mark.parametrize(
    "words", [["--seed", "-1"], ["--omega", "1e39"], ["--batch-size", "0"], ["--duration", "nan"]]
)
def test_generate_refuses_before_it_looks_for_a_model(
    words: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    assert main(["generate", "rain", *words]) == 1
    assert f"{words[0]} " in caplog.text and "is out of range" in caplog.text
