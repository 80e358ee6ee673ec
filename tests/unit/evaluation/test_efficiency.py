import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from audiolcm.data.manifest import Clip
from audiolcm.diffusion.sampler import ConsistencySampler, DDIMSampler, DPMSolverPlusPlusSampler
from audiolcm.diffusion.schedule import ScaledLinearSchedule
from audiolcm.distributed.hardware import Hardware
from audiolcm.errors import UserError
from audiolcm.models.autoencoder import Autoencoder
from audiolcm.models.text_encoder import HashedTextEncoder
from audiolcm.pipeline import AudioLCM
from evaluation.efficiency import Efficiency, NotMeasured
from evaluation.protocol import ProtocolItem

ITEMS = [
    ProtocolItem(f"c{i}__0", Clip(f"c{i}", None, f"caption {i}", "", 1.0, "test", ()), Path(f"{i}"))
    for i in range(3)
]


class Clockwork:
    """A system whose calls take known seconds by stage."""

    batch_limit = None

    def __init__(self) -> None:
        self.calls = []

    def synthesizer(self):
        return self

    def __call__(self, captions, duration, seed, structured):
        self.calls.append(captions)
        slow = 10.0 if len(self.calls) <= 2 else 1.0  # what a warm-up hides
        seconds = {"text": 0.1, "denoiser": 0.4 * slow, "decoder": 0.2, "vocoder": 0.3}
        return SimpleNamespace(nfe=2, seconds=seconds, waveforms=np.zeros((len(captions), 16000)))


def test_medians_leave_the_warm_up_out_and_count_the_sounds_of_a_batch():
    pipeline = Clockwork()
    one, four = Efficiency(num_clips=6, num_warmup=2, batch_sizes=[1, 4]).measure(pipeline, ITEMS, 2.0)
    assert (one.num_runs, four.num_runs) == (6, 2)
    assert [len(call) for call in pipeline.calls] == [1] * 8 + [4] * 4
    assert one.sampler == pytest.approx({"median": 0.4, "p95": 0.4})
    assert one.stages["vocoder"]["median"] == pytest.approx(0.3)
    assert one.rtf_sampler == pytest.approx(0.4 / 2.0)
    assert four.rtf_sampler == pytest.approx(0.4 / 8.0)
    assert (one.nfe, four.audio_seconds) == (2, 8.0)


def test_the_total_is_measured_from_outside_of_the_stages():
    [timing] = Efficiency(num_clips=3, num_warmup=1, batch_sizes=[1]).measure(Clockwork(), ITEMS, 2.0)
    assert 0 < timing.total["median"] < 0.1  # the clockwork only says that it takes a second
    assert timing.rtf_total == pytest.approx(timing.total["median"] / 2.0)


def test_captions_start_again_when_there_are_few():
    pipeline = Clockwork()
    Efficiency(num_clips=4, num_warmup=1, batch_sizes=[2]).measure(pipeline, ITEMS, 2.0)
    assert pipeline.calls == [
        ["caption 0", "caption 1"],
        ["caption 2", "caption 0"],
        ["caption 1", "caption 2"],
    ]


def test_a_system_without_stages_has_a_total_alone_in_the_batches_that_it_makes(caplog):
    class Whole(Clockwork):
        batch_limit = 2

        def __call__(self, *asked):
            return SimpleNamespace(nfe=100, seconds={})

    one, two = Efficiency(num_clips=2, num_warmup=1, batch_sizes=[1, 2, 8]).measure(Whole(), ITEMS, 2.0)
    assert (one.stages, one.sampler, one.rtf_sampler, one.nfe) == ({}, {}, None, 100)
    assert one.rtf_total == one.total["median"] / 2.0 and two.batch_size == 2
    assert "batches of [8]: the system makes 2 at once" in caplog.text


def test_odd_numbers_are_refused_and_no_timing_is_no_timing():
    with pytest.raises(UserError, match="1 or more"):
        Efficiency(num_warmup=0)
    assert NotMeasured().measure(Clockwork(), ITEMS, 1.0) == ()


class Noiseless(torch.nn.Module):
    """A network that finds no noise."""

    def forward(self, z_t, t, text, omega=None):
        return torch.zeros_like(z_t)


class Silence(torch.nn.Module):
    """A vocoder of zeros."""

    def forward(self, mel):
        return mel.new_zeros(len(mel), mel.shape[-1] * 256)


def pipeline_of(text, sampler):
    autoencoder = Autoencoder(channels=32, multipliers=(1, 2), num_res_blocks=1, latent_channels=2)
    parts = (text, Noiseless(), autoencoder, Silence(), ScaledLinearSchedule(), sampler)
    return AudioLCM(*parts, Hardware("cpu", "float32"))


@pytest.mark.parametrize(
    ("sampler", "calls"),
    [
        (DDIMSampler(10, omega=4.0), 10),  # one call has both branches
        (DPMSolverPlusPlusSampler(7, omega=4.0), 7),
        (DDIMSampler(10, omega=0.0), 10),
        (ConsistencySampler(2), 2),
    ],
)
def test_calls_of_our_denoiser_are_counted_as_the_tables_count_them(sampler, calls):
    pipeline = pipeline_of(HashedTextEncoder(tokens_per_half=2, width=8), sampler)
    system = SimpleNamespace(batch_limit=None, synthesizer=lambda: pipeline)
    one, four = Efficiency(num_clips=4, num_warmup=1, batch_sizes=[1, 4]).measure(system, ITEMS, 1.0)
    assert one.nfe == four.nfe == calls
    assert not pipeline.denoiser._forward_pre_hooks


class SlowText(HashedTextEncoder):
    """A text encoder that takes 30 ms for each caption, as a large one does."""

    def forward(self, captions, structured):
        time.sleep(0.03 * len(captions))
        return super().forward(captions, structured)


@pytest.mark.parametrize("made_before", [[], ["caption 0", "caption 1", "caption 2"]])
def test_the_text_encoder_is_in_the_time_whatever_ran_before(made_before):
    pipeline = pipeline_of(SlowText(tokens_per_half=2, width=8), ConsistencySampler(2))
    if made_before:
        pipeline(made_before, 1.0, 0, [""] * len(made_before))
    system = SimpleNamespace(batch_limit=None, synthesizer=lambda: pipeline)
    for timing in Efficiency(num_clips=6, num_warmup=2, batch_sizes=[1, 2]).measure(system, ITEMS, 1.0):
        assert timing.stages["text"]["median"] >= 0.03 * timing.batch_size
        assert timing.rtf_total * timing.audio_seconds >= 0.03 * timing.batch_size
        assert timing.rtf_warm < timing.rtf_total - 0.02, "remembered captions cost nothing"
        assert timing.text_memory == "cold"
        assert len(timing.calls) == timing.num_runs and min(timing.calls) >= 0.03 * timing.batch_size


def test_what_remembers_nothing_is_timed_once():
    pipeline = Clockwork()
    [timing] = Efficiency(num_clips=2, num_warmup=1, batch_sizes=[1]).measure(pipeline, ITEMS, 1.0)
    assert len(pipeline.calls) == 3 and timing.rtf_warm is None and timing.text_memory == "cold"
