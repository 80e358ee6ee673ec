"""Fixtures that many tests share."""

from pathlib import Path

import pytest
from jaxtyping import install_import_hook

# Shapes and types at the public boundaries are checked here and cost a user nothing.
install_import_hook("audiolcm", "beartype.beartype")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real clips and caption tables beside the checkout; tests that need it are skipped without it."""
    folder = Path(__file__).parents[1].parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("needs ../shared/data")
    return folder
