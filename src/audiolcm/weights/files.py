"""Published weights: what is known of a file, and how it gets here."""

import http.client
import logging
import os
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from audiolcm.errors import UserError
from audiolcm.storage.files import TEMPORARY_SUFFIX, explained
from audiolcm.storage.leases import exclusive
from audiolcm.weights.deadline import within
from audiolcm.weights.place import weights_folder
from audiolcm.weights.reading import not_weights, sha256

log = logging.getLogger(__name__)

_TIMEOUT = 30.0  # seconds without a byte, or with fewer than these:
_SLOWEST = 1000  # bytes a second
_WAITS = (1.0, 4.0, 16.0)  # seconds before another try; a try that was not all too slow starts them again
_PASSING = {408, 425, 429, 500, 502, 503, 504}  # answers of a server that may be well soon
_HUB = "https://huggingface.co"
_BLOCK = 1 << 20


@dataclass(frozen=True)
class WeightsFile:
    """One published file.

    Attributes:
        name: a word, such as ``vggish``.
        url: where it is.
        filename: what it is called here.
        license: of the weights, with its limits.
        size: bytes; None where nobody published them.
        sha256: hexadecimal; None where nobody published it.
    """

    name: str
    url: str
    filename: str
    license: str
    size: int | None = None
    sha256: str | None = None


class _BrokenDownload(Exception):
    """A server that sent not all of the file."""


class _NoFile(Exception):
    """A server that sent something else."""


def obtain(
    file: WeightsFile,
    override: str,
    path: str | None = None,
    folder: Path | None = None,
    exactly: bool = False,
) -> Path:
    """Return the file: ``path`` if given, else from the cache folder, else downloaded into it.

    A download that was broken off goes on where it stopped. Files of the cache folder must be the published ones, to
    the last bit; a given path may be another file of the same network, which is said in the log.

    Args:
        file: what is known of it.
        override: what a user types to give a path, for the messages.
        path: a file that is there already.
        folder: the cache folder; None takes ``$AUDIOLCM_WEIGHTS`` or ``~/.cache/audiolcm/weights``.
        exactly: refuse another file at ``path`` too, as where a library runs whatever the file says.

    Raises:
        UserError: when the file is not what it should be, or it cannot be downloaded; says URL, target and what to
            type.
    """
    if path is not None:
        return _given(file, Path(path), exactly)
    target = weights_folder(folder) / file.filename
    way_out = how_to_get(file, target, override)
    if not target.is_file():
        with exclusive(target.parent):
            if not target.is_file():  # nobody else brought it while this process waited
                _download(file, target, way_out)
    elif fault := _fault(file, target):
        raise UserError(f"{target} is not the published file of {file.name}: {fault}. Remove it. {way_out}")
    return target


def how_to_get(file: WeightsFile, target: Path, override: str) -> str:
    """Return the sentences that tell a user how to get the file: from where, whereto, or how to give it by path."""
    size = "" if file.size is None else f"{file.size / 1e6:.0f} MB, "
    mirror = " (a mirror of the hub: HF_ENDPOINT=URL)" if file.url.startswith(_HUB) else ""
    return f"Download {file.url} ({size}license {file.license}) to {target}{mirror}, or give {override}"


def _given(file: WeightsFile, path: Path, exactly: bool) -> Path:
    if not path.is_file():
        raise UserError(
            f"There is no file {path}: give the path of the {file.name} weights ({file.filename})."
        )
    if fault := not_weights(path):
        raise UserError(f"{path} is no file of weights: {fault}. Get {file.url} again.")
    if fault := _fault(file, path):
        if exactly:
            raise UserError(
                f"{path} is not the published file of {file.name}: {fault}. Get {file.url} again."
            )
        log.warning("%s is not the published file of %s: %s.", path, file.name, fault)
    return path


def _fault(file: WeightsFile, path: Path) -> str | None:
    """Say what is wrong with the file; None when nothing is."""
    if fault := not_weights(path):
        return fault
    size = path.stat().st_size
    if file.size is not None and size != file.size:
        return f"it has {size:,} bytes, not {file.size:,}"
    if file.sha256 is not None and (digest := sha256(path)) != file.sha256:
        return f"its SHA-256 is {digest}, not {file.sha256}"
    return None


def _download(file: WeightsFile, target: Path, way_out: str) -> None:
    partial = target.with_name(target.name + TEMPORARY_SUFFIX)
    failed = f"The weights {file.name} cannot be downloaded"
    try:
        _fetch_patiently(file, partial)
        if fault := _fault(file, partial):
            partial.unlink()
            raise UserError(f"{failed}: what came is not the published file, {fault}. {way_out}")
        with partial.open("rb") as content:
            os.fsync(content.fileno())
        partial.replace(target)
    except (OSError, http.client.HTTPException, _BrokenDownload, _NoFile) as error:
        if isinstance(error, OSError) and (of_disk := explained(error, target)):
            raise of_disk from error
        raise UserError(f"{failed} ({error or type(error).__name__}). {way_out}") from error


def _fetch_patiently(file: WeightsFile, partial: Path) -> None:
    """Bring the file to ``partial``; what passes (silence, a broken connection, a busy server) is tried again."""
    waits = iter(_WAITS)
    while True:
        before = _size(partial)
        try:
            return _fetch(file, partial)
        except (OSError, http.client.HTTPException, _BrokenDownload) as error:
            if not _may_pass(error):
                raise
            waits = iter(_WAITS) if _size(partial) > before + _SLOWEST * _TIMEOUT else waits
            wait = next(waits, None)
            if wait is None:
                raise
            log.warning("%s: %s; next try in %.0f s.", file.url, error or type(error).__name__, wait)
            time.sleep(wait)


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _may_pass(error: Exception) -> bool:
    """Return whether another try makes sense: not without a network, a server or the file."""
    if isinstance(error, urllib.error.HTTPError):
        return error.code in _PASSING
    cause = error.reason if isinstance(error, urllib.error.URLError) else error
    passing = (TimeoutError, ConnectionResetError, http.client.HTTPException, _BrokenDownload)
    return isinstance(cause, passing)


def _address(file: WeightsFile) -> str:
    """Return where to fetch it from: of files of the hub ``$HF_ENDPOINT`` may name a mirror."""
    mirror = os.environ.get("HF_ENDPOINT", "").rstrip("/")
    return f"{mirror}{file.url.removeprefix(_HUB)}" if mirror and file.url.startswith(_HUB) else file.url


def _fetch(file: WeightsFile, partial: Path) -> None:
    """Bring the file to ``partial``, of which a start may be there; what comes is kept even if the rest does not."""
    have = _size(partial)
    if have and have == file.size:
        return
    request = urllib.request.Request(_address(file), headers={"User-Agent": "audiolcm"})
    if have:
        request.add_header("Range", f"bytes={have}-")
    try:
        response = within(_TIMEOUT, lambda: urllib.request.urlopen(request, timeout=_TIMEOUT))
    except urllib.error.HTTPError as error:
        if error.code != http.client.REQUESTED_RANGE_NOT_SATISFIABLE:
            raise
        partial.unlink()  # it is longer than the file: some other file, or complete but of unknown size
        return _fetch(file, partial)
    with response:
        if response.headers.get_content_type() == "text/html":
            raise _NoFile("the server sent a web page")
        if response.status != http.client.PARTIAL_CONTENT:
            have = 0  # this server only sends whole files
        length = response.headers.get("Content-Length", "")
        total = have + int(length) if length.isdecimal() else file.size
        with (
            partial.open("ab" if have else "wb") as out,
            tqdm(desc=file.filename, total=total, initial=have, unit="B", unit_scale=True) as bar,
        ):
            for block in _blocks(response):
                out.write(block)
                bar.update(len(block))
                if file.size is not None and out.tell() > file.size:
                    out.flush()
                    reason = not_weights(partial) or f"more came than the {file.size:,} bytes of the file"
                    partial.unlink()
                    raise _NoFile(reason)
    if total is not None and (size := partial.stat().st_size) < total:
        raise _BrokenDownload(
            f"the connection broke after {size:,} of {total:,} bytes: the same command goes on there"
        )


def _blocks(response: http.client.HTTPResponse) -> Iterator[bytes]:
    """Yield what comes, as long as it is not all too slow."""
    began, came = time.monotonic(), 0
    while block := response.read1(_BLOCK):
        yield block
        came += len(block)
        if (passed := time.monotonic() - began) > _TIMEOUT:
            if came < _SLOWEST * passed:
                raise _BrokenDownload(f"fewer than {_SLOWEST:,} bytes a second came")
            began, came = time.monotonic(), 0
