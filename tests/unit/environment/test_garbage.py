"""Garbage is looked for again after what is imported without, also where that fails."""

import gc

import pytest

from audiolcm.environment.garbage import importing


def test_garbage_is_looked_for_again_after_imports_that_fail() -> None:
    with pytest.raises(ModuleNotFoundError), importing():
        assert not gc.isenabled()
        import nowhere_at_all  # noqa: F401  # pyrefly: ignore[missing-import]
    assert gc.isenabled()
    gc.unfreeze()
