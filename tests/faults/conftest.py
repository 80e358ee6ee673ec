"""What a run ends in when nothing disturbs it."""

from pathlib import Path

import pytest
from small_run import train, weights


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The digests of all weights of a run that was left alone."""
    folder: Path = tmp_path_factory.mktemp("undisturbed")
    done = train(folder)
    assert done.returncode == 0, done.stderr[-3000:]
    return weights(folder)
