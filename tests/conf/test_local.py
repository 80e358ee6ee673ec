"""A user's own conf/local.yaml, in a copy of conf: places only, composed by both entry points, no identity changed."""

import shutil
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from omegaconf import OmegaConf

from audiolcm.configuration.fingerprint import settings_fingerprint
from audiolcm.configuration.resolvers import register_resolvers
from audiolcm.configuration.schema import check_local
from audiolcm.errors import UserError
from audiolcm.sweeps.slurm.snapshot import take_snapshot

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def conf(tmp_path: Path) -> Path:
    return Path(
        shutil.copytree(ROOT / "conf", tmp_path / "conf", ignore=shutil.ignore_patterns("local.yaml"))
    )


def composed(conf: Path, entry: str, *words: str) -> dict:
    GlobalHydra.instance().clear()
    register_resolvers()
    with initialize_config_dir(version_base="1.3", config_dir=str(conf)):
        return OmegaConf.to_container(compose(entry, list(words)), resolve=True)


@pytest.mark.parametrize("entry", ["train", "evaluate"])
def test_it_says_where_things_lie_and_changes_no_identity(entry: str, conf: Path) -> None:
    before = composed(conf, entry, "dataset=clotho")
    (conf / "local.yaml").write_text("paths:\n  corpora: /nas\n  artifacts: /scratch/artifacts\n")
    check_local(conf)
    after = composed(conf, entry, "dataset=clotho")
    assert (after["dataset"]["root"], after["paths"]["artifacts"]) == ("/nas/clotho", "/scratch/artifacts")
    assert settings_fingerprint(after) == settings_fingerprint(before)
    assert composed(conf, entry, "paths.artifacts=typed")["paths"]["artifacts"] == "typed"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("seed: 3\n", "holds 'seed', but it may only say where things lie"),
        ("dataset:\n  root: /data\n", "holds 'dataset'"),
        ("defaults:\n  - override /model: base\n", "holds 'defaults'"),
        ("just words\n", "holds 'just words'"),
        ("a: [\n", "cannot be read"),
    ],
)
def test_what_would_change_results_is_refused(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "local.yaml").write_text(text)
    with pytest.raises(UserError, match=message):
        check_local(tmp_path)


def test_a_job_of_slurm_has_it_too(conf: Path, tmp_path: Path) -> None:
    """The jobs' copy of the code is composed there, so it must know the same places."""
    (conf / "local.yaml").write_text("paths:\n  corpora: /nas\n")
    assert (take_snapshot(tmp_path, tmp_path / "code") / "conf/local.yaml").is_file()
