"""docs/extending.md as a reader follows it: its files are written into a package, its commands are typed."""

import json
import re
import shlex
import subprocess
import textwrap
from pathlib import Path

import pytest
from small_run import NETWORKS, ROOT, VOCODER, run

PAGE = (ROOT / "docs" / "extending.md").read_text()
FILES = dict(re.findall(r"^`(mypkg/\S+)`:\n```\w+\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))
BLOCKS = re.findall(r"^ *```\n(.*?)^ *```$", PAGE, re.MULTILINE | re.DOTALL)
COMMANDS = [
    line
    for block in BLOCKS
    for line in textwrap.dedent(block).splitlines()
    if line.startswith(("python ", "audiolcm ")) and not line.endswith("...")
]
TINY = ["logger=jsonl", "hardware.num_threads=1"]
TRAIN = [
    *TINY, *NETWORKS, *VOCODER, "preview.num_clips=1", "preview.student_steps=[1]", "teacher_sampler.num_steps=2",
    *(f"trainer.{stage}.steps=3" for stage in ("autoencoder", "vocoder", "teacher", "student")),
]  # fmt: skip
EVALUATE = [*TINY, "trainer.evaluator.steps=3"]


def typed(command: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Type a command of the page, small."""
    words = shlex.split(command)
    if words[0] == "audiolcm":
        return run("-m", "audiolcm.commands.cli", *words[1:], cwd=cwd)
    return run(str(ROOT / words[1]), *words[2:], *(TRAIN if words[1] == "train.py" else EVALUATE), cwd=cwd)


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the page's package, where all commands of the page were typed, one after the other."""
    folder = tmp_path_factory.mktemp("reader")
    for name, content in {"mypkg/__init__.py": "", "mypkg/conf/__init__.py": "", **FILES}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)
    for command in COMMANDS:
        done = typed(command, folder)
        assert done.returncode == 0 and "is not available" not in done.stderr, (
            f"{command}\n{(done.stdout + done.stderr)[-3000:]}"
        )
    return folder


def made_from(folder: Path, stage: str) -> list[dict]:
    cards = sorted(folder.glob(f"artifacts/{stage}/*/card.json"), key=lambda path: path.stat().st_mtime)
    return [json.loads(card.read_text())["made_from"] for card in cards]


def test_the_page_shows_every_kind() -> None:
    groups = {str(Path(name).parent.relative_to("mypkg/conf")) for name in FILES if name.endswith(".yaml")}
    assert groups >= {
        "backbone/norm", "solver", "metrics", "dataset", "system", "objective", "objective/distance",
    }  # fmt: skip
    assert len(COMMANDS) == 6
    assert [name for name in FILES if "tones" in name] == ["mypkg/tones.py", "mypkg/conf/dataset/tones.yaml"]


def test_every_class_of_the_page_did_its_work(reader: Path) -> None:
    first, second = made_from(reader, "student")
    assert first["objective"]["distance"]["_target_"] == "mypkg.log_cosh.LogCosh"
    assert second["solver"]["_target_"] == "mypkg.noisy.NoisySolver"
    assert second["objective"]["consistency"]["_target_"] == "mypkg.anchored.AnchoredDistillation"
    assert first["parents"] == second["parents"] and len(made_from(reader, "autoencoder")) == 1
    assert set(first["plugins"]) == {"mypkg.log_cosh"}
    assert set(second["plugins"]) == {"mypkg.noisy", "mypkg.anchored"}
    plain, normed = made_from(reader, "teacher")
    assert "plugins" not in plain and set(normed["plugins"]) == {"mypkg.dynamic_tanh"}
    (metrics,) = reader.glob("runs/evaluate/*/metrics.json")
    row = json.loads(metrics.read_text())["row"]
    assert row["system"] == "beeper" and [score["key"] for score in row["scores"]] == ["coverage"]
    assert row["scores"][0]["value"] == 1 / 8  # one sound for all captions, of eight references
    assert (reader / "tone.wav").is_file()


def test_a_model_allows_nothing_itself(reader: Path) -> None:
    """Its config.yaml says plugins: [mypkg]; without the run's word nothing of it is imported."""
    (student, *_) = reader.glob("artifacts/student/*/config.yaml")
    assert "plugins:\n- mypkg\n" in student.read_text()
    (reader / "mypkg" / "log_cosh.py").write_text("open('imported', 'w')\n" + FILES["mypkg/log_cosh.py"])
    done = run(
        "-m", "audiolcm.commands.cli", "generate", "A tone", "--checkpoint", str(student.parent), cwd=reader
    )
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "is refused: its " in done.stderr and "_target_=mypkg." in done.stderr
    assert "audiolcm generate: --plugins mypkg" in done.stderr
    assert not (reader / "imported").exists()


def test_an_edited_class_makes_another_artifact(reader: Path) -> None:
    path = reader / "mypkg" / "noisy.py"
    (command,) = [command for command in COMMANDS if "solver=noisy" in command]
    path.write_text("# a comment is no other code\n" + FILES["mypkg/noisy.py"])
    assert "All of it was done before" in typed(command, reader).stdout
    path.write_text(FILES["mypkg/noisy.py"].replace("torch.maximum", "torch.minimum"))
    done = typed(command, reader)
    assert "student: training in" in done.stdout and "teacher: done before" in done.stdout
