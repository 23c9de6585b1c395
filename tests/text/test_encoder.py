import importlib.util
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import StaticEmbedding
from tokenizers import Tokenizer, models, pre_tokenizers
from tokenizers.pre_tokenizers import ByteLevel
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from longtail.errors import UserError
from longtail.text.encoder import TextEncoder, batches_by_length
from longtail.text.encoder_parameters import EncoderParameters

TEXTS = pd.Series(["red lamp", "blue rug", "red lamp"])


WORDS = {"[UNK]": 0, "</s>": 1, "red": 2, "blue": 3, "lamp": 4, "rug": 5, "query": 6}
LAYER = {
    "attn_norm": (16,),
    "attn_q": (16, 16),
    "attn_k": (16, 16),
    "attn_v": (16, 16),
    "attn_output": (16, 16),
    "ffn_norm": (16,),
    "ffn_gate": (32, 16),
    "ffn_up": (32, 16),
    "ffn_down": (16, 32),
}


def word_tokenizer() -> Tokenizer:
    tokenizer = Tokenizer(models.WordLevel(WORDS, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    return tokenizer


@pytest.fixture(scope="module")
def decoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny causal language model as transformers saves it, without a token for padding."""
    folder = tmp_path_factory.mktemp("decoder")
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(WORDS),
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        max_position_embeddings=64,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=word_tokenizer(), unk_token="[UNK]", eos_token="</s>"
    )
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def static_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One vector a word: red and lamp are orthogonal."""
    folder = tmp_path_factory.mktemp("static")
    weights = np.eye(len(WORDS), dtype=np.float32)
    module = StaticEmbedding(word_tokenizer(), embedding_weights=weights)
    SentenceTransformer(modules=[module], device="cpu").save(str(folder))
    return folder


@pytest.fixture(scope="module")
def gguf_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny Llama as a GGUF file."""
    gguf = pytest.importorskip("gguf", reason="needs the extra gguf")
    pytest.importorskip("accelerate", reason="needs the extra gguf")
    path = tmp_path_factory.mktemp("gguf") / "tiny.gguf"
    tokens = ["<|end|>", *sorted(ByteLevel.alphabet()), "re", "red"]
    writer = gguf.GGUFWriter(str(path), "llama")
    writer.add_block_count(1)
    writer.add_context_length(64)
    writer.add_embedding_length(16)
    writer.add_feed_forward_length(32)
    writer.add_head_count(2)
    writer.add_head_count_kv(2)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_rope_freq_base(10000.0)
    writer.add_vocab_size(len(tokens))
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("default")
    writer.add_token_list(tokens)
    writer.add_token_merges(["r e", "re d"])
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(0)
    random = np.random.default_rng(0)
    shapes = {f"blk.0.{name}.weight": shape for name, shape in LAYER.items()}
    shapes |= {"token_embd.weight": (len(tokens), 16), "output_norm.weight": (16,)}
    for name, shape in shapes.items():
        writer.add_tensor(name, random.normal(size=shape).astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def last_states(folder: Path, text: str) -> np.ndarray:
    """What the model itself says about each token of a text."""
    model = LlamaForCausalLM.from_pretrained(folder).model
    ids = torch.tensor([[WORDS[word] for word in text.split()]])
    with torch.no_grad():
        return model(ids).last_hidden_state[0].numpy()


def unit(vector: np.ndarray) -> np.ndarray:
    return vector / np.linalg.norm(vector)


def parameters(folder: Path, **changes: object) -> EncoderParameters:
    return EncoderParameters(model=str(folder), precision="float32", **changes)


def test_vectors_have_unit_length_and_follow_the_text(tiny_encoder: Path) -> None:
    vectors = TextEncoder(parameters(tiny_encoder)).encode(TEXTS.tolist())
    assert vectors.dtype == np.float32
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1.0, abs=1e-5)
    assert vectors[0] == pytest.approx(vectors[2], abs=1e-6)
    assert abs(vectors[0] - vectors[1]).max() > 1e-3


def test_a_batch_holds_texts_of_similar_length_up_to_its_tokens() -> None:
    batches = batches_by_length(np.array([3, 9, 0, 3, 30, 2]), 10)
    # 30 tokens are alone; 9 leave no room for 3; three texts of at most 3 tokens fit.
    assert [batch.tolist() for batch in batches] == [[4], [1], [0, 3, 5], [2]]


def test_vectors_come_in_the_order_of_the_texts_whatever_the_batches(tiny_encoder: Path) -> None:
    texts = ["red lamp", "blue", "red lamp of the blue rug", "rug", "", "blue rug"]
    alone = [TextEncoder(parameters(tiny_encoder)).encode([text])[0] for text in texts]
    for tokens in (1, 6, 2048):
        vectors = TextEncoder(parameters(tiny_encoder, batch_tokens=tokens)).encode(texts)
        assert vectors == pytest.approx(np.stack(alone), abs=1e-5)


def test_keys_name_text_model_and_settings(tiny_encoder: Path) -> None:
    keys = TextEncoder(parameters(tiny_encoder)).text_keys(TEXTS)
    assert keys[0] == keys[2] != keys[1]
    shorter = TextEncoder(parameters(tiny_encoder, max_tokens=8)).text_keys(TEXTS)
    prompted = TextEncoder(parameters(tiny_encoder, prompt="query: ")).text_keys(TEXTS)
    assert len({keys[0], shorter[0], prompted[0]}) == 3


def test_every_setting_that_changes_vectors_changes_the_keys(tiny_encoder: Path) -> None:
    settings = [
        {},
        {"pooling": "mean"},
        {"pooling": "last-token"},
        {"dimensions": 8},
        {"prompt": "x"},
        {"max_tokens": 9},
    ]
    encoders = [TextEncoder(parameters(tiny_encoder, **setting)) for setting in settings]
    assert len({encoder.fingerprint for encoder in encoders}) == len(settings)
    assert (
        TextEncoder(parameters(tiny_encoder, batch_tokens=1)).fingerprint == encoders[0].fingerprint
    )


def test_causal_models_are_pooled_at_the_last_token(decoder: Path) -> None:
    texts = ["red lamp", "blue"]
    vectors = TextEncoder(parameters(decoder)).encode(texts)
    for text, vector in zip(texts, vectors, strict=True):
        assert vector == pytest.approx(unit(last_states(decoder, text)[-1]), abs=1e-5)


def test_pooling_is_a_parameter(decoder: Path, tiny_encoder: Path) -> None:
    vector = TextEncoder(parameters(decoder, pooling="mean")).encode(["red lamp"])[0]
    assert vector == pytest.approx(unit(last_states(decoder, "red lamp").mean(axis=0)), abs=1e-5)
    own, mean, last = (
        TextEncoder(parameters(tiny_encoder, pooling=pooling)).encode(TEXTS.tolist())
        for pooling in ("auto", "mean", "last-token")
    )
    assert own == pytest.approx(mean)
    assert abs(own - last).max() > 1e-2


def test_instruction_is_read_before_the_text(decoder: Path) -> None:
    prompted = TextEncoder(parameters(decoder, prompt="query ")).encode(["red lamp"])[0]
    assert prompted == pytest.approx(unit(last_states(decoder, "query red lamp")[-1]), abs=1e-5)


def test_leading_dimensions_are_kept_and_scaled_to_unit_length(tiny_encoder: Path) -> None:
    whole = TextEncoder(parameters(tiny_encoder)).encode(TEXTS.tolist())
    cut = TextEncoder(parameters(tiny_encoder, dimensions=8)).encode(TEXTS.tolist())
    expected = whole[:, :8] / np.linalg.norm(whole[:, :8], axis=1, keepdims=True)
    assert cut == pytest.approx(expected, abs=1e-5)


def test_more_dimensions_than_there_are_is_an_error(tiny_encoder: Path) -> None:
    with pytest.raises(UserError, match=r"encoder\.dimensions is 64, but .* have 32 dimensions"):
        TextEncoder(parameters(tiny_encoder, dimensions=64)).encode(["text"])


def test_static_models_average_the_vectors_of_words(static_model: Path) -> None:
    encoder = TextEncoder(parameters(static_model))
    vectors = encoder.encode(["red lamp", "red"])
    assert vectors[0] @ vectors[1] == pytest.approx(1 / np.sqrt(2))
    pieces = encoder.word_pieces(["red lamp red", "rug"]).toarray()
    assert pieces.tolist() == [[0, 0, 1, 0, 1, 0, 0], [0, 0, 0, 0, 0, 1, 0]]


def test_static_models_read_as_many_tokens_as_others(static_model: Path) -> None:
    encoder = TextEncoder(parameters(static_model, max_tokens=8))
    vectors = encoder.encode(["red " * 8 + "lamp", "red"])
    assert vectors[0] == pytest.approx(vectors[1])


def test_pooling_without_tokens_to_pool_is_an_error(static_model: Path) -> None:
    with pytest.raises(UserError, match=r"encoder\.pooling is 'mean'.*Set it to auto"):
        TextEncoder(parameters(static_model, pooling="mean")).encode(["red"])


def test_bfloat16_vectors_have_unit_length_and_stay_close(tiny_encoder: Path) -> None:
    exact = TextEncoder(parameters(tiny_encoder)).encode(TEXTS.tolist())
    half = EncoderParameters(model=str(tiny_encoder), precision="bfloat16")
    vectors = TextEncoder(half).encode(TEXTS.tolist())
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1.0, abs=1e-5)
    assert (vectors * exact).sum(axis=1) == pytest.approx(1.0, abs=1e-3)


def test_int8_vectors_stay_close_or_the_missing_package_is_named(tiny_encoder: Path) -> None:
    exact = TextEncoder(parameters(tiny_encoder))
    whole = TextEncoder(EncoderParameters(model=str(tiny_encoder), precision="int8"))
    assert whole.fingerprint != exact.fingerprint
    if importlib.util.find_spec("torchao") is None:
        with pytest.raises(UserError, match=r"pip install longtail\[int8\]"):
            whole.encode(TEXTS.tolist())
    else:
        products = (whole.encode(TEXTS.tolist()) * exact.encode(TEXTS.tolist())).sum(axis=1)
        assert products == pytest.approx(1.0, abs=0.02)
        assert not (products == 1).all()


@pytest.mark.filterwarnings("error")
def test_gguf_files_are_read(gguf_file: Path) -> None:
    auto, last, mean = (
        TextEncoder(parameters(gguf_file, pooling=pooling))
        for pooling in ("auto", "last-token", "mean")
    )
    vectors = auto.encode(["red", "red red red lamp"])
    assert vectors.shape == (2, 16)
    assert vectors == pytest.approx(last.encode(["red", "red red red lamp"]))
    assert abs(vectors[1] - mean.encode(["red red red lamp"])[0]).max() > 1e-3
    assert auto.word_pieces(["red"]).sum() == 1


def test_gguf_file_is_known_by_its_content(gguf_file: Path, tmp_path: Path) -> None:
    copy = tmp_path / "tiny.gguf"
    copy.write_bytes(gguf_file.read_bytes())
    before = TextEncoder(parameters(copy)).fingerprint
    copy.write_bytes(gguf_file.read_bytes() + b"x")
    assert TextEncoder(parameters(copy)).fingerprint != before


def test_gguf_file_without_the_extra_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "gguf", None)
    with pytest.raises(UserError, match=r"GGUF files need .*gguf.* pip install longtail\[gguf\]"):
        TextEncoder(parameters(tmp_path / "model.gguf")).encode(["text"])


def test_folder_without_a_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"parameter item_encoding\.encoder\.model"):
        TextEncoder(parameters(tmp_path)).encode(["text"])
