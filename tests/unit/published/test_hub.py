"""Models of the Hub: fetched from one on this computer, in a process that may talk to it; uploads are recorded."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hub_server import COMMIT, Hub
from huggingface_hub.errors import HfHubHTTPError

from audiolcm.errors import UserError
from audiolcm.published import hub
from audiolcm.published.hub import upload
from audiolcm.published.sources import is_hub_name

FETCH = """
import json, sys
from audiolcm.errors import UserError
from audiolcm.published.hub import fetch
try:
    print(fetch(**json.loads(sys.argv[1])))
except UserError as error:
    sys.exit(str(error))
"""
EXPORT = [
    "README.md", "LICENSE", "card.json", "config.yaml", "model.safetensors", "vocoder/card.json", "vocoder/config.yaml",
    "vocoder/model.safetensors", "text_encoder/t5_tokenizer/tokenizer.json", "text_encoder/t5_tokenizer/spiece.model",
]  # fmt: skip
OTHERS = ["model.bin", "pytorch_model.pt", "run.py", "vocoder/weights.pkl", "teacher.ckpt"]


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Hub]:
    for name in [*EXPORT, *OTHERS]:
        path = tmp_path / "hub/user/dogs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    (tmp_path / "hub/user/other").mkdir()
    (tmp_path / "hub/user/other/model.bin").write_text("x")
    server = Hub(tmp_path / "hub")
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def fetch(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    def run(
        name: str, endpoint: str, offline: str = "0", **settings: Any
    ) -> subprocess.CompletedProcess[str]:
        asked = json.dumps({"name": name, "cache_dir": str(tmp_path / "cache")} | settings)
        environment = os.environ | {
            "HF_ENDPOINT": endpoint,
            "HF_HUB_OFFLINE": offline,
            "HF_HOME": str(tmp_path / "home"),
        }
        command = [sys.executable, "-c", FETCH, asked]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)

    return run


def test_an_export_is_fetched_once_and_nothing_else_of_it(
    served: Hub, fetch: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    done = fetch("user/dogs", served.address)
    assert done.returncode == 0, done.stderr
    folder = Path(done.stdout.strip())
    assert folder.name == COMMIT
    found = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert found == set(served.served) == set(EXPORT)
    served.served.clear()
    for again in (
        fetch("user/dogs", served.address),
        fetch("user/dogs", served.address, offline="1"),
        fetch("user/dogs", "http://127.0.0.1:9", local_files_only=True),
    ):
        assert again.stdout.strip() == str(folder), again.stderr
    assert not served.served


@pytest.mark.parametrize(
    ("name", "settings", "words"),
    [
        ("user/none", {}, "knows no such model or does not show it.*hf auth login"),
        ("user/dogs", {"revision": "v9"}, "user/dogs on the Hub has no revision 'v9'"),
        ("user/other", {}, "no model of audiolcm: it has no card.json"),
        ("user/dogs", {"offline": "1"}, "cannot be fetched.*type `hf download user/dogs`"),
        ("user/dogs", {"local_files_only": True}, "cannot be fetched.*copy an exported folder"),
        ("user/dogs", {"endpoint": "http://127.0.0.1:9"}, "cannot be fetched.*Connection refused"),
    ],
)
def test_what_the_hub_does_not_give_is_one_message(
    served: Hub,
    fetch: Callable[..., subprocess.CompletedProcess[str]],
    name: str,
    settings: dict[str, Any],
    words: str,
) -> None:
    done = fetch(name, **({"endpoint": served.address} | settings))
    assert done.returncode == 1
    assert re.search(words, done.stderr), done.stderr
    assert "Traceback" not in done.stderr


def test_names_of_the_hub_are_told_from_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "artifacts").mkdir()
    assert is_hub_name("user/dogs") and is_hub_name("A-user/dogs.v2_b")
    paths = [
        "artifacts",
        "artifacts/typo",
        "./dogs",
        "/user/dogs",
        "a/b/c",
        "~/dogs",
        "user/dogs@3",
        "user/maa2.ckpt",
    ]
    assert not any(map(is_hub_name, [*paths, "published:audiolcm", "../dogs", Path("user/dogs")]))


class RecordingApi:
    """Stands for the Hub's client: keeps what it was told, and what the folder held."""

    calls: list[tuple[str, dict[str, Any]]]
    error: Exception | None

    def __init__(self, token: str | None = None) -> None:
        self.calls.append(("token", {"token": token}))

    def create_repo(self, repo_id: str, **settings: Any) -> Any:
        if self.error is not None:
            raise self.error
        self.calls.append(("create_repo", {"repo_id": repo_id} | settings))
        return hub_url(f"https://huggingface.co/{repo_id}")

    def upload_folder(self, folder_path: Path, **settings: Any) -> None:
        files = {str(path.relative_to(folder_path)): path.read_text() for path in folder_path.rglob("*")}
        self.calls.append(("upload_folder", {"files": files} | settings))


def hub_url(address: str) -> Any:
    from huggingface_hub import RepoUrl

    return RepoUrl(address)


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> type[RecordingApi]:
    monkeypatch.setattr(hub, "HfApi", RecordingApi)
    RecordingApi.calls, RecordingApi.error = [], None
    return RecordingApi


def write(folder: Path, name: str) -> Path:
    folder.mkdir()
    (folder / "README.md").write_text(f"# {name}")
    return folder


def test_the_exported_folder_is_uploaded(api: type[RecordingApi]) -> None:
    assert upload(write, "user/dogs", True, "hf_x", "Dogs") == "https://huggingface.co/user/dogs"
    (_, token), (_, created), (_, uploaded) = api.calls
    assert token == {"token": "hf_x"}
    assert created == {"repo_id": "user/dogs", "private": True, "exist_ok": True}
    assert uploaded["files"] == {"README.md": "# user/dogs"}
    assert (uploaded["repo_id"], uploaded["commit_message"]) == ("user/dogs", "Dogs")
    assert "text_encoder/*_tokenizer/*.json" in uploaded["delete_patterns"]


@pytest.mark.parametrize(
    "error", [ConnectionError("no way"), ValueError("bad name"), HfHubHTTPError.__bases__[0]("refused")]
)
def test_an_upload_that_fails_is_one_message(api: type[RecordingApi], error: Exception) -> None:
    api.error = error
    with pytest.raises(
        UserError, match=f"user/dogs cannot be uploaded .*{error}.*hf auth login.*save_pretrained"
    ):
        upload(write, "user/dogs", False, None, "Dogs")
