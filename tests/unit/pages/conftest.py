"""Lets the tests of this folder import `made_run`."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent))
