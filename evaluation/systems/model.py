"""Our own students and teachers, and what their autoencoder and vocoder make of true sounds."""

import logging
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch

from audiolcm.assembly import TEACHER_SAMPLERS, with_settings
from audiolcm.audio.io import read_audio
from audiolcm.audio.mel import SAMPLE_RATE, MelSpectrogram
from audiolcm.configuration.build import build
from audiolcm.configuration.kept import load_yaml
from audiolcm.diffusion.spacing import DEFAULT
from audiolcm.distributed.hardware import Hardware
from audiolcm.errors import UserError
from audiolcm.pipeline import AudioLCM
from audiolcm.published.conventions import OURS, Conventions, conventions_of
from audiolcm.published.models import open_model, vocoder_of
from audiolcm.published.sources import is_source
from audiolcm.request import read_request
from audiolcm.storage.file_digests import FileDigests
from audiolcm.storage.hashing import content_hash
from audiolcm.weights.artifacts import Artifact, newest, trained_steps
from audiolcm.weights.place import embedded_name
from evaluation.efficiency import Synthesizer
from evaluation.protocol import ProtocolItem, TestSet
from evaluation.systems.system import made

log = logging.getLogger(__name__)


class Model:
    """A finished student or teacher.

    Args:
        stage: ``student`` or ``teacher``; null takes what ``checkpoint`` names.
        artifacts: where the newest student is looked for.
        hardware: device and precision.
        checkpoint: folder of a student or a teacher, or published:NAME, or a released file; null takes the newest
            finished student (for ``teacher``: that student's teacher) and says so.
        num_steps: of the sampler; null: as it was trained.
        omega: guidance, CFG scale - 1; null: as it was trained.
        interval: of a teacher: the first and the last timestep at which it is guided; null: as its student was trained.
        kind: of a teacher: another sampler, ``ddim``, ``dpm_solver`` or ``plms``; null: as it was trained.
        spacing: of a teacher: which timesteps it visits, a name of ``diffusion.spacing``; null: as it was trained.
        eta: of a teacher sampled by DDIM: the share of DDPM's noise; null: as it was trained.
        vocoder: another vocoder's folder, or griffin_lim.
        batch_size: sounds made at once.
        clamp_mel: whether mels are kept within -5 and 2 before the vocoder; null: not those of released models.

    Raises:
        UserError: when there is no such artifact.
    """

    is_seeded = True
    batch_limit = None

    def __init__(
        self,
        stage: str | None,
        artifacts: str,
        hardware: Hardware,
        checkpoint: str | None = None,
        num_steps: int | None = None,
        omega: float | None = None,
        interval: Sequence[int] | None = None,
        kind: str | None = None,
        spacing: str | None = None,
        eta: float | None = None,
        vocoder: str | None = None,
        batch_size: int = 8,
        clamp_mel: bool | None = None,
    ) -> None:
        if batch_size < 1:
            raise UserError(f"system.batch_size={batch_size} must be 1 or more.")
        self.name = "teacher" if stage == "teacher" else "audiolcm"
        self.hardware, self.batch_size = hardware, batch_size
        asked: dict[str, Any] = {"num_steps": num_steps, "omega": omega, "interval": interval}
        asked |= {"kind": kind, "spacing": spacing, "eta": eta}
        self._overrides = {name: value for name, value in asked.items() if value is not None}
        self._place = stage, Path(artifacts), checkpoint, vocoder
        self._clamp_mel = clamp_mel
        if checkpoint is None or not is_source(checkpoint):  # released files are fetched and converted: later
            self._check_sampler()

    @cached_property
    def artifact(self) -> Artifact:
        """The student or the teacher; of a released file fetched and converted when it is first asked for."""
        stage, artifacts, checkpoint, _ = self._place
        return _find(stage, artifacts, checkpoint)

    @cached_property
    def vocoder(self) -> Artifact:
        """What turns its mels into sound."""
        return vocoder_of(self.artifact, self._place[-1])

    @cached_property
    def cfg(self) -> dict[str, Any]:
        """The configuration that it was made with."""
        return load_yaml(self.artifact.config_file())

    @cached_property
    def sampler(self) -> dict[str, Any]:
        """Settings of its sampler."""
        section = "teacher_sampler" if self.artifact.card["stage"] == "teacher" else "sampler"
        return with_settings(self.cfg[section], self._overrides)

    @cached_property
    def conventions(self) -> Conventions:
        """How its sounds are made; the test scripts of both released repositories make the latent frames that fit."""
        own = conventions_of(self.artifact)
        return own.but(None if own == OURS else "whole", self._clamp_mel)

    def _check_sampler(self) -> None:
        """Refuse settings of the sampler that this model cannot take, and a model or a vocoder that is not there."""
        _ = self.vocoder
        schedule = build(self.cfg["schedule"], "schedule")
        build(self.sampler, "sampler").timesteps(schedule.num_timesteps)

    def foresee(self, test_set: TestSet, seeds: Sequence[int]) -> list[Path]:
        """Find or fetch the model, and refuse captions, lengths and settings that it does not take."""
        captions = [item.clip.caption for item in test_set.items]
        read_request(captions, test_set.seconds, 0, [item.clip.structured_caption for item in test_set.items])
        self._check_sampler()
        return []

    @cached_property
    def pipeline(self) -> AudioLCM:
        """The model, loaded when a sound is first needed."""
        folders = self.artifact.folder, self.vocoder.folder
        own = self.conventions
        return AudioLCM.from_checkpoint(
            *folders, self._overrides, self.hardware, length=own.length, clamp_mel=own.clamp_mel
        )

    def synthesizer(self) -> Synthesizer:
        """Return what is timed; see ``efficiency.Timed``."""
        return self.pipeline

    def facts(self) -> dict[str, Any]:
        """Return artifact, training, sampler settings and parameters."""
        origin = self.artifact.card.get("origin", {})
        facts = {name: origin[name] for name in ("url", "license") if name in origin}
        if self.artifact.card["stage"] == "student" and not origin:
            facts |= {"k": self.cfg["solver"]["k"], "step": self.artifact.card.get("step")}
        told = {name: self.sampler.get(name) for name in ("interval", "spacing", "eta")}
        if self.sampler["_target_"] in TEACHER_SAMPLERS.values():
            told["spacing"] = told["spacing"] or DEFAULT
        facts |= {name: value for name, value in told.items() if value is not None}
        facts |= self._departures()
        if (steps := trained_steps(self.artifact)) is not None:
            facts["train_steps"] = steps
        return facts | {
            "checkpoint": embedded_name(self.artifact.folder) or str(self.artifact.folder),
            "artifact": self.artifact.hash,
            "trained_on": self.cfg["dataset"]["_target_"].rpartition(".")[2],
            "num_steps": self.sampler["num_steps"],
            "omega": self.sampler["omega"],
            "sampler": self.sampler["_target_"].rpartition(".")[2],
            "num_parameters": self.artifact.card.get("num_parameters"),
            "vocoder": self.vocoder.card["name"],
        }

    def settings(self) -> dict[str, Any]:
        """Return everything that can change a sound."""
        weights = [self.artifact, self.artifact.parent("autoencoder"), self.vocoder]
        if self.artifact.has_parent("text_encoder"):
            weights.append(self.artifact.parent("text_encoder"))
        return self._departures() | {
            "artifacts": [[artifact.hash, artifact.weights_hash] for artifact in weights],
            "sampler": self.sampler,
            "text_encoder": self.cfg["text_encoder"],
            "bfloat16": self.hardware.uses_bfloat16(),
        }

    def _departures(self) -> dict[str, Any]:
        """Return in what its sounds are made otherwise than those of our models."""
        own = {"length": self.conventions.length, "clamp_mel": self.conventions.clamp_mel}
        precision = {"precision": "int8"} if self.hardware.uses_int8() else {}
        return precision | ({} if self.conventions == OURS else own)

    def sounds(self, test_set: TestSet, seed: int, folder: Path) -> list[Path]:
        """Return a sound for each caption; see ``System``."""

        def make(items: list[ProtocolItem], seeds: list[int]) -> np.ndarray:
            structured = [item.clip.structured_caption for item in items]
            captions = [item.clip.caption for item in items]
            return self.pipeline(captions, test_set.seconds, seeds, structured).waveforms

        # pyrefly: ignore[bad-argument-type]  (rows of an array are a sequence of arrays)
        return made(self, self.settings(), test_set, seed, folder, make, self.batch_size)


class Reconstruction:
    """The true sounds after the autoencoder and the vocoder of a model: the best that the model could do.

    Args:
        model: whose autoencoder and vocoder.
    """

    name = "reconstruction"
    is_seeded = False
    with_autoencoder = True

    def __init__(self, model: Model) -> None:
        self.model = model
        self.hardware = model.hardware

    def facts(self) -> dict[str, Any]:
        """Return which autoencoder and vocoder."""
        autoencoder = self.model.artifact.parent("autoencoder")
        place = embedded_name(autoencoder.folder) or str(autoencoder.folder)
        return {"autoencoder": place, "vocoder": self.model.vocoder.card["name"]}

    def foresee(self, test_set: TestSet, seeds: Sequence[int]) -> list[Path]:
        """Find or fetch the model; refuse a reference that is not there."""
        test_set.require_references()
        _ = self.model.vocoder
        return []

    def sounds(self, test_set: TestSet, seed: int, folder: Path) -> list[Path]:
        """Return the reconstruction of each item's reference."""

        def make(items: list[ProtocolItem], seeds: list[int]) -> list[np.ndarray]:
            return [self._reconstruct(item.reference, test_set.seconds) for item in items]

        digests = FileDigests().of(test_set.references)  # what they hold counts, not what they are called
        settings = self.model.settings() | {"references": content_hash(sorted(digests.values()))}
        settings |= {} if self.with_autoencoder else {"autoencoder": None}
        return made(self, settings, test_set, 0, folder, make, batch_size=1)

    def _reconstruct(self, reference: Path, seconds: float) -> np.ndarray:
        waveform = read_audio(reference, seconds)
        length = round(seconds * SAMPLE_RATE)
        padded = torch.from_numpy(np.pad(waveform, (0, length - len(waveform))))[None]
        return self.model.pipeline.reconstruct(MelSpectrogram()(padded), self.with_autoencoder)[0]


class CopySynthesis(Reconstruction):
    """The true sounds after the vocoder of a model alone: the best that the vocoder could do."""

    name = "copy_synthesis"
    with_autoencoder = False

    def __init__(self, model: Model) -> None:
        super().__init__(model)
        self.hardware = model.hardware.in_precision("float32")  # in which vocoders compute

    def facts(self) -> dict[str, Any]:
        """Return which vocoder."""
        return {"vocoder": self.model.vocoder.card["name"]}


def _find(stage: str | None, artifacts: Path, checkpoint: str | None) -> Artifact:
    artifact = newest(artifacts, "student") if checkpoint is None else open_model(checkpoint)
    if checkpoint is None:
        log.info("checkpoint: the newest finished student, %s", artifact.folder)
    found = open_model(artifact.folder, stage)
    if found.folder != artifact.folder:
        log.info("system=teacher: the teacher of that student, %s", found.folder)
    return found
