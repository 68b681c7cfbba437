"""Hugging Face tuned by hand, as far as one gets around the model's own code.

- padding-free: the lessons stand behind one another in one row, positions restart, and attention runs lesson by lesson
  (torch's fused causal kernel on each, which skips what a block-diagonal mask would compute and throw away);
- only the rows that are scored reach the head;
- cross-entropy some rows at a time, its gradient computed on the way forward, so that logits never exist twice;
- fused AdamW.
"""

from __future__ import annotations

from typing import Any

import torch
from benchmarks.tune.course import Course, Lesson, Watch, main
from benchmarks.tune.peer import load, loop
from torch import Tensor
from torch.nn import functional

_NAME = "lesson_by_lesson"
_ROWS = 256  # 256 MB of logits over 262,144 words


class _CrossEntropy(torch.autograd.Function):
    """Mean cross-entropy of hidden [rows, width] against labels through head [words, width].

    With p = softmax(z), z = h W': dL/dz = (p - onehot) / rows, dL/dh = dL/dz W, dL/dW = (dL/dz)' h.
    """

    @staticmethod
    def forward(ctx: Any, hidden: Tensor, head: Tensor, labels: Tensor) -> Tensor:
        rows = hidden.shape[0]
        h_grad = torch.empty_like(hidden)
        w_grad = torch.zeros_like(head, dtype=torch.float32) if ctx.needs_input_grad[1] else None
        total = torch.zeros((), dtype=torch.float64)
        for start in range(0, rows, _ROWS):
            part = slice(start, start + _ROWS)
            h, target = hidden[part], labels[part, None]
            log_p = functional.log_softmax((h @ head.T).float(), 1)
            total -= log_p.gather(1, target).sum(dtype=torch.float64)
            p = log_p.exp_()
            grad = p.scatter_add_(1, target, p.new_full(target.shape, -1.0)).to(h.dtype)
            torch.mm(grad, head, out=h_grad[part])
            if w_grad is None:
                continue
            if grad.dtype == w_grad.dtype:
                w_grad.addmm_(grad.T, h)
            else:
                w_grad += grad.T @ h
        ctx.save_for_backward(h_grad.div_(rows), w_grad if w_grad is None else w_grad.div_(rows))
        return (total / rows).float()

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor, Tensor | None, None]:
        h_grad, w_grad = ctx.saved_tensors
        return h_grad * upstream, None if w_grad is None else w_grad * upstream, None


def _attend(
    module: Any, q: Tensor, k: Tensor, v: Tensor, mask: None, *, lengths: list[int], scaling: float, **rest: Any
) -> tuple[Tensor, None]:
    """Causal attention within each lesson, [1, heads, rows, head_dim] to [1, rows, heads, head_dim]."""
    window = rest.get("sliding_window")
    outs = []
    for q1, k1, v1 in zip(*(torch.split(x, lengths, 2) for x in (q, k, v)), strict=True):
        settings: dict[str, Any] = {"is_causal": True}
        if window is not None and q1.shape[2] > window:
            settings = {"attn_mask": torch.ones(q1.shape[2], q1.shape[2], dtype=torch.bool).tril().triu(1 - window)}
        outs.append(functional.scaled_dot_product_attention(q1, k1, v1, scale=scaling, enable_gqa=True, **settings))
    return torch.cat(outs, 2).transpose(1, 2).contiguous(), None


def run(course: Course, watch: Watch) -> None:
    """Take the course."""
    from transformers import AttentionInterface

    AttentionInterface.register(_NAME, _attend)
    model = load(course, attn_implementation=_NAME)
    causal = model if course.adapter is None else model.get_base_model()
    head = causal.get_output_embeddings().weight

    def loss_of(batch: list[Lesson]) -> Tensor:
        ids = torch.tensor([token for lesson in batch for token in lesson.ids[:-1]])  # the last one predicts nothing
        lengths = [len(lesson.ids) - 1 for lesson in batch]
        positions = torch.cat([torch.arange(n) for n in lengths])
        ends = torch.tensor(lengths).cumsum(0).tolist()
        scored = torch.cat([torch.arange(e - len(b.completion), e) for e, b in zip(ends, batch, strict=True)])
        labels = torch.tensor([token for lesson in batch for token in lesson.completion])
        found = causal.model(input_ids=ids[None], position_ids=positions[None], lengths=lengths, use_cache=False)
        rows, weight = found.last_hidden_state[0, scored], head
        if course.precision == "bf16":
            rows, weight = rows.bfloat16(), weight.bfloat16()
        loss: Tensor = _CrossEntropy.apply(rows, weight, labels)  # type: ignore[no-untyped-call]
        return loss

    loop(course, watch, model, loss_of, fused=True)


if __name__ == "__main__":
    main(run)
