"""The distances of mels in other precisions to those in float32."""

import re

from audiolcm import AudioLCM
from benchmarks.rounding import table


def test_int8_is_further_from_float32_than_bfloat16_and_both_are_near() -> None:
    rows = dict(
        re.findall(r"\| (\w+) \| [\d.]+ \| ([\d.]+) \|", table(AudioLCM.from_pretrained("embedded:foley"), 2))
    )
    assert list(rows) == ["bfloat16", "int8"]
    assert 0.0 < float(rows["bfloat16"]) < float(rows["int8"]) < 0.2
