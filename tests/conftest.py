"""Fixtures that many tests share; the end of a run tells every test that was skipped, and why."""

import os
import sys
from collections import Counter
from pathlib import Path

import pytest
from jaxtyping import install_import_hook

DATA = Path(__file__).parent / "data"
sys.path.append(
    str(Path(__file__).parent)
)  # of damage, hub_server, known_truth, released_file, small_run and traced_transformer

# Shapes and types at the public boundaries are checked here and cost a user nothing.
install_import_hook("audiolcm", "beartype.beartype")


def pytest_configure(config: pytest.Config) -> None:
    """Make the mark known that this file gives; all others are in pyproject.toml."""
    config.addinivalue_line("markers", "shared: needs the data beside the checkout, tests/data/README.md")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs the data beside the checkout: who has not got them can leave those tests out by name."""
    for item in items:
        if "shared_data" in getattr(item, "fixturenames", ()):
            item.add_marker("shared")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """List the skipped tests by their reasons: a test that did not run is no test that passed."""
    skipped = terminalreporter.stats.get("skipped", [])
    reasons = Counter((report.nodeid.partition("::")[0], _reason(report)) for report in skipped)
    if reasons:
        terminalreporter.section("tests that were skipped")
    for (file, reason), count in sorted(reasons.items()):
        terminalreporter.write_line(f"{count} of {file}: {reason}")


def _reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    """Return why a test or a whole file was skipped."""
    words = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
    return str(words).removeprefix("Skipped: ")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real recordings and whole lists of captions beside the checkout, which may not be copied into it.

    Tests that need it are skipped without it, and fail in continuous integration.
    """
    folder = Path(__file__).parents[1].parent / "shared" / "data"
    if not folder.is_dir():
        message = f"needs the data of {folder}, which are not part of the project: tests/data/README.md"
        pytest.fail(message) if "CI" in os.environ else pytest.skip(message)
    return folder


@pytest.fixture(scope="session")
def captions() -> Path:
    """The folder of some rows of the published lists of captions, under their names."""
    return DATA / "captions"


@pytest.fixture(scope="session")
def released_layout() -> dict[str, dict[str, list[int]]]:
    """Names and shapes inside the released checkpoint."""
    from released_file import read_layout  # here: most tests need neither it nor what it imports

    return read_layout(DATA)
