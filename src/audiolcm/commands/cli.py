"""The ``audiolcm`` command: generate sound, convert released weights, structure captions, prepare data."""

import argparse
import logging
import os
import sys
from pathlib import Path

import audiolcm
from audiolcm.commands import convert as published
from audiolcm.commands import doctor as doctor
from audiolcm.commands import prepare as data_command
from audiolcm.commands import structure as structure
from audiolcm.commands.options import Parser
from audiolcm.configuration.plugins import import_from_here
from audiolcm.configuration.ranges import check_options
from audiolcm.environment import terminal
from audiolcm.environment.guard import explained
from audiolcm.environment.interrupts import Interrupted, raise_on_signal
from audiolcm.environment.user import settle_user
from audiolcm.errors import UserError
from audiolcm.generating import Wanted, add_model_options, write_sounds
from audiolcm.storage.files import name_too_long

log = logging.getLogger("audiolcm")


def main(arguments: list[str] | None = None) -> int:
    """Run one subcommand and return the exit code; a user's mistake is one message and exit code 1."""
    terminal.prepare()
    settle_user()
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    options = _parser().parse_args(arguments)
    try:
        with explained(), raise_on_signal():
            check_options(vars(options))
            return options.run(options) or terminal.exit_code()
    except (UserError, OSError) as error:
        told = error if isinstance(error, UserError) else name_too_long(error)
        if told is None:
            raise
        log.error("%s", told, exc_info="HYDRA_FULL_ERROR" in os.environ)
        return 1
    except Interrupted as stop:
        log.error("Stopped.")
        return 128 + stop.number


def _parser() -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = Parser(
        prog="audiolcm", description="Few-step text-to-audio generation."
    )
    parser.add_argument("--version", action="version", version=f"audiolcm {audiolcm.__version__}")
    commands = parser.add_subparsers(required=True, metavar="command")
    generate = commands.add_parser("generate", help="turn captions into wav files")
    generate.add_argument("captions", nargs="*", help="what is to be heard")
    generate.add_argument("--from-file", type=Path, help="text file with one caption a line, and after "
                          "a tab, if you like, its structured caption")  # fmt: skip
    generate.add_argument("--structured", action="append", default=[], metavar="STRUCTURED",
                          help="structured caption, <event& tag>@<event& tag>; one for each caption")  # fmt: skip
    generate.add_argument("--checkpoint", help="a student or teacher folder, or an artifacts folder for its newest "
                          "student, or embedded:foley or published:audiolcm (default: artifacts; where it has "
                          "no model, embedded:foley)")  # fmt: skip
    add_model_options(generate, batch_size=8, vocoder=str)
    generate.add_argument("--duration", type=float, default=5.0, help="seconds, 1 to 30 (default: 5)")
    generate.add_argument("--seed", type=int, default=0)
    generate.add_argument("-o", "--output", default="sound.wav",
                          help="wav file or folder; a new folder whose name has a dot ends in /")  # fmt: skip
    generate.set_defaults(run=_generate)
    published.add_parser(commands)
    structure.add_parser(commands)
    data_command.add_parser(commands)
    doctor.add_parser(commands)
    return parser


def _generate(options: argparse.Namespace) -> int:
    captions, structured = _captions(options)

    from audiolcm.distributed.hardware import Hardware
    from audiolcm.pipeline import AudioLCM
    from audiolcm.published.models import default_model
    from audiolcm.request import read_request, sampler_settings
    from audiolcm.sound import wav_paths
    from audiolcm.storage.files import require_writable

    import_from_here()
    targets = wav_paths(options.output, len(captions))
    sampler = sampler_settings(options.steps, options.omega)
    request = read_request(captions, options.duration, options.seed, structured)
    wanted = map(Wanted, targets, request.captions, request.structured, request.seeds)
    for folder in dict.fromkeys(target.parent for target in targets):
        require_writable(folder, "-o FILE")
    model = AudioLCM.from_pretrained(
        options.checkpoint or default_model(Path("artifacts")),
        vocoder=options.vocoder,
        sampler=sampler,
        hardware=Hardware(device=options.device),
        plugins=options.plugins,
    )
    for path in write_sounds(model, list(wanted), request.duration, options.batch_size):
        log.info("%s", path)
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


if __name__ == "__main__":
    sys.exit(main())
