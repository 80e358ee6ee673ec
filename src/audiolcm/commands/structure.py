"""``audiolcm structure``: plain captions in, structured captions out; by rules, or by a language model you name."""

import argparse
import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from audiolcm.environment.terminal import printable
from audiolcm.errors import UserError

if TYPE_CHECKING:
    from audiolcm.data.tables import TableRow
    from audiolcm.structure.captions import Pair
    from audiolcm.structure.language_model import Structurer

log = logging.getLogger(__name__)

COLUMN = "structured_caption"
_TABLES = (".tsv", ".csv", ".parquet", ".pq")


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the subcommand to those of ``audiolcm``."""
    parser = commands.add_parser("structure", help="turn captions into structured captions")
    parser.add_argument("captions", nargs="*", help="what is to be heard")
    parser.add_argument("--from-file", type=Path, help="text file with one caption a line, or a TSV, CSV or Parquet "
                        "table with a column caption")  # fmt: skip
    parser.add_argument("-o", "--output", type=Path, help="where to write: a text file, or a table when --from-file "
                        "is one (default: print caption, tab, structured caption)")  # fmt: skip
    parser.add_argument("--endpoint", metavar="URL", help="ask a language model there, such as "
                        "http://localhost:8000/v1 (OpenAI's protocol; a key comes from OPENAI_API_KEY alone). "
                        "Without it rules do the work, and nothing leaves this machine")  # fmt: skip
    parser.add_argument("--model", metavar="NAME", help="the language model's name at --endpoint")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Structure the captions of the command line or of a file, and return the exit code."""
    _check(options)
    structurer = _structurer(options)
    if _is_table(options.from_file):
        _structure_table(options, structurer)
    else:
        _structure_lines(options, structurer)
    if options.output is not None:
        log.info("%s", options.output)
    return 0


def _check(options: argparse.Namespace) -> None:
    if bool(options.endpoint) != bool(options.model):
        raise UserError(
            "A language model needs both --endpoint URL and --model NAME; for the rules give neither."
        )
    table, output = _is_table(options.from_file), options.output
    if table and options.captions:
        raise UserError("Give captions or a table by --from-file, not both.")
    if not options.captions and options.from_file is None:
        raise UserError(
            'No caption. Type audiolcm structure "A dog barks, then rain falls", or use --from-file.'
        )
    if output is None:
        return
    if output.is_dir():
        raise UserError(f"-o {output} is a folder: give the name of a file.")
    if table and output.suffix not in _TABLES:
        raise UserError(f"-o {output}: a table is written as {', '.join(_TABLES)}; name the file so.")
    if not table and output.suffix in _TABLES[1:]:
        raise UserError(
            f"-o {output}: lines of caption, tab, structured caption are written as .txt or .tsv."
        )


def _is_table(path: Path | None) -> bool:
    return path is not None and path.suffix in _TABLES


def _structurer(options: argparse.Namespace) -> "Structurer":
    if not options.endpoint:
        from audiolcm.structure.rules import Rules

        return Rules()
    from audiolcm.structure.language_model import OpenAICompatible

    answers = options.output and options.output.with_name(f"{options.output.name}.answers.jsonl")
    return OpenAICompatible.from_environment(options.endpoint, options.model, answers)


def _structure_lines(options: argparse.Namespace, structurer: "Structurer") -> None:
    from audiolcm.structure.captions import read_captions, typed_captions

    pairs = typed_captions(options.captions, [])
    if options.from_file is not None:
        pairs += read_captions(options.from_file)
    if not pairs:
        raise UserError(f"--from-file {options.from_file} holds no caption: write one on each line.")
    _write_lines(options.output, _completed(pairs, structurer))


def _structure_table(options: argparse.Namespace, structurer: "Structurer") -> None:
    from audiolcm.data.tables import read_table, write_table
    from audiolcm.structure.captions import Pair

    rows = read_table(options.from_file, ["caption"])
    _check_rows(rows, options.from_file)
    pairs = _completed([Pair(row["caption"], row.get(COLUMN, "")) for row in rows], structurer)
    if options.output is None:
        _write_lines(None, pairs)
        return
    columns = list(dict.fromkeys([*rows[0], COLUMN]))
    completed = [dict(row) | {COLUMN: pair.structured} for row, pair in zip(rows, pairs, strict=True)]
    write_table(options.output, columns, completed)


def _check_rows(rows: "list[TableRow]", path: Path) -> None:
    if not rows:
        raise UserError(f"{path} holds no row below its header.")
    for row in rows:
        if row.problem:
            raise UserError(
                f"{path}, line {row.line}: {row.problem} Mend the row, then type the same command."
            )


def _completed(pairs: "list[Pair]", structurer: "Structurer") -> "list[Pair]":
    """Structure what is not yet: captions that are empty stay so, structured captions of the file are kept."""
    from audiolcm.data.manifest import has_words
    from audiolcm.structure.captions import Pair

    missing = [i for i, pair in enumerate(pairs) if has_words(pair.caption) and not pair.structured]
    found = structurer([pairs[i].caption for i in missing])
    completed = list(pairs)
    for i, structured in zip(missing, found, strict=True):
        completed[i] = Pair(pairs[i].caption, structured)
    if kept := sum(bool(pair.structured) for pair in pairs):
        log.info("%d structured captions were there and are kept.", kept)
    if empty := sum(not pair.structured for pair in completed):
        log.warning("%d captions hold no word and got no structured caption.", empty)
    return completed


def _write_lines(output: Path | None, pairs: "list[Pair]") -> None:
    from audiolcm.storage.files import atomic_path

    text = "".join(f"{' '.join(pair.caption.split())}\t{pair.structured}\n" for pair in pairs)
    if output is None:
        sys.stdout.write(printable(text) if sys.stdout.isatty() else text)
        return
    with atomic_path(output) as temporary:
        temporary.write_text(text, encoding="utf-8")
