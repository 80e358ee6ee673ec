"""Finding a student or a teacher by whatever names it: an artifact's folder, a folder of artifacts, a released file."""

import logging
import re
from dataclasses import replace
from pathlib import Path

from audiolcm.configuration.kept import load_yaml
from audiolcm.errors import UserError
from audiolcm.models.bigvgan_checkpoint import FOLDER as VOCODER_FOLDER
from audiolcm.models.bigvgan_checkpoint import WEIGHTS_FILE
from audiolcm.published.sources import SCHEME, STAGES, ModelSource, find_source, is_source, part_identity
from audiolcm.published.untrained import GRIFFIN_LIM, Companions, convert_vocoder
from audiolcm.storage.leases import exclusive
from audiolcm.storage.run_folder import RESULT, has_damaged_result, read_result
from audiolcm.weights.artifacts import Artifact, ArtifactStore, newest, open_artifact, open_snapshot
from audiolcm.weights.card import CARD
from audiolcm.weights.place import FOLEY, folder_of, weights_folder

log = logging.getLogger(__name__)

STAGES_OF = {
    "audiolcm": STAGES,
    "make_an_audio_2": ("teacher",),
    "autoencoder": ("autoencoder",),
}
"""What each kind of released file becomes, the first of which it is opened as."""
CONVERTED = "converted"
"""Where in the folder of weights the artifacts of released files go that were named instead of an artifact."""


def open_model(place: str | Path, stage: str | None = None) -> Artifact:
    """Return a model.

    Args:
        place: folder of a finished student or teacher; or a folder of artifacts, for its newest student (where there
            is none, its newest teacher); or the run folder of a finished ``train.py``; or ``embedded:foley``, which is
            in the package; or ``published:NAME`` or the file of a released checkpoint, which is converted once, into
            the folder of weights. A folder with ``@STEP`` behind it is the network as it was after so many steps,
            where the training kept it.
        stage: "student" or "teacher", when only that will do; of a student its teacher is found. None takes what is
            there.

    Raises:
        UserError: there is none.
    """
    artifact = open_any(place)
    if stage == "teacher" and artifact.card["stage"] != "teacher":
        artifact = artifact.parent("teacher")
    _tell_of_an_earlier_sampler(artifact)
    if artifact.card["stage"] not in ((stage,) if stage else STAGES):
        raise UserError(
            f"{place} is an artifact of the stage {artifact.card['stage']}. Give the folder of a "
            f"{stage or 'student or a teacher'}"
            f"{' (of a teacher: evaluate.py system=teacher)' if stage == 'student' else ''}."
        )
    return artifact


def _tell_of_an_earlier_sampler(model: Artifact) -> None:
    """Say that a released teacher was converted before there was the released sampler, which it does not name."""
    if model.card["stage"] != "teacher" or not model.card.get("origin", {}).get("name", "").startswith(
        SCHEME
    ):
        return
    if not load_yaml(model.config_file())["teacher_sampler"].get("spacing"):
        log.warning(
            "%s was converted by an earlier version and is sampled as then, not as its authors do: add sampler.spacing="
            "released, or remove its folder and convert the file again.", model.folder,
        )  # fmt: skip


def open_any(place: str | Path) -> Artifact:
    """Return what a place names as ``open_model`` takes them, of whichever stage."""
    return _converted(place) if is_source(place) else _open(folder_of(place))


def open_part(place: str | Path, stage: str) -> Artifact:
    """Return an autoencoder or a text encoder.

    Args:
        place: the folder of its artifact; or ``published:NAME`` or the file of a released checkpoint, for that part of
            it; of an autoencoder also a file of it alone. A file is converted once, into the folder of weights.
        stage: "autoencoder" or "text_encoder".

    Raises:
        UserError: there is none.
    """
    if not is_source(place):
        return open_artifact(Path(place), stage)
    whole = _converted(place)
    if whole.card["stage"] == stage:
        return whole
    if not whole.has_parent(stage):
        raise UserError(f"{place} holds an {whole.card['stage']} alone, and no {stage.replace('_', ' ')}.")
    return whole.parent(stage)


def default_model(artifacts: Path) -> str:
    """Return what to open where nobody names a model: the folder of artifacts, where it has no model the package's."""
    if any(next(artifacts.glob(f"{stage}/*/{CARD}"), None) for stage in ("student", "teacher")):
        return str(artifacts)
    log.info("There is no trained model in %s: %s of the package makes the sound.", artifacts, FOLEY)
    return FOLEY


def open_vocoder(place: str | Path) -> Artifact:
    """Return a vocoder: an artifact's folder, BigVGAN's published files, or ``griffin_lim``.

    The published files are named by their folder, or by best_netG.pt in it.

    Raises:
        UserError: there is none, or the published files are not what they should be.
    """
    if place == GRIFFIN_LIM or is_bigvgan(place):
        store = ArtifactStore(weights_folder() / CONVERTED)
        with exclusive(store.root):
            return convert_vocoder(store, Companions(vocoder=str(place)))
    return open_artifact(Path(place), "vocoder")


def is_bigvgan(place: str | Path) -> bool:
    """Return whether this names BigVGAN's published files."""
    return (Path(place) / WEIGHTS_FILE).is_file() or Path(place).name == WEIGHTS_FILE


def convert_place(
    place: str | Path,
    root: Path,
    companions: Companions,
    config: str | None = None,
    ema: bool = False,
) -> dict[str, Artifact]:
    """Write what released files hold as artifacts below ``root`` and return them by stage.

    Args:
        place: ``published:NAME``, the path of such a file or of one of an autoencoder, or a vocoder's published files.
        root: a folder of artifacts.
        companions: what the files do not hold.
        config: see ``find_source``.
        ema: likewise.

    Raises:
        UserError: a file is not what it should be, or is not there.
    """
    if is_bigvgan(place):
        if companions.vocoder or companions.bert or companions.t5:
            raise UserError(f"{place} is a vocoder alone: leave out another vocoder and the tokenizers.")
        return {"vocoder": convert_vocoder(ArtifactStore(root), replace(companions, vocoder=str(place)))}
    from audiolcm.published.convert import convert  # here: it imports transformers, which takes seconds

    return convert(find_source(place, config, ema), root, companions)


def vocoder_of(model: Artifact, place: str | Path | None = None) -> Artifact:
    """Return the vocoder that ``place`` names (``open_vocoder``); None takes the model's own.

    A released model that was converted without a vocoder takes the published one, once the folder of weights has it.

    Raises:
        UserError: there is none.
    """
    published = weights_folder() / VOCODER_FOLDER
    if place is None and not model.has_parent("vocoder") and (published / WEIGHTS_FILE).is_file():
        place = published
    return model.parent("vocoder") if place is None else open_vocoder(place)


def _converted(place: str | Path) -> Artifact:
    source = find_source(place)
    store = ArtifactStore(weights_folder() / CONVERTED)
    with exclusive(store.root):
        if found := _found(source, store):
            return found
        from audiolcm.published.convert import convert  # here: it imports transformers, which takes seconds

        log.info("%s: converting it, once, into %s", source.path, store.root)
        made = convert(source, store.root)
    return next(made[stage] for stage in ("student", "teacher", "autoencoder") if stage in made)


def _found(source: ModelSource, store: ArtifactStore) -> Artifact | None:
    """Return what was made of the file before; None also when that was cut off, which is then done again."""
    for kind, stages in STAGES_OF.items():
        made = [store.find(part_identity(source, kind, stage)) for stage in stages]
        if all(made):
            return made[0]
    return None


def _open(folder: Path) -> Artifact:
    snapshot = None if folder.exists() else re.fullmatch(r"(.+)@(\d+)", str(folder))
    if snapshot:
        return open_snapshot(_open(Path(snapshot[1])), int(snapshot[2]))
    if has_damaged_result(folder):
        raise UserError(
            f"{folder / RESULT} is damaged: give the folder of the model itself, in artifacts/student, or remove that "
            "file and type the command of the training again, which finds what it made."
        )
    if made := read_result(folder).get("folder"):
        return open_artifact(Path(str(made)))
    if (folder / CARD).is_file():  # also of an export, which may hold a folder of its teacher
        return open_artifact(folder)
    if (folder / "student").is_dir():
        return newest(folder, "student")
    if (folder / "teacher").is_dir():
        teacher = newest(folder, "teacher")
        if teacher.card.get("origin", {}).get("name") == f"{SCHEME}audiolcm":
            raise UserError(
                f"{folder}: its conversion was cut off before the student. Convert the file again."
            )
        log.info("There is no student in %s: the newest teacher is taken, %s", folder, teacher.folder)
        return teacher
    return open_artifact(folder)
