"""A typo among options is one message with the nearest right word, in every command of options."""

import importlib

import pytest


@pytest.mark.parametrize(
    ("command", "typed", "said"),
    [
        ("audiolcm.commands.cli", "genrate x", "Did you mean 'generate'?"),
        ("audiolcm.commands.cli", "generate x --devise cpu", "Did you mean '--device'?"),
        ("audiolcm.commands.cli", "generate x --devise=cpu", "Did you mean '--device'?"),
        ("audiolcm.commands.cli", "--verison", "Did you mean '--version'?"),
        ("audiolcm.commands.cli", "export --vocodr x", "Did you mean '--vocoder'?"),
        ("audiolcm.commands.cli", "generate x --steps two", "invalid int value: 'two'"),
        ("experiments.__main__", "lst", "Did you mean 'list'?"),
        ("experiments.__main__", "run table6_backbone --scale papr", "Did you mean 'paper'?"),
        ("experiments.__main__", "run table6_backbone seed=1 --dry-rnu", "Did you mean '--dry-run'?"),
        ("evaluation.listening.__main__", "biuld", "Did you mean 'build'?"),
        ("evaluation.generate", "--stesp 3", "Did you mean '--steps'?"),
    ],
)
def test_a_typo_is_one_line_with_the_right_word(
    command: str, typed: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as refused:
        importlib.import_module(command).main(typed.split(" "))
    told = capsys.readouterr().err
    assert refused.value.code == 2
    assert said in told and told.count("\n") == 1 and "--help" in told


@pytest.mark.parametrize("option", ["--checkpoint", "--vocoder", "--output"])
def test_an_empty_option_is_refused(option: str, caplog: pytest.LogCaptureFixture) -> None:
    from audiolcm.commands.cli import main

    assert main(["generate", "a dog", f"{option}="]) == 1
    assert f"{option} is empty" in caplog.text
