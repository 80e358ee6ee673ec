"""The sweeper ``rows``: plans become jobs, words of the command line choose and change, mistakes are one message."""

from pathlib import Path
from typing import Any

import pytest
from hydra import compose as hydra_compose
from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf

from audiolcm.configuration.fingerprint import settings_fingerprint
from audiolcm.configuration.resolvers import register_resolvers
from audiolcm.configuration.schema import compose
from audiolcm.errors import UserError
from audiolcm.sweeps.row_sweeper import (
    CONF,
    ENTRIES,
    SCALES,
    RowJob,
    RowSweeper,
    read_plans,
    row_jobs,
    settings_now,
    settings_of,
)  # fmt: skip

PLAN = {
    "common": ["dataset=foley", "seed={seed}"],
    "rows": {"full": [], "without_rope": ["backbone/position=learned"]},
    "seeds": [0, 1],
}
STEMS = sorted(path.stem for path in (CONF / "experiment").glob("*.yaml"))


def rows(
    entry: str = "train", stem: str = "table", profile: str | None = None, **plans: dict[str, Any] | None
) -> RowSweeper:
    """The sweeper of an experiment as Hydra sets it up; plans are by entry point, at replica scale."""
    # Without __init__: Hydra's search for plugins makes a new BasicSweeper, and that of the old one then fails.
    sweeper = RowSweeper.__new__(RowSweeper)
    sweeper.plans = {name: {"replica": plans.get(name)} for name in ENTRIES}
    choices = {"experiment": stem} | ({"profile": profile} if profile else {})
    sweeper.config = OmegaConf.create({"hydra": {"runtime": {"choices": choices}, "job": {"name": entry}}})
    return sweeper


def split(sweeper: RowSweeper, *words: str) -> list[list[str]]:
    (batch,) = sweeper.split_arguments(OverridesParser.create().parse_overrides(list(words)), None)
    return batch


def names(batch: list[list[str]]) -> list[str]:
    return [word.removeprefix("row=") for words in batch for word in words if word.startswith("row=")]


@pytest.fixture(autouse=True)
def _fresh_hydra() -> None:
    GlobalHydra.instance().clear()


def test_every_row_once_for_each_seed() -> None:
    assert row_jobs(PLAN) == [
        RowJob("full", 0, ("dataset=foley", "seed=0", "row=full-seed0")),
        RowJob("full", 1, ("dataset=foley", "seed=1", "row=full-seed1")),
        RowJob(
            "without_rope",
            0,
            ("dataset=foley", "seed=0", "backbone/position=learned", "row=without_rope-seed0"),
        ),
        RowJob(
            "without_rope",
            1,
            ("dataset=foley", "seed=1", "backbone/position=learned", "row=without_rope-seed1"),
        ),
    ]
    assert [job.name for job in row_jobs({"rows": {"alone": []}})] == ["alone-seed0"]


def test_a_grid_names_its_points_and_a_null_axis_only_fills_places() -> None:
    grid = {"omega": ["sampler.omega", [0, 2.5]], "step": [None, [100, 200]]}
    plan = {"common": ["checkpoint=runs/{row}-seed{seed}@{step}"], "rows": {"k5": []}, "grid": grid}
    jobs = row_jobs(plan)
    assert [job.row for job in jobs] == [
        "k5-omega0-step100", "k5-omega0-step200", "k5-omega2.5-step100", "k5-omega2.5-step200",
    ]  # fmt: skip
    assert jobs[3].overrides == (
        "checkpoint=runs/k5-seed0@200", "sampler.omega=2.5", "row=k5-omega2.5-step200-seed0",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("plan", "message"),
    [
        ({"rows": {"a": []}, "seed": [0]}, "not seed"),
        ({"common": []}, "needs rows"),
        ({"rows": {}}, "needs rows"),
        ({"rows": {"a": None}}, r"a: \[solver.k=5\], not None"),
        ({"rows": {"a": "solver.k=5"}}, "list of its overrides"),
    ],
)
def test_a_malformed_plan_is_told(plan: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        row_jobs(plan)


def test_plans_of_a_file_are_read_as_written(tmp_path: Path) -> None:
    path = tmp_path / "table.yaml"
    path.write_text(
        "hydra:\n  sweeper:\n    train:\n      replica: {rows: {a: []}}\n      paper: null\n"
        "    evaluate:\n      paper: {common: ['checkpoint=${paths.runs}/{row}'], rows: {a: [], b: []}}\n"
    )
    plans = read_plans(path)
    assert {key: [job.name for job in jobs] for key, jobs in plans.items()} == {
        ("train", "replica"): ["a-seed0"], ("evaluate", "paper"): ["a-seed0", "b-seed0"],
    }  # fmt: skip
    assert plans["evaluate", "paper"][1].overrides[0] == "checkpoint=${paths.runs}/b"


def test_words_of_the_command_line_reach_every_job_and_replace_what_all_rows_say() -> None:
    batch = split(rows(train=PLAN), "+experiment=table", "dataset=esc10", "++trainer.student.steps=3")
    assert len(batch) == 4
    assert batch[2] == [
        "seed=0", "backbone/position=learned", "row=without_rope-seed0",
        "+experiment=table", "dataset=esc10", "++trainer.student.steps=3",
    ]  # fmt: skip


def test_settings_can_not_be_swept_for_each_row_has_one_folder() -> None:
    with pytest.raises(UserError, match=r"Each row of table has one folder.*solver.k=5 / solver.k=20"):
        split(rows(train=PLAN), "solver.k=5,20", "row=full-seed1")


@pytest.mark.parametrize(
    ("word", "chosen"),
    [
        ("row=full", ["full-seed0", "full-seed1"]),
        ("row=full-seed1", ["full-seed1"]),
        ("row=full-seed1,without_rope", ["full-seed1", "without_rope-seed0", "without_rope-seed1"]),
        ("row=without_rope-seed0,full-seed0", ["full-seed0", "without_rope-seed0"]),
    ],
)
def test_rows_are_chosen_by_name_and_seed(word: str, chosen: list[str]) -> None:
    assert names(split(rows(train=PLAN), word)) == chosen


@pytest.mark.parametrize("word", ["row=without_rop", "row=full,without_rop"])
def test_an_unknown_row_is_told_with_the_nearest(word: str) -> None:
    with pytest.raises(
        UserError, match="table has no row without_rop. Did you mean 'without_rope'.*Rows: full, without_rope"
    ):
        split(rows(train=PLAN), word)
    with pytest.raises(UserError, match="no row full-seed7"):
        split(rows(train=PLAN), "row=full-seed7")


@pytest.mark.parametrize("word", ["seed=5", "backbone/position=rope", "+seed=1", "seed=0,1"])
def test_what_the_rows_differ_in_can_not_be_overridden(word: str) -> None:
    key = word.lstrip("+").partition("=")[0]
    with pytest.raises(UserError, match=rf"differ in {key}: choose among them by row=NAME"):
        split(rows(train=PLAN), word)


def test_a_script_without_rows_tells_the_other_command() -> None:
    with pytest.raises(
        UserError, match=r"no rows for evaluate.py.*python train.py \+experiment=table profile=replica"
    ):
        split(rows("evaluate", train=PLAN))
    with pytest.raises(UserError, match=r"no rows for train.py at scale paper.*profile=replica"):
        split(rows(train=PLAN, profile="paper"))
    with pytest.raises(
        UserError, match=r"no rows for train.py.*python evaluate.py \+experiment=table scale=replica"
    ):
        split(rows(evaluate=PLAN))
    with pytest.raises(UserError, match="There are: none"):
        split(rows())


def test_a_mistake_ends_the_sweep_with_one_message(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    sweeper = rows(train=PLAN)
    monkeypatch.setattr(RowSweeper.__bases__[0], "sweep", lambda self, words: split(self, *words))
    with pytest.raises(SystemExit) as end:
        sweeper.sweep(["row=fulll"])
    told = capsys.readouterr().err
    assert end.value.code == 1
    assert told.count("\n") == 1 and "Did you mean 'full'" in told


def test_one_job_of_each_choice_of_groups_is_composed_beforehand(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[list[str]] = []
    monkeypatch.setattr(
        RowSweeper.__bases__[0], "validate_batch_is_legal", lambda self, batch: seen.extend(batch)
    )
    plan = PLAN | {"rows": PLAN["rows"] | {"small": ["model=tiny"], "wrong": ["model=tinny"]}}
    sweeper = rows(train=plan)
    sweeper.validate_batch_is_legal(split(sweeper))
    assert sorted(name.partition("-")[0] for name in names(seen)) == [
        "full",
        "small",
        "without_rope",
        "wrong",
    ]


def of_experiments() -> list[tuple[str, str, str, RowJob]]:
    """Of every experiment the last job, which sets the most, of every second pair of script and scale."""
    found = []
    for index, stem in enumerate(STEMS):
        plans = list(read_plans(CONF / "experiment" / f"{stem}.yaml").items())
        found += [(stem, *key, jobs[-1]) for key, jobs in plans[index % min(2, len(plans)) :: 2]]
    return found


def test_the_sample_has_every_experiment_script_and_scale() -> None:
    assert {stem for stem, _, _, _ in of_experiments()} == set(STEMS)
    kinds = {(entry, scale) for _, entry, scale, _ in of_experiments()}
    assert kinds == {(entry, scale) for entry in ENTRIES for scale in SCALES}


@pytest.mark.parametrize(
    ("stem", "entry", "scale", "job"), of_experiments(), ids=lambda value: getattr(value, "name", value)
)
def test_settings_are_those_that_hydra_composes(stem: str, entry: str, scale: str, job: RowJob) -> None:
    """Ours shares compositions and sets values itself; the truth is Hydra with all words, as a run has them."""
    words = [
        f"+experiment={stem}",
        *job.overrides,
        *([f"scale={scale}"] if entry == "evaluate" else []),
    ]
    ours = settings_of(entry, scale, stem, job.overrides)
    GlobalHydra.instance().clear()
    register_resolvers()
    if entry == "train":
        truth = compose(words)  # checked, as the run's
    else:
        with initialize_config_dir(version_base="1.3", config_dir=str(CONF)):
            truth = OmegaConf.to_container(hydra_compose(entry, words), resolve=True, throw_on_missing=True)
    assert ours == truth
    assert ours["row"] == job.name
    assert settings_now(entry, scale, stem, job.overrides) == settings_fingerprint(truth)


def test_settings_that_do_not_compose_are_one_message() -> None:
    for word in ("model=tinny", "solver.kk=3", "seed=${nowhere}"):
        with pytest.raises(UserError, match=r"\+experiment=table5_hyperparameters") as told:
            settings_of("train", "replica", "table5_hyperparameters", [word])
        assert "\n" not in str(told.value)


def test_the_only_seed_of_rows_is_theirs_too() -> None:
    plan = {"common": ["seed={seed}"], "rows": {"full": []}}
    with pytest.raises(UserError, match=r"tell their seed.*conf/experiment"):
        split(rows(train=plan), "seed=3")
    assert split(rows(train={"rows": {"full": []}}), "seed=3") == [
        ["row=full-seed0", "seed=3"]
    ]  # of the evaluation
