"""How likely a model holds a given text to be as the answer to a conversation."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from tensaku.models.decoder import Decoder
from tensaku.models.tokenizer import Tokenizer
from tensaku.models.weights import Weights
from tensaku.records import Message

__all__ = ["Likelihood", "Reader"]


class Likelihood(NamedTuple):
    """Natural log probability of an answer with its end, 0 or below, and its tokens, the end among them."""

    nats: float
    tokens: int


class Reader:
    """A model that reads texts and writes none, in fp32.

    Args:
        folder: a model folder of the Llama, Gemma or Qwen families.

    Raises:
        UsageError: it is no such model, or a file is missing.
    """

    def __init__(self, folder: Path) -> None:
        self._tokenizer, self._weights = Tokenizer.load(folder), Weights.load(folder)
        self._decoder = Decoder(self._weights)

    @torch.inference_mode()
    def likelihood(self, messages: Sequence[Message], answer: str) -> Likelihood | None:
        """How likely `answer`, and then its end, is after `messages`; None if they do not fit into the context.

        Raises:
            UsageError: the model's chat template refuses these messages.
        """
        asked = self._tokenizer.chat(messages)
        said = [*self._tokenizer.encode(self._tokenizer.plain(answer)), min(self._tokenizer.eos)]
        ids = torch.tensor([*asked, *said])
        if len(ids) > self._decoder.context:
            return None
        rows = torch.arange(len(asked) - 1, len(ids) - 1)
        hidden = self._decoder.hidden(ids, torch.arange(len(ids)), self._linear, _Causal(self._weights), rows=rows)
        logs = torch.log_softmax(hidden @ self._weights.head.T, -1)
        return Likelihood(float(logs.gather(1, ids[rows + 1][:, None]).double().sum()), len(said))

    def _linear(self, layer: int, part: str, x: Tensor) -> Tensor:
        return functional.linear(x, self._weights.linear[layer][part])


class _Causal:
    """The decoder's `Attend` over one text: the last rows of it ask, in layers with a window those near them alone."""

    def __init__(self, weights: Weights) -> None:
        self._windows = weights.shape.windows

    def __call__(self, layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        n, window = len(k), self._windows[layer]
        # where fewer rows ask than there are, they are those before the last: see `rows` above
        at = torch.arange(n) if len(q) == n else torch.arange(n - 1 - len(q), n - 1)
        back = at[:, None] - torch.arange(n)
        seen = (back >= 0) & (back < window) if window else back >= 0
        q, k, v = (x.transpose(0, 1)[None] for x in (q, k, v))
        mixed = functional.scaled_dot_product_attention(q, k, v, attn_mask=seen, scale=1.0, enable_gqa=True)
        return mixed[0].transpose(0, 1).reshape(len(at), -1)
