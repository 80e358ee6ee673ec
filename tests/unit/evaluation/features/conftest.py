"""Lets the tests of this folder import `clap_files`, and makes its largest files once."""

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent))

from clap_files import LaionFiles, save_laion
from packages import needs_package


@pytest.fixture(scope="session")
def laion_files(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LaionFiles]:
    """A checkpoint of LAION's layout with the audio half of its real size and a text half of one layer."""
    needs_package("laion_clap")
    folder = tmp_path_factory.mktemp("laion")
    yield save_laion(folder)
    shutil.rmtree(folder)
