"""What stands in a batch script means what it meant in the configuration."""

import errno
import subprocess
from pathlib import Path

import pytest

from audiolcm.errors import UserError
from audiolcm.sweeps.slurm import submission
from audiolcm.sweeps.slurm.shared_parents import Planned
from audiolcm.sweeps.slurm.submission import Order, Submitted, _parameters, submit

SETTINGS = dict.fromkeys(
    ("partition", "account", "qos", "constraint", "gres", "gpus_per_node", "mail_user", "mail_type", "mem_gb",
     "max_parallel"),
) | {
    "name": "x", "timeout_min": 1, "signal_delay_s": 1, "nodes": 1, "tasks_per_node": 1, "cpus_per_task": 1,
    "requeue": True, "setup": [], "additional_parameters": {},
}  # fmt: skip


@pytest.mark.parametrize(
    "group",
    ["my sweep of today", "$(touch owned)", "`touch owned`", "a; touch owned", 'it\'s "odd" \\', "", "#"],
)
def test_a_group_reaches_the_run_as_it_was_typed(group: str, tmp_path: Path) -> None:
    lines = _parameters(SETTINGS | {"group": group}, None, tmp_path / "a b's $HOME")["setup"]
    script = "\n".join([*lines, 'printf "%s" "$WANDB_RUN_GROUP|$PYTHONPATH"'])
    found = subprocess.run(["bash", "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert found.stdout.startswith(f"{group}|{tmp_path}/a b's $HOME/src:")
    assert not list(tmp_path.iterdir())


def test_a_full_disk_is_told_and_what_was_submitted_is_cancelled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def submitted_once(orders: list[Order], *_: object) -> list[Submitted]:
        if orders[0].job == "second":
            raise OSError(errno.ENOSPC, "No space left on device")
        return [Submitted("first", "", "7", None, (), "", None, "", "")]

    called = []
    monkeypatch.setattr(submission, "_submit_batch", submitted_once)
    monkeypatch.setattr(submission.subprocess, "run", lambda command, check: called.append(command))
    orders = [Order(name, tmp_path, (), ()) for name in ("first", "second")]
    plan = [Planned((0, 1), "teacher", None), Planned((1,), None, 0)]
    with pytest.raises(UserError, match="No space left on the disk"):
        submit(orders, plan, tmp_path, tmp_path, SETTINGS)
    assert called == [["scancel", "7"]]


@pytest.mark.parametrize("name", ["50%", "a\nb", "back\\slash", "\udc80"])
def test_a_folder_that_slurm_would_read_as_another_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="reads the folder .* as another one"):
        submit([], [], tmp_path / name, tmp_path, SETTINGS)
