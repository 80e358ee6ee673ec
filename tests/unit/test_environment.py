"""The installed set of packages really imports together, offline (a mismatched set fails at import)."""

import os
import subprocess
import sys

import pytest
from packages import left_out, needs_package

OFFLINE = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "WANDB_MODE": "offline"}
# These import torchaudio, torchvision and transformers, and read tokenizers from a hub: hence the subprocess
# without a network. Python 3.12 has neither setuptools nor distutils of its own: nothing may need them.
SCRIPT = """
import sys
sys.modules.update(dict.fromkeys(("pkg_resources", "setuptools", "distutils", "imp")))
import torch, torchvision, transformers, numpy, scipy
import laion_clap, frechet_audio_distance
scipy.linalg.sqrtm(numpy.eye(2), disp=False)
"""


def runs_offline(script: str) -> None:
    """Run a script in a Python of its own, which has no network, and see that nothing goes wrong."""
    finished = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script],
        env=os.environ | OFFLINE,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr[-2000:]


@pytest.mark.parametrize(("python", "expected"), [("3.11", False), ("3.12", False), ("3.13", True)])
def test_only_from_python_3_13_on_may_metric_packages_be_missing(python: str, expected: bool) -> None:
    names = ("laion_clap", "frechet_audio_distance", "torchaudio", "torchvision")
    assert {name: left_out(name, python) for name in names} == dict.fromkeys(names, expected)


def test_metric_packages_import_beside_torch() -> None:
    for name in ("torchaudio", "laion_clap", "frechet_audio_distance"):
        needs_package(name)
    runs_offline(SCRIPT)


EVERY_MODULE = """
import importlib, pkgutil
import audiolcm, evaluation, experiments
for package in (audiolcm, evaluation, experiments):
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        if not module.name.endswith(("__main__", "crosscheck.worker")):
            importlib.import_module(module.name)
"""


def test_every_module_imports() -> None:
    runs_offline(EVERY_MODULE)
