"""``audiolcm generate``: captions to wav files; and what it shares with others that generate."""

import argparse
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from audiolcm.configuration.plugins import import_from_here
from audiolcm.environment.garbage import importing
from audiolcm.errors import UserError

if TYPE_CHECKING:
    from audiolcm.pipeline import AudioLCM
    from audiolcm.sound import Sound

log = logging.getLogger("audiolcm")


EXAMPLES = """\
examples:
  audiolcm generate "a dog barks, then rain falls" --steps 4 -o dog.wav
  audiolcm generate --from-file captions.txt --seed 1 -o sounds
  audiolcm generate "a dog barks" --precision float32 --mel -o dog.wav
  audiolcm generate "a dog barks" --candidates 3 --clap msclap_2022 -o dog.wav
  audiolcm generate "a dog barks" --checkpoint published:audiolcm -o dog.wav

How a sound was made (caption, seed, model, steps, precision, ...) is the comment of its file, as JSON.
"""


@dataclass(frozen=True)
class Wanted:
    """One sound, and the file that it goes into."""

    target: Path
    caption: str
    structured: str
    seed: int


@dataclass(frozen=True)
class Written:
    """A sound and its file; ``rtf`` is that of the sounds that were made with it, of all their candidates."""

    path: Path
    sound: "Sound"
    rtf: float


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the subcommand ``generate``."""
    generate = commands.add_parser("generate", help="turn captions into wav files", epilog=EXAMPLES,
                                   formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    generate.add_argument("captions", nargs="*", help="what is to be heard")
    generate.add_argument("--from-file", type=Path, help="text file with one caption a line, and after "
                          "a tab, if you like, its structured caption")  # fmt: skip
    generate.add_argument("--structured", action="append", default=[], metavar="STRUCTURED",
                          help="structured caption, <event& tag>@<event& tag>; one for each caption")  # fmt: skip
    generate.add_argument("--checkpoint", help="a student or teacher folder, or an artifacts folder for its newest "
                          "student, or embedded:foley or published:audiolcm (default: artifacts; where it has "
                          "no model, embedded:foley)")  # fmt: skip
    add_model_options(generate, batch_size=8, vocoder=str)
    generate.add_argument("--duration", type=float, help="seconds, 1 to 30 (default: 5; of published: models 10, as "
                          "theirs). Ours are that long to the sample. published:audiolcm makes the latent frames of "
                          "0.032 s that fit, 9.984 s of 10; published:make_an_audio_2 31.5 of them a second, up to an "
                          "even number, 10.112 s of 10")  # fmt: skip
    generate.add_argument("--length", choices=("exact", "whole", "even"), help="how --duration becomes frames: to the "
                          "sample, or as published:audiolcm or published:make_an_audio_2 (default: the model's "
                          "own)")  # fmt: skip
    generate.add_argument("--seed", type=int, default=0)
    generate.add_argument("--candidates", type=int, default=1, metavar="N", help="make N sounds of each caption and "
                          "keep the one that CLAP hears as the nearest to it (default: 1)")  # fmt: skip
    generate.add_argument("--clap", default="hf_clap_htsat_unfused", metavar="NAME", help="what ranks candidates: a "
                          "CLAP of conf/features, such as laion_630k_audioset or msclap_2022 (default: "
                          "hf_clap_htsat_unfused)")  # fmt: skip
    generate.add_argument("--mel", action="store_true", help="write the mel too, of dog.wav as dog_mel.npy: (80, "
                          "frames) float32, log10, what the vocoder got")  # fmt: skip
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
    parser.add_argument("--precision", choices=("auto", "float32", "bfloat16", "int8"), default="auto",
                        help="float32 for figures that are compared; auto: bfloat16 where it is faster (default: "
                        "auto)")  # fmt: skip
    parser.add_argument("--clamp-mel", action=argparse.BooleanOptionalAction, help="keep mels within -5 and 2 before "
                        "the vocoder (default: not those of released models)")  # fmt: skip
    parser.add_argument("--plugins", action="append", metavar="PACKAGE", help="a package besides ours whose classes "
                        "the checkpoint may name; it is imported and run")  # fmt: skip


def write_sounds(
    model: "AudioLCM",
    wanted: Sequence[Wanted],
    duration: float | None,
    batch_size: int,
    mel: bool = False,
    **choices: Any,
) -> Iterator[Written]:
    """Generate sounds and write each as a WAV file; give the files, in order, as they are there.

    Args:
        model: what makes them.
        wanted: the sounds.
        duration: seconds of each; None: the model's own.
        batch_size: sounds made at a time.
        mel: write the mel beside each.
        choices: candidates and clap of ``AudioLCM.__call__``.

    Raises:
        UserError: a value out of range, or the disk is full.
    """
    for first in range(0, len(wanted), batch_size):
        batch = wanted[first : first + batch_size]
        captions, structured = [one.caption for one in batch], [one.structured for one in batch]
        made = model(captions, duration, [one.seed for one in batch], structured, **choices)
        for sound, one in zip(made, batch, strict=True):
            yield Written(sound.save(one.target, mel), sound, made.rtf)


def run(options: argparse.Namespace) -> int:
    """Generate a sound for each caption and name its file."""
    captions, structured = _captions(options)

    with importing():
        from audiolcm.distributed.hardware import Hardware
        from audiolcm.pipeline import AudioLCM
        from audiolcm.published.models import default_model
        from audiolcm.request import MIN_SECONDS, read_candidates, read_request, sampler_settings
        from audiolcm.sound import wav_paths
        from audiolcm.storage.files import require_writable

    import_from_here()
    targets = wav_paths(options.output, len(captions))
    sampler = sampler_settings(options.steps, options.omega)
    choices = {"candidates": read_candidates(options.candidates), "clap": options.clap}
    seconds = MIN_SECONDS if options.duration is None else options.duration  # the model's own is in range
    request = read_request(captions, seconds, options.seed, structured)
    wanted = map(Wanted, targets, request.captions, request.structured, request.seeds)
    for folder in dict.fromkeys(target.parent for target in targets):
        require_writable(folder, "-o FILE")
    model = AudioLCM.from_pretrained(
        options.checkpoint or default_model(Path("artifacts")),
        vocoder=options.vocoder,
        sampler=sampler,
        hardware=Hardware(options.device, options.precision),
        plugins=options.plugins,
        length=options.length,
        clamp_mel=options.clamp_mel,
    )
    sounds = write_sounds(model, list(wanted), options.duration, options.batch_size, options.mel, **choices)
    _tell(sounds, options.candidates)
    return 0


def _tell(sounds: Iterator[Written], candidates: int) -> None:
    """Name each file as it is there, with the scores of its candidates, and at the end what the sounds cost."""
    factors, card = [], {}
    for written in sounds:
        factors.append(written.rtf)
        card = written.sound.card
        ranked = ""
        if candidates > 1:
            scores = ", ".join(f"{score:.3f}" for score in card["clap_scores"])
            ranked = f": candidate {card['candidate']} of {candidates}, CLAP {scores} ({card['clap']})"
        log.info("%s%s", written.path, ranked)
    of_all = f" of all {candidates} candidates" if candidates > 1 else ""
    rtf = sum(factors) / len(factors)
    log.info("NFE %d and RTF %.3g a sound%s, in %s.", card["nfe"], rtf, of_all, card["precision"])


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
