"""The installed set of packages really imports together, offline (a mismatched set fails at import)."""

import os
import subprocess
import sys

OFFLINE = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "WANDB_MODE": "offline"}
# The last two import torchaudio, torchvision and transformers, and read tokenizers from a hub: hence the subprocess
# without a network. Python 3.12 has neither setuptools nor distutils of its own: nothing may need them.
SCRIPT = """
import sys
sys.modules.update(dict.fromkeys(("pkg_resources", "setuptools", "distutils", "imp")))
import torch, torchaudio, torchvision, transformers, numpy, scipy
import laion_clap, frechet_audio_distance
scipy.linalg.sqrtm(numpy.eye(2), disp=False)
"""


def test_metric_packages_import_beside_torch() -> None:
    finished = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", SCRIPT],
        env=os.environ | OFFLINE,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr[-2000:]
