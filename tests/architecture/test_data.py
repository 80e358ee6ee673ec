"""Data outside of the project are reached in one way, which fails in continuous integration instead of skipping."""

import re
from pathlib import Path

TESTS = Path(__file__).parents[1]
OUTSIDE = re.compile(r"""\.\./shared|["']shared["']""")


def test_only_the_fixture_leads_out_of_the_project() -> None:
    found = [path for path in TESTS.rglob("*.py") if OUTSIDE.search(path.read_text(encoding="utf-8"))]
    assert [path.relative_to(TESTS) for path in found] == [Path("conftest.py")]
