"""Fixtures that many tests share."""

import sys
from pathlib import Path

import pytest
from jaxtyping import install_import_hook

sys.path.append(str(Path(__file__).parent))  # of damage, hub_server, released_file and small_run

# Shapes and types at the public boundaries are checked here and cost a user nothing.
install_import_hook("audiolcm", "beartype.beartype")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real clips and caption tables beside the checkout; tests that need it are skipped without it."""
    folder = Path(__file__).parents[1].parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("needs ../shared/data")
    return folder


@pytest.fixture(scope="session")
def released_layout(shared_data: Path) -> dict[str, dict[str, list[int]]]:
    """Names and shapes inside the released checkpoint."""
    from released_file import read_layout  # here: most tests need neither it nor what it imports

    return read_layout(shared_data.parent)
