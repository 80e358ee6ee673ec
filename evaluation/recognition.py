"""Class hit rate of generated sounds, by a small CNN trained on the real clips.

Usage:
    python -m evaluation.recognition train dataset=esc10 dataset.root=/path/to/ESC-10 -o judge.safetensors
    python -m evaluation.recognition score --judge judge.safetensors generated/student generated/teacher

``train`` uses all splits; with ``--holdout-fold 4`` clips whose name starts with ``4-`` are left out and the accuracy
on them is printed. ``score`` reads ``<label>__<i>.wav`` of each folder (``evaluation.generate`` writes such names) and
prints a Markdown table: hit rate with its 95% Wilson interval, hit rate per class and, with ``--real dataset=...``,
the Frechet distance on the judge's penultimate features between the folder and the real clips.

This is a domain-restricted judge trained on the same data set as the models that it judges. It is NOT an AudioSet
classifier and neither the hit rate nor the distance is comparable with published numbers (FAD, FD, IS, KL): they only
order systems trained on that one data set. The distance depends on the number of clips (covariances of 128 features
need several hundred), so compare folders of equal size. Sounds that a judge was trained on score too well; score
reconstructions of real clips with a judge whose held-out fold they come from.
"""

import argparse
import dataclasses
import json
import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from audiolcm.audio.io import read_audio
from audiolcm.build import build
from audiolcm.config import compose
from audiolcm.data.prepare import prepare
from audiolcm.errors import UserError
from audiolcm.files import atomic_path
from evaluation.judge import Judge, load_judge
from evaluation.judge_training import LabeledClips, labeled_clips, train_judge
from evaluation.metrics.frechet import frechet_distance_from_rows
from evaluation.metrics.rate import hit_rate, wilson_interval

log = logging.getLogger("evaluation")


def read_folder(folder: Path, judge: Judge) -> LabeledClips:
    """Return the sounds ``<label>__<i>.wav`` of a folder, cut or padded to the judge's duration.

    Raises:
        UserError: naming the folder or the file, when there is no .wav, a name has another form, or the judge does
            not know the label.
    """
    paths = sorted(folder.glob("*.wav"))
    if not paths:
        raise UserError(
            f"{folder} holds no .wav file. Fill it with `python -m evaluation.generate -o {folder}`."
        )
    labels = [_label(path, judge.classes) for path in paths]
    waveforms = np.stack([judge.fit(read_audio(path)) for path in paths])
    return LabeledClips(tuple(path.stem for path in paths), waveforms, tuple(labels), judge.duration)


def _label(path: Path, classes: Sequence[str]) -> str:
    label, separator, number = path.stem.rpartition("__")
    if not separator or not number.isdecimal():
        raise UserError(f"{path}: the name must be <label>__<i>.wav, such as {classes[0]}__0.wav.")
    if label not in classes:
        raise UserError(
            f"{path}: the judge does not know the label {label!r}. It knows: {', '.join(classes)}."
        )
    return label


def score(judge: Judge, clips: LabeledClips, real: np.ndarray | None = None) -> dict[str, Any]:
    """Return clips, hit_rate, interval, per_class (labels that occur) and, given ``real``, frechet_distance.

    ``real`` holds the judge's features (M, 128) of the real clips.
    """
    features, chosen = judge.listen(clips.waveforms)
    labels = np.array(clips.labels)
    is_hit = np.array(judge.classes)[chosen] == labels
    scores: dict[str, Any] = {
        "clips": len(clips),
        "hit_rate": hit_rate(is_hit),
        "interval": wilson_interval(int(is_hit.sum()), len(clips)),
        "per_class": {name: hit_rate(is_hit[labels == name]) for name in sorted(set(clips.labels))},
    }
    if real is not None:
        scores["frechet_distance"] = frechet_distance_from_rows(features, real)
    return scores


def markdown(rows: dict[str, dict[str, Any]]) -> str:
    """Return the table of ``score`` results, one row for each folder; a class that a folder lacks is a dash."""
    classes = sorted({name for row in rows.values() for name in row["per_class"]})
    has_distance = any("frechet_distance" in row for row in rows.values())
    distance = ["Frechet distance"] if has_distance else []
    lines = [["folder", "clips", "hit rate", "95% interval", *distance, *classes]]
    lines.append(["---"] + ["---:"] * (len(lines[0]) - 1))
    for folder, row in rows.items():
        low, high = row["interval"]
        cells = [folder, str(row["clips"]), f"{row['hit_rate']:.3f}", f"{low:.3f} to {high:.3f}"]
        cells += [f"{row['frechet_distance']:.2f}"] if has_distance else []
        rates = row["per_class"]
        lines.append(cells + [f"{rates[name]:.2f}" if name in rates else "-" for name in classes])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def held_out_line(judge: Judge) -> str:
    """Return one line on how well the judge knows real clips that it was not trained on."""
    held_out = judge.facts["held_out"]
    if held_out is None:
        return f"Judge of {len(judge.classes)} classes, trained on all clips: no held-out accuracy exists."
    low, high = held_out["interval"]
    return (
        f"Judge of {len(judge.classes)} classes, accuracy on the {held_out['clips']} real clips of held-out fold "
        f"{held_out['fold']}: {held_out['hit_rate']:.3f} (95% interval {low:.3f} to {high:.3f})."
    )


def _real_clips(overrides: list[str]) -> tuple[LabeledClips, dict[str, Any]]:
    wrong = [override for override in overrides if "=" not in override]
    if wrong:
        raise UserError(f"{wrong[0]!r} is no setting such as dataset=esc10. Folders go before --real.")
    cfg = compose(overrides)
    data = prepare(build(cfg["dataset"], "dataset"), Path(cfg["paths"]["cache"]))
    return labeled_clips(data), cfg


def _train(options: argparse.Namespace) -> None:
    clips, cfg = _real_clips(options.overrides)
    hardware = build(cfg["hardware"], "hardware")
    about = {"overrides": options.overrides}
    if options.holdout_fold is None:
        judge = train_judge(clips, options.epochs, options.seed, hardware, about)
    else:
        training, held_out = clips.hold_out(options.holdout_fold)
        judge = train_judge(training, options.epochs, options.seed, hardware, about)
        result = {"fold": options.holdout_fold} | score(judge, held_out)
        judge = dataclasses.replace(judge, facts=judge.facts | {"held_out": result})
        log.info("%s", markdown({f"real clips of fold {options.holdout_fold}": result}))
    judge.save(options.output)
    log.info("%s\nWritten to %s", held_out_line(judge), options.output)


def _score(options: argparse.Namespace) -> None:
    judge = load_judge(options.judge)
    real = None
    if options.real is not None:
        clips, _ = _real_clips(options.real)
        real, _ = judge.listen(np.stack([judge.fit(waveform) for waveform in clips.waveforms]))
    rows = {}
    for folder in options.folders:
        clips = read_folder(folder, judge)
        try:
            rows[str(folder)] = score(judge, clips, real)
        except UserError as error:
            raise UserError(f"Folder {folder}: {error}") from error
    sys.stdout.write(f"{markdown(rows)}\n\n{held_out_line(judge)}\n")
    if options.output is not None:
        content = {"judge": {"classes": judge.classes} | judge.facts, "folders": rows}
        with atomic_path(options.output) as temporary:
            temporary.write_text(json.dumps(content, indent=2) + "\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m evaluation.recognition", description=(__doc__ or "").splitlines()[0]
    )
    commands = parser.add_subparsers(required=True)
    train = commands.add_parser("train", help="train a judge on a labeled data set")
    train.add_argument("overrides", nargs="+", help="dataset=esc10 dataset.root=FOLDER, as for train.py")
    train.add_argument("-o", "--output", type=Path, required=True, help="the judge, a .safetensors file")
    train.add_argument(
        "--holdout-fold", type=int, help="leave these clips out and print the accuracy on them"
    )
    train.add_argument("--epochs", type=int, default=50)
    train.add_argument("--seed", type=int, default=0)
    train.set_defaults(run=_train)
    judged = commands.add_parser("score", help="hit rates of folders of <label>__<i>.wav")
    judged.add_argument("folders", type=Path, nargs="+", metavar="FOLDER")
    judged.add_argument("--judge", type=Path, required=True, help="what `train` wrote")
    judged.add_argument("--real", nargs="+", metavar="SETTING", help="data set for the Frechet distance")
    judged.add_argument("-o", "--output", type=Path, help="the same numbers as JSON")
    judged.set_defaults(run=_score)
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Parse the command line and run; returns the exit code."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    options = _parser().parse_args(arguments)
    try:
        options.run(options)
    except UserError as error:
        log.error("%s", error)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
