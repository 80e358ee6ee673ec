"""A browser for the tests of this folder, which may import `chromium` and what the unit tests make up."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

_UNIT = Path(__file__).parents[1] / "unit"
sys.path += [
    str(Path(__file__).parent),
    str(_UNIT / "evaluation"),
    str(_UNIT / "experiments"),
    str(_UNIT / "pages"),
]

from chromium import Page, chromium, find_chromium  # noqa: E402 (beside this file)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    program = find_chromium()
    if program is None and "CI" not in os.environ:
        pytest.skip("needs Chromium (Debian: apt-get install chromium)")
    assert program is not None, "CI has no Chromium: apt-get install chromium"
    with chromium(program, tmp_path_factory.mktemp("browser") / "profile") as tab:
        yield tab
