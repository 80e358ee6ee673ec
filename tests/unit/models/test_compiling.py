"""Compiled transformers against themselves, uncompiled: one small network, since compiling takes seconds."""

import contextlib
import copy
import subprocess
import sys

import pytest
import torch
import traced_transformer
from torch.testing import assert_close
from traced_transformer import call, check_training, small_transformer

from audiolcm.errors import UserError
from audiolcm.models.compiling import compile_transformers
from audiolcm.models.layers import keep_products


def test_every_operation_is_traced() -> None:
    run = subprocess.run([sys.executable, traced_transformer.__file__], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr


@pytest.mark.slow
def test_compiled_gives_the_same_numbers_and_gradients() -> None:
    plain, frozen = small_transformer(), keep_products(copy.deepcopy(small_transformer()))
    check_training(small_transformer())
    compile_transformers(frozen, contextlib.nullcontext(), graphs=True)
    with torch.no_grad():
        assert_close(call(frozen), call(plain), atol=1e-5, rtol=1e-5)
    assert frozen._compiled_call_impl is not None


def test_a_missing_compiler_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(UserError, match=r"C\+\+ compiler.*hardware\.compile"):
        compile_transformers(small_transformer(), contextlib.nullcontext())
