"""Measures on data whose truth is known: is a sound of its class, are its events there, as often and in the order told?

They need the embedded evaluator, which knows the classes of the data set.
"""

from audiolcm.errors import UserError
from evaluation.embedded.features import EmbeddedExtractor
from evaluation.features.extractor import Extractor, Features
from evaluation.measures.pairs import TruthMeasure
from evaluation.metrics.events import counts_right, order_right, recall
from evaluation.protocol import ProtocolItem
from evaluation.trial import Trial


class _EventMeasure(TruthMeasure[int]):
    """One that hears with the embedded evaluator, of which each label is a class."""

    def numbers(self, key: str, part: Trial, extractor: Extractor | None) -> dict[str, int]:
        """Return the number of each class of the evaluator, once all labels are known to be among them."""
        if not isinstance(extractor, EmbeddedExtractor):
            raise UserError(
                f"metrics.{key} needs extractor: embedded, which knows the classes of the data set."
            )
        numbers = {name: number for number, name in enumerate(extractor.classes)}
        unknown = sorted({label for item in part.items for label in item.clip.labels if label not in numbers})
        if unknown:
            raise UserError(
                f"metrics.{key}: the embedded evaluator does not know {len(unknown)} labels, such as {unknown[0]!r}: "
                "no training clip has them. Train it on data that has, or leave the metric out."
            )
        return numbers


class HitRate(_EventMeasure):
    """How often the likeliest class of a sound is among its labels."""

    label = "Hit rate"

    def judge(self, features: Features, item: ProtocolItem, numbers: dict[str, int]) -> float:
        """Return 1 for a hit."""
        return float(int(features["logits"].argmax()) in {numbers[label] for label in item.clip.labels})


class EventRecall(_EventMeasure):
    """How many of a clip's classes are heard anywhere in the sound."""

    label, states = "Event recall", "an event"

    def applies(self, item: ProtocolItem) -> bool:
        """Return whether the clip's events are known: only then has the evaluator learned what a frame holds."""
        return bool(item.clip.events)

    def judge(self, features: Features, item: ProtocolItem, numbers: dict[str, int]) -> float:
        """Return the share of the clip's classes."""
        return recall(features["frames"], [numbers[label] for label in item.clip.labels])


class CountAccuracy(_EventMeasure):
    """How often what a caption counts ("three times") is heard as often."""

    label, states = "Counts", "a count"

    def applies(self, item: ProtocolItem) -> bool:
        """Return whether the caption states a count."""
        return bool(item.stated.counts)

    def judge(self, features: Features, item: ProtocolItem, numbers: dict[str, int]) -> float:
        """Return the share of the stated counts that are right."""
        counts = {numbers[label]: count for label, count in item.stated.counts.items()}
        return counts_right(features["frames"], counts)


class OrderAccuracy(_EventMeasure):
    """How often what a caption puts in order ("a, then b") begins in that order."""

    label, states = "Order", "an order"

    def applies(self, item: ProtocolItem) -> bool:
        """Return whether the caption states an order."""
        return len(item.stated.order) > 1

    def judge(self, features: Features, item: ProtocolItem, numbers: dict[str, int]) -> float:
        """Return 1 when it is right."""
        return float(order_right(features["frames"], [numbers[label] for label in item.stated.order]))
