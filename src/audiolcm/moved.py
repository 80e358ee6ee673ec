"""Where modules of earlier versions are now: what was saved, recorded or written then still finds them.

Saved models and runs name classes by their module (``_target_``), records file hashes of code under it, and scripts
and plugins import it. An old name is the module of today, not a copy of it; nothing of today imports by an old name.
"""

import importlib
import importlib.util
import sys
from importlib.abc import InspectLoader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import CodeType, ModuleType

_MOVED: dict[str, str] = {
    "audiolcm": "draws=random_numbers",
    "audiolcm.commands": (
        "cli data_command=prepare doctor.command=doctor options published.command=convert "
        "structure.command=structure"
    ),
    "audiolcm.configuration": (
        "build checking config=schema fingerprint mistakes plugins ranges sections words"
    ),
    "audiolcm.data.loading": "data.batches data.cache data.dataset",
    "audiolcm.data.preparing": (
        "data.census data.plan data.prepare data.producing=make_shards data.report data.sealing=index"
    ),
    "audiolcm.data.store": (
        "data.mending=repair data.prepared data.records=checked_json data.rows=arrow_rows data.shards"
    ),
    "audiolcm.distributed": "processes training.hardware training.whole=sharded",
    "audiolcm.environment": "interrupts terminal",
    "audiolcm.jobs": "cluster.queue=slurm_queue finished foresight preview run",
    "audiolcm.sizing": "describe planner.simulation=memory planner=.",
    "audiolcm.stages": "known_teacher recipe",
    "audiolcm.storage": (
        "data.digests=file_digests files hashing locks=leases plain_data progress=run_folder tensors"
    ),
    "audiolcm.sweeps": "local=local_launcher rows=row_sweeper sweep=summary",
    "audiolcm.sweeps.slurm": (
        "cluster.launcher cluster.parents=shared_parents cluster.snapshot cluster.submission "
        "cluster.waiting cluster=."
    ),
    "audiolcm.training": "training.pieces=micro_batches workshop=stage_runner",
    "audiolcm.weights": "artifacts card deadline",
    "evaluation": "score=trial",
    "evaluation.embedded": "features.embedded=features",
    "evaluation.features": "htk_mels=mel",
    "evaluation.report": "tracking=wandb_tables",
    "evaluation.tables": "table_formats=formats",
    "experiments.items": "fig2a_solver_k",
}
"""A package of today, and what moved there from the top of its project: ``old``, or ``old=new`` under another name."""
_JOINED: dict[str, str] = {
    "audiolcm.configuration": "choices=words plugin_code=fingerprint stand_in=resolvers",
    "audiolcm.data": "data.exclusions=left_out",
    "audiolcm.data.corpora": "data.corpora.labels=folder data.corpora.released=tables",
    "audiolcm.data.foley": (
        "data.foley.animals=living data.foley.catalog=rendering data.foley.machines=outdoors "
        "data.foley.nature=outdoors data.foley.people=living"
    ),
    "audiolcm.data.preparing": "data.parts=plan",
    "audiolcm.data.store": "data.reader=shards",
    "audiolcm.data.tunes": "data.tunes.drums=instruments",
    "audiolcm.jobs": "cluster.requeue=slurm_queue",
    "audiolcm.models": "models.token_conv=layers",
    "audiolcm.sizing": "planner.live=memory planner.plan=memory",
    "audiolcm.stages": "models.transplant=student",
    "audiolcm.storage": "result=run_folder version=hashing",
    "audiolcm.sweeps": "planned=summary",
    "audiolcm.sweeps.slurm": "cluster.checkout=snapshot cluster.command=submission cluster.settings=launcher",
    "evaluation": "sinc_hann=sound",
    "evaluation.embedded": "embedded.augmentation=objective embedded.data=stage",
    "evaluation.features": (
        "features.batching=extractor features.crops=joint features.laion_package=laion "
        "features.shelf=store features.statistics=store"
    ),
    "evaluation.measures": "measures.truth=pairs",
    "evaluation.systems": "systems.kept=system systems.tango_files=tango",
}
"""The same of modules that became a part of another one, whose own classes never had another name."""
SPLIT = {
    "audiolcm.build": ("audiolcm.configuration.build", "audiolcm.assembly"),
    "audiolcm.recipe": ("audiolcm.stages",),
}
"""Modules whose code is in several now: a record that names one is fresh while none of these changes."""


def _old_and_new(packages: dict[str, str]) -> dict[str, str]:
    found = {}
    for package, words in packages.items():
        for word in words.split():
            old, _, new = word.partition("=")
            found[f"{package.partition('.')[0]}.{old}"] = f"{package}.{new or old.rpartition('.')[2]}".rstrip(
                "."
            )
    return found


_BEFORE = {new: old for old, new in _old_and_new(_MOVED).items()}
MOVED = _old_and_new(_MOVED) | _old_and_new(_JOINED)


def former(content: object) -> object:
    """Return JSON content with the first names of what its ``_target_``s name, so that a move changes no hash."""
    if isinstance(content, dict):
        return {
            key: _former_name(value) if key == "_target_" and isinstance(value, str) else former(value)
            for key, value in content.items()
        }
    return [former(value) for value in content] if isinstance(content, list | tuple) else content


def _former_name(target: str) -> str:
    module, _, rest = target.rpartition(".")
    while module and module not in _BEFORE:
        module, _, name = module.rpartition(".")
        rest = f"{name}.{rest}"
    return f"{_BEFORE[module]}.{rest}" if module else target


class _MovedModules(MetaPathFinder, InspectLoader):
    """Finds modules by their old names (``sys.meta_path``), before others find the file of a package that moved."""

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        """Return the specification under the old name, with the file of today; None: nothing moved from there."""
        if name not in MOVED:
            return None
        now = _spec_of_today(name)
        is_package = now.submodule_search_locations is not None
        return ModuleSpec(name, self, origin=now.origin, is_package=is_package)

    def exec_module(self, module: ModuleType) -> None:
        """Give the old name to the module of today, in place of the empty one that Python made."""
        sys.modules[module.__name__] = importlib.import_module(MOVED[module.__name__])

    def get_code(self, fullname: str) -> CodeType | None:
        """Return the code that ``python -m`` runs."""
        now = _spec_of_today(fullname)
        return now.loader.get_code(now.name) if isinstance(now.loader, InspectLoader) else None

    def get_source(self, fullname: str) -> str | None:
        """Return the code's text, for tracebacks."""
        now = _spec_of_today(fullname)
        return now.loader.get_source(now.name) if isinstance(now.loader, InspectLoader) else None


def _spec_of_today(name: str) -> ModuleSpec:
    spec = importlib.util.find_spec(MOVED[name])
    if spec is None:
        raise ModuleNotFoundError(f"{name} is {MOVED[name]} now, which is missing", name=MOVED[name])
    return spec


def find_moved_modules() -> None:
    """Let old names be imported; once is enough."""
    if not any(isinstance(finder, _MovedModules) for finder in sys.meta_path):
        sys.meta_path.insert(0, _MovedModules())
