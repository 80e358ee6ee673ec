"""One self-contained folder of a model: it loads wherever it is moved, and names no place of this computer.

Its README and license tell what its cards know, in words.

The folder is an artifact, the model's own, with its parts in folders of their own below it::

    card.json  config.yaml  model.safetensors  README.md  LICENSE
    autoencoder/  vocoder/  text_encoder/      each with the first three; the last only where there is one
    teacher/                                   where it was asked for: of a student, to distil further ones from
"""

import os
import shutil
import uuid
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from audiolcm.configuration.kept import read_yaml
from audiolcm.configuration.schema import to_yaml
from audiolcm.configuration.sections import OPTIONAL_SECTIONS, SECTIONS
from audiolcm.errors import UserError
from audiolcm.storage.files import TEMPORARY_SUFFIX, explained
from audiolcm.storage.hashing import content_hash
from audiolcm.storage.plain_data import read_json
from audiolcm.storage.tensors import save_tensors
from audiolcm.weights.artifacts import Artifact
from audiolcm.weights.card import CARD, CONFIG, WEIGHTS, file_hash, write_card

README, LICENSE = "README.md", "LICENSE"
_MARK = "exported_by"
_FACTS = (
    "stage", "name", "hash", "made_from", "code", "num_parameters", "step", "origin",
    "derived_from", "half_of", "hardware", "training_seconds", "figures",
)  # fmt: skip
"""What goes along of a card; left out are the places of parents, and the runs and users of trackers."""
_SECTIONS = SECTIONS - OPTIONAL_SECTIONS | {"teacher"}
_TOKENIZERS = ("bert_tokenizer", "t5_tokenizer")
_HEADER = """---
license: other
license_name: see-license-file
license_link: LICENSE
library_name: audiolcm
pipeline_tag: text-to-audio
---
"""


def export(
    model: Artifact,
    vocoder: Artifact,
    folder: Path,
    name: str | None = None,
    half: bool = False,
    with_teacher: bool = False,
) -> Path:
    """Write ``folder``, whole or not at all, and return it; an earlier export there is replaced.

    Args:
        model: a student, a teacher or a target.
        vocoder: what it is heard through.
        folder: must not exist, be empty, or hold an export.
        name: what the README calls it; None takes the folder's name.
        half: write weights of two and more dimensions in float16, in half the space; they are read as float32 again.
        with_teacher: write the student's teacher too, so that others can distil from it.

    Raises:
        UserError: something else is in the way, a part is missing or damaged, a weight is too large for half
            precision, or the disk refuses.
    """
    folder = Path(os.path.abspath(folder))
    _refuse_others(folder)
    name = name or folder.name
    parts = {"autoencoder": model.parent("autoencoder"), "vocoder": vocoder}
    if model.has_parent("text_encoder"):
        parts["text_encoder"] = model.parent("text_encoder")
    beside = {stage: f"../{stage}" for stage in parts}
    if with_teacher:
        parts["teacher"] = _teacher_of(model)
    temporary = folder.with_name(f".{folder.name}.{uuid.uuid4().hex[:8]}{TEMPORARY_SUFFIX}")
    try:
        _write(temporary, model, {stage: stage for stage in parts}, half)
        for stage, part in parts.items():
            _write(temporary / stage, part, beside if stage == "teacher" else {}, half)
        is_half = half or "half_of" in model.card
        (temporary / README).write_text(model_card(model, parts, name, is_half), encoding="utf-8")
        (temporary / LICENSE).write_text(license_text(model, parts), encoding="utf-8")
        _move(temporary, folder)
    except OSError as error:
        raise explained(error, folder) or error from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return folder


def _refuse_others(folder: Path) -> None:
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return
    try:
        known = read_json(folder / CARD)
    except (OSError, ValueError):
        known = None
    if not isinstance(known, dict) or _MARK not in known:
        raise UserError(f"{folder} is there and holds no earlier export: give another name, or remove it.")


def _write(folder: Path, part: Artifact, parents: dict[str, str], half: bool) -> None:
    folder.mkdir(parents=True)
    cfg = read_yaml(part.config_file())
    _refuse_files_elsewhere(part, cfg)
    if half:
        save_tensors(folder / WEIGHTS, _halved(load_file(part.weights_file()), part))
    else:
        shutil.copyfile(part.weights_file(), folder / WEIGHTS)
    kept = {name: section for name, section in cfg.items() if name in _SECTIONS}
    kept["parents"] = dict.fromkeys(kept["parents"])
    (folder / CONFIG).write_text(to_yaml(_without_places(kept)), encoding="utf-8")
    card = {name: part.card[name] for name in _FACTS if name in part.card}
    card |= {_MARK: f"audiolcm {version('audiolcm')}"}
    if half and "half_of" not in card:
        card["half_of"] = card["hash"]
        # What is distilled from it is another
        card["hash"] = content_hash([card["hash"], file_hash(folder / WEIGHTS)])
    for tokenizer in part.folder.glob("*_tokenizer"):
        shutil.copytree(tokenizer, folder / tokenizer.name)
    write_card(folder, _without_places(card) | {"parents": parents})


def _teacher_of(student: Artifact) -> Artifact:
    """Return the teacher that goes along with a student, and shares its autoencoder and text encoder."""
    if student.card["stage"] != "student":
        raise UserError(f"{student.folder} is a {student.card['stage']}: --with-teacher is for students.")
    teacher = student.parent("teacher")
    for stage in ("autoencoder", "text_encoder"):
        if teacher.has_parent(stage) and teacher.parent(stage).hash != student.parent(stage).hash:
            raise UserError(
                f"{student.folder} and its teacher have different parts of the stage {stage}, which one folder cannot "
                "hold: leave out --with-teacher, and export the teacher by itself."
            )
    return teacher


def _halved(weights: dict[str, Tensor], part: Artifact) -> dict[str, Tensor]:
    """Return the weights with matrices in float16; scales and biases are few, and stay as they are."""
    halved = {name: w.half() if w.is_floating_point() and w.ndim > 1 else w for name, w in weights.items()}
    for name, tensor in halved.items():
        if not torch.isfinite(tensor).all():
            raise UserError(
                f"{part.folder}: {name} is too large for half precision. Export it without --half."
            )
    return halved


def _refuse_files_elsewhere(part: Artifact, cfg: dict[str, Any]) -> None:
    """Refuse a text encoder that is read from files outside of the artifacts: the folder would not be whole."""
    if part.card["stage"] == "text_encoder":
        if missing := [name for name in _TOKENIZERS if not (part.folder / name).is_dir()]:
            raise UserError(
                f"{part.folder} has no {missing[0]}: the released weights were converted without it. Convert them "
                "again with both tokenizers: audiolcm convert SOURCE -o DIR --bert FOLDER --t5 FOLDER"
            )
    elif "clap_checkpoint" in cfg["text_encoder"] and part.card["stage"] in ("student", "teacher", "target"):
        raise UserError(
            f"{part.folder} reads its text encoder from files of this computer (text_encoder.bert, t5, "
            "clap_checkpoint), which are not part of any artifact: such a model cannot be exported. Students of "
            "teacher=published:NAME, of text_encoder=hashed and of text_encoder.trainable=true can."
        )


def _without_places(value: Any) -> Any:
    """Return a value in which every path that leads out of the working folder is only its last name."""
    if isinstance(value, dict):
        return {key: _without_places(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_places(item) for item in value]
    is_place = isinstance(value, str) and (os.path.isabs(value) or value.startswith(("~", "..")))
    return Path(value).name if is_place else value


def _move(temporary: Path, folder: Path) -> None:
    """Put the new folder in the place of an earlier one, which stays whole until the new one is."""
    if not folder.exists():
        temporary.rename(folder)
        return
    before = folder.with_name(f"{temporary.name}.before")
    folder.rename(before)
    try:
        temporary.rename(folder)
    except OSError:
        before.rename(folder)
        raise
    shutil.rmtree(before)


def model_card(model: Artifact, parts: Mapping[str, Artifact], name: str, half: bool) -> str:
    """Return ``README.md``: how to make a sound, the parts, the figures of their training, the licenses.

    ``half`` is whether the weights are in float16.
    """
    cfg = read_yaml(model.config_file())
    sampler = cfg["teacher_sampler" if model.card["stage"] == "teacher" else "sampler"]
    members = [model, *parts.values()]
    return f"""{_HEADER}
# {name}

Text to audio: the {model.card["stage"]} {model.card["name"]} with all its parts, for
audiolcm ({model.card.get("code", "version unknown")}). 16 kHz, mono, 1 to 30 seconds.
Weights are in {"half precision (float16), read as float32" if half else "float32"}.

```python
from audiolcm import AudioLCM

model = AudioLCM.from_pretrained("{name}")  # this folder, or its name on the Hub
model("A dog is barking", steps={sampler["num_steps"]}, omega={sampler["omega"]:g}, seed=0).save("dog.wav")
```

or `audiolcm generate "A dog is barking" --checkpoint {name} -o dog.wav`. Some processors compute in bfloat16 where
nobody says otherwise: `precision="float32"` (`--precision float32`) is for sounds whose figures are compared.

## Parts

| part | name | parameters | trained in | on |
|---|---|---|---|---|
{chr(10).join(_row(part) for part in members)}

## Figures

The last of each part's training; losses, not quality: `python evaluate.py checkpoint={name}` measures that.

{chr(10).join(_figures(part) for part in members if part.card.get("figures")) or "None are recorded."}

## Licenses

{_licenses(model, parts)}
"""


def license_text(model: Artifact, parts: Mapping[str, Artifact]) -> str:
    """Return ``LICENSE``: what is known of the terms of the weights, none of which this program can grant."""
    return f"""Terms of the weights in this folder, as far as they are known

{_licenses(model, parts)}

Who publishes this folder may state further terms here.
"""


def _row(part: Artifact) -> str:
    card = part.card
    return f"| {card['stage']} | {card['name']} | {part.millions} | {part.seconds} | {card.get('hardware', '-')} |"


def _figures(part: Artifact) -> str:
    figures = [f"{n} {v:.6g}" for n, v in part.card["figures"].items() if isinstance(v, int | float)]
    return f"- {part.card['stage']}: {', '.join(figures)}"


def _licenses(model: Artifact, parts: Mapping[str, Artifact]) -> str:
    origins: dict[str, dict[str, Any]] = {}
    trained: list[str] = []
    for part in [model, *parts.values()]:
        named = [part.card["origin"]] if "origin" in part.card else part.card.get("derived_from", [])
        origins |= {str(origin.get("name", origin.get("file"))): origin for origin in named}
        if "training_seconds" in part.card:
            corpus = read_yaml(part.config_file())["dataset"]["_target_"].rpartition(".")[2]
            trained.append(f"{part.card['stage']} on {corpus}")
    lines = [
        f"- From {name}, {origin.get('url', 'of unknown address')}: {origin.get('license', 'license unknown')}."
        for name, origin in origins.items()
    ]
    if trained:
        lines.append(
            f"- Trained with audiolcm: {', '.join(trained)}. The cards record no license of that data; FoleyCorpus is "
            "synthesized by audiolcm itself, from no recordings."
        )
    return "\n".join([*lines, "- The code that reads the weights, audiolcm: MIT."])
