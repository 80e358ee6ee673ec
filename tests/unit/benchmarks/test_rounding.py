"""The distances of mels in other precisions to those in float32."""

import re

from audiolcm import AudioLCM
from benchmarks.rounding import table, table_of_call


def test_int8_is_further_from_float32_than_bfloat16_and_both_are_near() -> None:
    rows = dict(
        re.findall(r"\| (\w+) \| [\d.]+ \| ([\d.]+) \|", table(AudioLCM.from_pretrained("embedded:foley"), 2))
    )
    assert list(rows) == ["bfloat16", "int8"]
    assert 0.0 < float(rows["bfloat16"]) < float(rows["int8"]) < 0.2


def test_a_call_in_float32_differs_by_rounding_alone() -> None:
    rows = re.findall(r"\| ([\w ,]+) \| ([\d.e-]+) \|", table_of_call("tiny", seconds=2.0))
    found = {name: float(difference) for name, difference in rows}
    assert list(found) == ["float32", "bfloat16", "int8", "bfloat16, direct convolutions"]
    assert found.pop("float32") < 1e-5
    assert all(1e-4 < difference < 0.05 for difference in found.values())
