"""A small test and raters who answer it, for the tests of everything that reads answers."""

import csv
import io
from collections.abc import Callable
from pathlib import Path

from evaluation.listening.answers import PAGE_COLUMNS
from evaluation.listening.key import ListeningKey, ListeningTrial

OPINION = {"ours": 80, "theirs": 40, "reference": 100, "low_anchor": 20}
ITEMS = ("dog__0", "rain__0", "bell__0")
Rates = Callable[[ListeningTrial], int]


def make_key(questions: tuple[str, ...] = ("quality", "faithfulness")) -> ListeningKey:
    """Two systems, three clips, anchors, two checks and one repetition for each question; sounds of two seconds."""
    trials = [trial for question in questions for trial in _trials(question)]
    return ListeningKey(
        "0123456789ab", "Tones", "2025-01-02T03:04:05+00:00", 0, {"ours": "a", "theirs": "b"}, tuple(trials)
    )


def _trials(question: str) -> list[ListeningTrial]:
    plain = [(row, item) for row in ("ours", "theirs", "reference") for item in ITEMS]
    plain.append(("low_anchor", ITEMS[0]))
    trials = [
        ListeningTrial(f"{question[:2]}{number:02d}", question, row, item, f"s{number}", "", 2.0)
        for number, (row, item) in enumerate(plain)
    ]
    repeat = ListeningTrial(
        f"{question[:2]}re", question, "ours", ITEMS[0], "s0", "", 2.0, repeats=trials[0].token
    )
    checks = [
        ListeningTrial(f"{question[:2]}c{number}", question, "", "", "s0", "choose", 2.0, choose=choose)
        for number, choose in enumerate((40, 100))
    ]
    return [*trials, repeat, *checks]


def sensible(trial: ListeningTrial) -> int:
    """What an attentive rater answers who likes ours best."""
    return trial.choose or OPINION[trial.system]


def rows_of(
    key: ListeningKey, rater: str, rates: Rates = sensible, seconds: float = 4.0, device: str = "headphones"
) -> list[dict[str, str]]:
    """The rows that the page would let this rater download."""
    return [
        dict(
            zip(
                PAGE_COLUMNS,
                map(
                    str,
                    (key.test, rater, device, number, len(key.trials), trial.question, trial.token, rates(trial),
                     seconds, 1, "2025-01-02T03:04:05.000Z"),
                ),
                strict=True,
            )
        )
        for number, trial in enumerate(key.trials, start=1)
    ]  # fmt: skip


def write_rows(path: Path, rows: list[dict[str, str]]) -> Path:
    """Write rows as CSV."""
    file = io.StringIO(newline="")
    writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    path.write_text(file.getvalue())
    return path


def assignment(
    trials: list[ListeningTrial], worker: str, num_slots: int, rates: Rates = sensible, work: int = 60
) -> dict[str, str]:
    """One row of a Mechanical Turk batch, as `crowd-form` hands it in; slots without a trial are empty."""
    row = {
        "HITId": "H1",
        "AssignmentId": f"A-{worker}",
        "WorkerId": worker,
        "AssignmentStatus": "Submitted",
        "WorkTimeInSeconds": str(work),
    }
    for slot in range(1, num_slots + 1):
        trial = trials[slot - 1] if slot <= len(trials) else None
        row[f"Input.clip_{slot}"] = "" if trial is None else trial.token
        for value in (20, 40, 60, 80, 100):
            row[f"Answer.rating_{slot}.{value}"] = "" if trial is None else str(value == rates(trial)).lower()
    return row | {
        f"Answer.device.{name}": str(name == "earphones").lower() for name in ("headphones", "earphones")
    }


def batch_rows(
    key: ListeningKey, worker: str, rates: Rates = sensible, work: int = 60
) -> list[dict[str, str]]:
    """One assignment that has all trials of the key, and a slot too many."""
    return [assignment(list(key.trials), worker, len(key.trials) + 1, rates, work)]
