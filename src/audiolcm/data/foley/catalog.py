"""All event classes of the procedural data set, by label."""

from collections.abc import Mapping
from types import MappingProxyType

from audiolcm.data.foley import household, living, outdoors
from audiolcm.data.foley.event_class import EventClass

EVENT_CLASSES: Mapping[str, EventClass] = MappingProxyType(
    {
        label: event_class
        for module in (household, living, outdoors)
        for label, event_class in sorted(vars(module).items())
        if isinstance(event_class, EventClass)
    }
)
