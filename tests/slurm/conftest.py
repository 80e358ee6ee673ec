"""One cluster for all these tests."""

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent))  # of cluster

from cluster import PROGRAMS, Cluster, running_cluster


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    path = os.environ["PATH"] + ":/usr/sbin:/sbin"
    if missing := [program for program in PROGRAMS if shutil.which(program, path=path) is None]:
        message = f"needs SLURM: {', '.join(missing)} not found; the head of tools/slurm/start.sh says what to install"
        pytest.fail(message) if "CI" in os.environ else pytest.skip(message)
    with running_cluster() as cluster:
        yield cluster
