"""LAION's CLAP against laion-clap's own CLAP_Module with the same random weights; the audio half has its real size."""

import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
import transformers
from clap_files import CAPTIONS, ROBERTA_TOKENS, LaionFiles, save_laion, save_roberta_tokenizer, sounds
from numpy.testing import assert_allclose
from packages import needs_package

from audiolcm.errors import UserError
from evaluation.features import laion
from evaluation.features.extractor import TextAudioExtractor
from evaluation.features.laion import ROBERTA_BASE, SAMPLE_RATE, LaionClap, network_weights, quantized

HUB_CLASSES = ("RobertaTokenizer", "BertTokenizer", "BartTokenizer", "RobertaModel", "AutoModel", "BertModel")


@pytest.fixture(scope="module")
def extractor(laion_files: LaionFiles) -> LaionClap:
    return LaionClap(**laion_files.arguments)


@pytest.fixture
def laion_clap() -> Iterator[ModuleType]:
    """The package itself, imported while the hub's classes give nothing, and gone from Python afterwards."""
    needs_package("laion_clap")
    path = list(sys.path)
    with pytest.MonkeyPatch.context() as patch:
        for name in HUB_CLASSES:
            patch.setattr(getattr(transformers, name), "from_pretrained", lambda *_: None)
        import laion_clap

        yield laion_clap
    sys.path[:] = path
    for name in [name for name in sys.modules if name.split(".")[0] in ("laion_clap", "clap_module")]:
        del sys.modules[name]


def reference(package: ModuleType, files: LaionFiles) -> torch.nn.Module:
    config = transformers.RobertaConfig(**(ROBERTA_BASE | files.text_sizes))
    tokenizer = transformers.AutoTokenizer.from_pretrained(files.tokenizer)
    with pytest.MonkeyPatch.context() as patch:
        for kind, made in (
            ("RobertaModel", transformers.RobertaModel(config)),
            ("RobertaTokenizer", tokenizer),
        ):
            patch.setattr(getattr(transformers, kind), "from_pretrained", lambda _name, made=made: made)
        module = package.CLAP_Module(enable_fusion=False, device="cpu", amodel="HTSAT-tiny")
    module.load_ckpt(str(files.weights), verbose=False)
    return module


def check_against(module: torch.nn.Module, files: LaionFiles) -> None:
    rows = [
        features["embedding"][0] for features in LaionClap(**files.arguments).extract(sounds(SAMPLE_RATE))
    ]
    with torch.no_grad():
        assert_allclose(rows, module.get_audio_embedding_from_data(sounds(SAMPLE_RATE)), rtol=0, atol=1e-6)
    assert abs(rows[0] @ rows[1]) < 0.99, "the comparison would not see a difference"
    captions = LaionClap(**files.arguments).embed_captions(CAPTIONS)
    assert_allclose(captions, module.get_text_embedding(CAPTIONS), rtol=0, atol=1e-6)
    assert abs(captions[0] @ captions[1]) < 0.99


def test_embeddings_are_those_of_laion_clap(laion_clap: ModuleType, laion_files: LaionFiles) -> None:
    check_against(reference(laion_clap, laion_files), laion_files)


def test_float_samples_are_those_of_laion_clap_with_tensors(
    laion_clap: ModuleType, laion_files: LaionFiles
) -> None:
    extractor = LaionClap(**laion_files.arguments, quantize=False)
    module = reference(laion_clap, laion_files)
    quiet = [sound * 1e-3 for sound in sounds(SAMPLE_RATE)]  # 16 bits would be heard here
    with torch.no_grad():
        tensors = [torch.from_numpy(sound) for sound in quiet]
        expected = module.get_audio_embedding_from_data(tensors, use_tensor=True).numpy()
        rounded = module.get_audio_embedding_from_data(quiet)
    found = np.concatenate([features["embedding"] for features in extractor.extract(quiet)])
    assert_allclose(found, expected, rtol=0, atol=1e-6)
    assert np.abs(found - rounded).max() > 1e-4


@pytest.mark.slow
def test_full_size_embeddings_are_those_of_laion_clap(laion_clap: ModuleType, tmp_path: Path) -> None:
    files = save_laion(tmp_path, text_sizes={})
    check_against(reference(laion_clap, files), files)
    files.weights.unlink()


def test_rounding_is_that_of_laion_clap(laion_clap: ModuleType) -> None:
    waveform = np.linspace(-1.5, 1.5, 100_001, dtype=np.float32)
    hook = laion_clap.hook
    assert np.array_equal(quantized(waveform), hook.int16_to_float32(hook.float32_to_int16(waveform)))


def test_long_sound_is_heard_in_its_middle(extractor: LaionClap) -> None:
    long = np.tile(sounds(SAMPLE_RATE)[2], 2)[: 15 * SAMPLE_RATE] * np.linspace(
        0, 1, 15 * SAMPLE_RATE, dtype=np.float32
    )
    whole, middle = extractor.extract([long, long[120_000:600_000]])
    assert_allclose(whole["embedding"], middle["embedding"], rtol=0, atol=1e-6)


def test_neighbors_change_nothing(extractor: LaionClap) -> None:
    together, texts = extractor.extract(sounds(SAMPLE_RATE)), extractor.embed_captions(CAPTIONS)
    for features, sound in zip(together, sounds(SAMPLE_RATE), strict=True):
        assert_allclose(features["embedding"], extractor.extract([sound])[0]["embedding"], rtol=0, atol=1e-6)
        assert features["embedding"].shape == (1, 512) and features["embedding"].dtype == np.float32
    assert_allclose(texts[2:3], extractor.embed_captions(CAPTIONS[2:3]), rtol=0, atol=1e-6)
    assert_allclose(np.linalg.norm(texts, axis=1), 1.0, rtol=1e-6)


def test_it_is_an_extractor_that_names_itself(extractor: LaionClap, laion_files: LaionFiles) -> None:
    assert isinstance(extractor, TextAudioExtractor)
    assert extractor.name == "laion_630k-audioset-best_center"
    assert extractor.extract([]) == []
    variants = [
        extractor,
        LaionClap(**laion_files.arguments, crop="start"),
        LaionClap(**laion_files.arguments, crop="random", seed=1),
        LaionClap(**laion_files.arguments, quantize=False),
    ]
    assert len({variant.identity for variant in variants}) == len({variant.name for variant in variants}) == 4
    assert LaionClap(**laion_files.arguments).identity == extractor.identity


def test_neither_hub_nor_module_names_nor_search_path_are_touched(
    laion_files: LaionFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("the hub was asked")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    for name in HUB_CLASSES:
        monkeypatch.setattr(getattr(transformers, name), "from_pretrained", refuse)
    laion.networks.cache_clear()
    for name in [name for name in sys.modules if name.startswith("_laion_clap_networks")]:
        monkeypatch.delitem(sys.modules, name)
    path = list(sys.path)
    LaionClap(**laion_files.arguments)
    assert sys.path == path
    assert not {"laion_clap", "clap_module"} & set(sys.modules)
    assert laion.networks().RobertaModel is transformers.RobertaModel


def test_patch_is_undone_when_building_fails() -> None:
    needs_package("laion_clap")
    with pytest.raises(RuntimeError):
        laion.build_network("HTSAT-tiny", transformers.RobertaConfig(num_attention_heads=0, hidden_size=-1))
    assert laion.networks().RobertaModel is transformers.RobertaModel


def test_missing_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(laion.importlib.util, "find_spec", lambda _name: None)
    monkeypatch.setattr(laion.sys, "version_info", (3, 12, 1))
    with pytest.raises(UserError, match="are missing. Type: pip install laion-clap==1.1.7"):
        laion.build_network("HTSAT-tiny", transformers.RobertaConfig())


def test_missing_package_where_pip_would_refuse_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(laion.importlib.util, "find_spec", lambda _name: None)
    monkeypatch.setattr(laion, "_NUMPY_2_FROM", sys.version_info[:2])
    with pytest.raises(
        UserError, match=r"NumPy 1[\s\S]*--no-deps laion-clap==1.1.7[\s\S]*clap_htsat_unfused"
    ):
        laion.build_network("HTSAT-tiny", transformers.RobertaConfig())


def test_package_without_what_it_imports(monkeypatch: pytest.MonkeyPatch) -> None:
    needs_package("laion_clap")
    laion.networks.cache_clear()
    for name in [name for name in sys.modules if name.startswith("_laion_clap_networks")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(UserError, match="cannot be imported: .*h5py.* Type:? *"):
        laion.networks()
    laion.networks.cache_clear()


@pytest.fixture
def edited(laion_files: LaionFiles, tmp_path: Path) -> Iterator[Callable[..., dict]]:
    """Makes LaionClap's arguments for a copy of the checkpoint without prefixes and position_ids, and so edited."""
    path = tmp_path / "edited.pt"

    def edit(remove: str | None = None, **new: torch.Tensor) -> dict:
        weights = network_weights(laion_files.weights)
        torch.save({name: w for name, w in (weights | new).items() if name != remove}, path)
        return laion_files.arguments | {"weights": str(path)}

    yield edit
    path.unlink()


def test_checkpoint_that_was_saved_again(edited: Callable[..., dict], extractor: LaionClap) -> None:
    assert np.array_equal(LaionClap(**edited()).embed_captions(CAPTIONS), extractor.embed_captions(CAPTIONS))


def test_weight_that_is_missing_is_named(edited: Callable[..., dict]) -> None:
    with pytest.raises(UserError, match="edited.pt holds the weights of another.*audio_projection.2.bias"):
        LaionClap(**edited(remove="audio_projection.2.bias"))


def test_weight_that_is_unknown_is_named(edited: Callable[..., dict]) -> None:
    with pytest.raises(UserError, match="edited.pt holds the weights of another network.*stray"):
        LaionClap(**edited(stray=torch.zeros(1)))


def test_text_half_that_tells_nothing_apart_is_refused(edited: Callable[..., dict]) -> None:
    dead = {"text_projection.0.weight": torch.zeros(512, 768)}
    with pytest.raises(UserError, match="cannot tell 'a dog barks' from 'the rain falls'"):
        LaionClap(**edited(**dead))


def test_audio_half_must_be_that_of_the_checkpoint_named(laion_files: LaionFiles) -> None:
    with pytest.raises(UserError, match="laion.pt holds the weights of another network"):
        LaionClap("music_audioset_epoch_15_esc_90.14", **laion_files.arguments)


def test_file_that_is_no_checkpoint(laion_files: LaionFiles, tmp_path: Path) -> None:
    torch.save([1, 2], tmp_path / "list.pt")
    with pytest.raises(UserError, match="list.pt is not a checkpoint of LAION's CLAP"):
        LaionClap(**laion_files.arguments | {"weights": str(tmp_path / "list.pt")})


@pytest.mark.parametrize("name", ["630k-fusion-best", "630k-audioset-fusion-best"])
def test_fusion_is_refused(name: str) -> None:
    with pytest.raises(UserError, match="fuse random parts.*Choose from: 630k-best, 630k-audioset-best"):
        LaionClap(name)


def test_unknown_checkpoint_is_refused() -> None:
    with pytest.raises(UserError, match="checkpoint=630k: There is no such checkpoint"):
        LaionClap("630k")


def test_small_tokenizer_is_refused(laion_files: LaionFiles) -> None:
    with pytest.raises(
        UserError, match=rf"knows only {len(ROBERTA_TOKENS)} tokens[\s\S]*hf download roberta-base"
    ):
        LaionClap(weights=str(laion_files.weights), tokenizer=str(laion_files.tokenizer))


def test_missing_tokenizer_says_what_to_type(laion_files: LaionFiles, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="hf download roberta-base"):
        LaionClap(weights=str(laion_files.weights), tokenizer=str(tmp_path))


def test_missing_weights_say_where_to_get_them(
    laion_files: LaionFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreachable(*_: object, **__: object) -> None:
        raise OSError("no network")

    monkeypatch.setattr("urllib.request.urlopen", unreachable)
    arguments = laion_files.arguments | {"weights": None, "folder": str(tmp_path)}
    with pytest.raises(UserError, match="630k-audioset-best.pt"):
        LaionClap(**arguments)


def test_tokenizer_is_fetched_only_if_allowed(
    laion_files: LaionFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def download(name: str, allow_patterns: list[str]) -> str:
        assert name == "some/roberta" and "tokenizer.json" in allow_patterns
        save_roberta_tokenizer(tmp_path / "hub")
        return str(tmp_path / "hub")

    monkeypatch.setattr("evaluation.features.joint.snapshot_download", download)
    arguments = laion_files.arguments | {"tokenizer": "some/roberta"}
    with pytest.raises(UserError, match="No tokenizer at 'some/roberta'"):
        LaionClap(**arguments)
    assert LaionClap(**arguments, online=True).name == "laion_630k-audioset-best_center"


def test_hub_that_can_not_be_reached(laion_files: LaionFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*_: object, **__: object) -> None:
        raise OSError("no network")

    monkeypatch.setattr("evaluation.features.joint.snapshot_download", unreachable)
    with pytest.raises(UserError, match="'some/roberta' cannot be fetched from the hub .no network"):
        LaionClap(**laion_files.arguments | {"tokenizer": "some/roberta", "online": True})


def test_sound_without_samples_is_refused(extractor: LaionClap) -> None:
    with pytest.raises(UserError, match="without samples"):
        extractor.extract([np.zeros(0, np.float32)])
