"""Who judges: extractors, each with the figures that it gives of a set of sounds beside the true ones."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np

from audiolcm.configuration.build import build
from audiolcm.weights.place import weights_folder
from benchmarks.soundness.spoiling import TrueSounds
from evaluation.embedded.features import EmbeddedExtractor
from evaluation.features.extractor import Extractor, Features
from evaluation.features.patches import Patches
from evaluation.features.texture import Texture
from evaluation.features.weights import REGISTRY
from evaluation.features.yamnet import YamNet, audioset_classes
from evaluation.measures.labels import is_among_best, right_classes
from evaluation.measures.scoring import stacked
from evaluation.metrics.deviation import log_ratio
from evaluation.metrics.divergence import kl_softmax
from evaluation.metrics.frechet import frechet_distance_from_rows
from evaluation.metrics.kernel import kernel_audio_distance
from evaluation.metrics.rate import hit_rate
from evaluation.metrics.similarity import cosine_similarity

Figure = Callable[[Sequence[Features]], float]
"""A figure of as many sounds as the true ones, in their order."""


@dataclass(frozen=True)
class Column:
    """One figure: its title in tables, whether more of it is worse, and how it is computed."""

    title: str
    figure: Figure
    more_is_worse: bool = True

    def badness(self, value: float) -> float:
        """Return a number that grows as the sounds get worse."""
        return value if self.more_is_worse else -value


@dataclass(frozen=True)
class Judge:
    """An extractor and its columns, named as the metrics of ``conf/metrics``."""

    extractor: Extractor
    columns: Mapping[str, Column]

    def figures(self, waveforms: Sequence[np.ndarray]) -> dict[str, float]:
        """Return each column's figure of as many sounds as the true ones."""
        heard = self.extractor.extract(waveforms)
        return {key: column.figure(heard) for key, column in self.columns.items()}


def embedded_judge(extractor: EmbeddedExtractor, sounds: TrueSounds) -> Judge:
    """Return the embedded evaluator as a judge: distance, divergence, likeness to captions, hits."""
    true, captions = extractor.extract(sounds.waveforms), extractor.embed_captions(sounds.captions)
    logits = stacked(true, "logits")
    return Judge(
        extractor,
        {
            "fad_embedded": Column("FAD", _frechet(true)),
            "kl_embedded": Column(
                "KL", lambda heard: float(kl_softmax(logits, stacked(heard, "logits")).mean())
            ),
            "clap_embedded": Column(
                "CLAP", lambda heard: caption_similarity(heard, captions), more_is_worse=False
            ),
            "hit_rate": Column(
                "hits", lambda heard: hit_rate(hits(extractor, heard, sounds)), more_is_worse=False
            ),
        },
    )


def caption_similarity(heard: Sequence[Features], captions: np.ndarray) -> float:
    """Return the mean cosine of each sound and its caption's embedding."""
    return float(cosine_similarity(stacked(heard, "joint"), captions).mean())


def with_other_captions(
    extractor: EmbeddedExtractor, heard: Sequence[Features], captions: Sequence[str]
) -> float:
    """Return the caption similarity of sounds with each other's captions."""
    by_caption = np.argsort(captions, kind="stable")
    turned = np.empty_like(by_caption)
    turned[by_caption] = np.roll(by_caption, len(by_caption) // 2)
    return caption_similarity(heard, extractor.embed_captions(captions)[turned])


def hits(extractor: EmbeddedExtractor, heard: Sequence[Features], sounds: TrueSounds) -> np.ndarray:
    """Return for each sound whether its likeliest class is among its labels, (sounds,)."""
    likeliest = [extractor.classes[int(found["logits"].argmax())] for found in heard]
    return np.array([name in labels for name, labels in zip(likeliest, sounds.labels, strict=True)])


def texture_judge(sounds: TrueSounds) -> Judge:
    """Return the statistics of texture as a judge."""
    extractor = Texture()
    true = extractor.extract(sounds.waveforms)
    rows, deviation = stacked(true), stacked(true, "deviation")

    def fluctuation(heard: Sequence[Features]) -> float:
        return float(np.abs(log_ratio(stacked(heard, "deviation"), deviation)).mean())

    columns = {
        "fad_texture": Column("FAD texture", _frechet(true)),
        "kad_texture": Column("KAD texture", lambda heard: kernel_audio_distance(stacked(heard), rows)),
        "frame_deviation": Column("frame deviation", fluctuation),
    }
    return Judge(extractor, columns)


def patches_judge(sounds: TrueSounds) -> Judge:
    """Return the patches of the log-mel as a judge."""
    extractor = Patches()
    return Judge(
        extractor, {"fad_patches": Column("FAD patches", _frechet(extractor.extract(sounds.waveforms)))}
    )


def yamnet_judge(extractor: YamNet, sounds: TrueSounds) -> Judge:
    """Return YAMNet as a judge: distance, and hits among its five likeliest where all labels are AudioSet's."""
    columns = {"fad_yamnet": Column("FAD YAMNet", _frechet(extractor.extract(sounds.waveforms)))}
    labels = set().union(*sounds.labels)
    if labels <= set(audioset_classes()):
        numbers = right_classes(extractor, labels)
        right = [[number for label in own for number in numbers[label]] for own in sounds.labels]

        def rate(heard: Sequence[Features]) -> float:
            pairs = zip((found["logits"] for found in heard), right, strict=True)
            return float(np.mean([is_among_best(logits, own, 5) for logits, own in pairs]))

        columns["hits_yamnet"] = Column("hits YAMNet", rate, more_is_worse=False)
    return Judge(extractor, columns)


def yamnet_at_hand(node: Mapping[str, Any]) -> YamNet | None:
    """Return YAMNet where LiteRT and its file are; it is not fetched for this. A path that is given must be right."""
    in_cache = weights_folder() / REGISTRY["yamnet"].filename
    if node["weights"] is None and not (in_cache.is_file() and find_spec("ai_edge_litert")):
        return None
    return build(node, "features.yamnet")


def _frechet(true: Sequence[Features]) -> Figure:
    rows = stacked(true)
    return lambda heard: frechet_distance_from_rows(rows, stacked(heard))
