"""What continuous integration runs: ``nox -s lint tests newest``; before a release also ``slow`` and ``oldest``.

Every session but ``oldest`` and ``newest`` installs what constraints.txt says; ``nox -s lock`` makes a new one.
"""

import os
import shutil
from pathlib import Path

import nox

nox.needs_version = ">=2025.2.9"
nox.options.sessions = ["lint", "tests"]
nox.options.reuse_existing_virtualenvs = True
nox.options.default_venv_backend = "uv|virtualenv"

ROOT = Path(__file__).parent
LOCK = "constraints.txt"
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
PLATFORMS = ("x86_64-unknown-linux-gnu", "aarch64-unknown-linux-gnu", "aarch64-apple-darwin")
# Pure Python, published as sources only
NO_WHEELS = ("antlr4-python3-runtime", "encodec", "progressbar", "wget")

# One test process a core and one thread a process: small tensors gain nothing from a second thread.
# The hubs are cut off: no test may depend on a download.
ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "WANDB_MODE": "offline",
    # Where it is set, each process that the tests start would compile torch again: 5 of its 9 seconds.
    "PYTHONDONTWRITEBYTECODE": "",
}
# A file stays in one process: its trained fixtures are made once. Files of few but long tests come first as collected.
PARALLEL = ("-n", "auto", "--dist", "loadfile", "--no-loadscope-reorder")
# What a new release breaks first: imports, metrics beside their check vectors, the mel, the sampler, the training loop.
QUICK = (
    "tests/unit/test_environment.py",
    "tests/unit/evaluation/metrics",
    "tests/unit/audio",
    "tests/unit/diffusion",
    "tests/unit/training/test_loop.py",
)


def install(session: nox.Session, extras: str) -> None:
    """Install the project and what the lock says of its dependencies, and of what builds those without wheels."""
    builds = ("--build-constraints", LOCK) if session.venv_backend == "uv" else ()
    session.install("-c", LOCK, *builds, "-e", f".[{extras}]")


@nox.session
def tests(session: nox.Session) -> None:
    """Sweeps on SLURM, then browser reports, where there are such; then the default tests, with words after ``--``.

    .ci/run has ``newest`` beside the first of these; what plays sound in a browser wants the machine for itself.
    """
    install(session, "test")
    if "CI" in os.environ or shutil.which("sbatch"):
        chosen = ("-m", "slurm and not slow", "-n", "2", "--dist", "loadfile")
        session.run("pytest", "-q", *chosen, "tests/slurm", env=ENVIRONMENT)
    if "CI" in os.environ or shutil.which("chromium"):
        session.run("pytest", "-q", "-m", "browser", "tests/browser", env=ENVIRONMENT)
    session.run("pytest", "-q", *PARALLEL, *session.posargs, env=ENVIRONMENT)


@nox.session
def slow(session: nox.Session) -> None:
    """The tests marked slow, one after the other with all cores."""
    install(session, "test")
    cores = {key: value for key, value in ENVIRONMENT.items() if not key.endswith("NUM_THREADS")}
    session.run("pytest", "-q", "-m", "slow", *session.posargs, env=cores)


@nox.session
def lint(session: nox.Session) -> None:
    """Style, format, types, and the documents as a site, whose links must lead somewhere."""
    install(session, "dev,docs,test")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("pyrefly", "check")
    session.run("mkdocs", "build", "--strict", "-d", ".site", env={"NO_MKDOCS_2_WARNING": "1"})


@nox.session(venv_backend="uv")
def newest(session: nox.Session) -> None:
    """The newest releases that pyproject.toml allows today: what tomorrow's lock will hold."""
    at_one_end(session, "--resolution", "highest")


@nox.session(venv_backend="uv")
def oldest(session: nox.Session) -> None:
    """The oldest releases that pyproject.toml allows (on Python 3.11: newer ones have no wheels of them)."""
    # torchvision, which others bring, would come in its newest release and ask for a newer torch.
    at_one_end(session, "--resolution", "lowest-direct", "torch<2.12")


def at_one_end(session: nox.Session, *words: str) -> None:
    """Install one end of the ranges and walk through everything quickly: imports, metrics, main job, evaluation."""
    # Without [tool.uv], which is of the lock.
    session.install(*words, "--upgrade", "-e", ".[test]", env={"UV_NO_CONFIG": "1"})
    session.run("python", "-c", VERSIONS)
    session.run("pytest", "-q", "-n", "auto", *QUICK, env=ENVIRONMENT)
    folder = session.create_tmp()
    small = ("logger=jsonl", "hardware.num_threads=1")
    with session.chdir(folder):
        session.run("python", ROOT / "train.py", "trainer=smoke", *small, env=ENVIRONMENT)
        session.run("python", ROOT / "evaluate.py", "trainer.evaluator.steps=20", *small, env=ENVIRONMENT)
    shutil.rmtree(folder)


VERSIONS = """
import sys
from importlib.metadata import version
names = ("torch", "numpy", "scipy", "transformers", "pandas", "pyarrow", "librosa", "hydra-core", "wandb")
print("Python", sys.version.split()[0], *(f"{name} {version(name)}" for name in names))
"""


@nox.session(venv_backend="uv")
def lock(session: nox.Session) -> None:
    """Make a new constraints.txt from pyproject.toml, and see that every Python and platform finds its wheels."""
    session.install("-c", LOCK, "uv") if (ROOT / LOCK).exists() else session.install("uv")
    words = (
        "--universal",
        "--python-version",
        PYTHONS[0],
        "--all-extras",
        "--no-emit-index-url",
        "--upgrade",
    )
    command = {"UV_CUSTOM_COMPILE_COMMAND": "nox -s lock"}
    session.run("uv", "pip", "compile", "-q", *words, "pyproject.toml", "-o", LOCK, env=command)
    lines = (ROOT / LOCK).read_text().splitlines()
    wheels = {line.partition("==")[0] for line in lines if "==" in line} - set(NO_WHEELS)
    needed = [word for name in sorted(wheels) for word in ("--only-binary", name)]
    for python in PYTHONS:
        for platform in PLATFORMS:
            at = ("--python-version", python, "--python-platform", platform)
            session.run("uv", "pip", "compile", "-q", *at, *needed, "--all-extras", "-c", LOCK, "pyproject.toml",
                        "-o", os.devnull, env={"MACOSX_DEPLOYMENT_TARGET": "14.0"}, silent=True)  # fmt: skip
