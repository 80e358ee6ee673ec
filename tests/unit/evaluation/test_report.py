"""The report as a file: complete, closed to the outside, and faithful to the record."""

import base64
import hashlib
import io
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import soundfile
from matplotlib import image
from records import HOSTILE, make_record

from audiolcm.audio.io import write_wav
from audiolcm.errors import UserError
from audiolcm.pages.html import Html, element
from audiolcm.pages.media import mel_levels, palette, png, sound_uris
from evaluation.record import Record, Score, Timing
from evaluation.report import write_report
from evaluation.report.charts import stage_bar, stage_seconds, whisker
from evaluation.report.page import render
from evaluation.report.sample import MAX_SECONDS, choose_clips, read_excerpt

VOID = {"meta", "link", "img", "input"}


class Reader(HTMLParser):
    """Collects text, tags and attributes, and checks that every tag is closed in order."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in ("script", "style"):
            self.texts.append(data)

    def count(self, tag: str) -> int:
        return sum(found == tag for found, _ in self.tags)


def report_of(record: Record, folder: Path, max_clips: int = 24) -> Reader:
    return Reader(write_report(record, folder, max_clips).read_text())


def decoded(uri: str) -> bytes:
    return base64.b64decode(uri.partition("base64,")[2])


def test_elements_escape_text_and_attributes_but_not_markup() -> None:
    made = element("p", "a<b", element("i", "&"), None, 3, class_='"x"', hidden=True, title=None)
    assert made == '<p class="&quot;x&quot;" hidden>a&lt;b<i>&amp;</i>3</p>'
    assert isinstance(made, Html)


def test_page_is_well_formed_and_says_what_the_record_says(tmp_path: Path) -> None:
    page = report_of(make_record(tmp_path), tmp_path)
    text = "\n".join(page.texts)
    for expected in (
        "AudioLCM", "Replica, foley test split", "FAD (VGGish)", "2.13", "[1.93, 2.41]", "N=5/5", "embedded",
        "900 clips for 128 dimensions", "mean of 2 generation seeds: 2.11, 2.15", "vggish 0123456789",
        "CLAP (LAION) is no better than with shuffled captions.", "white noise", "denoiser", "100.8",
        "device cpu, name Two <cores> · precision: float32", "python evaluate.py dataset=foley", "ab" * 32,
        "3 files have several channels",
    ):  # fmt: skip
        assert expected in text, expected
    assert page.count("audio") == page.count("img") == 10


def test_page_holds_no_address_outside_of_itself(tmp_path: Path) -> None:
    path = write_report(make_record(tmp_path), tmp_path)
    page = Reader(path.read_text())
    addresses = [attrs[key] for _, attrs in page.tags for key in ("src", "href") if key in attrs]
    assert all(address.startswith(("data:", "#")) for address in addresses)
    assert not re.search(r"https?:|@import|url\(", path.read_text())


def test_policy_names_exactly_our_script_and_style(tmp_path: Path) -> None:
    text = write_report(make_record(tmp_path), tmp_path).read_text()
    policy = next(
        attrs["content"]
        for _, attrs in Reader(text).tags
        if attrs.get("http-equiv") == "Content-Security-Policy"
    )
    for tag in ("script", "style"):
        (code,) = re.findall(f"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy
    assert not any(
        "style" in attrs or any(key.startswith("on") for key in attrs) for _, attrs in Reader(text).tags
    )


def test_untrusted_text_stays_text_everywhere(tmp_path: Path) -> None:
    record = make_record(tmp_path)
    row, *sanity = (
        replace(
            row,
            system=HOSTILE,
            facts={HOSTILE: HOSTILE},
            scores=tuple(
                replace(s, title=HOSTILE, notes=(HOSTILE,), extractor={"name": HOSTILE}) for s in row.scores
            ),
        )
        for row in (record.row, *record.sanity)
    )
    clips = tuple(replace(clip, name=f'{clip.name}" autofocus x="', caption=HOSTILE) for clip in record.clips)
    record = replace(
        record, row=row, clips=clips, verdicts=(HOSTILE,), provenance={HOSTILE: {HOSTILE: HOSTILE}},
        sanity=tuple(sanity), protocol={"title": HOSTILE},
    )  # fmt: skip
    page = report_of(record, tmp_path)
    assert page.count("script") == 1
    assert not any("autofocus" in attrs or "onerror" in attrs for _, attrs in page.tags)
    assert page.count("img") == 10


@pytest.mark.parametrize(
    "lacking", ["timings", "sanity", "verdicts", "clips", "scores", "references", "extras"]
)
def test_page_does_without(tmp_path: Path, lacking: str) -> None:
    record = make_record(tmp_path)
    if lacking == "scores":
        record = replace(record, row=replace(record.row, scores=()))
    elif lacking == "references":
        record = replace(record, clips=tuple(replace(clip, reference=None) for clip in record.clips))
    elif lacking == "extras":
        scores = tuple(
            Score(score.key, score.title, score.value, score.better) for score in record.row.scores
        )
        bare = replace(record.row, scores=scores, facts={})
        record = replace(record, row=bare, sanity=(replace(bare, system="silence"),), provenance={})
    else:
        record = replace(record, **{lacking: ()})
    page = report_of(record, tmp_path)
    assert page.count("audio") == {"clips": 0, "references": 5}.get(lacking, 10)


def test_a_system_that_is_timed_as_a_whole_has_no_sampler(tmp_path: Path) -> None:
    record = make_record(tmp_path)
    whole = [replace(timing, stages={}, sampler={}, rtf_sampler=None) for timing in record.timings]
    report_of(replace(record, timings=tuple(whole)), tmp_path)
    text = (tmp_path / "report.html").read_text()
    assert "sampler alone" not in text and "NFE 2" in text


def test_a_missing_sound_is_named(tmp_path: Path) -> None:
    record = make_record(tmp_path)
    (tmp_path / record.clips[2].audio).unlink()
    with pytest.raises(UserError, match="clip2__0.wav not found"):
        write_report(record, tmp_path)
    assert not (tmp_path / "report.html").exists()


def test_scores_are_listed_for_all_clips_and_sounds_for_a_sample(tmp_path: Path) -> None:
    page = report_of(make_record(tmp_path, num_clips=9), tmp_path, max_clips=3)
    assert page.count("audio") == 6
    assert sum(tag == "tr" and "data-name" in attrs for tag, attrs in page.tags) == 9
    assert any("3 of 9 clips can be heard here" in text for text in page.texts)
    links = [attrs["href"] for tag, attrs in page.tags if tag == "a" and attrs["href"].startswith("#clip-")]
    assert links == ["#clip-0", "#clip-1", "#clip-2"]


def test_sample_has_worst_best_and_others(tmp_path: Path) -> None:
    record = make_record(tmp_path, num_clips=30)
    only_clap = replace(record, row=replace(record.row, scores=record.row.scores[3:4]))
    names = [clip.name for clip in choose_clips(only_clap, 6)]
    assert names == ["clip0__0", "clip1__0", names[2], names[3], "clip28__0", "clip29__0"]
    assert [int(name[4:-3]) for name in names[2:4]] == pytest.approx([8, 21], abs=1)
    assert len(choose_clips(record, 7)) == 7
    assert choose_clips(record, 0) == []
    without = replace(record, row=replace(record.row, scores=()))
    assert [clip.name for clip in choose_clips(without, 3)] == ["clip5__0", "clip15__0", "clip25__0"]
    with pytest.raises(UserError, match="-1"):
        choose_clips(record, -1)


def test_lossless_sound_is_the_sound_of_the_file() -> None:
    waveform = np.random.default_rng(0).uniform(-0.5, 0.5, 8000).astype(np.float32)
    (uri,), codec = sound_uris([waveform])
    assert codec.startswith("FLAC")
    samples, rate = soundfile.read(io.BytesIO(decoded(uri)), dtype="float32")
    assert rate == 16000
    np.testing.assert_allclose(samples, waveform, atol=1 / 32768)


def test_many_sounds_are_compressed_so_that_the_page_stays_small() -> None:
    noise = np.random.default_rng(0).uniform(-0.9, 0.9, 160_000).astype(np.float32)
    uris, codec = sound_uris([noise] * 24)
    assert codec.startswith("MP3")
    assert sum(map(len, uris)) < 2e6
    samples, rate = soundfile.read(io.BytesIO(decoded(uris[0])))
    assert rate == 16000
    assert len(samples) == pytest.approx(160_000, abs=2000)


def test_picture_is_read_by_others_as_it_was_drawn() -> None:
    levels = np.arange(80 * 5, dtype=np.uint8).reshape(80, 5) % 64
    pixels = image.imread(io.BytesIO(png(levels)), format="png")
    np.testing.assert_array_equal(np.rint(pixels[..., :3] * 255).astype(np.uint8), palette()[levels])


def test_picture_has_high_bands_above_and_one_scale_for_all() -> None:
    time = np.arange(16000) / 16000
    high = mel_levels(np.sin(2 * np.pi * 6000 * time).astype(np.float32))
    assert high.shape == (80, 62)
    assert high.max(1).argmax() < 20
    quiet = mel_levels(0.1 * np.sin(2 * np.pi * 6000 * time).astype(np.float32))
    assert high.max() - quiet.max() == pytest.approx(63 / 6, abs=1)  # a decade of six
    assert mel_levels(np.zeros(100, np.float32)).max() == 0


def test_long_sounds_are_cut(tmp_path: Path) -> None:
    write_wav(tmp_path / "long.wav", np.zeros(16000 * 20))
    assert len(read_excerpt(tmp_path / "long.wav")) == MAX_SECONDS * 16000


def test_whisker_puts_figures_in_proportion(tmp_path: Path) -> None:
    fad = make_record(tmp_path).row.scores[0]
    drawing = Reader(whisker(replace(fad, value=5.0, interval=(4.0, 6.0)), [("noise", 10.0)]))
    parts = {attrs.get("class"): attrs for _, attrs in drawing.tags}
    assert parts["value"]["cx"] == "50.00%"
    assert (parts["interval"]["x1"], parts["interval"]["x2"]) == ("40.40%", "59.60%")
    assert parts["tick"]["x1"] == "98.00%"
    assert "better" in drawing.texts[0]


def test_stage_bars_fill_the_share_of_the_slowest_batch() -> None:
    figures = {"text": {"median": 1.0, "p95": 1.5}, "denoiser": {"median": 2.0, "p95": 2.5}}
    total = {"median": 4.0, "p95": 5.0}
    timing = Timing(1, 50, 3, 10.0, 2, figures, total, {"median": 2.0, "p95": 2.5}, 0.4, 0.2)
    assert stage_seconds(timing) == {"text": 1.0, "denoiser": 2.0, "other": 1.0}
    bars = [
        attrs
        for tag, attrs in Reader(stage_bar(timing, 0.8, ["text", "denoiser", "other"])).tags
        if tag == "rect"
    ]
    assert [(bar["x"], bar["width"]) for bar in bars] == [
        ("0.00%", "12.50%"),
        ("12.50%", "25.00%"),
        ("37.50%", "12.50%"),
    ]


def test_the_head_says_in_which_precision_the_sounds_were_made(tmp_path: Path) -> None:
    record = make_record(tmp_path)
    for provenance, expected in ((record.provenance, True), ({}, False)):
        page = render(replace(record, provenance=provenance), tmp_path)
        head = page.partition("<main")[0]
        assert ("<dt>precision</dt><dd>float32</dd>" in head) is expected
