"""A typo anywhere on the command line is one message with the nearest right word, never Hydra's own advice."""

from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.errors import HydraException

from audiolcm.configuration.mistakes import explained, explained_words
from audiolcm.configuration.resolvers import register_resolvers
from audiolcm.configuration.schema import compose as resolved
from audiolcm.configuration.words import CONF, readable, refuse_odd_choices
from audiolcm.errors import UserError

TYPOS = [
    ("train", "trainr=smoke", "Did you mean 'trainer'?"),
    ("train", "trainr.student.steps=3", "Did you mean 'trainer.student.steps'?"),
    ("train", "model.widht=64", "Did you mean 'model.width'?"),
    ("train", "~model.widht", "Did you mean 'model.width'?"),
    ("train", "Model.width=64", "Did you mean 'model.width'?"),
    ("train", "widht=64", "Did you mean 'model.width'?"),
    ("train", "student.steps=3", "Did you mean 'trainer.student.steps'?"),
    ("train", "solver.kk=5", "Did you mean 'solver.k'?"),
    ("train", "solver.k.k=5", "solver.k is one value"),
    ("train", "trainer=smok", "Did you mean 'trainer=smoke'?"),
    ("train", "bakcbone/norm=layernorm", "Did you mean 'backbone/norm'?"),
    ("train", "backbone/norm=layrnorm", "Did you mean 'backbone/norm=layernorm'?"),
    ("train", "trainer.student.stepz=3", "Did you mean 'trainer.student.steps'?"),
    ("train", "+experiment=tabel6_backbone", "Did you mean '+experiment=table6_backbone'?"),
    ("train", "experiment=table6_backbone", "type +experiment=table6_backbone"),
    ("train", "+model=base", "type model=base, without the +"),
    ("train", "plan=1", "typed with a +: +plan=1"),
    ("train", "+experiment=table6_backbone trainer.student.stepz=3", "Did you mean 'trainer.student.steps'?"),
    ("train", "hydra/launcher=submitit_slrm", "Did you mean 'hydra/launcher=submitit_slurm'?"),
    ("train", "hydra/launcher=slurm_node hydra.launcher.nodez=2", "Did you mean 'hydra.launcher.nodes'?"),
    ("train", "hydra.run.dirr=x", "Did you mean 'hydra.run.dir'?"),
    ("train", "solver.k=rnage(1,5)", "Did you mean 'range'?"),
    ("train", "solver.k=range(1,x)", "solver.k=range(1,x): "),
    ("train", "model.width = 64", "model.width is no setting: type NAME=VALUE"),
    ("train", "mödel.width=64", "is no name of a setting"),
    ("train", "solver.k=1,5", "add -m"),
    ("train", "dataset.root=/somewhere", "dataset=foley has no root; these have: dataset="),
    ("train", "MODEL.WIDTH=64", "Did you mean 'model.width'?"),
    ("train", "modl.widht=64", "Did you mean 'model.width'?"),
    ("train", "solver.folder=x", "solver has: "),
    ("train", "=esc10", "=esc10 names no setting: type NAME=VALUE"),
    ("train", "\u201cdataset=esc10\u201d", "holds a quotation mark"),
    ("train", "++model=base", "type model=base, without the +"),
    ("train", "system=tango", "system is chosen for evaluate.py; train.py has no such group"),
    ("train", "model@foo=base", "model@foo is nothing that could be replaced"),
    ("train", "dataset=esc10,esc50", "has several values. A job for each: add -m."),
    ("evaluate", "model=base", "model is chosen for train.py; evaluate.py has no such group"),
    ("evaluate", "~sampler", "sampler is nothing that could be"),
    ("evaluate", "num_steps=2", "Did you mean 'sampler.num_steps'?"),
    ("evaluate", "metrics=fad_vggish,kl_panns", "One list: "),
    ("evaluate", "sampler.num_stepz=3", "Did you mean 'sampler.num_steps'?"),
    ("evaluate", "metrics=[fad_vgish]", "Did you mean 'metrics=fad_vggish'?"),
    ("evaluate", "dataset=foly", "Did you mean 'dataset=foley'?"),
    ("evaluate", "sanity=true", "typed with a +: +sanity=true"),
]


@pytest.mark.parametrize(("entry", "typed", "expected"), TYPOS)
def test_a_typo_is_one_message_with_the_right_word(entry: str, typed: str, expected: str) -> None:
    register_resolvers()
    words = readable(typed.split(" "))
    with initialize_config_dir(version_base="1.3", config_dir=str(CONF)):
        with pytest.raises(HydraException) as refused:
            compose(entry, words)
        said = str(explained(entry, words, refused.value))
    assert expected in said
    assert "\n" not in said and "use +" not in said and "hydra.help" not in said


def test_every_value_of_a_sweep_is_looked_at() -> None:
    said = str(explained("train", ["trainer=foley,smok"], HydraException("no")))
    assert "Did you mean 'trainer=smoke'?" in said


@pytest.mark.parametrize(
    "word", ["model=null", "model=3", "model=[tiny,base]", "trainer=null", "dataset=1.5", "recipe=none"]
)
def test_a_choice_that_is_no_name_is_told_the_names(word: str) -> None:
    group = word.partition("=")[0]
    with pytest.raises(UserError, match=f"choose one option of {group}: .*, "):
        resolved([word])


def test_a_glob_that_finds_nothing_is_told_the_names() -> None:
    with pytest.raises(UserError, match=r"model=glob\(\*x\): choose one option of model: base, "):
        refuse_odd_choices(["model=glob(*x)"])
    with pytest.raises(
        UserError, match="choose one option of recipe: embedded, replica_esc10_auto, replica_foley_scratch"
    ):
        refuse_odd_choices(["recipe=embedded,other"])  # which Hydra would leave out silently
    with pytest.raises(UserError, match="choose one option of recipe"):
        refuse_odd_choices(["recipe=range(1,3)"])
    refuse_odd_choices(["recipe='embedded','replica_foley_scratch'", "~recipe"])
    with pytest.raises(UserError, match="and seed is none"):
        refuse_odd_choices(["seed=glob(*)"])
    refuse_odd_choices(["model=glob(tiny*)", "model=tiny,base", "~teacher", "seed=1,2"])


def test_a_line_that_ends_as_on_windows_is_read_without_its_end() -> None:
    assert readable(["dataset=esc10\r", "paths.cache=/data/x y\r"]) == readable(
        ["dataset=esc10", "paths.cache=/data/x y"]
    )


def test_other_commands_say_the_same() -> None:
    with pytest.raises(UserError, match=r"Did you mean 'trainer\.student\.steps'\?"):
        resolved(["trainer.student.stepz=3"])


def test_an_option_of_the_script_is_told_too(monkeypatch: pytest.MonkeyPatch) -> None:
    for words, expected in (
        (["--mutlirun"], "Did you mean '--multirun'?"),
        (["--cfg", "jbo"], "invalid choice: 'jbo'"),
        (["-m", "--cfg", "job"], "one at a time"),
        (["--resolve"], "--resolve goes with --cfg"),
    ):
        monkeypatch.setattr("sys.argv", ["train.py", *words])
        with pytest.raises(SystemExit, match=expected), explained_words("train"):
            pass


def test_a_mistake_in_a_file_of_an_experiment_is_told(tmp_path: Path) -> None:
    for folder in CONF.iterdir():
        (tmp_path / folder.name).symlink_to(folder)
    (tmp_path / "experiment").unlink()
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment/mine.yaml").write_text(
        "# @package _global_\ndefaults:\n  - override /solver: mutlistep\n"
    )
    register_resolvers()
    with initialize_config_dir(version_base="1.3", config_dir=str(tmp_path)):
        with pytest.raises(HydraException) as refused:
            compose("train", ["+experiment=mine"])
        said = str(explained("train", ["+experiment=mine"], refused.value))
    assert "There is no conf/solver/mutlistep.yaml." in said and "\n" not in said
