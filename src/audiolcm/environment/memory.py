"""How a process on Linux gets its memory: in huge pages, and kept for the next step instead of given back.

A training step asks for hundreds of large tensors and gives them back; each time the kernel hands out empty pages of
4 KiB, one after the other. A step of the base model spends a fifth to a third of its time on a CPU on that.
"""

import ctypes
import os
import sys

_TRIM_THRESHOLD, _TOP_PAD, _MMAP_MAX = -1, -2, -4  # of mallopt(3)
_KEPT_BYTES = 2**31 - 1


def keep_memory() -> None:
    """Let this process keep the memory that it frees, and torch ask for huge pages; before torch allocates any.

    Costs memory at the peak, a fifth in a step of the base model at batch 2. ``AUDIOLCM_KEEP_MEMORY=0`` leaves all as
    the system has it, as do other systems than Linux with glibc.
    """
    if sys.platform != "linux" or os.environ.get("AUDIOLCM_KEEP_MEMORY") == "0":
        return
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None and hasattr(ctypes.CDLL(None), "gnu_get_libc_version"):
        for option, value in ((_MMAP_MAX, 0), (_TRIM_THRESHOLD, _KEPT_BYTES), (_TOP_PAD, 2**26)):
            mallopt(option, value)
