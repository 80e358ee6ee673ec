"""Lets the tests of this folder import `chromium` and the records of the unit tests."""

import sys
from pathlib import Path

sys.path += [str(Path(__file__).parent), str(Path(__file__).parents[1] / "unit" / "evaluation")]
