"""The ``audiolcm`` command: generate sound, convert released weights, structure captions, prepare data."""

import argparse
import logging
import os
import signal
import sys
from pathlib import Path

from audiolcm import data_command
from audiolcm.doctor import command as doctor
from audiolcm.environment.guard import explained
from audiolcm.errors import UserError
from audiolcm.plugins import import_from_here
from audiolcm.published import command as published
from audiolcm.structure import command as structure

log = logging.getLogger("audiolcm")


def main(arguments: list[str] | None = None) -> int:
    """Run one subcommand and return the exit code; a user's mistake is one message and exit code 1."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    options = _parser().parse_args(arguments)
    try:
        with explained():
            return options.run(options)
    except UserError as error:
        log.error("%s", error, exc_info="HYDRA_FULL_ERROR" in os.environ)
        return 1
    except KeyboardInterrupt:
        log.error("Stopped.")
        return 128 + signal.SIGINT


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="audiolcm", description="Few-step text-to-audio generation.")
    commands = parser.add_subparsers(required=True, metavar="command")
    generate = commands.add_parser("generate", help="turn captions into wav files")
    generate.add_argument("captions", nargs="*", help="what is to be heard")
    generate.add_argument("--from-file", type=Path, help="text file with one caption a line, and after "
                          "a tab, if you like, its structured caption")  # fmt: skip
    generate.add_argument("--structured", action="append", default=[], metavar="STRUCTURED",
                          help="structured caption, <event& tag>@<event& tag>; one for each caption")  # fmt: skip
    generate.add_argument("--checkpoint", default="artifacts", help="a student or teacher folder, or an "
                          "artifacts folder for its newest student, or published:audiolcm "
                          "(default: artifacts)")  # fmt: skip
    generate.add_argument("--vocoder", help="another vocoder's folder, or griffin_lim")
    generate.add_argument("--steps", type=int, help="sampling steps (default: as trained, 2)")
    generate.add_argument("--omega", type=float, help="guidance, CFG scale - 1 (default: as trained, 4)")
    generate.add_argument("--duration", type=float, default=5.0, help="seconds, 1 to 30 (default: 5)")
    generate.add_argument("--seed", type=int, default=0)
    generate.add_argument("--batch-size", type=int, default=8)
    generate.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N")
    generate.add_argument("--plugins", action="append", metavar="PACKAGE", help="a package besides ours whose classes "
                          "the checkpoint may name; it is imported and run")  # fmt: skip
    generate.add_argument("-o", "--output", type=Path, default=Path("sound.wav"),
                          help="wav file, or a folder when there are several captions")  # fmt: skip
    generate.set_defaults(run=_generate)
    published.add_parser(commands)
    structure.add_parser(commands)
    data_command.add_parser(commands)
    doctor.add_parser(commands)
    return parser


def _generate(options: argparse.Namespace) -> int:
    if options.batch_size < 1:
        raise UserError(f"--batch-size {options.batch_size} must be 1 or more.")
    captions, structured = _captions(options)
    targets = _targets(options.output, len(captions))

    from audiolcm.audio.io import write_wav
    from audiolcm.pipeline import AudioLCM
    from audiolcm.training.hardware import Hardware

    import_from_here()
    sampler = {"num_steps": options.steps, "omega": options.omega}
    model = AudioLCM.from_checkpoint(
        options.checkpoint,
        options.vocoder,
        {name: value for name, value in sampler.items() if value is not None},
        Hardware(device=options.device),
        plugins=options.plugins,
    )
    for first in range(0, len(captions), options.batch_size):
        batch = slice(first, first + options.batch_size)
        made = model(captions[batch], options.duration, options.seed, structured[batch])
        for offset, waveform in enumerate(made.waveforms):
            write_wav(targets[first + offset], waveform)
            log.info("%s", targets[first + offset])
    return 0


def _captions(options: argparse.Namespace) -> tuple[list[str], list[str]]:
    from audiolcm.data.manifest import fallback_structure
    from audiolcm.structure.captions import read_captions, typed_captions

    pairs = typed_captions(options.captions, options.structured)
    if options.from_file is not None:
        pairs += read_captions(options.from_file)
    if not pairs:
        raise UserError(
            'No caption. Type audiolcm generate "A dog is barking" -o dog.wav, or use --from-file.'
        )
    captions = [pair.caption for pair in pairs]
    return captions, [pair.structured or fallback_structure(pair.caption) for pair in pairs]


def _targets(output: Path, count: int) -> list[Path]:
    targets = _named_targets(output, count)
    for path in targets:
        blocking = [place for place in path.parents if place.exists() and not place.is_dir()]
        if path.is_dir() or blocking:
            raise UserError(f"-o {output}: {[path, *blocking][-1]} is in the way. Choose another name.")
    return targets


def _named_targets(output: Path, count: int) -> list[Path]:
    if count == 1:
        if output.suffix and output.suffix.lower() != ".wav":
            raise UserError(f"-o {output}: sound is written as .wav; name the file so, or give a folder.")
        return [output if output.suffix else output / "000.wav"]
    if output.suffix:
        raise UserError(f"-o {output}: {count} captions need a folder, such as -o sounds.")
    return [output / f"{index:03d}.wav" for index in range(count)]


if __name__ == "__main__":
    sys.exit(main())
