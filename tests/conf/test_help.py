"""``--help`` is short, and what it tells to type composes."""

import re
import shlex

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from audiolcm.configuration.resolvers import register_resolvers
from audiolcm.configuration.words import CONF, rows_are_a_sweep

ENTRIES = ("train", "evaluate")


def template(entry: str) -> str:
    register_resolvers()
    with initialize_config_dir(version_base="1.3", config_dir=str(CONF)):
        return compose(entry, return_hydra_config=True).hydra.help.template


@pytest.mark.parametrize("entry", ENTRIES)
def test_help_fits_a_screen(entry: str) -> None:
    lines = template(entry).splitlines()
    assert len(lines) < 30
    assert max(map(len, lines)) < 120


@pytest.mark.parametrize("entry", ENTRIES)
def test_every_example_composes(entry: str) -> None:
    commands = re.findall(rf"^ *python {entry}\.py(.*?)(?:   .*)?$", template(entry), re.MULTILINE)
    assert len(commands) > 6
    with initialize_config_dir(version_base="1.3", config_dir=str(CONF)):
        for command in commands:
            words = [word for word in rows_are_a_sweep(shlex.split(command)) if word != "-m"]
            firsts = [re.sub(r"=([^\[,]+),.*", r"=\1", word) for word in words]
            assert OmegaConf.is_config(compose(entry, firsts))


def test_the_whole_list_has_every_group() -> None:
    with initialize_config_dir(version_base="1.3", config_dir=str(CONF)):
        found = compose("train", ["hydra/help=whole"], return_hydra_config=True).hydra.help.template
    assert "$APP_CONFIG_GROUPS" in found and "$FLAGS_HELP" in found
