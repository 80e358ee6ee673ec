"""Two versions of the package side by side: this checkout, another commit in a worktree, or another configuration."""

import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from audiolcm.errors import UserError

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Version:
    """What a worker runs with.

    Args:
        name: how results call it.
        root: the checkout whose ``src`` is imported; the benchmarks are always those of this checkout.
        words: overrides of its configuration.
    """

    name: str = "here"
    root: Path = ROOT
    words: tuple[str, ...] = ()


@contextmanager
def other_version(against: Sequence[str], words: Sequence[str] = ()) -> Iterator[Version]:
    """Yield the version that ``--against`` names: a commit, or overrides of the configuration.

    Args:
        against: one commit, or words with ``=``.
        words: overrides that this version has as well.

    Raises:
        UserError: there is no such commit, or commit and overrides are mixed.
    """
    if all("=" in word for word in against):
        yield Version(" ".join(against), ROOT, (*words, *against))
        return
    if len(against) > 1:
        raise UserError(
            f"--against {' '.join(against)}: type one commit, or overrides such as model.depth=2."
        )
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "checkout"
        _git("worktree", "add", "--detach", str(place), against[0])
        try:
            yield Version(_git("-C", str(place), "rev-parse", "--short=10", "HEAD"), place, tuple(words))
        finally:
            _git("worktree", "remove", "--force", str(place))


def _git(*words: str) -> str:
    done = subprocess.run(["git", "-C", str(ROOT), *words], capture_output=True, text=True, check=False)
    if done.returncode:
        raise UserError(
            f"git {' '.join(words)}: {done.stderr.strip()}. --against takes a commit that git knows."
        )
    return done.stdout.strip()
