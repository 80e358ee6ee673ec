"""``audiolcm prepare``: check and cache a data set, by one machine or many, and find and mend what is damaged."""

import argparse
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from audiolcm.configuration.plugins import allowing, import_from_here
from audiolcm.errors import UserError

BAD_ROWS = 3
"""Exit code when rows were left out."""

log = logging.getLogger("audiolcm")


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the subcommand ``prepare``."""
    prepare = commands.add_parser("prepare", help="check and cache a data set")
    prepare.add_argument(
        "overrides", nargs="*", help="as for train.py: dataset=esc10 dataset.root=FOLDER ..."
    )
    prepare.add_argument("--workers", type=int, default=2, help="threads that decode sound (default: 2)")
    prepare.add_argument("--part", metavar="N/COUNT", help="make only this part of the shards, such as 3/64; auto "
                         "takes it from the SLURM array job")  # fmt: skip
    prepare.add_argument("--latents", action="store_true", help="also cache latents and text features; trains or "
                         "finds the autoencoder of this configuration first")  # fmt: skip
    repair = prepare.add_mutually_exclusive_group()
    repair.add_argument("--verify", action="store_true", help="read all that is cached and hold it against its "
                        "checksums")  # fmt: skip
    repair.add_argument("--mend", action="store_true", help="as --verify, and make what is damaged again")
    prepare.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Prepare and report; the exit code is BAD_ROWS when rows were left out."""
    from audiolcm.configuration.schema import compose
    from audiolcm.stages.recipe import Recipe

    if options.part and (options.latents or options.verify or options.mend):
        raise UserError("--part goes with none of --latents, --verify and --mend: leave one out.")
    import_from_here()
    cfg = compose(options.overrides)
    with allowing(cfg["plugins"]):
        return _run(Recipe(cfg), cfg, options)


def _run(recipe: Any, cfg: Mapping[str, Any], options: argparse.Namespace) -> int:
    from audiolcm.data.preparing.report import prepare_report
    from audiolcm.data.store.repair import verify

    if options.mend:
        _discard_damaged(recipe, cfg)
    data = _prepare(recipe, cfg, options)
    if data is None:
        return 0
    if options.latents:
        recipe.latents("student")
    if options.verify:
        log.info("%d stores in %s are as they were written.", verify(data.folder), data.folder)
    log.info("%s", prepare_report(data))
    log.info("  Without a look at the original files: dataset=prepared dataset.folder=%s", data.folder)
    if not any(len(data.open_split(name)) for name in data.splits):
        raise UserError(
            f"{data.name} holds no usable clip: check dataset.root, the tables and the splits in the dataset config."
        )
    return BAD_ROWS if data.num_bad_rows else 0


def _prepare(recipe: Any, cfg: Mapping[str, Any], options: argparse.Namespace) -> Any:
    """Return the prepared data; None when this was a part and others are still to be made."""
    from audiolcm.data.preparing.plan import parse_part
    from audiolcm.data.preparing.prepare import prepare, prepare_part

    cache = Path(cfg["paths"]["cache"])
    if not options.part:
        return prepare(recipe.corpus, cache, workers=options.workers)
    part = parse_part(options.part)
    data = prepare_part(recipe.corpus, cache, part, options.workers)
    if data is None:
        log.info("Part %s of %s is made. The last part completes the data; so does the command without --part.",
                 part, recipe.corpus.name)  # fmt: skip
    return data


def _discard_damaged(recipe: Any, cfg: Mapping[str, Any]) -> None:
    from audiolcm.data.preparing.prepare import prepared_folder
    from audiolcm.data.store.repair import discard

    found = discard(prepared_folder(recipe.corpus, Path(cfg["paths"]["cache"])))
    for path in found:
        log.info("damaged, is made again: %s", path)
    if any("latents-" in str(path) or "text-" in str(path) for path in found):
        log.info("Latents and text features are made again by --latents or by the next training.")
