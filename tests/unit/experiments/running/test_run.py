"""``list`` and ``run``: both scripts have their turn, a signal ends it, a dry run shows what differs."""

from pathlib import Path

import pytest

from experiments.__main__ import main
from experiments.items.catalog import STEMS

STEM = "table6_backbone"


class Scripts:
    """Takes the place of ``run_and_hand_on``: notes the commands and ends them with codes given beforehand."""

    def __init__(self, *codes: int) -> None:
        self.codes = list(codes)
        self.commands: list[list[str]] = []

    def __call__(self, command: list[str]) -> int:
        self.commands.append([Path(command[1]).name, *command[2:]])
        return self.codes.pop(0)


@pytest.fixture
def scripts(monkeypatch: pytest.MonkeyPatch) -> Scripts:
    scripts = Scripts()
    monkeypatch.setattr("experiments.running.run.run_and_hand_on", scripts)
    return scripts


def test_training_comes_before_evaluation_with_the_same_words(scripts: Scripts) -> None:
    scripts.codes = [0, 0]
    assert main(["run", STEM, "row=full", "dataset.num_train=16"]) == 0
    words = [f"+experiment={STEM}", "row=full", "dataset.num_train=16"]
    assert scripts.commands == [["train.py", *words], ["evaluate.py", *words]]


def test_the_scale_is_handed_on_and_words_may_stand_behind_options(scripts: Scripts) -> None:
    scripts.codes = [0, 0]
    assert main(["run", STEM, "row=full", "--scale", "paper", "dataset.root=data"]) == 0
    assert scripts.commands[1] == [
        "evaluate.py", f"+experiment={STEM}", "scale=paper", "row=full", "dataset.root=data",
    ]  # fmt: skip


def test_words_for_one_script_reach_only_that_one(scripts: Scripts) -> None:
    scripts.codes = [0, 0]
    assert main(["run", STEM, "row=full", "train:trainer=smoke", "evaluate:num_resamples=10"]) == 0
    assert scripts.commands == [
        ["train.py", f"+experiment={STEM}", "row=full", "trainer=smoke"],
        ["evaluate.py", f"+experiment={STEM}", "row=full", "num_resamples=10"],
    ]


@pytest.mark.parametrize(
    ("stem", "names"), [("fig2b_guidance", ["evaluate.py"]), ("table5_hyperparameters", ["train.py"])]
)
def test_only_scripts_with_rows_are_run(scripts: Scripts, stem: str, names: list[str]) -> None:
    scripts.codes = [0]
    assert main(["run", stem]) == 0
    assert [command[0] for command in scripts.commands] == names


def test_a_failed_training_does_not_stop_the_evaluation_but_is_told(
    scripts: Scripts, capsys: pytest.CaptureFixture[str]
) -> None:
    scripts.codes = [1, 0]
    assert main(["run", STEM]) == 1
    assert len(scripts.commands) == 2
    assert "The same command goes on, and skips what is done." in capsys.readouterr().err


@pytest.mark.parametrize("code", [130, 143, 140, 137])
def test_a_signal_ends_it(scripts: Scripts, code: int) -> None:
    """Ctrl-C, SIGTERM and SIGUSR2 as our scripts report them, and a process that was killed."""
    scripts.codes = [code, 0]
    assert main(["run", STEM]) == code
    assert len(scripts.commands) == 1


def test_a_dry_run_shows_every_job_with_what_differs(
    scripts: Scripts, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", STEM, "--dry-run"]) == 0
    assert scripts.commands == []
    lines = capsys.readouterr().out.splitlines()
    shown = dict(zip(lines[::2], lines[1::2], strict=True))
    assert len(shown) == 8
    full = shown[f"python train.py +experiment={STEM} row=full-seed0"]
    other = shown[f"python train.py +experiment={STEM} row=without_rope-seed0"]
    assert "backbone.position._target_=" in full and full != other
    assert "LearnedPosition" in other and "LearnedPosition" not in full
    assert "seed=" not in full and "dataset" not in full  # the same in all
    evaluated = shown[f"python evaluate.py +experiment={STEM} row=full-seed0"]
    assert evaluated.strip().startswith(f"checkpoint=runs/replica/{STEM}/train/full-seed0, ")


def test_a_dry_run_shows_the_chosen_rows(scripts: Scripts, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", STEM, "--dry-run", "row=full,without_rope-seed0"]) == 0
    shown = [line.rpartition("row=")[2] for line in capsys.readouterr().out.splitlines()[::2]]
    assert shown == ["full-seed0", "without_rope-seed0"] * 2
    assert main(["run", STEM, "--dry-run", "row=ful"]) == 1
    assert f"{STEM} has no row ful. Did you mean 'full'?" in capsys.readouterr().err


@pytest.mark.parametrize("options", [[], ["--dry-run"]])
@pytest.mark.parametrize(
    ("stem", "scale"), [("table5_hyperparameters", "esc10"), ("table3_musiccaps", "esc10")]
)
def test_a_scale_without_rows_is_said_to_have_none(
    stem: str, scale: str, options: list[str], scripts: Scripts, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", stem, "--scale", scale, *options]) == 1
    shown = capsys.readouterr()
    assert shown.err.startswith(f"Nothing to run at this scale ({scale}): python -m experiments list")
    assert not shown.out and not scripts.commands


@pytest.mark.parametrize("options", [[], ["--dry-run"]])
def test_a_row_of_one_script_only_is_refused_before_anything_is_run(
    options: list[str], scripts: Scripts, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", "fig2a_solver_k", "row=k20", *options]) == 1
    words = capsys.readouterr().err
    assert words.startswith("evaluate.py: fig2a_solver_k has no row k20.") and "Rows: k1-step100, " in words
    assert "train:row=NAME and evaluate:row=NAME" in words
    assert main(["run", "fig2a_solver_k", "row=k20-step100", *options]) == 1
    assert capsys.readouterr().err.startswith("train.py: fig2a_solver_k has no row k20-step100.")
    assert not scripts.commands


def test_each_script_can_be_given_its_own_row(scripts: Scripts, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["train:row=k20", "evaluate:row=k20-step100"]
    assert main(["run", "fig2a_solver_k", *words, "--dry-run"]) == 0
    lines = capsys.readouterr().out.splitlines()[::2]
    assert [line.rpartition("row=")[2] for line in lines] == ["k20-seed0", "k20-step100-seed0"]
    scripts.codes = [0, 0]
    assert main(["run", "fig2a_solver_k", *words]) == 0
    assert [command[-1] for command in scripts.commands] == ["row=k20", "row=k20-step100"]


def test_mistakes_are_one_message(scripts: Scripts, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", STEM, "profile=paper"]) == 1
    assert "--scale replica or --scale esc10 or --scale paper" in capsys.readouterr().err
    assert main(["run", "table6"]) == 1
    assert "There is no table or figure table6" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["run", STEM, "--dryrun"])
    with pytest.raises(SystemExit):
        main(["list", "table6"])
    assert scripts.commands == []


def test_help_names_the_command_as_it_was_typed(capsys: pytest.CaptureFixture[str]) -> None:
    for more, prog in (
        ({}, "python -m experiments"),
        ({"prog": "audiolcm experiments"}, "audiolcm experiments"),
    ):
        with pytest.raises(SystemExit):
            main(["run", "--help"], **more)
        assert capsys.readouterr().out.startswith(f"usage: {prog} run ")


def test_list_names_every_item(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list"]) == 0
    text = capsys.readouterr().out
    assert all(f"{stem}: " in text for stem in STEMS)
    assert "  replica: 4 to train, 4 to evaluate\n" in text
