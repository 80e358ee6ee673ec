"""Memory that our commands keep: in processes of their own, since it is a setting of the whole process."""

import os
import subprocess
import sys

import pytest

ASK_AGAIN = """
import os, resource, sys
from audiolcm.environment.memory import keep_memory
keep_memory()
import torch
def ask():
    torch.ones(2**24)  # 64 MiB
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
ask()
before = ask()
print((ask() - before) * 4096 // 2**20)
"""


def megabytes_of_new_pages(keep: str) -> int:
    environment = {"AUDIOLCM_KEEP_MEMORY": keep, "OMP_NUM_THREADS": "1"}
    run = subprocess.run(
        [sys.executable, "-c", ASK_AGAIN],
        env=dict(os.environ) | environment,
        check=True,
        capture_output=True,
        text=True,
    )
    return int(run.stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems keep memory in their own way")
def test_memory_that_was_freed_is_taken_again() -> None:
    assert megabytes_of_new_pages("1") < 4
    assert megabytes_of_new_pages("0") >= 60
