"""Weights of language models: locating, fingerprinting and loading them."""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import torch

from longtail.errors import UserError
from longtail.files import file_state
from longtail.progress import no_bars_in_files
from longtail.text.known_encoders import KNOWN_ENCODERS
from longtail.text.parted_weights import PartedWeights

PACKAGE_PREFIX = "package:"
# Where packages hold their weights.
FOLDERS = ("model", "resources")
GGUF = ".gguf"
GGUF_NEEDS = ("gguf", "accelerate")


def resolve_model(model: str, parameter: str) -> str:
    """Return the folder, GGUF file or hub id that a model parameter names.

    A package holds its weights in the folder ``model`` or ``resources`` or in a GGUF file; it is
    not imported. The folder of a known encoder that is fetched in parts need not exist yet.

    Args:
        model: name of a known encoder, a local folder, a GGUF file, a hub id, or
            ``package:<name>``.
        parameter: name of the parameter, for error messages.

    Raises:
        UserError: the package is not installed, or holds no weights.
    """
    weights = _weights_of(model)
    if isinstance(weights, PartedWeights):
        return str(weights.folder)
    if not weights.startswith(PACKAGE_PREFIX):
        return weights
    package = weights.removeprefix(PACKAGE_PREFIX)
    home = _folder_of(package)
    if home is None:
        install = KNOWN_ENCODERS[model].install if model in KNOWN_ENCODERS else ""
        raise UserError(
            f"Parameter {parameter} names the package '{package}', which is not installed. "
            f"{f'Run {install}' if install else 'Install it'}, or name "
            f"{', '.join(sorted(KNOWN_ENCODERS))}, a local folder or a hub id."
        )
    places = (*(home / folder for folder in FOLDERS), *sorted(home.glob(f"*{GGUF}")))
    found = [place for place in places if place.exists()]
    if not found:
        raise UserError(
            f"Parameter {parameter} names the package '{package}', which holds "
            f"neither a folder 'model' nor a {GGUF} file. Name a local folder or a hub id."
        )
    return str(found[0])


def _weights_of(model: str) -> str | PartedWeights:
    """Return the weights that a known encoder stands for; any other model as it is."""
    known = KNOWN_ENCODERS.get(model)
    return known.weights if known else model


def available_model(model: str, parameter: str) -> str:
    """Return what ``resolve_model`` does, for a model to be read: weights in parts are fetched.

    Args:
        model: as ``resolve_model`` takes it.
        parameter: name of the parameter, for error messages.

    Raises:
        UserError: a package or a part cannot be had.
    """
    weights = _weights_of(model)
    if isinstance(weights, PartedWeights):
        weights.fetch()
    return resolve_model(model, parameter)


def packages_of(model: str) -> tuple[str, ...]:
    """Return the distributions that a model needs in addition to those of every model."""
    weights = _weights_of(model)
    if isinstance(weights, PartedWeights) or not weights.startswith(PACKAGE_PREFIX):
        return ()
    carriers = packages_distributions().get(weights.removeprefix(PACKAGE_PREFIX), [])
    reader = GGUF_NEEDS if resolve_model(model, "model").endswith(GGUF) else ()
    return (*sorted(set(carriers)), *reader)


def _folder_of(package: str) -> Path | None:
    try:
        spec = importlib.util.find_spec(package)
    except (ModuleNotFoundError, ValueError):  # no such parent package, or an empty name
        return None
    folders = spec.submodule_search_locations if spec else None
    return Path(folders[0]) if folders else None


def pretrained(location: str) -> tuple[str, dict[str, str]]:
    """Return the arguments of ``from_pretrained``: folder or hub id, and the GGUF file if any.

    Raises:
        ImportError: the packages that read GGUF files are not installed.
    """
    if not location.endswith(GGUF):
        return location, {}
    if missing := [name for name in GGUF_NEEDS if importlib.util.find_spec(name) is None]:
        raise ImportError(
            f"GGUF files need {' and '.join(missing)}. Run pip install longtail[gguf]"
        )
    return str(Path(location).parent), {"gguf_file": Path(location).name}


@contextmanager
def named_in_errors(model: str, parameter: str) -> Iterator[None]:
    """Name the model and its parameter in errors of loading.

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
    """Return the tokenizer and the transformers model that a parameter names.

    Args:
        model: a local folder, a GGUF file, a hub id, or ``package:<name>``.
        parameter: name of the parameter, for error messages.
        kind: class of transformers that loads it, ``AutoModel`` or ``AutoModelForCausalLM``.
        dtype: dtype of the weights.

    Raises:
        UserError: the model cannot be loaded.
    """
    import transformers  # noqa: PLC0415 heavy import

    location = available_model(model, parameter)
    no_bars_in_files()
    with named_in_errors(model, parameter):
        name, file = pretrained(location)
        tokenizer = transformers.AutoTokenizer.from_pretrained(name, **file)
        loaded = getattr(transformers, kind).from_pretrained(name, **model_options(file, dtype))
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer, loaded


def model_options(file: dict[str, str], dtype: torch.dtype) -> dict[str, Any]:
    """Return the arguments of ``from_pretrained`` that set the precision.

    Args:
        file: the GGUF file as returned by ``pretrained``; may be empty.
        dtype: dtype of the weights.
    """
    if not file:
        return {"dtype": dtype}
    from transformers import GgufConfig  # noqa: PLC0415 heavy import

    # Packed weights would be computed in float32, whatever the precision.
    return {"dtype": dtype, "quantization_config": GgufConfig(dequantize=True)} | file


def resolved_precision(precision: str) -> str:
    """Return the precision that a parameter means on this machine: float32, bfloat16 or int8."""
    return _automatic_precision() if precision == "auto" else precision


@cache
def _automatic_precision() -> str:
    """Return bfloat16 where the processor computes in it, else float32."""
    fast_bfloat16 = torch.cuda.is_available() or "avx512_bf16" in _processor_flags()
    return "bfloat16" if fast_bfloat16 else "float32"


def best_precision(precision: str) -> torch.dtype:
    """Return the torch dtype of the weights for a precision parameter on this machine."""
    return torch.bfloat16 if resolved_precision(precision) == "bfloat16" else torch.float32


def _processor_flags() -> set[str]:
    """Return the instruction sets of the CPU on Linux, none elsewhere."""
    cpuinfo = Path("/proc/cpuinfo")
    if not cpuinfo.exists():
        return set()
    lines = cpuinfo.read_text().splitlines()
    return set(next((line for line in lines if line.startswith("flags")), "").split())


def weights_fingerprint(location: str) -> str:
    """Return a hash of the content of a local model's files, or a hub id with its commit.

    Args:
        location: a folder, a GGUF file or a hub id, as ``resolve_model`` returns it.
    """
    files = weight_files(location)
    if not files:
        return "@".join(filter(None, (location, hub_commit(location))))
    return _content_hash(location, tuple(map(file_state, files)))


def weights_state(model: str) -> list[tuple[str, int, int]] | str | None:
    """Return what changes when the weights of a model parameter do, without reading them.

    These are the states of local files, or the commit of a hub model in the local cache; None if
    the weights are not on this machine.

    Args:
        model: a local folder, a GGUF file, a hub id, or ``package:<name>``.
    """
    try:
        location = resolve_model(model, "model")
    except UserError:  # A model that no node loads need not be installed.
        return None
    return list(map(file_state, weight_files(location))) or hub_commit(location)


def weight_files(location: str) -> list[Path]:
    """Return the files of a local model in the order of their names; none of a hub id."""
    place = Path(location)
    found = [place] if place.is_file() else sorted(place.rglob("*"))
    return [path for path in found if path.is_file()]


@cache
def _content_hash(location: str, states: tuple[tuple[str, int, int], ...]) -> str:
    """Return the hash of files; they are read again only after a change of their states."""
    place = Path(location)
    digest = hashlib.sha256()
    for name, _, _ in states:
        path = Path(name)
        with path.open("rb") as file:
            content = hashlib.file_digest(file, "sha256")
        digest.update(f"{path.relative_to(place)} {content.hexdigest()}\n".encode())
    return digest.hexdigest()


def hub_commit(model: str) -> str | None:
    """Return the commit of a hub model that the local cache holds, None where it holds none."""
    from huggingface_hub import try_to_load_from_cache  # noqa: PLC0415 heavy import
    from huggingface_hub.errors import HFValidationError  # noqa: PLC0415

    # sentence-transformers looks up names without an owner in its own.
    for repository in (model, f"sentence-transformers/{model}"):
        with suppress(HFValidationError):
            found = try_to_load_from_cache(repository, "config.json")
            if isinstance(found, str):
                return Path(found).parent.name
    return None


def tokenizer_file(model: str) -> Path | None:
    """Return the tokenizer of a model parameter if it is on this machine, without its weights.

    Args:
        model: a local folder, a hub id, or ``package:<name>``.
    """
    from huggingface_hub import try_to_load_from_cache  # noqa: PLC0415 heavy import
    from huggingface_hub.errors import HFValidationError  # noqa: PLC0415

    try:
        location = resolve_model(model, "model")
    except UserError:
        return None
    if Path(location).exists():
        return next(iter(sorted(Path(location).rglob("tokenizer.json"))), None)
    for repository in (location, f"sentence-transformers/{location}"):
        with suppress(HFValidationError):
            found = try_to_load_from_cache(repository, "tokenizer.json")
            if isinstance(found, str):
                return Path(found)
    return None
