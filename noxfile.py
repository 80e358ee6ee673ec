"""What continuous integration runs: `nox -s tests`, `nox -s lint`, `nox -s slow`."""

import os
import shutil

import nox

nox.needs_version = ">=2024.4.15"
nox.options.sessions = ["lint", "tests"]
nox.options.reuse_existing_virtualenvs = True

# One test process a core and one thread a process: small tensors gain nothing from a second thread.
# The hubs are cut off: no test may depend on a download.
ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "WANDB_MODE": "offline",
}
# A file stays in one process: its trained fixtures are made once.
PARALLEL = ("-n", "auto", "--dist", "loadfile")


@nox.session
def tests(session: nox.Session) -> None:
    """Reports in a browser and sweeps on SLURM, where there are such; then the default tests, with words after `--`."""
    session.install("-e", ".[test]")
    if "CI" in os.environ or shutil.which("chromium"):
        session.run("pytest", "-q", "-m", "browser", "tests/browser", env=ENVIRONMENT)
    if "CI" in os.environ or shutil.which("sbatch"):
        session.run(
            "pytest", "-q", "-m", "slurm", "-n", "2", "--dist", "loadfile", "tests/slurm", env=ENVIRONMENT
        )
    session.run("pytest", "-q", *PARALLEL, *session.posargs, env=ENVIRONMENT)


@nox.session
def slow(session: nox.Session) -> None:
    """The tests marked slow, one after the other with all cores."""
    session.install("-e", ".[test]")
    cores = {key: value for key, value in ENVIRONMENT.items() if not key.endswith("NUM_THREADS")}
    session.run("pytest", "-q", "-m", "slow", *session.posargs, env=cores)


@nox.session
def lint(session: nox.Session) -> None:
    """Style and format."""
    session.install(*nox.project.load_toml("pyproject.toml")["project"]["optional-dependencies"]["dev"])
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
