"""All event classes of the procedural data set, by label."""

from collections.abc import Mapping
from types import MappingProxyType

from audiolcm.data.foley import animals, household, machines, nature, people
from audiolcm.data.foley.event_class import EventClass

EVENT_CLASSES: Mapping[str, EventClass] = MappingProxyType(
    {
        label: event_class
        for module in (animals, household, machines, nature, people)
        for label, event_class in sorted(vars(module).items())
        if isinstance(event_class, EventClass)
    }
)
