"""How long a sound takes: seconds by stage and real-time factors, and what was counted in them."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence

import numpy as np
from tqdm import tqdm

from audiolcm.errors import UserError
from audiolcm.pipeline import AudioLCM
from evaluation.protocol import Item
from evaluation.record import Timing

STAGES = ("text", "denoiser", "decoder", "vocoder")


@dataclasses.dataclass(frozen=True)
class Efficiency:
    """Times a model from text to waveforms in the host's memory: no disk, one text pass, the vocoder included.

    The device is waited for around every stage. The features of the empty caption are made once, before.

    Args:
        num_clips: sounds that each batch size makes at least, after the warm-up.
        num_warmup: calls that are not counted.
        batch_sizes: sounds made at once.

    Raises:
        UserError: on a number below one.
    """

    num_clips: int = 50
    num_warmup: int = 5
    batch_sizes: Sequence[int] = (1, 8)

    def __post_init__(self) -> None:
        if min(self.num_clips, self.num_warmup, *self.batch_sizes) < 1:
            raise UserError("efficiency: num_clips, num_warmup and batch_sizes must be 1 or more.")

    def measure(self, pipeline: AudioLCM, items: Sequence[Item], seconds: float) -> tuple[Timing, ...]:
        """Return one ``Timing`` for each batch size; captions come from ``items``, over again if need be."""
        return tuple(self._time(pipeline, items, seconds, size) for size in self.batch_sizes)

    def _time(self, pipeline: AudioLCM, items: Sequence[Item], seconds: float, batch_size: int) -> Timing:
        num_runs = -(-self.num_clips // batch_size)
        totals, stages, nfe = [], [], 0
        for run in tqdm(
            range(self.num_warmup + num_runs), f"time batch {batch_size}", unit="call", delay=2.0
        ):
            chosen = [items[(run * batch_size + i) % len(items)].clip for i in range(batch_size)]
            began = time.perf_counter()
            made = pipeline(
                [clip.caption for clip in chosen], seconds, run, [clip.structured_caption for clip in chosen]
            )
            if run >= self.num_warmup:
                totals.append(time.perf_counter() - began)
                stages.append(made.seconds)
                nfe = made.nfe
        by_stage = {stage: [row[stage] for row in stages] for stage in STAGES}
        audio_seconds = seconds * batch_size
        return Timing(
            batch_size=batch_size,
            num_runs=num_runs,
            num_warmup=self.num_warmup,
            audio_seconds=audio_seconds,
            nfe=nfe,
            stages={stage: _summary(values) for stage, values in by_stage.items()},
            total=_summary(totals),
            sampler=_summary(by_stage["denoiser"]),
            rtf_total=float(np.median(totals)) / audio_seconds,
            rtf_sampler=float(np.median(by_stage["denoiser"])) / audio_seconds,
        )


def _summary(seconds: Sequence[float]) -> dict[str, float]:
    return {"median": float(np.median(seconds)), "p95": float(np.percentile(seconds, 95))}


class NotMeasured:
    """No timing was asked for."""

    def measure(self, pipeline: AudioLCM, items: Sequence[Item], seconds: float) -> tuple[Timing, ...]:
        """Return nothing."""
        return ()
