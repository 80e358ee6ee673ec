"""``audiolcm generate``: captions to wav files; and what it shares with others that generate."""

import argparse
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from audiolcm.configuration.plugins import import_from_here
from audiolcm.errors import UserError

if TYPE_CHECKING:
    from audiolcm.pipeline import AudioLCM

log = logging.getLogger("audiolcm")


@dataclass(frozen=True)
class Wanted:
    """One sound, and the file that it goes into."""

    target: Path
    caption: str
    structured: str
    seed: int


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the subcommand ``generate``."""
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
    generate.set_defaults(run=run)


def add_model_options(
    parser: argparse.ArgumentParser, batch_size: int, vocoder: Callable[[str], str | Path]
) -> None:
    """Add what a model is asked for besides captions; ``vocoder`` makes the value of that option of its text."""
    parser.add_argument("--vocoder", type=vocoder, help="another vocoder's folder, or griffin_lim")
    parser.add_argument("--steps", type=int, help="sampling steps (default: as trained; of students, 2)")
    parser.add_argument("--omega", type=float, help="guidance, CFG scale - 1 (default: as trained, 4)")
    parser.add_argument("--batch-size", type=int, default=batch_size, help=f"(default: {batch_size})")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:N or mps")
    parser.add_argument("--plugins", action="append", metavar="PACKAGE", help="a package besides ours whose classes "
                        "the checkpoint may name; it is imported and run")  # fmt: skip


def write_sounds(
    model: "AudioLCM", wanted: Sequence[Wanted], duration: float, batch_size: int
) -> Iterator[Path]:
    """Generate sounds and write each as a WAV file; give the files, in order, as they are there.

    Args:
        model: what makes them.
        wanted: the sounds.
        duration: seconds of each.
        batch_size: sounds made at a time.

    Raises:
        UserError: a value out of range, or the disk is full.
    """
    for first in range(0, len(wanted), batch_size):
        batch = wanted[first : first + batch_size]
        captions, structured = [one.caption for one in batch], [one.structured for one in batch]
        made = model(captions, duration, [one.seed for one in batch], structured)
        for sound, one in zip(made, batch, strict=True):
            yield sound.save(one.target)


def run(options: argparse.Namespace) -> int:
    """Generate a sound for each caption and name its file."""
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
