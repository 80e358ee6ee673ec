"""The Python API and ``audiolcm export`` as people use them, in processes of their own; and what these load."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from small_run import ENVIRONMENT, ROOT, digest, run, student_of, train_command

GENERATE = ["generate", "A dog barks", "--steps", "2", "--duration", "2", "--seed", "3"]
LOADED = """
import atexit, json, runpy, sys
path, *words = sys.argv[1:]
atexit.register(lambda: open(path, "w").write(json.dumps(sorted(sys.modules))))
sys.argv = words
if words[0] == "-c":
    exec(words[1])
elif words[0] == "audiolcm":
    runpy.run_module("audiolcm.commands.cli", run_name="__main__")
else:
    runpy.run_path(words[0], run_name="__main__")
"""
# Packages that take long to import, and our own that generation has no use for.
FRAMEWORKS = {"torch", "numpy", "scipy", "librosa", "soundfile"}
UNUSED = {
    "transformers", "torchaudio", "torchvision", "pandas", "matplotlib", "pyarrow", "wandb", "submitit", "sklearn",
    "huggingface_hub", "laion_clap", "frechet_audio_distance",
}  # fmt: skip
SLOW = {
    "hydra", "omegaconf", "antlr4", "scipy", "librosa", "numba", "sympy", "torch._dynamo", "torch._inductor",
}  # fmt: skip
"""What a sound needs neither, but a training or an evaluation may."""
TRAINING = {
    "torch.distributed.fsdp", "audiolcm.objectives", "audiolcm.stages", "audiolcm.jobs.run",
    "audiolcm.training.loop", "audiolcm.training.parallel", "audiolcm.training.wandb_service", "audiolcm.data.foley",
    "audiolcm.data.corpora", "audiolcm.published.convert", "audiolcm.published.export", "audiolcm.models.clap_t5",
}  # fmt: skip


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained")
    loaded(folder, *train_command()[1:], path="whole.json")
    return folder


def loaded(folder: Path, *words: str, path: str = "modules.json", code: int = 0) -> set[str]:
    """The modules that a command, run in a folder, has loaded when it ends; they are kept there."""
    done = run("-c", LOADED, path, *words, cwd=folder)
    assert done.returncode == code, done.stderr[-3000:]
    return set(json.loads((folder / path).read_text()))


@pytest.mark.parametrize(
    ("words", "needless"),
    [
        (["-c", "import audiolcm; audiolcm.__version__"], FRAMEWORKS | UNUSED | TRAINING | {"hydra", "yaml"}),
        (["audiolcm", "--help"], FRAMEWORKS | UNUSED | TRAINING | {"hydra", "yaml"}),
        (["audiolcm", "--version"], FRAMEWORKS | UNUSED | TRAINING | {"hydra", "yaml"}),
        ([str(ROOT / "train.py"), "--help"], FRAMEWORKS | UNUSED | TRAINING),
        ([str(ROOT / "evaluate.py"), "--help"], FRAMEWORKS | UNUSED | TRAINING),
        (["-c", "from audiolcm import AudioLCM"], UNUSED | TRAINING | SLOW),
    ],
)
def test_what_an_entry_point_does_not_load(tmp_path: Path, words: list[str], needless: set[str]) -> None:
    assert not loaded(tmp_path, *words) & needless


@pytest.mark.parametrize("words", [("train.py", "solver.k=7"), ("evaluate.py", "seeds=[0,0]")])
def test_what_is_refused_at_once_loads_nothing_slow(tmp_path: Path, words: tuple[str, ...]) -> None:
    found = loaded(tmp_path, str(ROOT / words[0]), *words[1:], "logger=jsonl", code=1)
    assert "audiolcm.jobs.run" in found
    slow = {"transformers", "sympy", "torch._dynamo", "torch.distributed.fsdp", "scipy.signal", "numba"}
    assert not found & slow


def test_generating_loads_no_training_code(trained: Path) -> None:
    found = loaded(trained, "audiolcm", *GENERATE, "-o", "loaded.wav")
    assert "audiolcm.pipeline" in found
    assert not found & (UNUSED | TRAINING | SLOW)


def test_a_finished_run_and_a_whole_one_load_no_transformers(trained: Path) -> None:
    finished = loaded(trained, *train_command()[1:])
    assert "audiolcm.jobs.run" in finished
    assert not finished & {
        "transformers", "torchaudio", "torchvision", "pandas", "matplotlib", "wandb", "librosa",
        "audiolcm.stages.recipe",
    }  # fmt: skip
    whole = set(json.loads((trained / "whole.json").read_text()))
    assert "audiolcm.jobs.preview" in whole
    assert not whole & {"transformers", "torchaudio", "torchvision", "wandb", "audiolcm.models.clap_t5"}


def test_an_export_sounds_the_same_elsewhere_without_its_artifacts(trained: Path, tmp_path: Path) -> None:
    work = tmp_path / "alice"
    shutil.copytree(trained / "artifacts", work / "artifacts")
    made = run(
        "-m", "audiolcm.commands.cli", *GENERATE, "--checkpoint", "artifacts", "-o", "before.wav", cwd=work
    )
    assert made.returncode == 0, made.stderr
    exported = run("-m", "audiolcm.commands.cli", "export", "artifacts", "-o", "dogs", cwd=work)
    assert exported.returncode == 0, exported.stderr
    elsewhere = tmp_path / "bob"
    elsewhere.mkdir()
    (work / "dogs").rename(elsewhere / "model")
    (work / "before.wav").rename(elsewhere / "before.wav")
    shutil.rmtree(work)
    after = run(
        "-m", "audiolcm.commands.cli", *GENERATE, "--checkpoint", "model", "-o", "after.wav", cwd=elsewhere
    )
    assert after.returncode == 0, after.stderr
    assert digest(elsewhere / "before.wav") == digest(elsewhere / "after.wav")
    files = {
        str(path.relative_to(elsewhere / "model"))
        for path in (elsewhere / "model").rglob("*")
        if path.is_file()
    }
    parts = ("", "autoencoder/", "vocoder/")
    names = ("card.json", "config.yaml", "model.safetensors")
    assert files == {"README.md", "LICENSE", *(part + name for part in parts for name in names)}
    for path in (elsewhere / "model").rglob("*"):
        if path.is_file():
            assert not re.search(rb"alice|pytest-of|/tmp/", path.read_bytes()), path


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["export", "artifacts", "-o", "artifacts"], "holds no earlier export"),
        (["export", "artifacts/typo", "-o", "x"], "artifacts/typo holds no artifact"),
        (["export", "artifacts", "-o", "x", "--vocoder", "nowhere"], "nowhere holds no artifact"),
        (["generate", "rain", "--checkpoint", "nobody/nothing"], "There is no folder nobody/nothing here"),
        (["generate", "rain", "--steps", "0"], "steps=0 must be 1 or more"),
    ],
)
def test_a_mistake_is_one_message(trained: Path, words: list[str], message: str) -> None:
    done = run("-m", "audiolcm.commands.cli", *words, cwd=trained)
    assert done.returncode == 1
    assert message in done.stderr and "Traceback" not in done.stderr
    assert not (trained / "x").exists()


def test_an_export_is_a_checkpoint_and_a_parent_like_any(trained: Path) -> None:
    exported = run(
        "-m", "audiolcm.commands.cli", "export", str(student_of(trained)), "-o", "mine", cwd=trained
    )
    assert exported.returncode == 0, exported.stderr
    code = (
        "from audiolcm.published.models import open_model; print(open_model('mine').parent('vocoder').folder)"
    )
    assert run("-c", code, cwd=trained).stdout.strip() == "mine/vocoder"


def test_the_examples_of_the_page_run(trained: Path) -> None:
    page = (ROOT / "docs" / "python_api.md").read_text()
    examples = [code for code in re.findall(r"```python\n(.*?)```", page, re.DOTALL) if "user/" not in code]
    assert len(examples) >= 2
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(examples)],
        cwd=trained,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert (trained / "dog.wav").stat().st_size > 60_000
    assert sorted(path.name for path in (trained / "sounds").iterdir()) == ["000.wav", "001.wav"]
