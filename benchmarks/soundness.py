"""Who is a sound judge: what the embedded evaluator, measures without training and YAMNet say of spoiled sounds.

Usage:
    python benchmarks/soundness.py                                           # foley, its test split
    python benchmarks/soundness.py dataset=esc10 dataset.root=/path/to/ESC-10 \
        dataset.train_folds=[1,2,3] dataset.test_folds=[4]                   # with fold 4 held out
    ... features.yamnet.weights=/path/to/yamnet.tflite                       # says who agrees with YAMNet
    ... checkpoint=artifacts/student/...                                     # with its 1, 2, 4 and 8 steps

The evaluator is trained first if it is not among the artifacts. The tables are printed and written to
``runs/soundness/<overrides>/soundness.md``, with all figures in ``soundness.json`` beside it.
"""

import sys
from pathlib import Path

# Of the checkout, which holds the package of this name
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import hydra
from omegaconf import DictConfig

from audiolcm.configuration.schema import check, register_resolvers, to_plain
from audiolcm.jobs.run import run_job
from benchmarks.soundness.job import SECTIONS, assess

register_resolvers()


def job(cfg: DictConfig, folder: Path) -> None:
    """Assess the evaluator of a composed configuration."""
    plain = to_plain(cfg, SECTIONS)
    check(plain)
    assess(plain, folder)


@hydra.main(version_base="1.3", config_path="../conf", config_name="soundness")
def main(cfg: DictConfig) -> None:
    """Run one job in its run folder."""
    run_job(cfg, job)


if __name__ == "__main__":
    main()
