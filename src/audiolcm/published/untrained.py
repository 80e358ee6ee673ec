"""Parts that need no training, kept as artifacts: vocoders by formula or from published files.

What generates sound imports this module, and not ``runner``, which loads all of the training.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from audiolcm.configuration.build import build
from audiolcm.configuration.fingerprint import code_of_plugins
from audiolcm.weights.artifacts import Artifact, ArtifactStore, Identity, tensors_identity

Config = Mapping[str, Any]

GRIFFIN_LIM = "griffin_lim"


@dataclass(frozen=True)
class Companions:
    """What a released checkpoint does not hold.

    Attributes:
        vocoder: folder with best_netG.pt and args.yml, or ``griffin_lim``, or None for the folder of weights.
        mel_range: Hz, overrules that of args.yml.
        mel_log: logarithm of the vocoder's mels, log10 or ln.
        bert, t5: folders of the tokenizers; None looks in the folder of weights and in Hugging Face's cache.
    """

    vocoder: str | None = None
    mel_range: tuple[float, float] | None = None
    mel_log: str = "log10"
    bert: str | None = None
    t5: str | None = None


def convert_vocoder(store: ArtifactStore, companions: Companions) -> Artifact:
    """Write the vocoder that ``companions`` name, which needs no training, as an artifact and return it."""
    from audiolcm.configuration.schema import compose  # imports Hydra

    if companions.vocoder == GRIFFIN_LIM:
        return keep_vocoder(store, compose([f"vocoder={GRIFFIN_LIM}"]))
    cfg = compose(["vocoder=bigvgan"])
    mel_range = None if companions.mel_range is None else list(companions.mel_range)
    given = {"path": companions.vocoder, "mel_range": mel_range, "mel_log": companions.mel_log}
    cfg["vocoder"]["model"] |= given
    return keep_vocoder(store, cfg)


def keep_vocoder(store: ArtifactStore, cfg: Config) -> Artifact:
    """Return the artifact of a configured vocoder that needs no training, written now if it is not there."""
    from audiolcm.configuration.schema import to_yaml  # imports Hydra

    section = cfg["vocoder"]
    model = build(section["model"], "vocoder.model")
    # Of published weights the content counts, not the path; the artifact then needs their files no more.
    kept = dict(section) | {"model": getattr(model, "standalone", section["model"])}
    content = {"vocoder": kept} | tensors_identity(model.state_dict())
    if plugins := code_of_plugins(kept):
        content["plugins"] = plugins
    identity = Identity("vocoder", type(model).__name__.lower(), content)
    facts = {"origin": model.origin} if hasattr(model, "origin") else {}
    config = to_yaml(placed(dict(cfg) | {"vocoder": kept}))
    return store.find(identity) or store.finish(identity, model, config, facts)


def placed(cfg: Config) -> Config:
    """Return the configuration with absolute folders, so that an artifact serves from every working directory."""
    places = {name: os.path.abspath(path) for name, path in cfg["paths"].items()}
    dataset = dict(cfg["dataset"])
    if dataset.get("root"):
        dataset["root"] = os.path.abspath(os.path.expanduser(dataset["root"]))
    return dict(cfg) | {"paths": places, "dataset": dataset}
