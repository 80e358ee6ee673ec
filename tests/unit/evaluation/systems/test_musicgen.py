"""MusicGen in miniature: T5, a decoder over four codebooks, EnCodec."""

from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_models import CAPTIONS, WIDTH, t5_encoder, t5_tokenizer
from transformers import (
    EncodecConfig,
    EncodecModel,
    MusicgenDecoderConfig,
    MusicgenForCausalLM,
    MusicgenForConditionalGeneration,
)

from audiolcm.distributed.hardware import Hardware
from audiolcm.errors import UserError
from evaluation.systems.musicgen import MusicGen, with_headroom


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    codec = EncodecConfig(
        sampling_rate=32000, audio_channels=1, num_filters=4, hidden_size=16, upsampling_ratios=[8, 5, 4, 4],
        codebook_size=32, codebook_dim=16, target_bandwidths=[1.0], num_lstm_layers=1, norm_type="weight_norm",
        use_causal_conv=False,
    )  # fmt: skip
    decoder = MusicgenDecoderConfig(
        vocab_size=32, hidden_size=WIDTH, num_hidden_layers=2, ffn_dim=16, num_attention_heads=2, num_codebooks=4,
        pad_token_id=32, bos_token_id=32, max_position_embeddings=256, initializer_factor=0.5,
    )  # fmt: skip
    model = MusicgenForConditionalGeneration(
        text_encoder=t5_encoder(), audio_encoder=EncodecModel(codec), decoder=MusicgenForCausalLM(decoder)
    )
    for layer in model.audio_encoder.quantizer.layers:  # zeros before training
        layer.codebook.embed.normal_()
    model.generation_config.decoder_start_token_id = model.generation_config.pad_token_id = 32
    place = tmp_path_factory.mktemp("musicgen")
    model.save_pretrained(place)
    t5_tokenizer().save_pretrained(place)
    return place


def system(folder: Path | str, **settings) -> MusicGen:
    hardware = Hardware("cpu", "float32")
    return MusicGen("musicgen_small", str(folder), "CC-BY-NC-4.0", hardware, 3.0, 250, **settings)


def test_sounds_have_the_length_and_depend_on_caption_and_seed_alone(folder):
    made = system(folder)
    first = made.generate(CAPTIONS[:1], 0.31, [5])
    assert first.waveforms[0].shape == (4960,)
    # 0.31 s are 16 frames of 20 ms; the fourth codebook ends three steps after the first; the library calls once more.
    assert first.nfe == 16 + 3 + 1 == made.facts()["nfe"]
    assert made.batch_limit == 1
    torch.manual_seed(1)
    before = torch.random.get_rng_state()
    made.generate(CAPTIONS[1:2], 0.31, [6])
    again = made.generate(CAPTIONS[:1], 0.31, [5])
    np.testing.assert_array_equal(first.waveforms[0], again.waveforms[0])
    assert torch.equal(before, torch.random.get_rng_state())
    for caption, seed in ((CAPTIONS[0], 6), (CAPTIONS[1], 5)):
        other = made.generate([caption], 0.31, [seed]).waveforms[0]
        assert np.abs(other - first.waveforms[0]).max() > 1e-4


def test_the_peak_is_what_audiocraft_writes(folder):
    """Its ``audio_write`` divides by the largest sample and leaves 1 dB: 10^(-1/20) of full scale."""
    (as_decoded,), rate = system(folder)._make(CAPTIONS[:1], 0.31, [5])
    (found,), _ = system(folder, headroom_db=1.0)._make(CAPTIONS[:1], 0.31, [5])
    assert rate == 32000
    np.testing.assert_allclose(found, as_decoded * (0.8912509 / np.abs(as_decoded).max()), rtol=1e-6)
    assert not with_headroom(np.zeros(4, np.float32), 1.0).any()
    with pytest.raises(UserError, match=r"system\.headroom_db=-1 is above full scale"):
        system(folder, headroom_db=-1.0)


def test_without_files_one_message_says_what_to_type(tmp_path):
    with pytest.raises(
        UserError, match=r"(?s)nobody/nothing.*hf download nobody/nothing.*system\.model=FOLDER"
    ):
        system("nobody/nothing").generate(CAPTIONS[:1], 0.3, [0])
    with pytest.raises(UserError, match=r"model\.safetensors.*Copy all files"):
        system(tmp_path).generate(CAPTIONS[:1], 0.3, [0])
