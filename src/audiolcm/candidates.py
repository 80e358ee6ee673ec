"""Several sounds for one caption, of which the one is kept that CLAP hears as the nearest to its caption."""

import pkgutil
import time
from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
import soxr

from audiolcm.configuration.build import build
from audiolcm.errors import UserError
from audiolcm.sound import Generated

DEFAULT_CLAP = "hf_clap_htsat_unfused"
"""Of conf/features: LAION's CLAP in transformers, which needs no further package."""


@runtime_checkable
class Clap(Protocol):
    """A network that hears sounds and reads captions in one space, as those of ``evaluation.features`` do."""

    name: str
    sample_rate: int

    def extract(self, waveforms: Sequence[np.ndarray]) -> Sequence[Mapping[str, np.ndarray]]:
        """Return ``embedding`` (1, width), of length one, of each waveform (samples,)."""
        ...

    def embed_captions(self, captions: Sequence[str]) -> np.ndarray:
        """Return (captions, width), each row of length one."""
        ...


def open_clap(name: str, device: str) -> Clap:
    """Return a network of conf/features, its weights from this computer, else fetched.

    Raises:
        UserError: there is none of that name, it reads no captions, or its weights cannot be had; says what to get.
    """
    from audiolcm.configuration.schema import compose_features  # imports Hydra

    nodes = compose_features()
    readers = [known for known, node in nodes.items() if _reads_captions(node)]
    if name not in readers:
        raise UserError(f"clap={name} is unknown: choose {', '.join(readers)} (conf/features).")
    try:
        return build(nodes[name], f"features.{name}", device=device)
    except UserError as error:
        others = ", ".join(known for known in readers if known != name)
        raise UserError(
            f"Candidates cannot be ranked without CLAP. {error}\n(features.... is typed with evaluate.py; here the "
            "folder of weights and the hub's cache are read.) Or rank by another network (--clap, in Python clap=): "
            f"{others}; or leave candidates out."
        ) from error


def _reads_captions(node: Mapping[str, Any]) -> bool:
    return hasattr(pkgutil.resolve_name(node["_target_"]), "embed_captions")


def candidate_seeds(seeds: Sequence[int], candidate: int) -> list[int]:
    """Return the seeds of the sounds of a candidate, numbered from 0; the first has the seeds themselves."""
    if candidate == 0:
        return list(seeds)
    sequences = (np.random.SeedSequence(seed, spawn_key=(candidate,)) for seed in seeds)
    return [int(sequence.generate_state(1, np.uint64)[0]) >> 1 for sequence in sequences]


def best_of(candidates: Sequence[Generated], captions: Sequence[str], clap: Clap) -> Generated:
    """Return for each caption the candidate that is nearest to it by cosine; of equal ones the first.

    NFE and seconds are those of all candidates, and of the ranking.
    """
    began = time.perf_counter()
    texts = clap.embed_captions(captions)
    nfe = sum(made.nfe for made in candidates)
    scores = np.stack([_cosines(made, texts, clap) for made in candidates], axis=1)
    chosen = [int(row.argmax()) for row in scores]
    seconds = {stage: sum(made.seconds[stage] for made in candidates) for stage in candidates[0].seconds}
    cards = tuple(
        {
            **candidates[best].cards[index],
            "candidates": len(candidates),
            "candidate": best,
            "clap": clap.name,
            "nfe": nfe,
        }
        | {"clap_scores": [round(float(score), 4) for score in scores[index]]}
        for index, best in enumerate(chosen)
    )
    return Generated(
        np.stack([candidates[best].waveforms[index] for index, best in enumerate(chosen)]),
        np.stack([candidates[best].mels[index] for index, best in enumerate(chosen)]),
        nfe,
        seconds | {"clap": time.perf_counter() - began},
        cards=cards,
    )


def _cosines(made: Generated, texts: np.ndarray, clap: Clap) -> np.ndarray:
    """Return the cosine of each sound and its caption, (sounds,)."""
    heard = [soxr.resample(w, made.sample_rate, clap.sample_rate, quality="HQ") for w in made.waveforms]
    sounds = np.concatenate([features["embedding"] for features in clap.extract(heard)])
    return (sounds * texts).sum(axis=1)
