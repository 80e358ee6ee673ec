"""What is said of a protocol that was not followed whole: in its title and in its name, wherever they are shown."""

from collections.abc import Mapping
from typing import Any

from audiolcm.configuration.words import CONF, options_of
from audiolcm.storage.plain_data import read_yaml

PARTIAL, UNCHECKED, CHANGED = "partial", "unchecked", "changed"
_COUNTS = {"num_items", "num_references"}
_WORDS = {"_target_", "name", "title", "notes", "source", "captions"}
"""Settings that say what a protocol is called and where its list lies or comes from."""


def marks(settings: Mapping[str, Any], count: int, whole: int) -> dict[str, str]:
    """Return in what an evaluation departs from its protocol, by the word that marks it; nothing where it does not.

    Args:
        settings: of the protocol, as they are.
        count: captions that are scored.
        whole: captions of the list. The protocol's own option has the last word: a short list is not whole because it
            is said to have so many.
    """
    own = _own_settings(settings)
    whole = max(whole, own.get("num_items") or 0)
    changed = {name for name in {*own, *settings} - _WORDS if own and settings.get(name) != own.get(name)}
    found = {}
    if count < whole:
        found[PARTIAL] = f"{count} of {whole} captions"
        changed -= _COUNTS
    elif settings.get("is_published", True) and settings.get("num_items") is None:
        found[UNCHECKED] = f"any list, here of {count} captions"
        changed -= _COUNTS
    return found | ({CHANGED: ", ".join(sorted(changed))} if changed else {})


def marked(settings: Mapping[str, Any], found: Mapping[str, str]) -> dict[str, Any]:
    """Return a protocol's settings as a record keeps them, ``found`` in its name and title."""
    known = {**settings, "is_subset": PARTIAL in found or UNCHECKED in found}
    if not found:
        return known
    told = "; ".join(f"{mark}: {what}" for mark, what in found.items())
    name, title = f"{settings['name']} ({', '.join(found)})", f"{settings['title']} ({told})"
    return known | {"name": name, "title": title, "marks": dict(found)}


def _own_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the option of ours says that a protocol has its name or its title from.

    Nothing of one of other people, or that has no list of its own.
    """
    known = {
        name: read_yaml(CONF / f"protocol/{name}.yaml").get("protocol", {}) for name in options_of("protocol")
    }
    titled = (own for own in known.values() if own.get("title") == settings.get("title"))
    return known.get(str(settings["name"])) or next(titled, {})
