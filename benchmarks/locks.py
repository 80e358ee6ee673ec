"""How long a lock takes: to get and give back, and to follow a holder that was killed or whose machine went silent.

Usage:
    python benchmarks/locks.py [FOLDER]

FOLDER (default: a temporary one) may lie on a shared file system.
"""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from audiolcm.storage.leases import LEASE, PATIENCE, exclusive

HOLDER = """
import sys
from audiolcm.storage.leases import exclusive
with exclusive(sys.argv[1]):
    print("in", flush=True)
    sys.stdin.read()
"""


def free(folder: Path) -> float:
    """Return seconds to get and give back a lock that nobody holds."""
    began = time.perf_counter()
    with exclusive(folder):
        pass
    return time.perf_counter() - began


def killed(folder: Path) -> float:
    """Return seconds of waiting for a holder of this machine, killed just before, until it is followed."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    process.stdout.readline()
    process.kill()
    process.wait()
    return free(folder)


def silent(folder: Path) -> float:
    """Return seconds until a holder on a machine that shows no sign of life any more is followed."""
    holder = {"machine": "another", "pid": 1, "birth": "1", "host": "gone", "job": ""}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / LEASE).write_text("000000000000 " + json.dumps(holder))
    return free(folder)


def main(folder: Path) -> None:
    """Print the three times."""
    sys.stdout.write(f"free: {median(free(folder) for _ in range(20)) * 1e3:.1f} ms (median of 20)\n")
    sys.stdout.write(
        f"holder killed: {median(killed(folder) for _ in range(10)) * 1e3:.1f} ms (median of 10)\n"
    )
    sys.stdout.write(f"other machine silent: {silent(folder):.1f} s (patience {PATIENCE:g} s)\n")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        main(Path(sys.argv[1] if len(sys.argv) > 1 else temporary) / "held")
