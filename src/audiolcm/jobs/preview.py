"""The preview of a finished run: a few captions as wav files and spectrograms, and a summary of what to do next."""

import logging
import shlex
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from audiolcm.audio.io import write_wav
from audiolcm.audio.mel import SAMPLE_RATE, MelSpectrogram
from audiolcm.configuration.build import build
from audiolcm.configuration.words import in_shell
from audiolcm.data.store.prepared import PreparedSplit
from audiolcm.pages.media import save_spectrogram
from audiolcm.pages.run import PAGE, Heard, write_page
from audiolcm.pipeline import AudioLCM
from audiolcm.request import MAX_SECONDS, MIN_SECONDS
from audiolcm.stages.recipe import Recipe
from audiolcm.storage.files import atomic_path
from audiolcm.weights.artifacts import Artifact
from audiolcm.weights.place import embedded_name

log = logging.getLogger(__name__)


def write_preview(
    folder: Path, recipe: Recipe, student: Artifact, seconds: float, words: Sequence[str] | None = None
) -> None:
    """Write ``samples/*.wav``, ``samples/*.png``, ``summary.md`` and ``index.html`` into the run's folder.

    For each of a few captions: the true sound (its mel through the vocoder where the data have no sound), its
    reconstruction, the teacher's and the student's at several numbers of steps. The summary is shown, and what to do
    next after a run that was typed with these ``words``; None: a job of a sweep, which says that at its end.
    """
    split, indices = _captions(recipe)
    vocoder = recipe.vocoder.folder
    hardware = recipe.runner.hardware
    cfg = recipe.cfg
    listener = AudioLCM.from_checkpoint(recipe.teacher.folder, vocoder, cfg["teacher_sampler"], hardware)
    mels = [torch.from_numpy(split.mel(index))[None] for index in indices]
    sounds = {
        "true": [
            split.waveform(index) if split.has_sound else listener.reconstruct(mel, with_autoencoder=False)[0]
            for index, mel in zip(indices, mels, strict=True)
        ],
        "reconstruction": [listener.reconstruct(mel)[0] for mel in mels],
    }
    seconds_of_sound = min(split.num_samples(indices[0]) / SAMPLE_RATE, recipe.data.duration)
    seconds_of_sound = min(max(MIN_SECONDS, seconds_of_sound), MAX_SECONDS)  # what a model can be asked for
    captions = [split.clips[index].caption for index in indices]
    structured = [split.clips[index].structured_caption for index in indices]
    request = (captions, seconds_of_sound, cfg["preview"]["seed"], structured)
    sounds["teacher"] = list(listener(*request).waveforms)
    listener = AudioLCM.from_checkpoint(student.folder, vocoder, hardware=hardware)
    for steps in cfg["preview"]["student_steps"]:
        listener.sampler = build(cfg["sampler"] | {"num_steps": steps}, "sampler")
        sounds[f"student_{steps}step"] = list(listener(*request).waveforms)
    _write_sounds(folder / "samples", captions, sounds)
    stages = [recipe.autoencoder, recipe.vocoder, recipe.teacher, student]
    summary = _summary(folder, recipe, stages, captions, seconds, words or [])
    with atomic_path(folder / "summary.md") as temporary:
        temporary.write_text(summary)
    log.info("\n%s", summary.partition("\n## Next")[0] if words is None else summary)
    named = {titled(name): waveforms for name, waveforms in sounds.items()}
    log.info("Look and listen: %s", write_page(folder, stages, Heard(captions, named)).resolve())


def titled(name: str) -> str:
    """Return a kind of sound as the page says it: student_1step is student, 1 step."""
    model, _, steps = name.partition("_")
    count = steps.removesuffix("step")
    return f"{model}, {count} step{'s' * (count != '1')}" if count else name


def _captions(recipe: Recipe) -> tuple[PreparedSplit, list[int]]:
    test = recipe.data.open_split("test")
    split = test if len(test) else recipe.data.split("validation")
    count = min(recipe.cfg["preview"]["num_clips"], len(split))
    return split, [round(i * len(split) / count) for i in range(count)]


def _write_sounds(folder: Path, captions: list[str], sounds: dict[str, list[np.ndarray]]) -> None:
    spectrogram = MelSpectrogram()
    for name, waveforms in sounds.items():
        for index, (caption, waveform) in enumerate(zip(captions, waveforms, strict=True)):
            stem = folder / f"{index:02d}_{name}"
            write_wav(stem.with_suffix(".wav"), waveform)
            mel = spectrogram(torch.from_numpy(waveform)[None])[0]
            save_spectrogram(stem.with_suffix(".png"), mel.numpy(), f"{name}: {caption}")


def _summary(
    folder: Path,
    recipe: Recipe,
    stages: list[Artifact],
    captions: list[str],
    seconds: float,
    words: Sequence[str],
) -> str:
    student = stages[-1]
    sweep = " ".join(["python train.py -m", *map(in_shell, words), "solver.k=1,5,20,50"])
    heard = "\n".join(f"- {index:02d}: {caption}" for index, caption in enumerate(captions))
    steps = ", ".join(map(str, recipe.cfg["preview"]["student_steps"]))
    sampler = recipe.cfg["sampler"]
    again = shlex.join(
        ["audiolcm", "generate", captions[0], "--checkpoint", str(student.folder), "--vocoder",
         str(recipe.vocoder.folder), "--steps", str(sampler["num_steps"]), "--omega", f"{sampler['omega']:g}",
         *(word for package in recipe.cfg["plugins"] for word in ("--plugins", package))]
    )  # fmt: skip
    return f"""# {student.card["name"]}

| stage | parameters | trained in | artifact |
|---|---|---|---|
{chr(10).join(map(_row, stages))}

This call took {seconds:.0f} s before the preview. Hardware: {recipe.runner.hardware.describe()}.

## Listen
Open `{folder / PAGE}` in a browser, or take the wav files and spectrograms of `{folder / "samples"}`: the true
sound, its reconstruction, the teacher and the student at {steps} steps.
{heard}

## Next
- `{again} -o sound.wav`
- `{sweep}` distils four students from this teacher
- `python train.py dataset=esc10 dataset.root=/path/to/ESC-10` does the same on real sound
"""


def _row(artifact: Artifact) -> str:
    place = embedded_name(artifact.folder) or artifact.folder
    return f"| {artifact.card['stage']} | {artifact.millions} | {artifact.seconds} | {place} |"
