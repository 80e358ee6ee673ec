"""The published pipelines in miniature: random weights, tokenizers made here, saved as their authors publish them."""

from pathlib import Path

import torch
from diffusers import (
    AudioLDM2Pipeline,
    AudioLDM2ProjectionModel,
    AudioLDM2UNet2DConditionModel,
    AudioLDMPipeline,
    AutoencoderKL,
    DDIMScheduler,
    MusicLDMPipeline,
    UNet2DConditionModel,
)
from tokenizers.pre_tokenizers import ByteLevel
from transformers import (
    ClapAudioConfig,
    ClapConfig,
    ClapFeatureExtractor,
    ClapModel,
    ClapTextConfig,
    ClapTextModelWithProjection,
    GPT2Config,
    GPT2Model,
    RobertaTokenizer,
    SpeechT5HifiGan,
    SpeechT5HifiGanConfig,
    T5Config,
    T5EncoderModel,
    T5Tokenizer,
)

WIDTH = 16
"""Of every text embedding."""
CAPTIONS = ["a dog barks", "the rain falls on the roof, then a cat meows", "a car passes"]


def roberta_tokenizer(length: int = WIDTH) -> RobertaTokenizer:
    """Roberta's, one token a byte."""
    tokens = ["<s>", "<pad>", "</s>", "<unk>", *sorted(ByteLevel.alphabet()), "<mask>"]
    return RobertaTokenizer(
        vocab={token: i for i, token in enumerate(tokens)}, merges=[], model_max_length=length
    )


def t5_tokenizer(length: int = 32) -> T5Tokenizer:
    """T5's, one token a letter."""
    letters = [(letter, -3.0) for letter in "▁abcdefghijklmnopqrstuvwxyz,"]
    vocabulary = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", -9.0), *letters]
    return T5Tokenizer(vocab=vocabulary, extra_ids=0, model_max_length=length)


def t5_encoder() -> T5EncoderModel:
    """Two layers."""
    config = T5Config(
        vocab_size=64, d_model=WIDTH, d_kv=8, d_ff=16, num_layers=2, num_heads=2, feed_forward_proj="gated-gelu"
    )  # fmt: skip
    return T5EncoderModel(config).eval()


def clap_text_config() -> ClapTextConfig:
    """One layer."""
    return ClapTextConfig(
        vocab_size=300, hidden_size=WIDTH, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2,
        max_position_embeddings=80, projection_dim=WIDTH, pad_token_id=1,
    )  # fmt: skip


def clap() -> ClapModel:
    """Both halves; the one for sounds is there because the authors publish it."""
    audio = ClapAudioConfig(
        hidden_size=16, patch_embeds_hidden_size=8, depths=[1, 1], num_attention_heads=[1, 2], num_mel_bins=16,
        spec_size=64, window_size=4, projection_dim=WIDTH, patch_size=4, patch_stride=[4, 4], num_hidden_layers=2,
    )  # fmt: skip
    config = ClapConfig(
        text_config=clap_text_config().to_dict(), audio_config=audio.to_dict(), projection_dim=WIDTH
    )
    return ClapModel(config).eval()


def clap_features() -> ClapFeatureExtractor:
    """Hears one second, which fits into the network above."""
    return ClapFeatureExtractor(feature_size=16, max_length_s=1)


def save_clap(folder: Path) -> Path:
    """As laion/clap-htsat-unfused is published, without its tokenizer."""
    torch.manual_seed(1)
    clap().save_pretrained(folder)
    clap_features().save_pretrained(folder)
    return folder


def autoencoder() -> AutoencoderKL:
    """Four times shorter and narrower, 4 channels."""
    return AutoencoderKL(
        block_out_channels=(8, 8, 8), in_channels=1, out_channels=1, latent_channels=4, norm_num_groups=4,
        down_block_types=("DownEncoderBlock2D",) * 3, up_block_types=("UpDecoderBlock2D",) * 3,
    )  # fmt: skip


def vocoder() -> SpeechT5HifiGan:
    """16 mels, 160 samples a frame at 16 kHz, louder than a random one."""
    config = SpeechT5HifiGanConfig(
        model_in_dim=16, sampling_rate=16000, upsample_initial_channel=16, upsample_rates=[10, 16],
        upsample_kernel_sizes=[20, 32], resblock_kernel_sizes=[3], resblock_dilation_sizes=[[1, 3]],
        normalize_before=False, initializer_range=0.2,
    )  # fmt: skip
    return SpeechT5HifiGan(config).eval()


def scheduler() -> DDIMScheduler:
    """The one that AudioLDM publishes."""
    return DDIMScheduler(
        beta_start=0.0015, beta_end=0.0195, beta_schedule="scaled_linear", clip_sample=False, set_alpha_to_one=False,
        steps_offset=1,
    )  # fmt: skip


def class_conditioned_unet() -> UNet2DConditionModel:
    """AudioLDM's and MusicLDM's: the text is a class embedding."""
    return UNet2DConditionModel(
        block_out_channels=(8, 16), layers_per_block=1, norm_num_groups=8, sample_size=32, in_channels=4,
        out_channels=4, down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"), cross_attention_dim=(8, 16), attention_head_dim=2,
        class_embed_type="simple_projection", projection_class_embeddings_input_dim=WIDTH,
        class_embeddings_concat=True,
    )  # fmt: skip


def save_audioldm(folder: Path) -> Path:
    torch.manual_seed(0)
    AudioLDMPipeline(
        vae=autoencoder(),
        text_encoder=ClapTextModelWithProjection(clap_text_config()).eval(),
        tokenizer=roberta_tokenizer(),
        unet=class_conditioned_unet(),
        scheduler=scheduler(),
        vocoder=vocoder(),
    ).save_pretrained(folder)
    return folder


def save_musicldm(folder: Path) -> Path:
    torch.manual_seed(0)
    MusicLDMPipeline(
        vae=autoencoder(),
        text_encoder=clap(),
        tokenizer=roberta_tokenizer(),
        feature_extractor=clap_features(),
        unet=class_conditioned_unet(),
        scheduler=scheduler(),
        vocoder=vocoder(),
    ).save_pretrained(folder)
    return folder


def save_audioldm2(folder: Path) -> Path:
    """With a GPT2Model, as the authors publish it: not the class with a head, which the pipeline asks for."""
    torch.manual_seed(0)
    unet = AudioLDM2UNet2DConditionModel(
        block_out_channels=(8, 16), layers_per_block=1, norm_num_groups=8, sample_size=32, in_channels=4,
        out_channels=4, down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"), cross_attention_dim=(WIDTH, WIDTH), attention_head_dim=2,
    )  # fmt: skip
    gpt2 = GPT2Config(vocab_size=10, n_embd=WIDTH, n_layer=2, n_head=2, n_positions=64, n_ctx=64)
    AudioLDM2Pipeline(
        vae=autoencoder(),
        text_encoder=clap(),
        text_encoder_2=t5_encoder(),
        projection_model=AudioLDM2ProjectionModel(
            text_encoder_dim=WIDTH, text_encoder_1_dim=WIDTH, langauge_model_dim=WIDTH
        ),
        language_model=GPT2Model(gpt2).eval(),
        tokenizer=roberta_tokenizer(),
        tokenizer_2=t5_tokenizer(),
        feature_extractor=clap_features(),
        unet=unet,
        scheduler=scheduler(),
        vocoder=vocoder(),
    ).save_pretrained(folder)
    return folder
