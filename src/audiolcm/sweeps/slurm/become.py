"""What a queued job does: become the command that a user would have typed."""

import os
import signal
import sys
from collections.abc import Sequence
from typing import NoReturn

from submitit.helpers import TorchDistributedEnvironment


def become(arguments: Sequence[str]) -> NoReturn:
    """Replace this process by ``python <arguments>``; submitit calls it in the job.

    Replaced, not called: submitit's own handler of SIGUSR2 goes, the exit code of the job is the command's (so that
    dependents can tell success from failure), and a requeued job starts in the same way as the first time.

    With several tasks the variables of ``torch.distributed`` are set before, as torchrun does.
    """
    if int(os.environ.get("SLURM_NTASKS", "1")) > 1:
        TorchDistributedEnvironment().export(set_cuda_visible_devices=False, overwrite=True)
        if os.environ.get("SLURM_JOB_NUM_NODES", "1") == "1":
            os.environ["MASTER_ADDR"] = "127.0.0.1"  # a host's name need not lead anywhere
    # Until the command has a handler of its own, this request to stop must not kill it.
    signal.signal(signal.SIGUSR2, signal.SIG_IGN)
    os.execv(sys.executable, [sys.executable, *arguments])
