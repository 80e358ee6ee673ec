"""A teacher that was trained before: the whole teacher of a recipe, or the start of one that is trained on."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from audiolcm.configuration.kept import load_yaml
from audiolcm.distributed import processes
from audiolcm.errors import UserError
from audiolcm.published.models import open_model, open_part
from audiolcm.weights.artifacts import Artifact

DENOISER_SECTIONS = ("model", "backbone", "text_encoder", "schedule")
"""What teacher and student share, beside the autoencoder."""


@dataclass(frozen=True)
class KnownTeacher:
    """A finished teacher, whose autoencoder and text encoder a recipe takes with it.

    ``setting`` is the word that named it; ``is_whole`` tells whether it is the teacher itself, or its start.
    """

    artifact: Artifact
    setting: str
    is_whole: bool

    def check_denoiser(self, asked: Mapping[str, Any]) -> None:
        """Refuse a configuration whose network, text or schedule is not the teacher's own.

        Raises:
            UserError: one of ``DENOISER_SECTIONS`` differs.
        """
        known = load_yaml(self.artifact.config_file())
        for section in DENOISER_SECTIONS:
            if _described(known[section]) != _described(asked[section]):
                raise UserError(
                    f"{self.setting}={self.artifact.folder} was trained with another {section}: {known[section]}, the "
                    f"configuration says {asked[section]}. Choose the teacher's {section}, or another teacher."
                )


def _described(section: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a section says of a network; whether the text encoder was trained along is not of it."""
    return {name: value for name, value in section.items() if name != "trainable"}


def known_teacher(cfg: Mapping[str, Any]) -> KnownTeacher | None:
    """Return the teacher of ``parents.teacher``, else that of ``teacher.initial``; None where neither names one.

    Raises:
        UserError: there is no such teacher, or an autoencoder was named besides, whose latents the start does not know.
    """
    whole, initial = cfg["parents"]["teacher"], cfg["teacher"]["initial"]
    place = whole or initial
    if place is None:
        return None
    if not whole and cfg["parents"]["autoencoder"]:
        raise UserError(
            f"teacher.initial={initial} knows the latents of its own autoencoder alone: leave out parents.autoencoder, "
            "or type teacher=scratch."
        )
    artifact = processes.first_then_others(lambda: open_model(place, "teacher"))
    return KnownTeacher(artifact, "parents.teacher" if whole else "teacher.initial", bool(whole))


def given_text_encoder(cfg: Mapping[str, Any], known: KnownTeacher | None) -> Artifact | None:
    """Return the text encoder of ``parents.text_encoder``; None where it names none.

    Raises:
        UserError: there is none, or a teacher was named besides, which knows the text of its own encoder alone.
    """
    place = cfg["parents"].get("text_encoder")
    if place is None:
        return None
    if known:
        raise UserError(
            f"{known.setting}={known.artifact.folder} knows the text of its own encoder alone: leave out "
            "parents.text_encoder, or type teacher=scratch."
        )
    return processes.first_then_others(lambda: open_part(place, "text_encoder"))
