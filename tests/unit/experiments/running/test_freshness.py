"""Changes of code that are known to leave every figure as it was make no record stale; every further one does."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from audiolcm.configuration.fingerprint import code_hash, code_now, settings_made
from audiolcm.errors import UserError
from audiolcm.sweeps.row_sweeper import settings_of
from experiments.records.planned import PlannedJob
from experiments.running.freshness import EQUIVALENT, Freshness

MODULE = "audiolcm.diffusion.boundary"
JOB = SimpleNamespace(entry="train", scale="replica", item="table6_backbone", overrides=[])
RECORDS = Path(__file__).parents[4] / "experiments/results/records"


def change(
    was: str = "0123456789", now: str | None = None, because: str = "equal to the bit"
) -> dict[str, str]:
    return {"module": MODULE, "was": was, "is": now or str(code_hash(MODULE)), "because": because}


def told(folder: Path, was: str = "0123456789") -> list[str]:
    """What is said of the code of a run that was made with ``was``."""
    said = Freshness(folder)({"settings": "s", "method": {MODULE: was, "evil.module": "1"}}, JOB)
    return [words for words in said if "code" in words]


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Freshness, "_settings_now", lambda *_: {"settings": "s", "sections": {}})


def test_a_change_that_is_listed_makes_nothing_stale(tmp_path: Path) -> None:
    assert told(tmp_path) == [f"the code: {MODULE}, evil.module"]
    (tmp_path / EQUIVALENT).write_text(json.dumps([change()]))
    assert told(tmp_path) == ["the code: evil.module"]


@pytest.mark.parametrize("listed", [change(was="9999999999"), change(now="9999999999"), change(because="")])
def test_a_further_change_or_one_without_a_reason_does(tmp_path: Path, listed: dict[str, str]) -> None:
    (tmp_path / EQUIVALENT).write_text(json.dumps([listed]))
    assert told(tmp_path) == [f"the code: {MODULE}, evil.module"]


@pytest.mark.parametrize("damaged", ["[", "[1]", '[{"module": "a"}]', "3"])
def test_a_damaged_list_is_one_message(tmp_path: Path, damaged: str) -> None:
    (tmp_path / EQUIVALENT).write_text(damaged)
    with pytest.raises(UserError, match=rf"{EQUIVALENT} cannot be read"):
        Freshness(tmp_path)


@pytest.mark.parametrize("made_with", [False, True])
def test_settings_hold_on_machines_with_other_weights(
    made_with: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    job = PlannedJob("full", 0, (), "table6_backbone", "replica", "evaluate")
    composed = {there: settings_of(job.entry, job.scale, job.item, [], there) for there in (False, True)}
    assert (
        composed[False]["metrics"].keys().isdisjoint(["fad_yamnet"])
        and "fad_yamnet" in composed[True]["metrics"]
    )
    made = settings_made(composed[made_with]) | {"method": {}}
    assert Freshness(tmp_path)(made, job) == []
    other = settings_made(composed[made_with] | {"sampler": {"num_steps": 7, "omega": None}}) | {"method": {}}
    assert Freshness(tmp_path)(other, job) == ["the settings: sampler"]


def test_every_change_that_is_listed_here_is_of_a_module_as_it_is_now() -> None:
    """One that was overtaken by another change explains nothing any more: it is taken out."""
    listed = json.loads((RECORDS / EQUIVALENT).read_text())
    assert [known["module"] for known in listed if known["is"] != code_now(known["module"])] == []
