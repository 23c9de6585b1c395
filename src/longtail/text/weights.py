"""Weights of language models: where they are, what they are known by, how they are opened."""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import torch

from longtail.errors import UserError

PACKAGE_PREFIX = "package:"
GGUF = ".gguf"
GGUF_NEEDS = ("gguf", "accelerate")


def resolve_model(model: str, parameter: str) -> str:
    """Return the folder, GGUF file or hub id that a model parameter names.

    A package holds its weights in the folder ``model`` or in one GGUF file. It is not imported.

    Args:
        model: a local folder, a GGUF file, a hub id, or ``package:<name>``.
        parameter: name of the parameter that says so, for the message of an error.

    Raises:
        UserError: the package that should hold the weights is not installed, or holds none.
    """
    if not model.startswith(PACKAGE_PREFIX):
        return model
    package = model.removeprefix(PACKAGE_PREFIX)
    home = _folder_of(package)
    if home is None:
        raise UserError(
            f"Parameter {parameter} names the package '{package}', "
            "which is not installed. Install it, or name a local folder or a hub id."
        )
    found = [path for path in (home / "model", *sorted(home.glob(f"*{GGUF}"))) if path.exists()]
    if not found:
        raise UserError(
            f"Parameter {parameter} names the package '{package}', which holds "
            f"neither a folder 'model' nor a {GGUF} file. Name a local folder or a hub id."
        )
    return str(found[0])


def packages_of(model: str) -> tuple[str, ...]:
    """Return the distributions that a model parameter needs, beside those that every model does."""
    if not model.startswith(PACKAGE_PREFIX):
        return ()
    carriers = packages_distributions().get(model.removeprefix(PACKAGE_PREFIX), [])
    reader = GGUF_NEEDS if resolve_model(model, "model").endswith(GGUF) else ()
    return (*sorted(set(carriers)), *reader)


def _folder_of(package: str) -> Path | None:
    try:
        spec = importlib.util.find_spec(package)
    except (ModuleNotFoundError, ValueError):  # of a dotted name without a parent, of no name
        return None
    folders = spec.submodule_search_locations if spec else None
    return Path(folders[0]) if folders else None


def pretrained(location: str) -> tuple[str, dict[str, str]]:
    """Return what ``from_pretrained`` takes: a folder or hub id, and the GGUF file in it if any.

    Raises:
        ImportError: the packages that read GGUF files are not installed.
    """
    if not location.endswith(GGUF):
        return location, {}
    if missing := [name for name in GGUF_NEEDS if importlib.util.find_spec(name) is None]:
        raise ImportError(
            f"GGUF files need {' and '.join(missing)}. Install them with pip install longtail[gguf]"
        )
    return str(Path(location).parent), {"gguf_file": Path(location).name}


@contextmanager
def named_in_errors(model: str, parameter: str) -> Iterator[None]:
    """Say of an error in loading which model it was, and which parameter names it.

    Raises:
        UserError: the model cannot be loaded.
    """
    try:
        yield
    except (OSError, ValueError, ImportError) as error:
        raise UserError(
            f"The language model '{model}' (parameter {parameter}) cannot be loaded: "
            f"{str(error).strip().splitlines()[0]}"
        ) from error


def load_transformer(model: str, parameter: str, kind: str, dtype: torch.dtype) -> tuple[Any, Any]:
    """Return the tokenizer and the model of transformers that a model parameter names.

    Args:
        model: a local folder, a GGUF file, a hub id, or ``package:<name>``.
        parameter: name of the parameter that says so, for the message of an error.
        kind: class of transformers that reads it, ``AutoModel`` or ``AutoModelForCausalLM``.
        dtype: of the weights.

    Raises:
        UserError: the model cannot be loaded.
    """
    import transformers  # noqa: PLC0415 heavy import

    location = resolve_model(model, parameter)
    with named_in_errors(model, parameter):
        name, file = pretrained(location)
        tokenizer = transformers.AutoTokenizer.from_pretrained(name, **file)
        loaded = getattr(transformers, kind).from_pretrained(name, **model_options(file, dtype))
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer, loaded


def model_options(file: dict[str, str], dtype: torch.dtype) -> dict[str, Any]:
    """Return the further arguments that load a model's weights in a precision.

    Args:
        file: the GGUF file as ``pretrained`` names it, or nothing.
        dtype: of the weights.
    """
    if not file:
        return {"dtype": dtype}
    from transformers import GgufConfig  # noqa: PLC0415 heavy import

    # Weights that stay packed are computed in float32, whatever the precision.
    return {"dtype": dtype, "quantization_config": GgufConfig(dequantize=True)} | file


def best_precision(precision: str) -> torch.dtype:
    """Return the torch dtype of a precision parameter on this machine."""
    if precision == "auto":
        fast_bfloat16 = torch.cuda.is_available() or "avx512_bf16" in _processor_flags()
        return torch.bfloat16 if fast_bfloat16 else torch.float32
    return torch.bfloat16 if precision == "bfloat16" else torch.float32


def _processor_flags() -> set[str]:
    """Return the instruction sets that Linux reports, or none elsewhere."""
    cpuinfo = Path("/proc/cpuinfo")
    if not cpuinfo.exists():
        return set()
    lines = cpuinfo.read_text().splitlines()
    return set(next((line for line in lines if line.startswith("flags")), "").split())


def weights_fingerprint(location: str) -> str:
    """Return a hash of the content of a local model's files, or the hub id itself."""
    place = Path(location)
    if not place.exists():
        return location
    files = [place] if place.is_file() else sorted(f for f in place.rglob("*") if f.is_file())
    digest = hashlib.sha256()
    for path in files:
        with path.open("rb") as file:
            content = hashlib.file_digest(file, "sha256")
        digest.update(f"{path.relative_to(place)} {content.hexdigest()}\n".encode())
    return digest.hexdigest()
