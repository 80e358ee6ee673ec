"""The commands as a user types them, in subprocesses, with no network: train, resume, sweep, generate, prepare."""

import json
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from small_run import ROOT, SMALL, digest, ended, run, start, student_of, train, type_all


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained")
    done = train(folder)
    assert done.returncode == 0, done.stderr[-3000:]
    return folder


def test_main_job_leaves_all_it_promises(trained: Path) -> None:
    run_folder = next((trained / "runs").iterdir())
    assert (run_folder / "summary.md").read_text().count("audiolcm generate") == 1
    assert (run_folder / "index.html").read_text().count("<audio") == 8
    assert f"Look and listen: {run_folder / 'index.html'}" in (run_folder / "train.log").read_text()
    assert {p.name for p in (run_folder / "samples").glob("00_*.wav")} == {
        "00_true.wav", "00_reconstruction.wav", "00_teacher.wav", "00_student_2step.wav",
    }  # fmt: skip
    assert len(list((run_folder / "samples").glob("*.png"))) == 8
    for stage in ("autoencoder", "vocoder", "teacher", "student"):
        (card,) = trained.glob(f"artifacts/{stage}/*/card.json")
        facts = json.loads(card.read_text())
        assert facts["hardware"]
        assert facts["code"]
        assert (card.parent / "metrics.jsonl").read_text().strip()
        assert not list(card.parent.glob("checkpoints/*.safetensors"))


def test_second_call_returns_at_once(trained: Path) -> None:
    weights = digest(student_of(trained) / "model.safetensors")
    began = time.monotonic()
    again = train(trained)
    assert again.returncode == 0, again.stderr[-2000:]
    assert "done before" in again.stderr + again.stdout
    assert time.monotonic() - began < 60  # far below a training, whatever else the machine does
    assert digest(student_of(trained) / "model.safetensors") == weights


def test_generate_is_deterministic_and_of_the_asked_length(trained: Path) -> None:
    command = ["-m", "audiolcm.commands.cli", "generate", "A dog barks", "--steps", "2", "--omega", "4"]
    command += ["--duration", "2.5", "--seed", "3", "--checkpoint", str(student_of(trained))]
    for name in ("a.wav", "b.wav"):
        done = run(*command, "-o", name, cwd=trained)
        assert done.returncode == 0, done.stderr[-2000:]
    assert digest(trained / "a.wav") == digest(trained / "b.wav")
    sound, rate = sf.read(trained / "a.wav")
    assert (rate, sound.shape) == (16000, (40000,))
    assert np.isfinite(sound).all()


def test_generate_many_from_a_file(trained: Path) -> None:
    (trained / "captions.txt").write_text("rain\n\na bell rings\nwind\n")
    command = ["-m", "audiolcm.commands.cli", "generate", "--from-file", "captions.txt", "--duration", "1"]
    done = run(*command, "--batch-size", "2", "-o", "many", cwd=trained)
    assert done.returncode == 0, done.stderr[-2000:]
    assert sorted(p.name for p in (trained / "many").iterdir()) == ["000.wav", "001.wav", "002.wav"]


def test_structured_caption_is_heard(trained: Path) -> None:
    command = ["-m", "audiolcm.commands.cli", "generate", "a bell rings then rain falls", "--duration", "1"]
    for name, structured in {
        "fallback": "<a bell rings then rain falls& all>",
        "given": "<bell& start>@<rain& end>",
    }.items():
        done = run(*command, "--structured", structured, "-o", f"{name}.wav", cwd=trained)
        assert done.returncode == 0, done.stderr[-2000:]
    assert run(*command, "-o", "plain.wav", cwd=trained).returncode == 0
    assert digest(trained / "plain.wav") == digest(trained / "fallback.wav") != digest(trained / "given.wav")


def test_classes_are_generated_by_name_and_kept(trained: Path) -> None:
    command = ["-m", "evaluation.generate", "--clips-per-class", "1", "--steps", "1", "-o", "classes"]
    done = run(*command, cwd=trained)
    assert done.returncode == 0, done.stderr[-2000:]
    made = sorted((trained / "classes").iterdir())
    assert made
    assert all(path.name.endswith("__0.wav") for path in made)
    kept = made[0].stat().st_mtime_ns
    made[-1].unlink()
    run(*command, cwd=trained)
    assert made[-1].exists()
    assert made[0].stat().st_mtime_ns == kept


def test_sweep_shares_the_teacher_and_survives_a_failing_job(trained: Path) -> None:
    sweep = train(trained, "-m", "solver.k=5,3,50")
    assert sweep.returncode == 1, sweep.stderr[-2000:]
    (table,) = (path.read_text() for path in (trained / "runs/sweep").glob("summary-k-5+3+50*.md"))
    assert "solver.k=3 does not divide" in table
    assert table.count("artifacts/student") == 2
    assert "## Next" not in sweep.stdout + sweep.stderr, "a sweep says once at its end what comes next"
    assert len(list(trained.glob("artifacts/teacher/*"))) == 1
    names = {p.name for p in (trained / "runs/sweep").iterdir() if p.is_dir()}
    assert len(names) == 3


def test_given_teacher_brings_its_autoencoder_and_must_fit(trained: Path) -> None:
    (card,) = trained.glob("artifacts/teacher/*/card.json")
    given = f"parents.teacher={card.parent}"
    before = set(trained.glob("artifacts/*/*"))
    done = train(trained, given, "seed=1", "solver.k=10")
    assert done.returncode == 0, done.stderr[-2000:]
    added = set(trained.glob("artifacts/*/*")) - before
    assert {folder.parent.name for folder in added} <= {"student", "vocoder"}
    refused = train(trained, given, "schedule=linear")
    assert refused.returncode == 1
    assert "another schedule" in refused.stdout + refused.stderr


BAD_INPUT = [
    (["solver.k=7"], "does not divide"),
    (["solver.k=0"], "out of range"),
    (["guidance.w_min=12", "guidance.w_max=4"], "reversed"),
    (["model=huge"], "There is no model=huge."),
    (["trainr=smoke"], "Did you mean 'trainer'?"),
    (["-m", "model.widht=1,2"], "Did you mean 'model.width'?"),
    (["hydra.job.chdir=true"], "hydra.job.chdir=true is refused"),
    (["dataset=manifest", "dataset.root=/nowhere"], "/nowhere"),
    (["parents.teacher=/nowhere"], "/nowhere"),
    (["sampler.num_steps=51"], "1 to 50"),
    (["hardware.precision=float8"], "bfloat16"),
]


@pytest.fixture(scope="module")
def refused(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one for each row of BAD_INPUT, by number, where it was typed."""
    folder, lines = tmp_path_factory.mktemp("refused"), []
    for number, (overrides, _) in enumerate(BAD_INPUT):
        (folder / str(number)).mkdir()
        has_dataset = overrides[0].startswith("dataset=")
        options = [option for option in SMALL if not (has_dataset and option.startswith("dataset."))]
        lines.append([str(folder / str(number)), str(ROOT / "train.py"), *overrides, *options])
    type_all(lines)
    return folder


@pytest.mark.parametrize("number", range(len(BAD_INPUT)), ids=[words[-1] for words, _ in BAD_INPUT])
def test_bad_input_is_one_message_and_a_failure(refused: Path, number: int) -> None:
    code, output = ended(refused / str(number), number)
    assert code != 0
    assert BAD_INPUT[number][1] in output
    assert "Traceback" not in output
    assert not list((refused / str(number)).glob("artifacts/*/*/card.json"))


def test_generate_without_a_run_says_what_to_do(tmp_path: Path) -> None:
    done = run("-m", "audiolcm.commands.cli", "generate", "rain", "--checkpoint", "artifacts", cwd=tmp_path)
    assert done.returncode == 1
    assert "train.py" in done.stderr
    assert "Traceback" not in done.stderr


def test_captions_in_another_encoding_are_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "captions.txt").write_bytes("un café\n".encode("latin-1"))
    done = run("-m", "audiolcm.commands.cli", "generate", "--from-file", "captions.txt", cwd=tmp_path)
    assert done.returncode == 1
    assert "captions.txt is not UTF-8" in done.stderr
    assert "Traceback" not in done.stderr


def test_help_is_short_and_quick() -> None:
    done = run(str(ROOT / "train.py"), "--help", cwd=ROOT)
    assert done.returncode == 0
    modules = run("-X", "importtime", str(ROOT / "train.py"), "--help", cwd=ROOT).stderr
    assert "| torch\n" not in modules, "importing torch makes --help slow"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--seed", "9" * 30], "--seed 9"),
        (["--omega", "nan"], "--omega nan is out of range"),
        (["--from-file", "x" * 300], "its name is too long"),
        (["--checkpoint", "x" * 300], "its name is too long"),
        (["-o", "file/x.wav"], "file is in the way"),
        (["wind", "-o", "file"], "file is in the way"),
        (["-o", "x" * 300], "too long"),
    ],
)
def test_generate_refuses_in_one_message(trained: Path, arguments: list[str], words: str) -> None:
    (trained / "file").touch()
    done = run("-m", "audiolcm.commands.cli", "generate", "rain", *arguments, "--duration", "1", cwd=trained)
    assert done.returncode == 1
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_a_run_folder_that_can_not_be_made_is_one_message(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for mode in ([], ["-m"]):
        done = train(tmp_path, *mode, f"paths.runs={tmp_path / 'file'}")
        assert done.returncode == 1
        assert "paths.runs=" in done.stderr
        assert "Traceback" not in done.stderr


def test_ctrl_c_is_no_stack_trace_and_the_command_goes_on(trained: Path, tmp_path: Path) -> None:
    process = start(tmp_path, "trainer.teacher.steps=2000")
    deadline = time.monotonic() + 300
    while not list((tmp_path / "artifacts").glob("teacher/*/checkpoints/*")) and process.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=120) == 130
    text = (tmp_path / "log").read_text()
    assert text.count("he same command goes on") == 1
    assert "Traceback" not in text


def test_a_second_process_says_that_it_waits(tmp_path: Path) -> None:
    """It waits for the first one's lock, and goes on when that is gone."""
    script = (
        "import logging, sys; from audiolcm.storage.leases import exclusive; logging.basicConfig(level=20)\n"
        "with exclusive('x'): print('in', flush=True); sys.stdin.read()"
    )
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", script], cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True,
        )
        for _ in range(2)
    ]  # fmt: skip
    readable, _, _ = select.select([process.stdout for process in processes], [], [], 60)
    first = next(process for process in processes if process.stdout is readable[0])
    second = next(process for process in processes if process is not first)
    assert "waiting for it" in second.stderr.readline()
    first.communicate("")
    assert second.communicate("")[0] == "in\n"


def test_prepare_of_no_usable_clip_fails(tmp_path: Path) -> None:
    (tmp_path / "manifest.tsv").write_text("name\taudio_path\tcaption\n")
    done = run(
        "-m", "audiolcm.commands.cli", "prepare", "dataset=manifest", f"dataset.root={tmp_path}", cwd=tmp_path
    )
    assert done.returncode == 1
    assert "holds no usable clip" in done.stderr
    assert "Traceback" not in done.stderr
