"""Models that the decoder does not compute and Transformers does: recognised, checked and loaded.

Weights come from safetensors alone, nothing is fetched, and no code that a model folder brings is run.
"""

from __future__ import annotations

import importlib
import json
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import torch

from tensaku.errors import MissingExtra, UsageError
from tensaku.models.shape import Shape, UnknownFamily

__all__ = ["Described", "check_known", "context_of", "describe", "load_causal", "quiet", "why_foreign"]

_CONTEXT = 2048
"""Tokens a model is taken to have been made for if it does not say."""


class Described(NamedTuple):
    """What a foreign model is: `family` as Transformers calls it, words in its embedding, all its parameters."""

    family: str
    vocabulary: int
    parameters: int


def why_foreign(folder: Path) -> str | None:
    """What the decoder does not know about the model in `folder`; None where it computes it.

    Raises:
        UsageError: the folder is no model, or damaged.
    """
    try:
        Shape.load(folder)
    except UnknownFamily as error:
        return error.what
    return None


def check_known(folder: Path) -> str:
    """Make sure, from the configuration alone, that Transformers computes this model by itself; returns its family.

    Raises:
        UsageError: it does not know the family, it would need code from elsewhere, or the weights are quantised.
    """
    path = folder / "config.json"
    config = json.loads(path.read_text(encoding="utf-8"))  # read and found to be an object by `Shape.load`
    family = str(config.get("model_type", ""))
    if family not in _known():
        fix = "Use another base model"
        if "AutoModelForCausalLM" in (config.get("auto_map") or {}):
            what = f"the model family {family!r} needs code that comes with the model, and such code is never run"
            raise UsageError(what, where=path, fix=fix)
        what = (
            f"the model family {family!r} is not known, neither to the decoder nor to Transformers as one that writes"
        )
        raise UsageError(what, where=path, fix=fix)
    if fetched := next(_kernels(config), None):
        what = f"the configuration names code to be fetched ({fetched}), and such code is never run"
        raise UsageError(what, where=path, fix="Take the key out of config.json")
    if config.get("quantization_config"):
        fix = "Use the model as it was before quantising"
        raise UsageError("the weights are quantised, and cannot be tuned", where=path, fix=fix)
    return family


def context_of(folder: Path) -> int:
    """Most tokens that the model in `folder` was made for, of any family.

    Raises:
        UsageError: the folder is no model, or damaged.
    """
    try:
        return Shape.load(folder).context
    except UnknownFamily:
        check_known(folder)
    return _context(_configuration(folder))


def load_causal(folder: Path) -> Any:
    """Transformers' own model in `folder`, fp32, at rest (no dropout).

    Raises:
        UsageError: Transformers does not know it, or its weights are incomplete.
    """
    check_known(folder)
    transformers: Any = importlib.import_module("transformers")
    last: Exception | None = None
    for attention in ("sdpa", "eager"):  # named here, whatever the configuration would like
        try:
            with quiet():
                model, found = transformers.AutoModelForCausalLM.from_pretrained(
                    folder,
                    dtype=torch.float32,
                    local_files_only=True,
                    use_safetensors=True,
                    trust_remote_code=False,
                    attn_implementation=attention,
                    output_loading_info=True,
                )
            _complete(found, folder)
            return model.eval()
        except UsageError:
            raise
        except Exception as error:  # a configuration by another hand may break anything in there
            last = error
    raise UsageError(f"Transformers cannot load this model ({_line(last)})", where=folder) from last


def describe(folder: Path) -> Described:
    """Check that the model in `folder` is whole and writes from left to right, and say what it is.

    Raises:
        UsageError: it is incomplete, sees words that are still to come, or has fewer words than its tokenizer.
    """
    from tensaku.models.tokenizer import Tokenizer

    family = check_known(folder)
    tokenizer = Tokenizer.load(folder)
    model = load_causal(folder)
    words = int(model.get_input_embeddings().weight.shape[0])
    if len(tokenizer) > words:
        what = f"the tokenizer has {len(tokenizer)} words, the model {words}"
        raise UsageError(what, where=folder, fix="config.json and tokenizer.json do not belong together")
    if not _causal(model, words):
        what = f"a model of the family {family!r} as this one is configured sees words that are still to come"
        raise UsageError(what, where=folder, fix="Use a base model that writes from left to right")
    return Described(family, words, sum(p.numel() for p in model.parameters()))


@contextmanager
def quiet() -> Iterator[None]:
    """Transformers and PEFT do not warn or draw bars while the body runs: what matters is checked and said here."""
    logging: Any = importlib.import_module("transformers.utils.logging")

    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()


def _known() -> set[str]:
    try:
        from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES
    except ImportError:
        raise MissingExtra("transformers", "tune") from None
    return set(MODEL_FOR_CAUSAL_LM_MAPPING_NAMES)


def _kernels(config: Any) -> Iterator[str]:
    """Implementations that a configuration names by a place they would be fetched from, as in `somebody/kernel`."""
    for key, value in config.items() if isinstance(config, dict) else ():
        yield from _kernels(value)
        named = value.values() if isinstance(value, dict) else [value]
        if key.endswith("_implementation"):
            yield from (f"{key} {one}" for one in named if isinstance(one, str) and "/" in one)


def _configuration(folder: Path) -> Any:
    from transformers import AutoConfig

    try:
        with quiet():
            return AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except Exception as error:  # as above
        raise UsageError(f"Transformers cannot read the configuration ({_line(error)})", where=folder) from error


def _context(config: Any) -> int:
    text = config.get_text_config(decoder=True)
    return int(getattr(text, "max_position_embeddings", None) or _CONTEXT)


def _complete(found: dict[str, Any], folder: Path) -> None:
    wrong = sorted({*found["missing_keys"], *(key[0] for key in found.get("mismatched_keys", ()))})
    if wrong:
        more = f" and {len(wrong) - 1} more" if len(wrong) > 1 else ""
        what = f"the tensor {wrong[0]}{more} is missing, or of another size than the configuration says"
        raise UsageError(what, where=folder, fix="config.json and weights do not belong together")


@torch.no_grad()
def _causal(model: Any, words: int) -> bool:
    """Whether scores of a word stay as they are when a later word is another one."""
    ids = torch.arange(8)[None] * 7 % words
    other = ids.clone()
    other[0, -1] = (int(ids[0, -1]) + 1) % words
    one, two = model(ids).logits[0, :-1], model(other).logits[0, :-1]
    return bool((one - two).abs().max() <= 1e-4 * one.abs().max().clamp_min(1e-6))


def _line(error: Exception | None) -> str:
    """The first line of what a library says."""
    text = str(error).strip()
    return text.splitlines()[0][:300] if text else type(error).__name__
