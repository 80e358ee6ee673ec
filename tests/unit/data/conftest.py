"""Lets the tests of this folder, and the processes they start, import `corpus_in_memory`."""

import sys
from pathlib import Path

_HERE = Path(__file__).parent
sys.path += [str(_HERE), str(_HERE / "loading"), str(_HERE / "preparing"), str(_HERE / "store")]
