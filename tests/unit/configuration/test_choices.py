"""Options that follow the data set, those of a user's own folder included, and words of former versions."""

from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig

from audiolcm.configuration.resolvers import register_resolvers
from audiolcm.configuration.words import CONF, options_of, respelled


def composed(entry: str, *words: str) -> DictConfig:
    register_resolvers()
    with initialize_config_dir(version_base="1.3", config_dir=str(CONF)):
        return compose(entry, list(words), return_hydra_config=True)


@pytest.mark.parametrize(
    ("words", "trainer"),
    [
        ([], "foley"),
        (["dataset=esc10"], "esc10"),
        (["dataset=macs"], "recordings"),
        (["dataset=macs", "trainer=smoke"], "smoke"),
        (["dataset=macs", "profile=paper"], "paper"),
        (["profile=esc10"], "esc10_fold4"),
    ],
)
def test_a_data_set_has_its_own_trainer_or_that_of_recordings(words: list[str], trainer: str) -> None:
    assert composed("train", *words).hydra.runtime.choices.trainer == trainer


@pytest.mark.parametrize(("dataset", "protocol"), [("clotho", "for_clotho"), ("macs", "replica")])
def test_a_data_set_has_its_own_protocol_or_the_replica(dataset: str, protocol: str) -> None:
    assert composed("evaluate", f"dataset={dataset}").hydra.runtime.choices.protocol == protocol


def test_no_file_only_says_that_a_data_set_has_nothing_of_its_own() -> None:
    """A trainer that is named like a data set, or a protocol, has something to say."""
    for group, name in (("trainer", "{}"), ("protocol", "for_{}")):
        for dataset in options_of("dataset"):
            path = CONF / group / f"{name.format(dataset)}.yaml"
            said = path.read_text().splitlines() if path.is_file() else []
            assert not {"  - recordings", "  - replica"} & set(said) or "  - _self_" in said, path


def test_a_folder_of_options_counts(tmp_path: Path) -> None:
    """As ``hydra.searchpath`` names it: of two data sets there one has its own trainer and protocol."""
    for name, text in {
        "dataset/plain": (CONF / "dataset/foley.yaml").read_text(),
        "dataset/own": (CONF / "dataset/foley.yaml").read_text(),
        "trainer/own": "defaults: [smoke]",
        "protocol/for_own": "# @package _global_\ndefaults: [{/metrics: tango}, base/replica]",
    }.items():
        path = tmp_path / f"{name}.yaml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    here = f"hydra.searchpath=[file://{tmp_path}]"
    for dataset, trainer, protocol in (("own", "own", "for_own"), ("plain", "recordings", "replica")):
        words = (here, f"dataset={dataset}")
        assert composed("train", *words).hydra.runtime.choices.trainer == trainer
        assert composed("evaluate", *words).hydra.runtime.choices.protocol == protocol
    assert composed("train", here, "dataset=own").trainer.teacher.steps == 20


def test_words_of_former_versions_and_of_the_other_script_are_understood() -> None:
    words = [
        "trainer=macs",
        "trainer=esc10,clotho",
        "trainer=smoke",
        "protocol=for_macs",
        "protocol=macs",
        "trainer",
    ]
    now = [
        "trainer=recordings",
        "trainer=esc10,recordings",
        "trainer=smoke",
        "protocol=replica",
        "protocol=macs",
        "trainer",
    ]
    assert respelled("train", words) == now
    assert respelled("train", ["scale=esc10", "-m", "seed=1"]) == ["profile=esc10", "-m", "seed=1"]
    assert respelled("evaluate", ["profile=esc10", "scale=paper"]) == ["scale=esc10", "scale=paper"]
    own = ["hydra.searchpath=[file:///x]", "trainer=macs"]  # where there may be such a file
    assert respelled("train", own) == own
