"""Makes the made-up records importable."""

import sys
from pathlib import Path

_HERE = Path(__file__).parent
sys.path += [str(_HERE), str(_HERE / "running")]
