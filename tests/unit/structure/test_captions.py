from pathlib import Path

import pytest

from audiolcm.structure.captions import Pair, read_captions


@pytest.mark.parametrize("sign", ["\u2028", "\u2029", "\x85", "\v", "\f", "\x1c"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_only_the_end_of_a_line_ends_a_caption(tmp_path: Path, sign: str, end: str) -> None:
    path = tmp_path / "captions.txt"
    path.write_bytes(f"\ufeffA dog{sign}barks{end}{end}Rain\t<rain& all>{end}".encode())
    assert read_captions(path) == [Pair(f"A dog{sign}barks"), Pair("Rain", "<rain& all>")]
