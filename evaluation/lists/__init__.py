"""Which rows of a corpus' published test table each published list takes: facts, so that the table alone will do.

``audiocaps_one_caption.csv`` names rows of AudioCaps' test.csv by their ``audiocap_id``, in the order that three lists
of one caption a clip share; ``audiocaps_left_out.csv`` names the 75 clips that the released list of 900 lacks. A test
holds both against the lists themselves.
"""

from collections.abc import Sequence
from pathlib import Path

from audiolcm.data.tables import TableRow, read_table
from audiolcm.errors import UserError

ALL = "all"
_WITHOUT = {"audiolcm_900x5": "audiocaps_left_out.csv"}
_ONE_CAPTION = dict.fromkeys(("audioldm_964", "tango_886", "consistencytta_882"), "audiocaps_one_caption.csv")
_HERE = Path(__file__).parent


def chosen_rows(choice: str, rows: Sequence[TableRow], table: Path) -> list[TableRow]:
    """Return the rows of a published table that a list takes, in the list's order.

    Args:
        choice: the list, or ``all``.
        rows: of the table.
        table: its file, for messages.

    Raises:
        UserError: there is no such list, or the table lacks the column that the list goes by.
    """
    if choice == ALL:
        return list(rows)
    if choice in _WITHOUT:
        left_out = {row["youtube_id"] for row in read_table(_HERE / _WITHOUT[choice])}
        return [row for row in rows if _cell(row, "youtube_id", choice, table) not in left_out]
    if choice not in _ONE_CAPTION:
        known = ", ".join((ALL, *_WITHOUT, *_ONE_CAPTION))
        raise UserError(f"protocol.from_published={choice} is unknown: choose {known}, or null.")
    by_id = {_cell(row, "audiocap_id", choice, table): row for row in rows}
    wanted = [row["audiocap_id"] for row in read_table(_HERE / _ONE_CAPTION[choice]) if row[choice] == "1"]
    return [by_id[name] for name in wanted if name in by_id]


def _cell(row: TableRow, column: str, choice: str, table: Path) -> str:
    if column not in row:
        raise UserError(
            f"{table} has no column {column}, by which {choice} is chosen; it has: {', '.join(row)}. Give the table as "
            "it was published."
        )
    return row[column]
