"""Exported models on the Hugging Face Hub: fetched without any file that could run code, and uploaded."""

import tempfile
from collections.abc import Callable
from pathlib import Path

from huggingface_hub import HfApi, errors, snapshot_download

from audiolcm.errors import UserError
from audiolcm.published.export import CARD, CONFIG, LICENSE, README, WEIGHTS

FILES = [
    *(prefix + name for prefix in ("", "*/") for name in (CARD, CONFIG, WEIGHTS)),
    README,
    LICENSE,
    *(f"text_encoder/*_tokenizer/{name}" for name in ("*.json", "*.txt", "spiece.model")),
]
"""What an export consists of: text and safetensors, no pickles and no code."""

# The library's errors of the network have no base class of its own: its HTTP client's, OSError, ValueError.
_HUB_ERRORS: tuple[type[Exception], ...] = (*errors.HfHubHTTPError.__bases__, ValueError)


def fetch(
    name: str,
    revision: str | None = None,
    token: str | bool | None = None,
    cache_dir: str | Path | None = None,
    local_files_only: bool = False,
) -> Path:
    """Return the folder of an exported model of the Hub, downloaded once.

    Raises:
        UserError: no such model or revision, a private one, no network, or another kind of model; says what to type.
    """
    try:
        folder = snapshot_download(
            name,
            revision=revision,
            token=token,
            cache_dir=cache_dir,
            local_files_only=local_files_only,
            allow_patterns=FILES,
        )
    except _HUB_ERRORS as error:
        raise UserError(_why_not_fetched(name, revision, error)) from error
    if not (Path(folder) / CARD).is_file():
        raise UserError(
            f"{name} on the Hub is no model of audiolcm: it has no {CARD}. Give one that `audiolcm export` or "
            "push_to_hub made."
        )
    return Path(folder)


def _why_not_fetched(name: str, revision: str | None, error: Exception) -> str:
    if isinstance(error, errors.RevisionNotFoundError):
        return f"{name} on the Hub has no revision {revision!r}: see https://huggingface.co/{name}/tree/main."
    if isinstance(error, errors.RepositoryNotFoundError | errors.HFValidationError):
        return (
            f"There is no folder {name} here, and the Hub knows no such model or does not show it: check the name at "
            f"https://huggingface.co/{name}. For a private or gated one type `hf auth login`, or give token=..."
        )
    return (
        f"There is no folder {name} here, and it cannot be fetched from the Hub ({_first_line(error)}). On a computer "
        f"with a network type `hf download {name}` (HF_HUB_OFFLINE must not be set), or copy an exported folder here "
        "and give its path."
    )


def upload(
    write: Callable[[Path, str], Path],
    repo_id: str,
    private: bool,
    token: str | bool | None,
    commit_message: str,
) -> str:
    """Upload the folder that ``write`` makes of a path and a name, and return the address of its page.

    Files of an earlier export that it has no more are removed there.

    Raises:
        UserError: no network, no right to write there, or a name that the Hub does not take; says what to type.
    """
    with tempfile.TemporaryDirectory() as place:
        folder = write(Path(place) / "model", repo_id)
        api = HfApi(token=token)
        try:
            repository = api.create_repo(repo_id, private=private, exist_ok=True)
            api.upload_folder(
                repo_id=repository.repo_id,
                folder_path=folder,
                commit_message=commit_message,
                delete_patterns=FILES,
            )
        except _HUB_ERRORS as error:
            raise UserError(
                f"{repo_id} cannot be uploaded to the Hub ({_first_line(error)}). Type `hf auth login` with a token "
                "that may write, or give token=...; a name is user/model. Without a network: save_pretrained(folder), "
                f"and later `hf upload {repo_id} folder`."
            ) from error
    return str(repository)


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
