"""Turning a released checkpoint into artifacts, once; afterwards nothing unpickles."""

import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor
from transformers import PreTrainedTokenizerBase

from audiolcm.configuration.schema import compose, to_yaml
from audiolcm.errors import UserError
from audiolcm.models.clap_t5_files import read_tokenizer, save_tokenizers, tokenizer_place
from audiolcm.published.checkpoint import ReleasedCheckpoint, read_released
from audiolcm.published.layout import DENOISERS, Sizes
from audiolcm.published.sources import PUBLISHED, ModelSource, part_identity
from audiolcm.published.untrained import Companions, convert_vocoder
from audiolcm.weights.artifacts import Artifact, ArtifactStore

log = logging.getLogger(__name__)

BERT, T5 = "bert-base-uncased", "google/t5-v1_1-large"


def convert(source: ModelSource, root: Path, companions: Companions | None = None) -> dict[str, Artifact]:
    """Write every part of ``source`` as an artifact below ``root`` and return them by stage.

    Raises:
        UserError: the file is not what it should be (``read_released``), a vocoder that was named is not there, or
            the disk is full.
    """
    companions = companions or Companions()
    released = read_released(source.path, source.config, source.ema)
    converter = _Converter(source, released, ArtifactStore(root), companions)
    if released.kind == "autoencoder":
        if companions != Companions():
            raise UserError(
                f"{source.path} holds an autoencoder alone: leave out the vocoder and the tokenizers."
            )
        return {"autoencoder": converter.part("autoencoder", {})}
    # First, so that nothing is written when one that was named is not there
    tokenizers = converter.tokenizers()
    made = {"vocoder": vocoder} if (vocoder := converter.vocoder()) else {}
    made["autoencoder"] = converter.part("autoencoder", {})
    made["text_encoder"] = converter.text_encoder(tokenizers)
    for stage in DENOISERS:
        if stage in converter.released.parts:
            teacher = {"teacher": made["teacher"]} if stage != "teacher" else {}
            parents = {name: part for name, part in made.items() if name not in DENOISERS}
            made[stage] = converter.part(stage, parents | teacher)
    return made


class _Converter:
    """One file and the store it goes to."""

    def __init__(
        self, source: ModelSource, released: ReleasedCheckpoint, store: ArtifactStore, companions: Companions
    ) -> None:
        self.source, self.released, self.store, self.companions = source, released, store, companions
        self.cfg = configuration(released.sizes)
        if released.kind == "make_an_audio_2":
            self.cfg["teacher_sampler"]["omega"] = 3.0  # scale 4, as in both commands of its README
        self.origin = {"name": source.path.name, "file": source.path.name, "sha256": source.sha256}
        if known := PUBLISHED.get(released.kind):
            named = {"name": f"published:{released.kind}", "url": known.url, "license": known.license}
            self.origin |= named

    def part(self, stage: str, parents: Mapping[str, Artifact]) -> Artifact:
        """Write one network and return it."""
        identity = part_identity(self.source, self.released.kind, stage)
        tensors = {name: tensor.float() for name, tensor in self.released.parts[stage].items()}
        folder = self.store.folder(identity)
        facts = {
            "num_parameters": _count(tensors),
            "origin": self.origin,
            "parents": {name: os.path.relpath(parent.folder, folder) for name, parent in parents.items()},
        }
        with self.store.lock(identity):
            log.info("%s: writing %s", stage, folder)
            return self.store.write(identity, tensors, to_yaml(self.cfg), facts)

    def tokenizers(self) -> dict[str, PreTrainedTokenizerBase]:
        """Return the tokenizers that are on this computer."""
        found = {}
        given = {"bert_tokenizer": (self.companions.bert, BERT), "t5_tokenizer": (self.companions.t5, T5)}
        for kind, (place, hub_name) in given.items():
            source = place or tokenizer_place(hub_name)
            try:
                found[kind] = read_tokenizer(source, min_vocabulary=0, how_to_get="")
            except UserError as error:
                if place is not None:
                    raise
                log.warning("%s It is looked for again when a sound is made.", error)
        return found

    def text_encoder(self, tokenizers: Mapping[str, PreTrainedTokenizerBase]) -> Artifact:
        """Write the text encoders, the tokenizers before the card."""
        folder = self.store.folder(part_identity(self.source, self.released.kind, "text_encoder"))
        save_tokenizers(folder, tokenizers)
        return self.part("text_encoder", {})

    def vocoder(self) -> Artifact | None:
        """Write the vocoder and return it; None, which is said, when there is none."""
        try:
            return convert_vocoder(self.store, self.companions)
        except UserError as error:
            if self.companions.vocoder is not None:
                raise
            before = self.store.find(part_identity(self.source, self.released.kind, "teacher"))
            if before and before.has_parent("vocoder"):
                return before.parent("vocoder")
            log.warning("There is no vocoder to convert with the rest. %s", error)
            return None


def configuration(sizes: Sizes) -> dict[str, Any]:
    """Return the paper's configuration with the networks of a released checkpoint."""
    cfg = compose(["profile=paper", "teacher=published:make_an_audio_2"])
    cfg["autoencoder"]["model"] |= sizes.autoencoder
    if not sizes.model:  # the autoencoder alone
        return cfg
    cfg["model"] |= sizes.model
    if sizes.num_positions != 1000:  # the default, which a configuration leaves out
        cfg["backbone"]["position"]["max_positions"] = sizes.num_positions
    cfg["text_encoder"] = {
        "_target_": "audiolcm.models.clap_t5.ReleasedTextEncoder",
        "bert": sizes.bert,
        "t5": sizes.t5,
        "tokens_per_half": 77,
    }
    return cfg


def _count(tensors: Mapping[str, Tensor]) -> int:
    """Return the number of parameters; what the file names twice, or ``scale_factor``, is none."""
    return sum({tensor.data_ptr(): tensor.numel() for tensor in tensors.values() if tensor.dim()}.values())
