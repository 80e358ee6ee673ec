"""Starts torchrun on this machine."""

import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


def torchrun_command(*arguments: str, count: int = 2) -> list[str]:
    """Return the command line of torchrun in this interpreter."""
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={count}"]
    return [*launcher, *arguments]


def torchrun(*arguments: str, count: int = 2, timeout: float = 300) -> subprocess.CompletedProcess[str]:
    """Run a script in ``count`` processes."""
    command = torchrun_command(*arguments, count=count)
    environment = os.environ | {"HF_HUB_OFFLINE": "1"}
    return subprocess.run(
        command, capture_output=True, text=True, timeout=timeout, cwd=ROOT, env=environment, check=False
    )
