"""The evaluator trained for seconds on the embedded music: its classes are the instruments, and it learns them."""

from pathlib import Path
from typing import Any

import numpy as np
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra

from audiolcm.configuration.build import build
from audiolcm.configuration.resolvers import register_resolvers
from audiolcm.configuration.schema import to_plain
from audiolcm.data.tunes.instruments import LEADS
from evaluation.embedded.stage import embedded_extractor
from evaluation.run import SECTIONS, checked

CONF = Path(__file__).resolve().parents[4] / "conf"
TINY = (
    "dataset=foley_music", "dataset.num_train=44", "dataset.num_validation=44", "dataset.num_test=11",
    "dataset.duration=2.0", "evaluator.model.widths=[16,32,48,64]", "evaluator.model.width=16",
    "trainer.evaluator.steps=45", "trainer.evaluator.warmup_steps=5", "trainer.evaluator.log_every=10",
    "hardware=cpu_float32", "logger=jsonl",
)  # fmt: skip


def composed(folder: Path) -> dict[str, Any]:
    GlobalHydra.instance().clear()
    register_resolvers()
    paths = [f"paths.{name}={folder / name}" for name in ("artifacts", "cache", "runs")]
    with initialize_config_dir(version_base="1.3", config_dir=str(CONF)):
        return checked(to_plain(compose("evaluate", [*TINY, *paths]), SECTIONS))


def test_instruments_are_classes_and_are_learned(tmp_path: Path) -> None:
    """On clips held out a drum set is heard after seconds of training: 0.5 is the area of guessing."""
    cfg = composed(tmp_path)
    extractor = embedded_extractor(cfg)
    assert set(extractor.classes) == {*LEADS, "bass", "drums"}
    corpus = build(cfg["dataset"], "dataset")
    clips = corpus.clips("validation")
    drums = list(extractor.classes).index("drums")
    heard = extractor.extract([corpus.waveform(clip) for clip in clips])
    logits = np.array([features["logits"][drums] for features in heard])
    present = np.array(["drums" in clip.labels for clip in clips])
    area = (logits[present][:, None] > logits[~present]).mean()
    assert area > 0.8
