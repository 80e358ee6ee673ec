"""README and docs name files that are there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
OF_THE_USER = {"conf/local.yaml"}
NAMED = re.compile(
    r"`((?:src|conf|tests|evaluation|experiments|benchmarks|tools)/[\w/.-]+\.(?:py|yaml|csv|json))`"
)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_files_that_a_page_names_are_there(page: Path) -> None:
    named = set(NAMED.findall(page.read_text(encoding="utf-8"))) - OF_THE_USER
    assert not [name for name in named if not (ROOT / name).exists()]
