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


def test_a_call_in_float32_differs_by_rounding_whichever_way_it_convolves() -> None:
    rows = re.findall(r"\| (\w+) \| ([\d.e-]+) \| ([\d.e-]+) \|", table_of_call("tiny", seconds=2.0))
    found = {name: (float(ours), float(direct)) for name, ours, direct in rows}
    assert list(found) == ["float32", "bfloat16", "int8"]
    assert found["float32"][0] < 1e-5 and found["float32"][1] == 0.0
    assert all(1e-4 < difference < 0.05 for name in ("bfloat16", "int8") for difference in found[name])
