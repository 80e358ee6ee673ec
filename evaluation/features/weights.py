"""Where the published weights of the metrics' networks come from.

Sizes and SHA-256 are those that the publishers state (on the pages of the files, or in torchvggish's file name, which
begins with its hash) or that several independent users of the file agree on.
"""

from pathlib import Path

from torch import Tensor

from audiolcm.errors import UserError
from audiolcm.weights import files
from audiolcm.weights.files import WeightsFile
from audiolcm.weights.reading import read_checkpoint

_VGGISH = "https://github.com/harritaylor/torchvggish/releases/download/v0.1/vggish-10086976.pth"
_PANNS = "https://zenodo.org/records/3987831/files/"
_LAION = "https://huggingface.co/lukewys/laion_clap/resolve/main/"
_MSCLAP = "https://huggingface.co/microsoft/msclap/resolve/main/CLAP_weights_2022.pth"

_YAMNET = (
    "https://storage.googleapis.com/download.tensorflow.org/models/tflite/task_library/audio_classification/android/"
    "lite-model_yamnet_classification_tflite_1.tflite"
)

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
    WeightsFile("yamnet", _YAMNET, "yamnet.tflite", "Apache-2.0", 4_126_810,
                "10c95ea3eb9a7bb4cb8bddf6feb023250381008177ac162ce169694d05c317de"),
)
# fmt: on
REGISTRY = {file.name: file for file in _FILES}


def obtain(
    name: str,
    path: str | None = None,
    folder: Path | str | None = None,
    override: str | None = None,
    exactly: bool = False,
) -> Path:
    """Return the file of a registered name; see ``audiolcm.weights.files.obtain``.

    ``override`` is what a user types to give a path, for the messages; None takes ``features.<name>.weights=PATH``.
    ``exactly`` refuses any other file than the published one, by path too.

    Raises:
        UserError: also when the name is unknown.
    """
    if name not in REGISTRY:
        raise UserError(f"There are no weights named `{name}`. Choose from: {', '.join(REGISTRY)}.")
    place = None if folder is None else Path(folder)
    return files.obtain(REGISTRY[name], override or f"features.{name}.weights=PATH", path, place, exactly)


def model_entry(path: Path, network: str) -> dict[str, Tensor]:
    """Return the entry ``model`` of a checkpoint, where the publishers of ``network`` keep its weights.

    Raises:
        UserError: the file is damaged or has no such entry.
    """
    stored = read_checkpoint(path)
    weights = stored.get("model") if isinstance(stored, dict) else None
    if not isinstance(weights, dict):
        raise UserError(f"{path} is not a checkpoint of {network}: it has no entry `model`.")
    return weights
