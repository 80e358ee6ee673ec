"""Reading the files of BERT, T5 and MS-CLAP 2022 from disk; every failure says what to fetch and where."""

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

import torch
from jaxtyping import Int
from torch import Tensor
from transformers import AutoTokenizer, BertConfig, PreTrainedTokenizerBase

from audiolcm.errors import UserError
from audiolcm.models.t5_encoder import T5Encoder
from audiolcm.weights.files import weights_folder
from audiolcm.weights.reading import read_checkpoint

HOW_TO_GET = """
text_encoder=clap_t5 reads three things and downloads none. On a computer with a network, type
  hf download bert-base-uncased config.json vocab.txt tokenizer.json tokenizer_config.json
  hf download google/t5-v1_1-large
  hf download microsoft/msclap CLAP_weights_2022.pth --local-dir weights
and keep the defaults, or copy the files and give their folders as text_encoder.bert=... text_encoder.t5=...
and the path as text_encoder.clap_checkpoint=... . text_encoder=hashed needs no files."""

# Without it transformers asks for another package, tiktoken, which would not help.
_SENTENCEPIECE = "(If spiece.model is there, type: pip install sentencepiece protobuf)"
_PREFIX = "caption_encoder."
_POSITION_IDS = "base.embeddings.position_ids"
# As many words each: where no word is known, both are the same row of unknown tokens.
_PROBES = ["a dog barks", "the rain falls"]


def token_ids(
    tokenizer: PreTrainedTokenizerBase, texts: list[str], length: int
) -> Int[Tensor, "batch length"]:
    """Return the ids of each text, cut or padded to ``length``."""
    encoded = tokenizer(texts, padding="max_length", truncation=True, max_length=length, return_tensors="pt")
    return encoded["input_ids"]


def read_tokenizer(source: str, min_vocabulary: int, how_to_get: str = HOW_TO_GET) -> PreTrainedTokenizerBase:
    """Read a tokenizer from a folder or the local cache.

    An incomplete folder makes an empty tokenizer without any error, which would encode all captions alike.
    ``how_to_get`` ends every message.

    Raises:
        UserError: no tokenizer there, fewer than ``min_vocabulary`` tokens, or two captions encode equally.
    """
    try:
        tokenizer = AutoTokenizer.from_pretrained(source, local_files_only=True, trust_remote_code=False)
    except Exception as error:
        hint = "" if find_spec("sentencepiece") else f" {_SENTENCEPIECE}"
        raise UserError(f"No tokenizer at {source!r}: {_first_line(error)}{hint}{how_to_get}") from error
    # pyrefly: ignore[bad-argument-type]  (from_pretrained returns or raises)
    if len(tokenizer) < min_vocabulary:
        raise UserError(
            # pyrefly: ignore[bad-argument-type]  (from_pretrained returns or raises)
            f"The tokenizer at {source!r} knows only {len(tokenizer)} tokens (expected at least "
            f"{min_vocabulary}): its vocabulary file is missing or incomplete.{how_to_get}"
        )
    # pyrefly: ignore[bad-argument-type]  (from_pretrained returns or raises)
    first, second = token_ids(tokenizer, _PROBES, length=16)
    if torch.equal(first, second):
        raise UserError(
            f"The tokenizer at {source!r} gives {_PROBES[0]!r} and {_PROBES[1]!r} the same tokens: its "
            f"vocabulary does not belong to it.{how_to_get}"
        )
    return tokenizer  # pyrefly: ignore[bad-return]  (from_pretrained returns or raises)


HOW_TO_GET_TOKENIZERS = """
The released checkpoints hold no tokenizers. On a computer with a network, type
  hf download bert-base-uncased config.json vocab.txt tokenizer.json tokenizer_config.json
  hf download google/t5-v1_1-large config.json spiece.model special_tokens_map.json tokenizer_config.json
or copy these files into the folder of weights ($AUDIOLCM_WEIGHTS or ~/.cache/audiolcm/weights), as
bert-base-uncased and t5-v1_1-large; or convert again: audiolcm convert SOURCE -o DIR --bert FOLDER --t5 FOLDER"""


def tokenizer_place(hub_name: str) -> str:
    """Return where a tokenizer lies: a folder of its last name in the folder of weights, else Hugging Face's cache."""
    folder = weights_folder() / hub_name.rpartition("/")[2]
    return str(folder) if folder.is_dir() else hub_name


def released_tokenizer(
    folder: Path | None, kind: str, hub_name: str, num_rows: int
) -> PreTrainedTokenizerBase:
    """Read the tokenizer for an embedding of ``num_rows`` rows.

    It is that of ``folder / kind``, else of its hub name, which may be a folder in the folder of weights.

    Raises:
        UserError: there is none, or it has more tokens than rows, or fewer than half as many.
    """
    place = tokenizer_place(hub_name)
    if folder is not None and (folder / kind).is_dir():
        place = str(folder / kind)
    tokenizer = read_tokenizer(place, min_vocabulary=num_rows // 2, how_to_get=HOW_TO_GET_TOKENIZERS)
    if len(tokenizer) > num_rows:
        raise UserError(
            f"The tokenizer at {place!r} has {len(tokenizer)} tokens, but the weights know {num_rows}: it is "
            f"another one than they were trained with.{HOW_TO_GET_TOKENIZERS}"
        )
    return tokenizer


def save_tokenizers(folder: Path, tokenizers: Mapping[str, PreTrainedTokenizerBase]) -> None:
    """Write tokenizers into the folder of an artifact, where ``released_tokenizer`` finds them by kind.

    Raises:
        UserError: the disk refuses.
    """
    for kind, tokenizer in tokenizers.items():
        try:
            tokenizer.save_pretrained(folder / kind)
        except Exception as error:
            raise UserError(
                f"{folder / kind} cannot be written ({error}). Free some space, then again."
            ) from error


def read_bert_config(source: str, how_to_get: str = HOW_TO_GET) -> BertConfig:
    """Read BERT's sizes from a folder or the local cache; ``how_to_get`` ends the message if there are none.

    Raises:
        UserError: there is no config.json.
    """
    try:
        return BertConfig.from_pretrained(source, local_files_only=True)
    except (OSError, ValueError) as error:
        raise UserError(f"No BERT config.json at {source!r}: {_first_line(error)}{how_to_get}") from error


def read_t5(source: str) -> T5Encoder:
    """Read the encoder of T5 in float32 from a folder or the local cache; a decoder beside it is ignored.

    Raises:
        UserError: files are missing, or their names or shapes are not those of the encoder.
    """
    try:
        # pyrefly: ignore[not-iterable]  (output_loading_info makes it a pair)
        model, report = T5Encoder.from_pretrained(
            source, local_files_only=True, dtype=torch.float32, output_loading_info=True
        )
    except (OSError, ValueError, RuntimeError) as error:
        raise UserError(f"No T5 encoder at {source!r}: {_first_line(error)}{HOW_TO_GET}") from error
    for problem in ("missing_keys", "unexpected_keys", "mismatched_keys"):
        if report[problem]:
            names = ", ".join(sorted(map(str, report[problem]))[:5])
            kind = problem.replace("_", " ")
            raise UserError(f"The T5 weights at {source!r} have {kind}: {names}.{HOW_TO_GET}")
    return model


def read_clap_weights(path: str) -> dict[str, Tensor]:
    """Read the caption encoder's weights from CLAP_weights_2022.pth, with names below ``caption_encoder.``.

    The audio half is left out, and so is the constant buffer ``position_ids``, which some versions store.

    Raises:
        UserError: the file is missing, broken, or holds no caption encoder.
    """
    if not Path(path).is_file():
        raise UserError(f"No CLAP checkpoint at {path!r} (text_encoder.clap_checkpoint).{HOW_TO_GET}")
    try:
        stored = read_checkpoint(Path(path), mapped=True)  # the audio half need not be read
    except UserError as error:
        raise UserError(f"{error}{HOW_TO_GET}") from error
    stored = stored.get("model", stored) if isinstance(stored, dict) else {}
    weights = {name.removeprefix(_PREFIX): w for name, w in stored.items() if name.startswith(_PREFIX)}
    weights.pop(_POSITION_IDS, None)
    if "projection.linear1.weight" not in weights:
        raise UserError(
            f"{path!r} misses {_PREFIX}projection.linear1.weight: it is not CLAP_weights_2022.pth.{HOW_TO_GET}"
        )
    return weights


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n")[0]
