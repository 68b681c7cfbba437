"""Tiny random models of every family, written by Transformers itself, with adapters written by PEFT."""

from __future__ import annotations

import importlib
import json
import warnings
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from tensaku.engines import Request
from tensaku.engines.native.engine import NativeEngine
from tensaku.records import Message

_TEMPLATE = "{% for m in messages %}<turn>{{ m.role }}\n{{ m.content }}<end>\n{% endfor %}<turn>model\n"
_LETTERS = (
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 .,!?\n▁、。はがのをにで年月日株式市場上昇下落した"
)


def write_tokenizer(folder: Path) -> None:
    """A vocabulary of single characters and bytes; a character that is not in it is written as its bytes."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers

    words = ["<pad>", "<eos>", "<bos>", "<unk>", "<turn>", "<end>"]
    words += [f"<0x{byte:02X}>" for byte in range(256)] + list(dict.fromkeys(_LETTERS))
    vocabulary = {word: i for i, word in enumerate(words)}
    core = Tokenizer(models.BPE(vocab=vocabulary, merges=[], byte_fallback=True, unk_token="<unk>"))
    core.normalizer = normalizers.Replace(" ", "▁")
    core.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    core.add_special_tokens([AddedToken(w, special=True, normalized=False) for w in words[:6]])
    core.save(str(folder / "tokenizer.json"))
    config = {"chat_template": _TEMPLATE, "bos_token": "<bos>", "eos_token": "<eos>"}
    (folder / "tokenizer_config.json").write_text(json.dumps(config), encoding="utf-8")


def _config(family: str) -> Any:
    transformers: Any = importlib.import_module("transformers")

    tiny: dict[str, Any] = {
        "vocab_size": 352,
        "hidden_size": 64,
        "intermediate_size": 96,
        "num_hidden_layers": 4,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 1024,
        "initializer_range": 0.15,
        "pad_token_id": 0,
        "eos_token_id": 1,
        "bos_token_id": 2,
    }
    if family == "gemma3_wide":  # the widths of Gemma 3 270M
        wide = {"hidden_size": 640, "intermediate_size": 2048, "num_hidden_layers": 3, "num_key_value_heads": 1}
        kinds = ["sliding_attention", "full_attention", "sliding_attention"]
        tiny |= wide | {"head_dim": 256, "sliding_window": 300, "layer_types": kinds, "query_pre_attn_scalar": 256}
        return transformers.Gemma3TextConfig(**tiny | {"initializer_range": 0.04})
    if family == "gemma3_text":
        tiny |= {"tie_word_embeddings": False}  # tied and random, a model repeats its last word
        kinds = ["sliding_attention", "sliding_attention", "full_attention", "sliding_attention"]
        return transformers.Gemma3TextConfig(
            **tiny, head_dim=16, sliding_window=20, layer_types=kinds, query_pre_attn_scalar=24
        )
    if family == "llama":
        return transformers.LlamaConfig(**tiny, tie_word_embeddings=False, rms_norm_eps=1e-5)
    if family == "llama_mha":
        tiny |= {"num_key_value_heads": 4}
        return transformers.LlamaConfig(**tiny, tie_word_embeddings=True)
    if family == "qwen2":
        return transformers.Qwen2Config(**tiny, tie_word_embeddings=True)
    return transformers.Qwen3Config(**tiny, head_dim=32, tie_word_embeddings=False)


def write_model(folder: Path, family: str, seed: int = 0) -> Any:
    """A random model of `family` in `folder`; returns Transformers' own."""
    transformers: Any = importlib.import_module("transformers")

    torch.manual_seed(seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = transformers.AutoModelForCausalLM.from_config(_config(family)).float().eval()
        for name, value in model.named_parameters():
            if "norm" in name or name.endswith("bias"):  # they start at 0 or 1 and would test nothing
                value.data.add_(torch.randn_like(value) * 0.1)
        model.get_output_embeddings().weight.data[:262] *= 0.3  # seldom a lone byte or a special token
        model.save_pretrained(folder)
    write_tokenizer(folder)
    return model


def write_peft(folder: Path, model: Any, *, seed: int = 0, targets: list[str] | None = None, **options: Any) -> Any:
    """A random adapter over `model`, saved by PEFT; returns PEFT's own model."""
    peft: Any = importlib.import_module("peft")
    torch.manual_seed(seed + 1000)
    targets = targets or ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
    settings = {"r": 4, "lora_alpha": 8.0} | options
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tuned = peft.get_peft_model(model, peft.LoraConfig(target_modules=targets, task_type="CAUSAL_LM", **settings))
        for name, value in tuned.named_parameters():
            if "lora_B" in name:
                value.data.copy_(torch.randn_like(value) * 0.1)
            if "magnitude" in name:
                value.data.mul_(torch.empty_like(value).uniform_(0.8, 1.2))
        tuned.save_pretrained(folder)
    return tuned.eval()


class Tiny:
    """One family's folder, and adapters over it written on demand."""

    def __init__(self, root: Path, family: str) -> None:
        self.family = family
        self.folder = root / family
        self.model = write_model(self.folder, family)
        self._root = root

    def adapter(self, name: str, **options: Any) -> Path:
        folder = self._root / f"{self.family}-{name}"
        if not folder.exists():
            tuned = write_peft(folder, self.model, seed=zlib.crc32(name.encode()), **options)
            self.model = tuned.unload()
        return folder

    def with_adapter(self, name: str, **options: Any) -> Any:
        """PEFT's own model with the adapter loaded from its folder; `release` it afterwards."""
        peft: Any = importlib.import_module("peft")

        folder = self.adapter(name, **options)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return peft.PeftModel.from_pretrained(self.model, folder).eval()

    def release(self, tuned: Any) -> None:
        self.model = tuned.unload()


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Tiny]:
    root = tmp_path_factory.mktemp("models")
    made: dict[str, Tiny] = {}

    def get(family: str = "gemma3_text") -> Tiny:
        if family not in made:
            made[family] = Tiny(root, family)
        return made[family]

    return get


@pytest.fixture
def engine(tiny: Callable[[str], Tiny]) -> Iterator[NativeEngine]:
    made = NativeEngine(tiny("gemma3_text").folder, context=512, slots=4, threads=1)
    yield made
    made.close()


@pytest.fixture
def ask() -> Callable[..., Request]:
    """A request with one message."""

    def make(text: str, max_tokens: int = 24, **options: Any) -> Request:
        return Request((Message("user", text),), max_tokens=max_tokens, **options)

    return make
