"""Hashed text features: deterministic everywhere, near for forms of a word, unit variance."""

import hashlib
import logging
import subprocess
import sys

import pytest
import torch
from torch.nn.functional import cosine_similarity
from torch.testing import assert_close

from audiolcm.models.text_encoder import HashedTextEncoder, stem, structure_tokens, words

CAPTION, STRUCTURE = "A dog barks, then rain falls", "<dog barks& start>@<rain falls& end>"


def token(encoder: HashedTextEncoder, word: str) -> torch.Tensor:
    return encoder([word], [""])[0, 1]


def test_shape_and_variance() -> None:
    encoder = HashedTextEncoder(width=512)
    text = encoder([CAPTION, ""], [STRUCTURE, ""])
    assert text.shape == (2, encoder.num_tokens, encoder.width) == (2, 48, 512)
    assert text.dtype == torch.float32 and not text.requires_grad
    vectors = torch.from_numpy(encoder._normal("begin")), torch.from_numpy(encoder._word("rain"))
    for vector in vectors:
        assert abs(vector.mean()) < 0.15 and 0.85 < vector.std() < 1.15


def test_vectors_are_the_digest_and_nothing_else() -> None:
    vector = HashedTextEncoder(width=16, seed=3)._normal("word rain")
    digest = b"".join(hashlib.blake2b(b"3:word rain", salt=i.to_bytes(16, "big")).digest() for i in range(3))
    for i, value in enumerate(vector):
        assert value == pytest.approx((sum(digest[12 * i : 12 * i + 12]) - 1530) / 65535**0.5, rel=1e-6)


def test_another_process_gives_the_same_bits() -> None:
    script = (
        "import hashlib; from audiolcm.models.text_encoder import HashedTextEncoder;"
        f"text = HashedTextEncoder()([{CAPTION!r}], [{STRUCTURE!r}]);"
        "print(hashlib.sha256(text.numpy().tobytes()).hexdigest())"
    )
    result = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONHASHSEED": "7", "PYTHONPATH": ":".join(filter(None, sys.path))},
    )
    ours = HashedTextEncoder()([CAPTION], [STRUCTURE]).numpy().tobytes()
    assert result.stdout.strip() == hashlib.sha256(ours).hexdigest()


def test_forms_of_a_word_are_near_and_others_far() -> None:
    encoder = HashedTextEncoder(width=512)
    barks, barking, rain = (token(encoder, word) for word in ("barks", "barking", "rain"))
    assert cosine_similarity(barks, barking, dim=0) > 0.65
    assert abs(cosine_similarity(barks, rain, dim=0)) < 0.3
    assert not torch.equal(barks, barking)


@pytest.mark.parametrize(
    "forms",
    ["bark barks barking barked", "cry cries crying cried", "run runs running", "splash splashes splashing",
     "type types typing", "siren sirens", "wave waves", "buzz buzzing buzzes", "fall falls falling",
     "glass glasses", "snore snores snoring", "tap taps tapping"],
)  # fmt: skip
def test_stem_joins_forms(forms: str) -> None:
    assert len({stem(form) for form in forms.split()}) == 1


def test_stem_keeps_words_apart() -> None:
    different = [
        "string",
        "bus",
        "ring",
        "sing",
        "king",
        "this",
        "is",
        "was",
        "glass",
        "rain",
        "train",
        "speech",
    ]
    assert len({stem(word) for word in different}) == len(different)


def test_words_and_structure_tokens() -> None:
    assert words("A dog's bark, then 3 BELLS!") == ["a", "dog's", "bark", "then", "3", "bells"]
    assert structure_tokens("<Dog barking& start>@<rain &all>") == [
        "dog", "barking", "&start", "@", "rain", "&all",
    ]  # fmt: skip


def test_time_tags_and_order_change_the_features() -> None:
    encoder = HashedTextEncoder()
    start, end = encoder(["", ""], ["<dog& start>", "<dog& end>"])
    assert torch.equal(start[:24], end[:24]) and not torch.equal(start[24:], end[24:])
    first, second = encoder(["dog rain", "rain dog"], ["", ""])
    assert not torch.equal(first[1], second[2]), "a word knows its position"


def test_first_token_hears_every_word() -> None:
    encoder = HashedTextEncoder(tokens_per_half=8, width=512)
    first = encoder(["a dog barks", "a dog barks loudly", "rain falls"], ["", "", ""])[:, 0]
    dog = torch.from_numpy(encoder._word("dog"))
    near, also_near, far = (torch.cosine_similarity(token, dog, dim=0) for token in first)
    assert near > 0.35 and also_near > 0.3 and abs(far) < 0.15
    assert 0.8 < float(first.std()) < 1.3


def test_case_and_punctuation_do_not_matter() -> None:
    encoder = HashedTextEncoder()
    assert torch.equal(encoder(["A dog barks."], [""]), encoder(["a dog barks"], [""]))


def test_empty_caption_is_begin_and_padding() -> None:
    encoder = HashedTextEncoder()
    empty, short = encoder(["", "dog"], ["", ""])
    assert empty.isfinite().all() and empty.std() > 0.5
    assert torch.equal(empty[1], empty[23]) and torch.equal(empty[:24], empty[24:])
    assert_close(empty[1].numpy(), encoder._normal("padding"))
    begin = encoder._normal("begin") + encoder._positions[0]
    assert_close(empty[0].numpy(), begin)
    assert not torch.equal(short[0], empty[0]) and torch.equal(short[2], empty[2])


def test_long_captions_are_cut_and_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    encoder = HashedTextEncoder(tokens_per_half=4)
    with caplog.at_level(logging.WARNING):
        long, cut = encoder(["one two three four five six", "one two three"], ["", ""])
    assert torch.equal(long, cut)
    assert len(caplog.records) == 1 and "tokens_per_half" in caplog.text


def test_seed_changes_the_features_and_state_is_empty() -> None:
    encoder = HashedTextEncoder(seed=1)
    assert not torch.equal(encoder(["dog"], [""]), HashedTextEncoder(seed=0)(["dog"], [""]))
    assert not encoder.state_dict() and not list(encoder.parameters())


def test_lists_must_have_one_length() -> None:
    with pytest.raises(ValueError, match="shorter"):
        HashedTextEncoder()(["a", "b"], ["a"])
