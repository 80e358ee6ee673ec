"""Generate N clips for each class of a labelled data set from a finished run.

Usage:
    python -m evaluation.generate --checkpoint artifacts --system student --steps 2 --clips-per-class 20 -o generated

Writes ``<label>__<i>.wav``; clips that are there already are kept, so the same command resumes. ``--system``
``reconstruction`` runs the true clips of a split through the autoencoder and the vocoder instead.
"""

import argparse
import itertools
import json
import logging
import sys
from collections.abc import Iterable
from pathlib import Path

import torch
from tqdm import tqdm

from audiolcm.audio.io import write_wav
from audiolcm.commands.generate import Wanted, add_model_options, write_sounds
from audiolcm.commands.options import Parser
from audiolcm.configuration.build import build
from audiolcm.configuration.kept import load_yaml
from audiolcm.configuration.plugins import allowing, import_from_here
from audiolcm.configuration.ranges import check_options
from audiolcm.data.manifest import Clip
from audiolcm.data.preparing.prepare import prepare
from audiolcm.data.store.prepared import PreparedSplit
from audiolcm.distributed.hardware import Hardware
from audiolcm.errors import UserError
from audiolcm.pipeline import AudioLCM
from audiolcm.published.models import open_model
from audiolcm.request import sampler_settings
from audiolcm.storage.files import atomic_path
from audiolcm.storage.hashing import sealed, unsealed
from audiolcm.storage.plain_data import read_json
from audiolcm.training.reproducibility import derived_seed

log = logging.getLogger("evaluation")


def class_captions(clips: Iterable[Clip]) -> dict[str, list[Clip]]:
    """Return the clips of each class, one for every distinct caption; clips with several labels are left out."""
    by_class: dict[str, dict[str, Clip]] = {}
    for clip in clips:
        if len(clip.labels) == 1:
            by_class.setdefault(clip.labels[0], {}).setdefault(clip.caption, clip)
    if not by_class:
        raise UserError("This data set has no clips with one label: there are no classes to generate.")
    return {label: list(captions.values()) for label, captions in sorted(by_class.items())}


def generate_classes(
    model: AudioLCM,
    classes: dict[str, list[Clip]],
    per_class: int,
    duration: float,
    folder: Path,
    batch_size: int,
) -> None:
    """Write ``per_class`` clips of every class; clip i of a class has its own seed, whatever was made before."""
    wanted = [
        Wanted(path, clip.caption, clip.structured_caption, derived_seed(label, i))
        for label, clips in classes.items()
        for i, clip in enumerate(itertools.islice(itertools.cycle(clips), per_class))
        if not (path := target(folder, label, i)).exists()
    ]
    for _ in tqdm(write_sounds(model, wanted, duration, batch_size), "generate", len(wanted)):
        pass


def reconstruct_classes(model: AudioLCM, split: PreparedSplit, per_class: int, folder: Path) -> None:
    """Write the first ``per_class`` true clips of every class after autoencoder and vocoder."""
    done: dict[str, int] = {}
    for index, clip in enumerate(tqdm(split.clips, "reconstruct")):
        if len(clip.labels) != 1 or done.get(clip.labels[0], 0) == per_class:
            continue
        label = clip.labels[0]
        done[label] = done.get(label, 0) + 1
        mel = torch.from_numpy(split.mel(index))[None]
        write_wav(target(folder, label, done[label] - 1), model.reconstruct(mel)[0])


def keep_settings(folder: Path, settings: dict[str, object]) -> None:
    """Record what a folder's clips are made with; refuse to add clips made otherwise.

    Raises:
        UserError: when the folder holds clips of other settings, or it cannot be told of which.
    """
    # Beside: some metrics read every file of a folder
    path = folder.with_name(f"{folder.name}.settings.json")
    try:
        found = unsealed(read_json(path)) if path.exists() else settings
    except (OSError, ValueError) as error:
        raise UserError(
            f"{path} is damaged ({error}), so it cannot be told how the clips in {folder} were made. Choose another "
            "-o, or remove both."
        ) from error
    if found != settings:
        odd = sorted(key for key in {*settings, *found} if found.get(key) != settings.get(key))
        told = f"{folder} holds clips made with another {', '.join(odd)}"
        raise UserError(f"{told} ({path}). Choose another -o.")
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(sealed(settings), indent=2))


def target(folder: Path, label: str, i: int) -> Path:
    """Return the file of clip ``i`` of a class."""
    return folder / f"{label}__{i}.wav"


def _run(options: argparse.Namespace) -> None:
    artifact = open_model(options.checkpoint, "student")
    cfg = load_yaml(artifact.config_file())
    data = prepare(build(cfg["dataset"], "dataset"), Path(cfg["paths"]["cache"]))
    split = data.split(options.split)
    chosen = artifact.parent("teacher") if options.system == "teacher" else artifact
    vocoder = artifact.parent("vocoder").folder if options.vocoder is None else options.vocoder
    sampler = sampler_settings(options.steps, options.omega)
    hardware = Hardware(options.device, options.precision)
    model = AudioLCM.from_checkpoint(chosen.folder, vocoder, sampler, hardware, clamp_mel=options.clamp_mel)
    settings = {"system": options.system, "artifact": chosen.hash, "vocoder": str(vocoder)}
    settings |= {} if options.precision == "auto" else {"precision": options.precision}
    settings |= {} if options.clamp_mel is None else {"clamp_mel": options.clamp_mel}
    keep_settings(options.output, settings | {"split": options.split} | sampler)
    if options.system == "reconstruction":
        reconstruct_classes(model, split, options.clips_per_class, options.output)
    else:
        classes = class_captions(split.clips)
        per_class, duration = options.clips_per_class, data.duration
        generate_classes(model, classes, per_class, duration, options.output, options.batch_size)
    log.info("Written to %s", options.output)


def main(arguments: list[str] | None = None, prog: str = "python -m evaluation.generate") -> int:
    """Parse the command line and run; return the exit code. Help calls the program ``prog``."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    parser: argparse.ArgumentParser = Parser(prog=prog, description=__doc__.splitlines()[0])
    place = "a student's folder, or artifacts"
    parser.add_argument("--checkpoint", type=Path, default=Path("artifacts"), help=place)
    parser.add_argument("--system", choices=("student", "teacher", "reconstruction"), default="student")
    add_model_options(parser, batch_size=10, vocoder=Path)
    parser.add_argument("--clips-per-class", type=int, default=10)
    clips = "where captions (or the clips to reconstruct) come from"
    parser.add_argument("--split", default="train", help=clips)
    parser.add_argument("-o", "--output", type=Path, required=True)
    options = parser.parse_args(arguments)
    try:
        check_options(vars(options))
        import_from_here()
        with allowing(options.plugins):
            _run(options)
    except UserError as error:
        log.error("%s", error)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
