"""How long a sound takes: seconds by stage and real-time factors, and what was counted in them."""

import contextlib
import dataclasses
import logging
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from tqdm import tqdm

from audiolcm.errors import UserError
from audiolcm.pipeline import AudioLCM
from evaluation.protocol import ProtocolItem
from evaluation.record import COLD, Timing

log = logging.getLogger(__name__)

_SAMPLER = "denoiser"  # the stage that samplers are compared by


class Synthesis(Protocol):
    """What one timed call returns."""

    @property
    def nfe(self) -> int:
        """Calls of the denoiser for each sound; ours counts both branches of a guided one, so it is counted here."""
        ...

    @property
    def seconds(self) -> Mapping[str, float]:
        """Seconds by stage, in the order of the stages; empty where a system can tell only the whole."""
        ...


Synthesizer = Callable[[list[str], float, int, list[str]], Synthesis]
"""Turns captions, seconds of sound, a seed and structured captions into sounds that lie in the host's memory."""


@runtime_checkable
class Remembering(Protocol):
    """A synthesizer that keeps the text features of captions, so that a caption's second call costs less."""

    def forget_prompts(self) -> None:
        """Forget them all."""
        ...


@runtime_checkable
class Timed(Protocol):
    """A system that makes its sounds here, so that it can be timed."""

    @property
    def batch_limit(self) -> int | None:
        """The most sounds that one call makes; None: as many as there is memory for."""
        ...

    def synthesizer(self) -> Synthesizer:
        """Return what makes sounds, loaded and ready."""
        ...


@dataclasses.dataclass(frozen=True)
class Efficiency:
    """Times a system from text to waveforms in the host's memory: no disk, the vocoder included.

    Every counted call encodes its captions: what a synthesizer remembers of captions is forgotten before it. Then the
    same call is timed once more, warm. Of ours every stage is timed, the device waited for around it; there is one text
    pass, for the features of the empty caption are made once, before. Of a published pipeline only the whole call is
    timed.

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

    def measure(self, system: Timed, items: Sequence[ProtocolItem], seconds: float) -> tuple[Timing, ...]:
        """Return one ``Timing`` for each batch size; captions come from ``items``, over again if need be."""
        limit = system.batch_limit
        possible = [size for size in self.batch_sizes if limit is None or size <= limit]
        if left := [size for size in self.batch_sizes if size not in possible]:
            log.warning("Not timed in batches of %s: the system makes %s at once.", left, limit)
        synthesizer = system.synthesizer()
        return tuple(self._time(synthesizer, items, seconds, size) for size in possible)

    def _time(
        self, synthesizer: Synthesizer, items: Sequence[ProtocolItem], seconds: float, batch_size: int
    ) -> Timing:
        num_runs = -(-self.num_clips // batch_size)
        runs = range(self.num_warmup + num_runs)
        cold, warm = [], []
        for run in tqdm(runs, f"time batch {batch_size}", unit="call", delay=2.0):
            clips = [items[(run * batch_size + i) % len(items)].clip for i in range(batch_size)]
            structured = [clip.structured_caption for clip in clips]
            asked = [clip.caption for clip in clips], seconds, run, structured
            if isinstance(synthesizer, Remembering):
                synthesizer.forget_prompts()
            cold.append(_timed(synthesizer, *asked))
            if isinstance(synthesizer, Remembering):
                warm.append(_timed(synthesizer, *asked))
        counted = slice(self.num_warmup, None)
        return self._timing(cold[counted], warm[counted], seconds * batch_size, batch_size)

    def _timing(
        self, cold: "Sequence[_Call]", warm: "Sequence[_Call]", audio_seconds: float, batch_size: int
    ) -> Timing:
        totals = [call.elapsed for call in cold]
        by_stage = {stage: [call.stages[stage] for call in cold] for stage in cold[0].stages}
        sampler = by_stage.get(_SAMPLER)
        return Timing(
            batch_size=batch_size,
            num_runs=len(cold),
            num_warmup=self.num_warmup,
            audio_seconds=audio_seconds,
            nfe=cold[-1].nfe,
            stages={stage: _summary(values) for stage, values in by_stage.items()},
            total=_summary(totals),
            sampler=_summary(sampler) if sampler else {},
            rtf_total=float(np.median(totals)) / audio_seconds,
            rtf_sampler=float(np.median(sampler)) / audio_seconds if sampler else None,
            text_memory=COLD,
            rtf_warm=float(np.median([call.elapsed for call in warm])) / audio_seconds if warm else None,
            calls=tuple(totals),
        )


@dataclasses.dataclass(frozen=True)
class _Call:
    elapsed: float
    stages: Mapping[str, float]
    nfe: int


def _timed(
    synthesizer: Synthesizer, captions: list[str], seconds: float, seed: int, structured: list[str]
) -> _Call:
    with _calls_of_denoiser(synthesizer) as calls:
        began = time.perf_counter()
        made = synthesizer(captions, seconds, seed, structured)
        elapsed = time.perf_counter() - began
    return _Call(elapsed, made.seconds, calls.total() or made.nfe)


@contextlib.contextmanager
def _calls_of_denoiser(synthesizer: Synthesizer) -> Iterator[Counter[str]]:
    """Count how often our denoiser is called, guided or not; a published model counts its own calls."""
    calls: Counter[str] = Counter()
    if not isinstance(synthesizer, AudioLCM):
        yield calls
        return
    hook = synthesizer.denoiser.register_forward_pre_hook(lambda *_: calls.update(["denoiser"]))
    try:
        yield calls
    finally:
        hook.remove()


def _summary(seconds: Sequence[float]) -> dict[str, float]:
    return {"median": float(np.median(seconds)), "p95": float(np.percentile(seconds, 95))}


class NotMeasured:
    """No timing was asked for."""

    def measure(self, system: Timed, items: Sequence[ProtocolItem], seconds: float) -> tuple[Timing, ...]:
        """Return nothing."""
        return ()
