"""Whether a record would come out the same today: its settings, and the code that decided it, as they are now."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from audiolcm.configuration.fingerprint import changed_modules, code_now, settings_made
from audiolcm.errors import UserError
from audiolcm.sweeps.row_sweeper import settings_of
from experiments.items.catalog import STEMS
from experiments.records.planned import PlannedJob, planned
from experiments.records.records import read_json

METHODS = "method"
"""Folder of the records' hashes of code: many records share one."""
EQUIVALENT = "equivalent.json"
"""Beside the records: changes of code that leave every figure as it was, each with the reason why that is known.

One that rounds otherwise may stand there too, when it moves figures by a small part of their intervals: its reason says
by how much, and how that was measured.
"""
_MOST_NAMES = 3


class Freshness:
    """Compares records with the present.

    Args:
        records: the folder of records, which also has the hashes of code.
    """

    def __init__(self, records: Path) -> None:
        self.records = records
        self._known: dict[str, list[str]] = {}
        self._now: dict[tuple[PlannedJob, bool], dict[str, Any]] = {}  # many records name one training
        self._equivalent = _read_equivalent(records / EQUIVALENT)

    def __call__(self, made: Mapping[str, Any], job: PlannedJob) -> list[str]:
        """Return what changed since a job left a record or a result, in words; nothing for a fresh one."""
        training = made.get("training")
        return [*self._since(made, job, ""), *(self.of_training(training) if training else [])]

    def of_training(self, training: Mapping[str, Any]) -> list[str]:
        """Return what changed since the training that a record names."""
        jobs = planned(training["item"], training["scale"]) if training["item"] in STEMS else []
        found = [job for job in jobs if job.entry == "train" and job.name == training["name"]]
        if not found:
            return [f"{training['item']} no longer plans the training {training['name']}"]
        return self._since(training, found[0], " of the training")

    def _since(self, made: Mapping[str, Any], job: PlannedJob, of: str) -> list[str]:
        method = made["method"]  # of a record the name of a file, of a result its content
        modules = self._changed_since(method) if isinstance(method, Mapping) else self._changed(str(method))
        return self._of_settings(made, job, of) + [f"the code{of}: {some(modules)}"] * bool(modules)

    def _of_settings(self, made: Mapping[str, Any], job: PlannedJob, of: str) -> list[str]:
        changes = []
        for at_hand in (False, True):  # a record holds on machines with other weights than those that made it
            try:
                now = self._settings_now(job, at_hand)
            except UserError as error:
                return [f"the settings{of}, which no longer compose ({error})"]
            if made.get("settings") == now["settings"]:
                return []
            changes.append(_changed_sections(made.get("sections"), now["sections"]))
        changed = min(changes, key=len)
        return [f"the settings{of}: {some(changed)}" if changed else f"the settings{of}"]

    def _settings_now(self, job: PlannedJob, at_hand: bool) -> dict[str, Any]:
        if (job, at_hand) not in self._now:
            composed = settings_of(job.entry, job.scale, job.item, job.overrides, at_hand)
            self._now[job, at_hand] = settings_made(composed)
        return self._now[job, at_hand]

    def _changed(self, method: str) -> list[str]:
        if method not in self._known:
            try:
                known = read_json(self.records / METHODS / f"{method}.json")
                self._known[method] = self._changed_since(known)
            except (OSError, ValueError, AttributeError):
                self._known[method] = [f"its list {METHODS}/{method}.json is missing or damaged"]
        return self._known[method]

    def _changed_since(self, method: Mapping[str, str]) -> list[str]:
        """Return the modules whose code is another one now, but for changes that are known to change no figure."""
        return [name for name in changed_modules(method) if not self._is_equivalent(name, str(method[name]))]

    def _is_equivalent(self, module: str, was: str) -> bool:
        known = self._equivalent.get((module, was))  # first: of others' modules nothing is looked for
        return known is not None and known == code_now(module)


def _read_equivalent(path: Path) -> dict[tuple[str, str], str]:
    """Return the hash after each change that ``EQUIVALENT`` lists, by its module and hash before.

    Raises:
        UserError: it is damaged, or a change in it has no reason.
    """
    if not path.exists():
        return {}
    try:
        return {(known["module"], known["was"]): known["is"] for known in read_json(path) if known["because"]}
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise UserError(
            f"{path} cannot be read ({error}): it is a list of module, was, is and because. Take it from git again."
        ) from error


def _changed_sections(made: object, now: Mapping[str, str]) -> list[str]:
    """Return the sections of the configuration that are others now; none where the record does not say."""
    if not isinstance(made, Mapping) or not made:
        return []
    return sorted(name for name in {*made, *now} if made.get(name) != now.get(name))


def some(names: Sequence[str]) -> str:
    """Return the first three names, and how many more there are."""
    more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    return f"{', '.join(names[:_MOST_NAMES])}{more}"
