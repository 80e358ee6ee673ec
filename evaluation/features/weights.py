"""Published weights: where each file comes from, what it should be, and how it gets here.

Sizes and SHA-256 are those that the publishers state (on the pages of the files, or in torchvggish's file name, which
begins with its hash) or that several independent users of the file agree on.
"""

import http.client
import logging
import os
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from audiolcm.errors import UserError
from audiolcm.files import TEMPORARY_SUFFIX, exclusive, explained
from evaluation.features.checkpoints import sha256

log = logging.getLogger(__name__)

FOLDER_VARIABLE = "AUDIOLCM_WEIGHTS"
_TIMEOUT = 60.0  # seconds without a byte
_BLOCK = 1 << 20
_POINTER = b"version https://git-lfs"
_WEB_PAGE = (b"<!doctype html", b"<html")


@dataclass(frozen=True)
class WeightsFile:
    """One published file.

    name: a word, such as ``vggish``.  size: bytes, sha256: hexadecimal; None where nobody published them.
    license: of the weights, with its limits.
    """

    name: str
    url: str
    filename: str
    license: str
    size: int | None = None
    sha256: str | None = None


_VGGISH = "https://github.com/harritaylor/torchvggish/releases/download/v0.1/vggish-10086976.pth"
_PANNS = "https://zenodo.org/records/3987831/files/"
_LAION = "https://huggingface.co/lukewys/laion_clap/resolve/main/"
_MSCLAP = "https://huggingface.co/microsoft/msclap/resolve/main/CLAP_weights_2022.pth"

_APACHE = "Apache-2.0 (of the port's repository, which holds no separate license for the weights)"
_CC_BY = "CC BY 4.0: name the authors"
_CC0 = "CC0 1.0: no limits by the publisher"
_MS_PL = "MS-PL: keep its notices; no use of Microsoft's names"


def _laion(name: str, filename: str, size: int | None, digest: str | None) -> WeightsFile:
    return WeightsFile(f"laion_{name}", _LAION + filename, filename, _CC0, size, digest)


# fmt: off
_FILES = (
    WeightsFile("vggish", _VGGISH, "vggish-10086976.pth", _APACHE, 288_567_937,
                "10086976245803799d9194e9a73d9b6c1549c71d1b80106f5cade5608a561f4b"),
    WeightsFile("panns_16k", _PANNS + "Cnn14_16k_mAP%3D0.438.pth", "Cnn14_16k_mAP=0.438.pth", _CC_BY, 358_668_570,
                "e2ee543a27919542c2ea03eabaa70b24dcd4e6c8e05621de6b67a94e4c5058e6"),
    WeightsFile("panns_32k", _PANNS + "Cnn14_mAP%3D0.431.pth", "Cnn14_mAP=0.431.pth", _CC_BY, 327_428_481,
                "0dc499e40e9761ef5ea061ffc77697697f277f6a960894903df3ada000e34b31"),
    _laion("630k", "630k-best.pt", None,
           "e02951eae3c9955db546c50086059e6457188ec39446858f2bddbcb4b56b1cb3"),
    _laion("630k_audioset", "630k-audioset-best.pt", 1_863_587_645,
           "8053c9775516af2f4902e1e8281e356cc1bf7a85e8b761908170767b77c3f037"),
    _laion("630k_fusion", "630k-fusion-best.pt", None, None),
    _laion("630k_audioset_fusion", "630k-audioset-fusion-best.pt", 1_863_889_051,
           "fb171dd9b608aebdac3d89286cd7615c5100af4cc7dc37797c7fb8d3cc15e3a5"),
    _laion("music_audioset", "music_audioset_epoch_15_esc_90.14.pt", 2_352_471_003,
           "fae3e9c087f2909c28a09dc31c8dfcdacbc42ba44c70e972b58c1bd1caf6dedd"),
    _laion("music_speech", "music_speech_epoch_15_esc_89.25.pt", 2_352_471_003,
           "a27dfbd00d96781020d83044136f084343edab799d2657ef3cfe5c4f2222bb28"),
    _laion("music_speech_audioset", "music_speech_audioset_epoch_15_esc_89.98.pt", 2_352_471_003,
           "51c68f12f9d7ea25fdaaccf741ec7f81e93ee594455410f3bca4f47f88d8e006"),
    WeightsFile("msclap_2022", _MSCLAP, "CLAP_weights_2022.pth", _MS_PL, 2_333_972_488,
                "5b917c47fec10547b65cf1d9096e194896fa1c2d6180536c8524289721a4c5b8"),
)
# fmt: on
REGISTRY = {file.name: file for file in _FILES}


class _BrokenDownload(Exception):
    """A server that sent something else than the file, or not all of it."""


def weights_folder(folder: Path | None = None) -> Path:
    """Return the cache folder: ``folder``, else ``$AUDIOLCM_WEIGHTS``, else ``~/.cache/audiolcm/weights``."""
    if folder is not None:
        return folder
    return Path(
        os.environ.get(FOLDER_VARIABLE) or Path.home() / ".cache" / "audiolcm" / "weights"
    ).expanduser()


def obtain(
    name: str, path: str | None = None, folder: Path | None = None, override: str | None = None
) -> Path:
    """Return the file of a registered name: ``path`` if given, else from the cache folder, else downloaded into it.

    A download that was broken off goes on where it stopped. Files of the cache folder must be the published ones, to
    the last bit; a given path may be another file of the same network, which is said in the log.

    Args:
        name: a name of the registry.
        path: a file that is there already.
        folder: the cache folder; None takes ``$AUDIOLCM_WEIGHTS`` or ``~/.cache/audiolcm/weights``.
        override: what a user types to give a path, for the messages; None takes ``features.<name>.weights=PATH``.

    Raises:
        UserError: when the name is unknown, the file is not what it should be, or it can not be downloaded; says URL,
            target and what to type.
    """
    file = _registered(name)
    if path is not None:
        return _given(file, Path(path))
    target = weights_folder(folder) / file.filename
    way_out = how_to_get(file, target, override)
    if not target.is_file():
        with exclusive(target.parent):
            if not target.is_file():  # nobody else brought it while this process waited
                _download(file, target, way_out)
    elif fault := _fault(file, target):
        raise UserError(f"{target} is not the published file of {name}: {fault}. Remove it. {way_out}")
    return target


def how_to_get(file: WeightsFile, target: Path, override: str | None = None) -> str:
    """Return the sentences that tell a user how to get the file: from where, whereto, or how to give it by path."""
    size = "" if file.size is None else f"{file.size / 1e6:.0f} MB, "
    return (
        f"Download {file.url} ({size}license {file.license}) to {target}, "
        f"or give its path: {override or f'features.{file.name}.weights=PATH'}"
    )


def _registered(name: str) -> WeightsFile:
    if name not in REGISTRY:
        raise UserError(f"There are no weights named `{name}`. Choose from: {', '.join(REGISTRY)}.")
    return REGISTRY[name]


def _given(file: WeightsFile, path: Path) -> Path:
    if not path.is_file():
        raise UserError(
            f"There is no file {path}: give the path of the {file.name} weights ({file.filename})."
        )
    if fault := _not_weights(path):
        raise UserError(f"{path} is no file of weights: {fault}. Get {file.url} again.")
    if fault := _fault(file, path):
        log.warning("%s is not the published file of %s: %s.", path, file.name, fault)
    return path


def _fault(file: WeightsFile, path: Path) -> str | None:
    """Say what is wrong with the file; None when nothing is."""
    if fault := _not_weights(path):
        return fault
    size = path.stat().st_size
    if file.size is not None and size != file.size:
        return f"it has {size:,} bytes, not {file.size:,}"
    if file.sha256 is not None and (digest := sha256(path)) != file.sha256:
        return f"its SHA-256 is {digest}, not {file.sha256}"
    return None


def _not_weights(path: Path) -> str | None:
    try:
        with path.open("rb") as content:
            start = content.read(64).lstrip().lower()
    except OSError as error:
        return f"it can not be read ({error.strerror})"
    if not start:
        return "it is empty"
    if start.startswith(_WEB_PAGE):
        return "it is a web page, such as a log-in or an error page"
    if start.startswith(_POINTER):
        return "it is a pointer of Git LFS, not the file itself"
    return None


def _download(file: WeightsFile, target: Path, way_out: str) -> None:
    partial = target.with_name(target.name + TEMPORARY_SUFFIX)
    failed = f"The weights {file.name} can not be downloaded"
    try:
        _fetch(file, partial)
        if fault := _fault(file, partial):
            partial.unlink()
            raise UserError(f"{failed}: what came is not the published file, {fault}. {way_out}")
        with partial.open("rb") as content:
            os.fsync(content.fileno())
        partial.replace(target)
    except (OSError, http.client.HTTPException, _BrokenDownload) as error:
        if isinstance(error, OSError) and (of_disk := explained(error, target)):
            raise of_disk from error
        raise UserError(f"{failed} ({error or type(error).__name__}). {way_out}") from error


def _fetch(file: WeightsFile, partial: Path) -> None:
    """Bring the file to ``partial``, of which a start may be there; what comes is kept even if the rest does not."""
    have = partial.stat().st_size if partial.is_file() else 0
    if have and have == file.size:
        return
    request = urllib.request.Request(file.url, headers={"User-Agent": "audiolcm"})
    if have:
        request.add_header("Range", f"bytes={have}-")
    try:
        response = urllib.request.urlopen(request, timeout=_TIMEOUT)
    except urllib.error.HTTPError as error:
        if error.code != http.client.REQUESTED_RANGE_NOT_SATISFIABLE:
            raise
        partial.unlink()  # it is longer than the file: some other file, or complete but of unknown size
        return _fetch(file, partial)
    with response:
        if response.headers.get_content_type() == "text/html":
            raise _BrokenDownload("the server sent a web page")
        if response.status != http.client.PARTIAL_CONTENT:
            have = 0  # this server only sends whole files
        length = response.headers.get("Content-Length")
        total = file.size if length is None else have + int(length)
        with (
            partial.open("ab" if have else "wb") as out,
            tqdm(desc=file.filename, total=total, initial=have, unit="B", unit_scale=True) as bar,
        ):
            while block := response.read(_BLOCK):
                out.write(block)
                bar.update(len(block))
    if total is not None and (size := partial.stat().st_size) < total:
        raise _BrokenDownload(
            f"the connection broke after {size:,} of {total:,} bytes: the same command goes on there"
        )
