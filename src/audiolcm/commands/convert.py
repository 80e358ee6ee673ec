"""``audiolcm convert`` and ``export``: released weights become artifacts and back, a model becomes one folder."""

import argparse
import logging
from pathlib import Path

log = logging.getLogger("audiolcm")


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the subcommands to the parser of ``audiolcm``."""
    convert = commands.add_parser(
        "convert", help="turn released weights into artifacts, once; or a model back into their layout"
    )
    convert.add_argument(
        "source",
        help="published:audiolcm, published:make_an_audio_2, the path of such a file or of one with an autoencoder "
        "alone, or the folder of a vocoder (best_netG.pt and args.yml); with --layout released a folder of ours",
    )
    convert.add_argument("-o", "--output", type=Path, required=True, metavar="DIR",
                         help="folder of artifacts to write to, for --checkpoint DIR; with --layout released the "
                         "file, such as mine.ckpt")  # fmt: skip
    convert.add_argument("--layout", choices=("released",), help="write a model or an autoencoder of ours as one file "
                         "that the released code reads")  # fmt: skip
    convert.add_argument("--config", metavar="FILE", help="YAML of the released code that the file was trained with, "
                         "for its heads (default: that of the same name beside the file, else 8 heads)")  # fmt: skip
    convert.add_argument("--weights", choices=("own", "ema"), default="own", help="of the teacher in a file that "
                         "keeps a running average too (model_ema.): which of both (default: own)")  # fmt: skip
    convert.add_argument("--vocoder", metavar="FOLDER", help="folder with best_netG.pt and args.yml, or griffin_lim, "
                         "which needs no files (default: bigvnat16k93.5w in the folder of weights)")  # fmt: skip
    convert.add_argument("--mel-range", type=float, nargs=2, metavar=("LOW", "HIGH"),
                         help="Hz that the vocoder was trained on, where args.yml is known to be wrong")  # fmt: skip
    convert.add_argument("--mel-log", choices=("log10", "ln"), default="log10",
                         help="logarithm of the mels that the vocoder was trained on (default: log10)")  # fmt: skip
    convert.add_argument(
        "--bert", metavar="FOLDER", help="folder of BERT's tokenizer (default: bert-base-uncased)"
    )
    convert.add_argument(
        "--t5", metavar="FOLDER", help="folder of T5's tokenizer (default: google/t5-v1_1-large)"
    )
    convert.set_defaults(run=_convert)
    _add_export(commands)


def _add_export(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    export = commands.add_parser(
        "export", help="write a model with all its parts into one folder, to be moved or shared"
    )
    export.add_argument("checkpoint", help="a student or teacher folder, or an artifacts folder for its newest "
                        "student, or published:audiolcm")  # fmt: skip
    export.add_argument("-o", "--output", type=Path, required=True, metavar="FOLDER",
                        help="a new folder, or an earlier export, which is replaced")  # fmt: skip
    export.add_argument("--vocoder", help="another vocoder's folder, or griffin_lim")
    export.add_argument("--name", help="what its README calls it (default: the folder's name)")
    export.add_argument("--half", action="store_true", help="write the weights in float16, in half the space")
    export.add_argument("--with-teacher", action="store_true", help="write a student's teacher too, so that others "
                        "can distil from it: train.py parents.teacher=FOLDER")  # fmt: skip
    export.set_defaults(run=_export)


def _convert(options: argparse.Namespace) -> int:
    if options.layout:
        return _write_back(options)
    from audiolcm.published.models import Companions, convert_place

    given = {name: getattr(options, name) for name in ("vocoder", "bert", "t5") if getattr(options, name)}
    mel_range = None if options.mel_range is None else tuple(options.mel_range)
    companions = Companions(mel_range=mel_range, mel_log=options.mel_log, **given)
    made = convert_place(options.source, options.output, companions, options.config, options.weights == "ema")
    for stage, artifact in made.items():
        log.info(
            "%-12s %7.1f M parameters  %s", stage, artifact.card["num_parameters"] / 1e6, artifact.folder
        )
    stage, main = next((s, made[s]) for s in ("teacher", "autoencoder", "vocoder") if s in made)
    log.info(
        "License of the weights: %s.", main.card["origin"].get("license", "not known: ask who made the file")
    )
    if stage == "teacher":
        listened = "" if "vocoder" in made else " --vocoder FOLDER"
        log.info('Next: audiolcm generate "A dog is barking" --checkpoint %s%s', options.output, listened)
    else:
        log.info("Next: audiolcm train parents.%s=%s", stage, main.folder)
    return 0


def _write_back(options: argparse.Namespace) -> int:
    from audiolcm.published.models import open_any
    from audiolcm.published.write_back import write_released

    written = write_released(open_any(options.source), options.output)
    log.info("Written: %s, %d tensors, which audiolcm convert reads again.", options.output, len(written))
    return 0


def _export(options: argparse.Namespace) -> int:
    from audiolcm.published.export import export
    from audiolcm.published.models import open_model, vocoder_of

    model = open_model(options.checkpoint)
    chosen = {"name": options.name, "half": options.half, "with_teacher": options.with_teacher}
    folder = export(model, vocoder_of(model, options.vocoder), options.output, **chosen)
    log.info('Written. Next: audiolcm generate "A dog is barking" --checkpoint %s', folder)
    log.info("Read %s before you share it.", folder / "LICENSE")
    return 0
