"""``python -m experiments diagnose CHECKPOINT [CHECKPOINT ...]``: students against their teachers' guided flow."""

import itertools
import json
import logging
import shutil
import sys
from argparse import Namespace
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn
from tqdm import tqdm

from audiolcm.assembly import build_denoiser, load_text_encoder
from audiolcm.configuration.build import build
from audiolcm.configuration.kept import read_yaml
from audiolcm.configuration.plugins import allowing, import_from_here
from audiolcm.configuration.ranges import check_options, in_range
from audiolcm.configuration.sections import check_there
from audiolcm.data.loading.dataset import MelClips
from audiolcm.data.preparing.prepare import prepare
from audiolcm.data.store.prepared import PreparedSplit
from audiolcm.diffusion.guidance import UniformGuidance
from audiolcm.diffusion.sampler import ConsistencySampler
from audiolcm.diffusion.schedule import NoiseSchedule
from audiolcm.diffusion.solver import GridSolver, SkippingSolver
from audiolcm.distributed.hardware import Hardware
from audiolcm.environment.terminal import say
from audiolcm.errors import UserError
from audiolcm.models.autoencoder import Autoencoder
from audiolcm.published.models import open_model
from audiolcm.stages.ingredients import even_frames
from audiolcm.storage.files import atomic_path
from audiolcm.storage.hashing import content_hash
from audiolcm.storage.tensors import without_initialization
from audiolcm.training.reproducibility import generator_for
from audiolcm.training.settings import StageSettings
from audiolcm.types import Latent, TextEncoder
from audiolcm.weights.artifacts import Artifact, open_snapshot, snapshot_steps, trained_steps
from experiments.diagnosing.diagnosis import Ground, diagnose
from experiments.diagnosing.text import Diagnosis, page

FOLDER = Path("runs/diagnose")
USUAL_CLIPS = 8
_SHARES = (1.0, 0.98, 0.8, 0.6, 0.4, 0.2, 0.1)
"""Of the schedule's timesteps, where students are asked."""
_NEEDED = ("guidance", "trainer.student", "paths.cache")
"""Of a student's configuration, besides what is needed to hear it."""


@dataclass(frozen=True)
class Subject:
    """A student with all that it is measured by, checked before anything is computed."""

    name: str
    student: Artifact
    teacher: Artifact
    cfg: Mapping[str, Any]
    sampler: ConsistencySampler
    schedule: NoiseSchedule
    guidance: UniformGuidance
    timesteps: list[int]
    omegas: list[float]

    @property
    def pairs(self) -> list[tuple[float, float]]:
        """Which omegas are compared: neighbors, and the ends of the range that the student was trained for."""
        low, high = self.guidance.w_min, self.guidance.w_max
        ends = [(low, high)] if low < high and {low, high} <= {*self.omegas} else []
        return list(dict.fromkeys([*itertools.pairwise(self.omegas), *ends]))


def run(given: Namespace) -> int:
    """Diagnose what the command line names, show it, and write ``diagnosis.json`` and ``diagnosis.md``.

    Raises:
        UserError: an option is out of its range; something named is no student, is not there or has no teacher; or
            the data are missing.
    """
    check_options(vars(given))
    for option, number in (("--clips", given.clips), ("--own-steps", given.own_steps)):
        if number is not None:
            in_range(option, number, f"{option} {number}", (1, 1e5))
    given.timesteps = given.timesteps and sorted({*given.timesteps}, reverse=True)
    given.omega = given.omega and sorted({*given.omega})
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    import_from_here()
    with allowing(given.plugins):
        diagnoses = _diagnosed([_subject(student, given) for student in _students(given)], given)
    settings = {"flow_steps": given.num_steps, "own_steps": given.own_steps}
    content = {"settings": settings, "students": [one.content() for one in diagnoses]}
    told = (
        f"{len(diagnoses[0].facts['clips'])} clips; the flow by DPM-Solver++(2M) in up to {given.num_steps} steps; "
        f"own sounds of {given.own_steps} step{'s' * (given.own_steps > 1)}."
    )
    folder = given.output or FOLDER / f"{diagnoses[0].name}-{content_hash(content)}"
    with atomic_path(folder / "diagnosis.json") as temporary:
        temporary.write_text(json.dumps(content, indent=2))
    with atomic_path(folder / "diagnosis.md") as temporary:
        temporary.write_text(f"# Diagnosis\n\n{page(diagnoses, told)}", encoding="utf-8")
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    say(f"{page(diagnoses, told, width)}\nWritten to {folder}\n")
    return 0


def _students(given: Namespace) -> list[Artifact]:
    """Return the students that are named, each after its snapshots where these are asked for too."""
    found: list[Artifact] = []
    for place in given.checkpoints:
        student = open_model(place, "student")
        if given.snapshots:
            if not (steps := snapshot_steps(student)):
                raise UserError(
                    f"{student.folder} kept no snapshots: leave out --snapshots, or remove the folder and train it "
                    "again with trainer.student.snapshots=[100,200]."
                )
            found += [open_snapshot(student, step) for step in steps]
        found.append(student)
    return found


def _subject(student: Artifact, given: Namespace) -> Subject:
    cfg = read_yaml(student.config_file())
    check_there(cfg, _NEEDED)
    settings = cfg["sampler"] | {"num_steps": given.own_steps}
    sampler: ConsistencySampler = build(settings, "sampler", ConsistencySampler)
    schedule: NoiseSchedule = build(cfg["schedule"], "schedule", NoiseSchedule)
    sampler.timesteps(schedule.num_timesteps)  # refuses steps that it cannot do
    guidance: UniformGuidance = build(cfg["guidance"], "guidance", UniformGuidance)
    solver: SkippingSolver = build(cfg["solver"], "solver", SkippingSolver)
    return Subject(
        _name(student),
        student,
        _teacher(student, given.teacher),
        cfg,
        sampler,
        schedule,
        guidance,
        _timesteps(given.timesteps, solver, schedule),
        given.omega or usual_omegas(guidance.w_min, guidance.w_max),
    )


def _name(student: Artifact) -> str:
    """Return the folder's name; of a snapshot with its step, as people type it."""
    if student.folder.parent.name != "snapshots":
        return student.folder.name
    return f"{student.folder.parents[1].name}@{student.card['step']}"


def _teacher(student: Artifact, given: Path | None) -> Artifact:
    """Return the teacher that a student was distilled from.

    Raises:
        UserError: it is not at hand, or the given one is another.
    """
    if given is None:
        try:
            return student.parent("teacher")
        except UserError as error:
            raise UserError(
                f"The teacher of {student.folder} is not at hand: {error} An exported model comes without it unless it "
                "was exported --with-teacher: give its folder by --teacher FOLDER."
            ) from error
    teacher = open_model(given, "teacher")
    parents = student.card.get("made_from", {}).get("parents")
    known = parents.get("teacher") if isinstance(parents, dict) else None
    if known not in (None, teacher.hash, teacher.card.get("half_of")):
        raise UserError(
            f"--teacher {given} ({teacher.hash}) is not the teacher of {student.folder}, which is {known}."
        )
    return teacher


def _timesteps(given: list[int] | None, solver: SkippingSolver, schedule: NoiseSchedule) -> list[int]:
    """Return where the student is asked: as given, else spread over what it was trained at."""
    last = schedule.num_timesteps - 1
    if given and max(given) > last:
        raise UserError(f"--timesteps {max(given)} is out of range: 0 to {last}.")
    if given:
        return given
    spread = [round(share * schedule.num_timesteps) - 1 for share in _SHARES]
    if not isinstance(solver, GridSolver):
        return spread
    grid = solver.timesteps().tolist()
    return list(dict.fromkeys(min(grid, key=lambda t: abs(t - wanted)) for wanted in spread))


def usual_omegas(w_min: float, w_max: float) -> list[float]:
    """Return no guidance, the ends and the middle of a trained range, and a scale beyond it."""
    middle = (w_min + w_max) / 2
    beyond = w_max + max((w_max - w_min) / 2, 1.0)
    return sorted({0.0, w_min, middle, w_max, beyond})


def _diagnosed(subjects: list[Subject], given: Namespace) -> list[Diagnosis]:
    """Measure the students one after the other; those of one teacher and one corpus share the flow from data."""
    grounds: dict[str, Ground] = {}
    made: list[Diagnosis] = []
    total = 2 * sum(len(subject.timesteps) * len(subject.omegas) for subject in subjects)
    with tqdm(total=total, desc="diagnose", unit="flow") as bar:
        for subject in subjects:
            text_encoder = load_text_encoder(subject.student, subject.cfg)
            key = _ground_key(subject)
            if key not in grounds:
                grounds[key] = _ground(subject, text_encoder, given)
            ground = grounds[key]
            student = _denoiser(subject.student, text_encoder, ground.latents)
            asked = subject.timesteps, subject.omegas, subject.pairs
            figures = diagnose(student, subject.sampler, ground, *asked, bar.update)
            facts = {
                "folder": str(subject.student.folder),
                "weights": subject.student.weights_hash,
                "trained_steps": trained_steps(subject.student),
                "teacher": str(subject.teacher.folder),
                "teacher_weights": subject.teacher.weights_hash,
                "clips": list(ground.names),
                "deviation": ground.deviation,
            }
            trained = subject.guidance.w_min, subject.guidance.w_max
            made.append(Diagnosis(subject.name, facts, trained, figures))
    return made


def _ground_key(subject: Subject) -> str:
    """Return what the clips and the flow from them depend on."""
    sections = [subject.cfg[name] for name in ("dataset", "text_encoder", "schedule", "trainer", "paths")]
    autoencoder = subject.student.parent("autoencoder")
    return content_hash(
        [subject.teacher.weights_hash, autoencoder.weights_hash, sections, subject.guidance.interval]
    )


@torch.no_grad()
def _ground(subject: Subject, text_encoder: TextEncoder, given: Namespace) -> Ground:
    """Return latents of clips that were not trained on, cut as for training, with their text and the teacher."""
    device = Hardware(given.device, "float32").torch_device()
    settings: StageSettings = build(subject.cfg["trainer"]["student"], "trainer.student", StageSettings)
    split = _split(subject, given)
    count = given.clips or min(USUAL_CLIPS, len(split))
    indices = [i * len(split) // count for i in range(count)]
    cuts = MelClips(split, even_frames(settings.crop_seconds))
    mels = cuts.batch(indices, generator_for("diagnosis", "cuts"))["mel"].to(device)
    artifact = subject.student.parent("autoencoder")
    node = read_yaml(artifact.config_file())["autoencoder"]["model"]
    autoencoder = artifact.load_weights(build(node, "autoencoder.model", Autoencoder)).to(device)
    latents = autoencoder.encode(mels).mode() * autoencoder.scale_factor
    clips = [split.clips[index] for index in indices]
    captions = [clip.caption for clip in clips], [clip.structured_caption for clip in clips]
    text_encoder = text_encoder.to(device)
    text, free = text_encoder(*captions).to(device), text_encoder([""], [""]).to(device)
    teacher = _denoiser(subject.teacher, text_encoder, latents)
    names = [clip.name for clip in clips]
    return Ground(
        teacher, subject.schedule, latents, text, free, names, given.num_steps, subject.guidance.interval
    )


def _split(subject: Subject, given: Namespace) -> PreparedSplit:
    """Return the split that clips are taken of: the one asked for, else test, else validation.

    Raises:
        UserError: the data are not there, or there are fewer clips than asked for.
    """
    dataset, paths = dict(subject.cfg["dataset"]), subject.cfg["paths"]
    if given.root:
        dataset["root"] = str(given.root)
    try:
        data = prepare(build(dataset, "dataset"), given.cache or Path(paths["cache"]))
        split = data.open_split(given.split or "test")
        if not given.split and not len(split):
            split = data.split("validation")
    except UserError as error:
        raise UserError(
            f"The clips that {subject.name} was trained on, or their test split, are not at hand: {error} Here the "
            "corpus is given by --root FOLDER, what is prepared of it by --cache FOLDER."
        ) from error
    if len(split) < (given.clips or 1):
        raise UserError(f"{data.name} has {len(split)} clips in {split.name}: type --clips {len(split)}.")
    return split


def _denoiser(artifact: Artifact, text_encoder: TextEncoder, latents: Latent) -> nn.Module:
    """Return a student's or a teacher's network where the latents are."""
    with without_initialization():
        network = build_denoiser(read_yaml(artifact.config_file()), text_encoder.width, latents.shape[1])
    return artifact.load_weights(network).to(latents.device)
