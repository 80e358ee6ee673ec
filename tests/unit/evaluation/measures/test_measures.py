"""Every measure against its formula on features that a known network gives, through files, store and trial."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.distance import pdist

from audiolcm.audio.io import write_wav
from audiolcm.data.manifest import Clip
from audiolcm.errors import UserError
from evaluation.features.store import FeatureStore
from evaluation.measures.pairs import ClapScore, Divergence
from evaluation.measures.sets import FrechetDistance, FrechetInfinity, InceptionScore, KernelDistance
from evaluation.metrics.bootstrap import MEAN_METHOD
from evaluation.metrics.divergence import kl_softmax, kl_softmax_reversed
from evaluation.metrics.frechet import fit_gaussian, frechet_distance
from evaluation.metrics.inception import inception_score
from evaluation.metrics.kernel import kernel_audio_distance
from evaluation.protocol import ProtocolItem
from evaluation.sound import SoundReader
from evaluation.trial import Extractors, Trial

CLIPS, CAPTIONS, SEEDS = 12, 2, 2


class Moments:
    """Hears four statistics of each of three parts of a sound; logits and captions are made from them too."""

    name, identity, sample_rate, is_embedded = "moments", "0123456789", 16000, False

    def extract(self, waveforms: Sequence[np.ndarray]) -> list[dict[str, np.ndarray]]:
        return [self.hear(waveform) for waveform in waveforms]

    @staticmethod
    def hear(waveform: np.ndarray) -> dict[str, np.ndarray]:
        parts = waveform.reshape(3, -1)
        rows = np.stack([parts.mean(1), parts.std(1), parts.max(1), parts.min(1)], 1).astype(np.float64)
        vector = waveform[:4] / np.linalg.norm(waveform[:4])
        return {"embedding": rows, "logits": 20 * waveform[:5], "joint": vector[None]}

    def embed_captions(self, captions: Sequence[str]) -> np.ndarray:
        return np.stack([caption_vector(caption) for caption in captions])


def caption_vector(caption: str) -> np.ndarray:
    vector = np.random.default_rng(int(caption)).normal(size=4)
    return vector / np.linalg.norm(vector)


@pytest.fixture
def waveforms():
    """Generated [seed, clip, caption] and true [clip] waveforms, as 16-bit files keep them."""
    rng = np.random.default_rng(0)
    generated = rng.normal(0.02, 0.2, (SEEDS, CLIPS, CAPTIONS, 300))
    true = rng.normal(0.0, 0.15, (CLIPS, 300))
    return [np.rint(np.clip(x, -1, 0.99) * 32768) / 32768 for x in (generated, true)]


@pytest.fixture
def trial(tmp_path, waveforms):
    generated, true = waveforms
    for clip in range(CLIPS):
        write_wav(tmp_path / f"c{clip}.wav", true[clip])
    items, sounds = [], [[] for _ in range(SEEDS)]
    for caption in range(CAPTIONS):  # rows of a clip are not adjacent, as in the released list
        for clip in range(CLIPS):
            name = f"c{clip:02d}__{caption}"
            about = Clip(name, None, str(10 * clip + caption), "", 1.0, "test", ())
            items.append(ProtocolItem(name, about, tmp_path / f"c{clip}.wav"))
            for seed in range(SEEDS):
                sounds[seed].append(tmp_path / f"{name}-{seed}.wav")
                write_wav(sounds[seed][-1], generated[seed, clip, caption])
    references = tuple(tmp_path / f"c{clip}.wav" for clip in range(CLIPS))
    return Trial(tuple(items), tuple(map(tuple, sounds)), references, SoundReader())


@pytest.fixture
def extractors(tmp_path):
    return Extractors({}, FeatureStore(tmp_path / "cache"), Moments)


def heard(waveforms: np.ndarray, name: str) -> np.ndarray:
    flat = waveforms.reshape(-1, waveforms.shape[-1])
    return np.concatenate([np.atleast_2d(Moments.hear(waveform)[name]) for waveform in flat])


def in_order(generated: np.ndarray) -> np.ndarray:
    """[clip, caption] as the trial has its items: caption by caption."""
    return generated.swapaxes(0, 1)


def test_the_frechet_distance_is_that_of_all_rows_and_the_mean_over_the_seeds(trial, extractors, waveforms):
    generated, true = waveforms
    score = FrechetDistance("embedded", num_resamples=30, seed=0).score("fad_x", trial, extractors)
    target = fit_gaussian(heard(true, "embedding"))
    expected = [frechet_distance(fit_gaussian(heard(seed, "embedding")), target) for seed in generated]
    assert score.per_seed == pytest.approx(expected, rel=1e-6)  # files are read as float32
    assert score.value == pytest.approx(np.mean(expected))
    assert score.interval[0] < score.value < score.interval[1]
    assert (score.key, score.title, score.better) == ("fad_x", "FAD (moments)", "lower")
    assert (score.num_generated, score.num_reference, score.is_embedded) == (CLIPS * CAPTIONS, CLIPS, False)
    assert "30 draws" in score.interval_method


def test_few_rows_are_an_error_unless_accepted(trial, extractors):
    few = Trial(trial.items[:1], (trial.sounds[0][:1],), trial.references[:1], SoundReader())
    with pytest.raises(UserError, match=r"1 generated sounds give 3 rows of 4 features.*allow=\[few_clips\]"):
        FrechetDistance("embedded", 0, 0).score("fad", few, extractors)
    accepted = FrechetDistance("embedded", 0, 0, allow_few_clips=True).score("fad", few, extractors)
    assert len(accepted.notes) == 2 and accepted.interval is None


def test_reference_statistics_are_kept_and_the_same_again(trial, extractors, tmp_path):
    first = FrechetDistance("embedded", 0, 0).score("fad", trial, extractors)
    [kept] = (tmp_path / "cache/statistics").glob("*")
    changed = kept.stat().st_mtime_ns
    assert FrechetDistance("embedded", 0, 0).score("fad", trial, extractors) == first
    assert kept.stat().st_mtime_ns == changed
    kept.write_bytes(b"damaged")
    assert FrechetDistance("embedded", 0, 0).score("fad", trial, extractors) == first


def test_a_network_with_a_reader_of_its_own_hears_both_sides_by_it(trial, extractors):
    """Features and statistics that were kept of the same files by another reader are not taken."""
    own = SoundReader(remove_mean=True, peak=0.5)
    measures = [
        FrechetDistance("embedded", 0, 0), FrechetInfinity("embedded", 0, 0, min_rows=20),
        KernelDistance("embedded", 0, 0), Divergence("embedded", 0, 0), InceptionScore("embedded", 0, 0),
        ClapScore("embedded", 0, 0),
    ]  # fmt: skip
    plain = [measure.score("x", trial, extractors).value for measure in measures]
    named = dataclasses.replace(trial, readers={"embedded": own, "another": SoundReader(peak=0.1)})
    alone = dataclasses.replace(trial, reader=own)
    found = [measure.score("x", named, extractors).value for measure in measures]
    assert found == [measure.score("x", alone, extractors).value for measure in measures]
    assert all(one != pytest.approx(other, rel=1e-6) for one, other in zip(found, plain, strict=True))
    assert named.reader_of("embedded") == own and named.reader_of("vggish") == trial.reader
    long = dataclasses.replace(named, longest=(9.0, 9.0), readers={"embedded": SoundReader(max_seconds=3.0)})
    assert [seconds for *_, seconds in long.expected("embedded")] == [3.0, 3.0]
    assert [seconds for *_, seconds in long.expected()] == [9.0, 9.0]


def test_kad_is_and_fad_extrapolated(trial, extractors, waveforms):
    generated, true = waveforms
    kad = KernelDistance("embedded", 20, 0).score("kad", trial, extractors)
    expected = [kernel_audio_distance(heard(s, "embedding"), heard(true, "embedding")) for s in generated]
    assert kad.per_seed == pytest.approx(expected)
    own = KernelDistance("embedded", 20, 0, bandwidth="evaluated").score("kad", trial, extractors)
    rows = [heard(seed, "embedding") for seed in generated]
    of_own = [kernel_audio_distance(r, heard(true, "embedding"), float(np.median(pdist(r)))) for r in rows]
    assert own.per_seed == pytest.approx(of_own, rel=0.01) and own.per_seed != pytest.approx(
        expected, rel=1e-4
    )
    assert own.interval is not None and own.interval[0] < own.value < own.interval[1]
    assert (kad.title, own.title) == (
        "KAD, reference bandwidth (moments)",
        "KAD, evaluated bandwidth (moments)",
    )
    with pytest.raises(UserError, match="bandwidth=both of KAD is unknown: choose reference or evaluated"):
        KernelDistance("embedded", 0, 0, bandwidth="both")
    infinite = FrechetInfinity("embedded", 0, 0, min_rows=20).score("fad_inf", trial, extractors)
    assert np.isfinite(infinite.value) and len(infinite.details["r_squared"]) == SEEDS
    inception = InceptionScore("embedded", 20, 0).score("is", trial, extractors)
    scores = [
        inception_score(heard(seed, "logits")) for seed in generated
    ]  # [clip, caption] is sorted by name
    assert inception.per_seed == pytest.approx([score.mean for score in scores])
    assert inception.details["std_over_splits"] == pytest.approx([score.std for score in scores])
    assert (inception.better, inception.num_reference) == ("higher", 0)


@pytest.mark.parametrize(
    ("kind", "formula"), [("softmax", kl_softmax), ("softmax_reversed", kl_softmax_reversed)]
)
def test_kl_pairs_every_sound_with_the_reference_of_its_clip(trial, extractors, waveforms, kind, formula):
    generated, true = waveforms
    score = Divergence("embedded", 100, 0, kind).score("kl", trial, extractors)
    reference = np.tile(heard(true, "logits"), (CAPTIONS, 1))
    values = [formula(reference, heard(in_order(seed), "logits")) for seed in generated]
    assert score.per_seed == pytest.approx([value.mean() for value in values])
    by_item = np.mean(values, axis=0)
    assert score.per_clip == pytest.approx(
        {item.name: v for item, v in zip(trial.items, by_item, strict=True)}
    )
    assert score.interval_method == MEAN_METHOD
    assert score.interval[0] < score.value < score.interval[1]


def test_clap_is_the_cosine_with_the_own_caption(trial, extractors, waveforms):
    score = ClapScore("embedded", 0, 0).score("clap", trial, extractors)
    captions = np.stack([caption_vector(item.clip.caption) for item in trial.items])
    cosines = [np.sum(heard(in_order(seed), "joint") * captions, 1) for seed in waveforms[0]]
    assert score.value == pytest.approx(np.mean(cosines))
    clamped = ClapScore("embedded", 0, 0, clamp=True).score("clap", trial, extractors)
    assert clamped.value == pytest.approx(np.clip(cosines, 0, None).mean())
    assert clamped.title == "CLAP, clamped (moments)"


def test_a_measure_may_hear_in_its_own_way(trial, extractors):
    plain = ClapScore("embedded", 0, 0).score("clap", trial, extractors)
    turned = ClapScore("embedded", 0, 0, reader=SoundReader(remove_mean=True)).score(
        "clap", trial, extractors
    )
    assert turned.value != plain.value


def test_captions_need_a_network_that_reads_and_kinds_of_kl_are_known(trial, tmp_path):
    class OnlyHears:
        name, identity, sample_rate, is_embedded = "deaf", "1", 16000, True
        extract = Moments.extract

    extractors = Extractors({}, FeatureStore(tmp_path / "cache"), OnlyHears)
    with pytest.raises(UserError, match="deaf reads no captions"):
        ClapScore("embedded", 0, 0).score("clap_x", trial, extractors)
    with pytest.raises(UserError, match="kind=jensen"):
        Divergence("embedded", 0, 0, "jensen")


def test_all_networks_that_are_missing_are_told_in_one_message(tmp_path):
    absent = {
        name: {"_target_": f"evaluation.features.{target}", "weights": str(Path(tmp_path / f"{name}.pth"))}
        for name, target in (("vggish", "vggish.Vggish"), ("panns_16k", "panns.Panns16k"))
    }
    extractors = Extractors(absent, FeatureStore(tmp_path), Moments)
    with pytest.raises(UserError) as error:
        extractors.load(["vggish", "embedded", "panns_16k"])
    assert len(str(error.value).splitlines()) == 2
    assert "vggish.pth" in str(error.value) and "panns_16k.pth" in str(error.value)
    with pytest.raises(UserError, match=r"features\.openl3 is not configured"):
        extractors.load(["openl3"])


def test_the_interval_of_the_inception_score_lies_around_it(trial, extractors):
    score = InceptionScore("embedded", 20, 0).score("is", trial, extractors)
    assert sum(score.interval) / 2 == pytest.approx(score.value)
    assert score.interval[0] < score.interval[1]


def test_what_numbers_and_shapes_tell_is_told_before_there_are_sounds(trial, tmp_path):
    """As for ``score``, with an untrained network that only says how many rows a sound of some length gives."""
    extractors = Extractors(
        {}, FeatureStore(tmp_path / "cache"), lambda: pytest.fail("trained"), untrained=Moments
    )
    expected = Trial(trial.items[:1], (), trial.references, SoundReader(), longest=(0.3, 0.3))
    with pytest.raises(UserError, match=r"1 generated sounds give 3 rows of 4 features.*allow=\[few_clips\]"):
        FrechetDistance("embedded", 0, 0).foresee("fad", expected, extractors)
    FrechetDistance("embedded", 0, 0, allow_few_clips=True).foresee("fad", expected, extractors)
    with pytest.raises(UserError, match="more than 500 rows of features and got 3"):
        FrechetInfinity("embedded", 0, 0).foresee("fad_inf", expected, extractors)
    with pytest.raises(UserError, match="each of its 10 splits, and there are 1 sounds"):
        InceptionScore("embedded", 0, 0).foresee("is", expected, extractors)
    many = Trial(trial.items, (), trial.references, SoundReader(), longest=(0.3, 0.3))
    for measure in (FrechetDistance, InceptionScore, Divergence, ClapScore):
        measure("embedded", 0, 0).foresee("any", many, extractors)


def test_a_network_without_what_a_measure_needs_is_told(trial, tmp_path):
    class OnlyRows(Moments):
        def extract(self, waveforms: Sequence[np.ndarray]) -> list[dict[str, np.ndarray]]:
            return [{"embedding": found["embedding"]} for found in super().extract(waveforms)]

    extractors = Extractors({}, FeatureStore(tmp_path / "cache"), OnlyRows, untrained=OnlyRows)
    expected = Trial(trial.items, (), trial.references, SoundReader(), longest=(0.3, 0.3))
    for measure in (InceptionScore("embedded", 0, 0), Divergence("embedded", 0, 0)):
        with pytest.raises(
            UserError, match=r"metrics\.x\.extractor=embedded gives embedding, and the metric needs"
        ):
            measure.foresee("x", expected, extractors)


def test_nothing_is_trained_while_another_network_is_missing(tmp_path):
    nodes = {
        "vggish": {"_target_": "evaluation.features.vggish.Vggish", "weights": str(tmp_path / "none.pth")}
    }
    extractors = Extractors(nodes, FeatureStore(tmp_path), lambda: pytest.fail("trained"))
    with pytest.raises(UserError, match=r"none\.pth"):
        extractors.load(["embedded", "vggish"])
