"""The rows of a paper's table or figure as jobs: what ``hydra/sweeper=rows`` reads from a file of conf/experiment.

A grid is not enough: the rows of a table differ in what they override. A file says for each entry point (train,
evaluate) and scale (replica, esc10, paper)::

    common: [dataset=foley]                       # every job's overrides
    rows: {full: [], without_rope: [backbone/position=learned]}
    grid: {steps: [sampler.num_steps, [1, 2]]}    # each row once for each value; the row is then full-steps1, ...
    seeds: [0, 1, 2]                              # each row once for each

In an override ``{row}`` stands for the row's name before the grid, ``{seed}`` for the seed, and the name of an axis of
the grid for its value; an axis whose setting is null only fills such places.
"""

import copy
import itertools
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, cast

from hydra import compose
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from audiolcm.configuration.checking import nearest
from audiolcm.configuration.fingerprint import settings_fingerprint
from audiolcm.configuration.mistakes import explained
from audiolcm.configuration.resolvers import assuming_at_hand, register_resolvers, scale_of
from audiolcm.configuration.words import CONF, SCALE_WORD, composing, readable
from audiolcm.environment.terminal import complain
from audiolcm.errors import UserError

ENTRIES = ("train", "evaluate")
SCALES = ("replica", "esc10", "paper")
"""Profiles: embedded data, a few real recordings, and the paper's."""


@dataclass(frozen=True)
class RowJob:
    """One row with one training seed. ``overrides``: without those that choose the experiment."""

    row: str
    seed: int
    overrides: tuple[str, ...]

    @property
    def name(self) -> str:
        """Such as ``without_rope-seed0``: the job's folder."""
        return f"{self.row}-seed{self.seed}"


Job = TypeVar("Job", bound=RowJob)


def row_jobs(plan: Mapping[str, Any]) -> list[RowJob]:
    """Return the jobs of one entry point at one scale, row by row.

    Raises:
        UserError: the plan is malformed; the message says where.
    """
    if odd := sorted(set(plan) - {"common", "rows", "grid", "seeds"}):
        raise UserError(f"A plan of rows knows common, rows, grid and seeds, not {odd[0]}.")
    for row, own in (plan.get("rows") or {"rows": None}).items():
        if not isinstance(own, Sequence) or isinstance(own, str):
            raise UserError(
                f"A plan needs rows, and for each a list of its overrides: {row}: [solver.k=5], not {own}."
            )
    axes = plan.get("grid") or {}
    jobs = []
    for row, own in plan["rows"].items():
        for values in itertools.product(*(axis[1] for axis in axes.values())):
            point = dict(zip(axes, values, strict=True))
            name = "-".join([str(row), *(f"{axis}{value}" for axis, value in point.items())])
            settings = [f"{axes[axis][0]}={value}" for axis, value in point.items() if axes[axis][0]]
            for seed in plan.get("seeds") or [0]:
                given = [*(plan.get("common") or []), *own, *settings]
                filled = [_filled(text, {"row": row, "seed": seed, **point}) for text in given]
                jobs.append(RowJob(name, seed, (*filled, f"row={name}-seed{seed}")))
    return jobs


def _filled(text: str, values: Mapping[str, Any]) -> str:
    for name, value in values.items():
        text = text.replace(f"{{{name}}}", str(value))
    return text


def read_plans(path: Path) -> dict[tuple[str, str], list[RowJob]]:
    """Return the jobs of an experiment's file by entry point and scale; those that it has none for are not in it."""
    # Unresolved: what a job names by ${paths.runs} and the like, it resolves itself.
    content = cast("dict[str, Any]", OmegaConf.to_container(OmegaConf.load(path), resolve=False))
    plans = content["hydra"]["sweeper"]
    return {
        (entry, scale): row_jobs(plans[entry][scale])
        for entry, scale in itertools.product(ENTRIES, SCALES)
        if (plans.get(entry) or {}).get(scale)
    }


def parsed(words: Sequence[str]) -> list[Override]:
    """Return words of the command line as Hydra reads them.

    Raises:
        UserError: one of them is no override.
    """
    try:
        return OverridesParser.create().parse_overrides(readable(words))
    except HydraException as error:
        raise explained("train", words, error) from error


def settings_now(entry: str, scale: str, item: str, overrides: Sequence[str]) -> str:
    """Return the fingerprint of a job's settings as conf composes them now.

    Raises:
        UserError: they do not compose any more.
    """
    return settings_fingerprint(settings_of(entry, scale, item, overrides))


def settings_of(
    entry: str, scale: str, item: str, overrides: Sequence[str], at_hand: bool | None = None
) -> dict[str, Any]:
    """Return a job's configuration as conf composes it now (see ``assuming_at_hand``), interpolations resolved.

    Composing takes half a second, so jobs that choose the same groups share it, and differ by their values only.

    Raises:
        UserError: it does not compose.
    """
    words = [f"+experiment={item}", *overrides]
    if entry == "evaluate":
        words.append(f"scale={scale}")
    groups = tuple(word for word in words if _is_group(word))
    try:
        cfg = copy.deepcopy(_composed(entry, groups, at_hand))
        for override in OverridesParser.create().parse_overrides([w for w in words if w not in groups]):
            key = override.get_key_element().lstrip("+")
            OmegaConf.update(cfg, key, override.value(), force_add=override.is_add())
        return cast("dict[str, Any]", OmegaConf.to_container(cfg, resolve=True))
    except (HydraException, OmegaConfBaseException) as error:
        raise UserError(f"{' '.join(words)}: {explained(entry, words, error)}") from error


@cache
def _composed(entry: str, groups: tuple[str, ...], at_hand: bool | None) -> DictConfig:
    register_resolvers()
    with composing(), assuming_at_hand(at_hand):
        return compose(entry, list(groups))


def _is_group(word: str) -> bool:
    return (CONF / _key(word).partition("@")[0]).is_dir()


class RowSweeper(BasicSweeper):
    """Sweeps over the rows of a table; on the command line ``row=a,b-seed1`` chooses among them.

    Other words of the command line go to every job, and replace what all rows say alike of the same setting.
    """

    def __init__(self, train: Any = None, evaluate: Any = None, max_batch_size: int | None = None) -> None:
        # Not BasicSweeper's own: Hydra loads its plugins once more when it looks for them, and super() then fails.
        self.overrides, self.batch_index = None, 0
        self.max_batch_size, self.params = max_batch_size, {}
        self.hydra_context = self.config = self.launcher = None
        self.plans = {"train": train, "evaluate": evaluate}

    def sweep(self, arguments: list[str]) -> Any:
        """Run the sweep; a mistake in what was typed is one message."""
        try:
            return super().sweep(arguments)
        except UserError as error:
            complain(f"{error}\n")
            sys.exit(1)

    def split_arguments(self, overrides: list[Override], max_batch_size: int | None) -> list[list[list[str]]]:
        """Return the jobs' overrides, in one batch."""
        assert isinstance(self.config, DictConfig)
        stem = self.config.hydra.runtime.choices.get("experiment") or "this experiment"
        return [[list(words) for _, words in chosen(row_jobs(self._plan(stem)), overrides, stem)]]

    def validate_batch_is_legal(self, batch: Sequence[Sequence[str]]) -> None:
        """Compose one job of each kind, which takes half a second: jobs of a kind choose the same of every group."""
        kinds = {tuple(w if _is_group(w) else _key(w) for w in words): words for words in batch}
        for words in kinds.values():
            try:
                super().validate_batch_is_legal([words])
            except HydraException as error:
                assert isinstance(self.config, DictConfig)
                raise explained(str(self.config.hydra.job.name), list(words), error) from error

    def _plan(self, stem: str) -> dict[str, Any]:
        assert isinstance(self.config, DictConfig)
        entry, scale = str(self.config.hydra.job.name), scale_of(self.config)
        plan = (self.plans.get(entry) or {}).get(scale)
        if not plan:
            there = [
                f"python {other}.py +experiment={stem} {SCALE_WORD[other]}={found}"
                for other, plans in self.plans.items()
                for found, rows in (plans or {}).items()
                if rows
            ]
            raise UserError(
                f"{stem} has no rows for {entry}.py at scale {scale}. There are: {'; '.join(there) or 'none'}."
            )
        return cast("dict[str, Any]", OmegaConf.to_container(OmegaConf.create(plan), resolve=False))


def chosen(
    jobs: Sequence[Job], overrides: Sequence[Override], stem: str
) -> list[tuple[Job, tuple[str, ...]]]:
    """Return the jobs that a command line asks for, each with all of its words.

    Args:
        jobs: of one script at one scale.
        overrides: the command line's: ``row=NAME`` chooses, others replace what all rows say alike, or come behind.
        stem: the experiment, for messages.

    Raises:
        UserError: there is no such row, the rows differ in what is overridden, or a word asks for several values.
    """
    _refuse_own_settings(jobs, overrides)
    known = {name for job in jobs for name in (job.row, job.name)}
    wanted = [value for o in overrides if o.get_key_element() == "row" for value in _values(o)]
    if odd := [name for name in wanted if name not in known]:
        rows = ", ".join(dict.fromkeys(job.row for job in jobs))
        raise UserError(f"{stem} has no row {odd[0]}.{nearest(odd[0], known)} Rows: {rows}.")
    others = [o for o in overrides if o.get_key_element() != "row"]
    (expanded,) = BasicSweeper.split_arguments(others, None)
    if len(expanded) > 1:
        raise UserError(
            f"Each row of {stem} has one folder, so that its settings cannot be swept: type one value where there are "
            f"several ({' / '.join(' '.join(words) for words in expanded[:2])})."
        )
    keys = {_key(word) for word in expanded[0]}
    return [
        (job, (*(word for word in job.overrides if _key(word) not in keys), *expanded[0]))
        for job in jobs
        if not wanted or {job.row, job.name} & set(wanted)
    ]


def _refuse_own_settings(jobs: Sequence[Job], overrides: Sequence[Override]) -> None:
    """Refuse to override that in which the rows differ, or the seed: each would bear another row's name."""
    for given in {o.get_key_element().lstrip("+~") for o in overrides} - {"row"}:
        said = {tuple(word for word in job.overrides if _key(word) == given) for job in jobs}
        if len(said) > 1:
            raise UserError(
                f"The rows of this experiment differ in {given}: choose among them by row=NAME instead."
            )
        if given == "seed" and said != {()}:
            raise UserError(
                "The names of these rows tell their seed: other seeds are added in conf/experiment, seeds: [...]."
            )


def _key(word: str) -> str:
    return word.lstrip("+~").partition("=")[0]


def _values(override: Override) -> list[str]:
    if override.is_sweep_override():
        return list(override.sweep_string_iterator())
    return [str(override.value())]
