"""``python -m experiments run``: words of the command line."""

import pytest

from audiolcm.errors import UserError
from audiolcm.sweeps.row_sweeper import settings_of
from experiments.__main__ import main


def test_a_dry_run_heeds_words_before_and_behind_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "table6_backbone", "row=full-seed0", "--dry-run", "train:trainer=smoke"]) == 0
    commands = [line for line in capsys.readouterr().out.splitlines() if line.startswith("python ")]
    assert commands == [
        f"python {script}.py +experiment=table6_backbone row=full-seed0" for script in ("train", "evaluate")
    ]


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("row=ful", "no row ful. Did you mean 'full'?"),
        ("sampler.num_steps=1,2", "cannot be swept"),
        ("backbone/norm=layernorm", "differ in backbone/norm"),
        ("typo=1", "typo"),
        ("a=[", "no setting a"),
        ("trainer=smok", "Did you mean 'trainer=smoke'?"),
        ("profile=paper", "--scale paper"),
        ("evaluate:scale=paper", "--scale paper"),
    ],
)
def test_a_dry_run_refuses_what_the_scripts_would_refuse(
    word: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", "table6_backbone", "--dry-run", word]) == 1
    assert message in capsys.readouterr().err


def test_a_typo_is_refused_before_a_script_starts(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(
        "experiments.running.run.run_and_hand_on", lambda command: pytest.fail(f"{command} was run")
    )
    assert main(["run", "table6_backbone", "train:trainer.student.stepz=3"]) == 1
    assert "Did you mean 'trainer.student.steps'?" in capsys.readouterr().err
    assert main(["run", "tabel6_backbone"]) == 1
    assert "Did you mean 'table6_backbone'?" in capsys.readouterr().err


def test_options_that_are_unknown_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["list", "table6_backbone"], ["run", "table6_backbone", "--dryer"]):
        with pytest.raises(SystemExit):
            main(arguments)
        assert "unrecognized" in capsys.readouterr().err


def test_settings_know_no_key_that_the_configuration_does_not_have() -> None:
    with pytest.raises(UserError, match="nope"):
        settings_of("evaluate", "replica", "table6_backbone", ("sampler.nope=1",))
