"""Garbage is looked for again after imports, also after some that failed."""

import gc

import pytest

from audiolcm.environment.garbage import importing


def fail_to_import() -> None:
    with importing():
        assert not gc.isenabled()
        raise ModuleNotFoundError


def test_garbage_is_looked_for_again_after_imports_that_failed() -> None:
    with pytest.raises(ModuleNotFoundError):
        fail_to_import()
    assert gc.isenabled()
    gc.unfreeze()
