"""Tables name from which omega their students were trained."""

from pathlib import Path

import pytest
from made_results import fad, record, write

from audiolcm.configuration.fingerprint import settings_made
from audiolcm.storage.plain_data import read_yaml
from audiolcm.sweeps.row_sweeper import CONF
from experiments.items.catalog import item_of
from experiments.records.records import read_results
from experiments.rendering.shown import ShownTable, show

STEM = "table6_backbone"


def shown(folder: Path) -> ShownTable:
    return show(item_of(STEM), read_results(folder, STEM, "replica"))


@pytest.mark.parametrize(
    ("guidance", "changes", "words"),
    [
        ("range_0_8", {}, "; students trained with omega from 0 to 8 (the paper: from 4 to 12)."),
        ("range_4_12", {}, "; students trained with omega from 4 to 12 (the paper: from 4 to 12)."),
        (
            "range_0_8",
            {"interval": [200, 700]},
            "omega from 0 to 8 at timesteps 200 to 700 alone (the paper:",
        ),
        ("range_0_8", {"interval": [1, 2]}, "; YAMNet."),
        (None, {}, "; YAMNet."),
    ],
)
def test_tables_name_the_range_of_omega_of_their_trainings(
    guidance: str | None, changes: dict, words: str, tmp_path: Path
) -> None:
    option = read_yaml(CONF / f"guidance/{guidance}.yaml") | changes if guidance else "another"
    training = {
        "item": STEM,
        "sections": {"guidance": settings_made({"guidance": option})["sections"]["guidance"]},
    }
    write(tmp_path, record(STEM, "full", 0, fad(3.0), training=training))
    assert words in shown(tmp_path).caption


@pytest.mark.parametrize("training", [{"sections": 3}, {"sections": {"guidance": ["x"]}}, {}])
def test_a_training_that_tells_nothing_is_no_fault(training: dict, tmp_path: Path) -> None:
    write(tmp_path, record(STEM, "full", 0, fad(3.0), training=training))
    table = shown(tmp_path)
    (full,) = (row for row in table.rows if row.row == "full")
    assert "omega" not in table.caption and full.cells[0].value == 3.0
