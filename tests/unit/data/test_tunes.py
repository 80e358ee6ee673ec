"""What a caption of the procedural music says is measured in its audio: tempo, pitches, key, instruments, loudness."""

import re
from collections import Counter

import librosa
import numpy as np
import pytest
from scipy import signal

from audiolcm.data.manifest import Clip
from audiolcm.data.tunes import FoleyMusicCorpus
from audiolcm.data.tunes.captions import MOODS, Force, Pace
from audiolcm.data.tunes.instruments import LEADS
from audiolcm.data.tunes.songs import Song
from audiolcm.data.tunes.theory import TONICS, Key, Mode, hertz, voiced
from audiolcm.models.text_encoder import structure_tokens, words

RATE = 16_000
SCALES = {"major": (0, 2, 4, 5, 7, 9, 11), "minor": (0, 2, 3, 5, 7, 8, 10)}
Heard = list[tuple[Clip, Song, list[np.ndarray]]]


@pytest.fixture(scope="module")
def heard() -> Heard:
    corpus = FoleyMusicCorpus(num_train=66)
    return [(clip, corpus.song(clip), corpus.stems(clip)) for clip in corpus.clips("train")]


def lowest_partial(sound: np.ndarray) -> float:
    """Frequency in Hz of the lowest strong component: of all peaks above a tenth of the highest, with its neighbors."""
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(sound.size), 1 << 16))
    frequency = np.arange(spectrum.size) * RATE / (1 << 16)
    spectrum[frequency < 150.0] = 0.0
    peaks, _ = signal.find_peaks(spectrum, height=0.1 * spectrum.max())
    near = peaks[frequency[peaks] < 1.06 * frequency[peaks[0]]]  # a tremolo has sidebands
    return float(frequency[near[np.argmax(spectrum[near])]])


def melody_heard(song: Song, stem: np.ndarray) -> list[tuple[float, int]]:
    """Pitch (MIDI, measured) of each note that lasts a tenth of a second, and what was planned."""
    found = []
    for note in song.parts[0].notes:
        begin, end = round(note.start * RATE), round((note.start + note.length) * RATE)
        segment = stem[begin + (end - begin) // 10 : end]  # what rings on from before is over
        if segment.size > RATE // 10:
            found.append((69.0 + 12.0 * np.log2(lowest_partial(segment) / 440.0), note.sound))
    return found


def stated_key(caption: str) -> tuple[int, str] | None:
    """Tonic and mode that a caption names."""
    match = re.search(r"in ([A-G](?: sharp| flat)?) (major|minor)", caption)
    return (TONICS.index(match[1]), match[2]) if match else None


def test_every_note_of_the_melody_is_the_planned_pitch_in_the_stated_scale(heard: Heard) -> None:
    instruments, stated = Counter(), 0
    for clip, song, stems in heard:
        notes = melody_heard(song, stems[0])
        assert all(abs(measured - planned) < 0.3 for measured, planned in notes), clip.caption
        instruments[song.parts[0].label] += len(notes)
        if key := stated_key(clip.caption):
            assert {(round(m) - key[0]) % 12 for m, _ in notes} <= set(SCALES[key[1]]), clip.caption
            stated += 1
    assert set(instruments) == set(LEADS)
    assert min(instruments.values()) > 30
    assert stated > 8


def test_major_and_minor_are_heard_by_their_third(heard: Heard) -> None:
    for clip, song, stems in heard:
        tonal = sum(s for s, part in zip(stems, song.parts, strict=True) if part.role != "drums")
        chroma = librosa.feature.chroma_stft(y=tonal, sr=RATE, n_fft=4096, hop_length=1024, tuning=0.0)
        major, minor = (chroma.mean(axis=1)[(song.key.tonic + third) % 12] for third in (4, 3))
        assert (major > minor) == (song.key.mode is Mode.MAJOR), clip.caption
        if mode := re.search(r"(major|minor)", clip.caption):
            assert mode[1] == song.key.mode.name.lower()


def test_tempo_is_heard(heard: Heard) -> None:
    """Beat trackers take half or double time of slow and fast pieces; one that is deaf would be right in 8%."""
    ratios = []
    for clip, song, stems in heard:
        onsets = librosa.onset.onset_strength(y=sum(stems), sr=RATE, hop_length=128)
        tempo = librosa.feature.tempo(onset_envelope=onsets, sr=RATE, hop_length=128, start_bpm=100.0)[0]
        ratios.append(tempo / song.beats_a_minute)
        if bpm := re.search(r"(\d+) bpm", clip.caption):
            assert int(bpm[1]) == song.beats_a_minute
        (pace,) = (pace for pace in Pace if re.search(rf"\b{pace.word}\b", clip.caption.lower()))
        assert pace.value[0] <= song.beats_a_minute <= pace.value[1]
    assert np.mean(np.abs(np.array(ratios) - 1.0) < 0.04) > 0.8
    metrical = np.abs(np.log2(ratios)[:, None] - np.array([-1.0, 0.0, 1.0])).min(axis=1)
    assert np.mean(metrical < 0.06) > 0.94


def test_drums_are_there_if_and_only_if_they_are_named(heard: Heard) -> None:
    """No instrument but the drums sounds above 6.5 kHz."""
    seen = Counter()
    for clip, _, stems in heard:
        power = np.abs(np.fft.rfft(sum(stems))) ** 2
        high = 10 * np.log10(power[np.fft.rfftfreq(len(stems[0]), 1 / RATE) > 6500.0].sum() / power.sum())
        named = "drums" in clip.caption
        assert named == ("drums" in clip.labels)
        assert (high > -35.0) == named, (clip.caption, high)
        seen[named] += 1
    assert min(seen[True], seen[False]) > 20


def test_loudness_of_drums_is_that_of_the_caption(heard: Heard) -> None:
    seen = Counter()
    for clip, _, stems in heard:
        if "drums" not in clip.labels:
            continue
        levels = [float(np.sqrt(np.mean(stem**2))) for stem in stems]
        decibels = 20 * np.log10(levels[clip.labels.index("drums")] / levels[0])
        force = next((force for force in Force if f"{force.name.lower()} drums" in clip.caption), None)
        low, high = force.value if force else (-5.0, -1.0)
        assert low - 1.0 < decibels < high + 1.0, (clip.caption, decibels)
        seen[force] += 1
    assert min(seen[force] for force in (None, *Force)) > 3


def test_captions_name_who_plays_and_nobody_else(heard: Heard) -> None:
    everybody = {*LEADS, "bass", "drums"}
    for clip, song, stems in heard:
        said = clip.caption.lower().replace("string", "strings").replace("stringss", "strings")
        named = {label for label in everybody if re.search(rf"\b{label}\b", said)}
        assert named == set(clip.labels), clip.caption
        assert re.search(rf"{clip.labels[0]} (melody|plays? a)", said), clip.caption
        assert len(clip.labels) == len(song.parts) == len(stems)
        assert clip.structured_caption.count("& all>") == len(stems)
        moods = {mood: which for which, names in MOODS.items() for mood in names}
        for mood in set(said.split()) & set(moods):
            assert moods[mood] == (song.key.mode, song.pace)
        assert not re.search(r"\ba [aeiou]|\ban [^aeiou]|  | [,:]|[,:]$", clip.caption), clip.caption


def test_every_part_sounds_in_any_two_beats(heard: Heard) -> None:
    for clip, song, stems in heard:
        window = round(2 * 60 / song.beats_a_minute * RATE)
        for part, stem in zip(song.parts, stems, strict=True):
            power = np.cumsum(np.concatenate(([0.0], stem.astype(float) ** 2)))
            energy = power[window:] - power[:-window]
            assert energy.min() > 1e-3 * energy.max(), (clip.caption, part.role)


def test_captions_fit_the_small_text_encoder() -> None:
    clips = FoleyMusicCorpus(num_train=400).clips("train")
    assert max(len(words(clip.caption)) for clip in clips) <= 15
    assert max(len(structure_tokens(clip.structured_caption)) for clip in clips) <= 15
    assert len({clip.caption for clip in clips}) > 330


def test_theory_against_known_chords_and_frequencies() -> None:
    assert Key(9, Mode.MINOR).name == "A minor"
    assert [p % 12 for p in Key(9, Mode.MINOR).scale(57, 68)] == [9, 11, 0, 2, 4, 5, 7]  # the white keys
    assert Key(0, Mode.MAJOR).triad(4) == (7, 11, 2)  # G, B, D
    assert Key(2, Mode.MINOR).triad(3) == (7, 10, 2)  # G minor
    np.testing.assert_allclose([hertz(p) for p in (60, 69, 81)], librosa.midi_to_hz([60, 69, 81]))
    assert voiced((0, 4, 7), 50) == (52, 55, 60)
