"""Which class of which package computes a metric, and what it has to be given to compute it on the same files."""

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import snapshot_download
from safetensors.torch import save_file
from transformers import RobertaConfig

from audiolcm.weights.reading import read_checkpoint
from evaluation.crosscheck.hub_vggish import write_hub
from evaluation.features.extractor import Extractor
from evaluation.features.laion import CHECKPOINTS, ROBERTA_BASE, LaionClap, network_weights
from evaluation.features.panns import EMBEDDING_WIDTH, Panns
from evaluation.features.vggish import Vggish
from evaluation.features.weights import REGISTRY, obtain
from evaluation.measures.pairs import ClapScore
from evaluation.measures.sets import FrechetDistance
from evaluation.sound import SoundReader
from evaluation.trial import Measure, Trial

FAD_PACKAGE, CLAP_PACKAGE = "frechet-audio-distance", "laion-clap"
_SUBMODELS = {
    "630k-best": "630k",
    "630k-audioset-best": "630k-audioset",
    "music_audioset_epoch_15_esc_90.14": "music_audioset",
    "music_speech_epoch_15_esc_89.25": "music_speech",
    "music_speech_audioset_epoch_15_esc_89.98": "music_speech_audioset",
}


@dataclass(frozen=True)
class Check:
    """One metric that a package computes too.

    Attributes:
        key: of the metric.
        measure: ours.
        extractor: what it hears with.
        node: of its network in the configuration.
        package: whose class computes it.
    """

    key: str
    measure: FrechetDistance | ClapScore
    extractor: Extractor
    node: Mapping[str, Any]
    package: str

    @property
    def modules(self) -> tuple[str, ...]:
        """What must be importable."""
        return ("laion_clap",) if self.package == CLAP_PACKAGE else ("frechet_audio_distance", "laion_clap")

    @property
    def arguments(self) -> dict[str, Any]:
        """What our network was built with, defaults too."""
        given = {name: value for name, value in self.node.items() if not name.startswith("_")}
        bound = inspect.signature(type(self.extractor)).bind_partial(**given)
        bound.apply_defaults()
        return bound.arguments

    def request(self, folder: Path, trial: Trial, device: str) -> dict[str, Any]:
        """Return what the worker is asked, after the files that it needs were made in ``folder``."""
        if isinstance(self.measure, ClapScore):
            return self._clap(self.measure, folder, trial, device)
        width = EMBEDDING_WIDTH if isinstance(self.extractor, Panns) else None
        return {
            "kind": "frechet",
            "arguments": self._model(folder / "models") | {"ckpt_dir": str(folder / "models")},
            "background": link_sounds(folder / "references", trial.references),
            "generated": [link_sounds(folder / f"seed{i}", seed) for i, seed in enumerate(trial.sounds)],
            "width": width,
        }

    def _weights(self, registered: str) -> Path:
        return obtain(registered, self.arguments["weights"], self.arguments["folder"])

    def _model(self, folder: Path) -> dict[str, Any]:
        """Return the arguments of FrechetAudioDistance that name the network, whose files are made in ``folder``."""
        if isinstance(self.extractor, Vggish):
            write_hub(folder, self._weights("vggish"))
            return {"model_name": "vggish", "sample_rate": 16000}
        if isinstance(self.extractor, LaionClap):
            registered = CHECKPOINTS[self.arguments["checkpoint"]][0]
            save_laion(folder, REGISTRY[registered].filename, self._weights(registered), self.arguments)
            submodel = _SUBMODELS[self.arguments["checkpoint"]]
            return {"model_name": "clap", "submodel_name": submodel, "sample_rate": 48000}
        registered = self.extractor.name
        filename = REGISTRY[registered].url.rpartition("/")[2]  # which theirs keeps, its % too
        save_panns(folder, filename, self._weights(registered))
        return {"model_name": "pann", "sample_rate": self.extractor.sample_rate}

    def _clap(self, measure: ClapScore, folder: Path, trial: Trial, device: str) -> dict[str, Any]:
        registered, audio_model = CHECKPOINTS[self.arguments["checkpoint"]]
        save_laion(folder / "models", "checkpoint.pt", self._weights(registered), self.arguments)
        return {
            "kind": "clap",
            "arguments": {"enable_fusion": False, "device": device, "amodel": audio_model},
            "checkpoint": str(folder / "models/checkpoint.pt"),
            "sounds": [[str(path.absolute()) for path in seed] for seed in trial.sounds],
            "captions": [item.clip.caption for item in trial.items],
            "clamp": measure.clamp,
        }

    def notes(self, trial: Trial) -> tuple[str, ...]:
        """Return in what ours hears the same files in another way than theirs."""
        reader = getattr(self.measure, "reader", None) or trial.reader_of(self.measure.extractor)
        resampler = "soxr" if self.package == CLAP_PACKAGE else "kaiser_best"
        notes = _reading(reader, resampler)
        if isinstance(self.extractor, LaionClap):
            rounds = self.package == CLAP_PACKAGE  # from files; FrechetAudioDistance gives tensors
            if self.arguments["quantize"] != rounds:
                who = ("theirs", "ours") if rounds else ("ours", "theirs")
                notes.append(f"{who[0]} rounds samples to 16 bits, {who[1]} does not")
            notes.append(f"over 10 s theirs hears a random part, ours: {self.arguments['crop']}")
        if isinstance(self.extractor, Panns):
            notes.append("0.3.4 joins these embeddings end to end; its class was given them as rows")
        return tuple(notes)


def _reading(reader: SoundReader, resampler: str) -> list[str]:
    plain = SoundReader(resampler=resampler)
    notes = []
    if reader.channel != plain.channel:
        notes.append("of several channels ours takes the first, theirs the mean")
    if reader.resampler != plain.resampler:
        both = f"{reader.resampler}, theirs with {resampler}"
        notes.append(f"where a file has another rate ours resamples with {both}")
    if reader.decimate is not None:
        notes.append(
            f"ours takes every n-th sample where a file has n times the rate, n up to {reader.decimate}"
        )
    if reader.via is not None:
        notes.append(f"ours resamples to {reader.via} Hz first")
    if reader.int16:
        notes.append("ours rounds samples down to 16 bits")
    if reader.remove_mean:
        notes.append("ours takes the constant part out")
    if reader.peak is not None:
        notes.append(f"ours turns every sound to a peak of {reader.peak:g}")
    if reader.max_seconds is not None or reader.min_seconds > 0:
        longest = "" if reader.max_seconds is None else f"hears the first {reader.max_seconds:g} s"
        shortest = f"fills up to {reader.min_seconds:g} s with zeros" if reader.min_seconds > 0 else ""
        notes.append(f"ours {' and '.join(filter(None, (longest, shortest)))}, theirs the whole file")
    return notes


def checks(
    measures: Mapping[str, Measure], extractors: Mapping[str, Extractor], nodes: Mapping[str, Any]
) -> Sequence[Check]:
    """Return the metrics that a class of one of the packages computes too.

    Args:
        measures: by key.
        extractors: of each measure, by key.
        nodes: the section ``features``.
    """
    found = []
    for key, measure in measures.items():
        extractor, name = extractors[key], measure.extractor
        if type(measure) is FrechetDistance and isinstance(extractor, Vggish | Panns | LaionClap):
            found.append(Check(key, measure, extractor, nodes[name], FAD_PACKAGE))
        elif isinstance(measure, ClapScore) and isinstance(extractor, LaionClap):
            found.append(Check(key, measure, extractor, nodes[name], CLAP_PACKAGE))
    return found


_TEXT_HALF = "text_branch."
_POSITION_IDS = "text_branch.embeddings.position_ids"  # load_ckpt deletes it and fails where it is not there
_COMMIT = "0" * 40
_TOKENIZER_FILES = ("*.json", "merges.txt")


def link_sounds(folder: Path, paths: Sequence[Path]) -> str:
    """Make a folder with exactly these files in it, as links in their order, and return its name."""
    folder.mkdir(parents=True)
    for number, path in enumerate(paths):
        (folder / f"{number:06d}{path.suffix}").symlink_to(path.absolute())
    return str(folder)


def save_panns(folder: Path, name: str, weights: Path) -> None:
    """Save PANNs' weights under the name that frechet-audio-distance looks for."""
    folder.mkdir(parents=True, exist_ok=True)
    torch.save({"model": dict(read_checkpoint(weights)["model"])}, folder / name)


def save_laion(folder: Path, name: str, weights: Path, arguments: dict[str, Any]) -> None:
    """Save a checkpoint of LAION's CLAP as ``name``, and in ``folder/huggingface`` the roberta-base that it needs.

    It is read by our own reader, which runs no code of theirs, and saved again: laion-clap unpickles. The hub's RoBERTa
    gives the class only its sizes: all of its weights come from the checkpoint.
    """
    folder.mkdir(parents=True, exist_ok=True)
    state = network_weights(weights)
    sizes: dict[str, Any] = ROBERTA_BASE | dict(arguments["text_sizes"] or {})
    config = RobertaConfig(**sizes)
    positions = {_POSITION_IDS: torch.arange(config.max_position_embeddings)[None]}
    torch.save({f"module.{key}": tensor for key, tensor in (state | positions).items()}, folder / name)
    repository = folder / "huggingface/hub/models--roberta-base"
    snapshot = repository / "snapshots" / _COMMIT
    snapshot.mkdir(parents=True)
    (repository / "refs").mkdir()
    (repository / "refs/main").write_text(_COMMIT)
    for pattern in _TOKENIZER_FILES:
        for file in _tokenizer_folder(arguments["tokenizer"]).glob(pattern):
            (snapshot / file.name).symlink_to(file.resolve())
    (snapshot / "config.json").unlink(missing_ok=True)
    config.save_pretrained(snapshot)
    text = {key.removeprefix(_TEXT_HALF): w for key, w in state.items() if key.startswith(_TEXT_HALF)}
    whole = {key: tensor.contiguous() for key, tensor in text.items()}
    save_file(whole, snapshot / "model.safetensors", {"format": "pt"})


def _tokenizer_folder(source: str) -> Path:
    """Return the folder of a tokenizer that our own network has read before."""
    return Path(source) if Path(source).is_dir() else Path(snapshot_download(source, local_files_only=True))
