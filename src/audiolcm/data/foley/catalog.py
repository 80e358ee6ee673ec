"""All event classes of the procedural data set, by label."""

from collections.abc import Mapping
from types import MappingProxyType

from audiolcm.data.foley import animals, household, machines, nature, people
from audiolcm.data.foley.event_class import EventClass

EVENT_CLASSES: Mapping[str, EventClass] = MappingProxyType(
    {
        event_class.label: event_class
        for module in (animals, household, machines, nature, people)
        for event_class in sorted(module.CLASSES, key=lambda item: item.label)
    }
)
