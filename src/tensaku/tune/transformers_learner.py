"""The learner for models that the own core does not compute: Transformers runs the model, PEFT the thin matrices.

What the own core does beside that is kept where it still holds: matrix products by the faster library, head and loss on
scored rows alone and in blocks, no padding, and the prefix that lessons share computed once. Whether the last three
hold is not taken from a list of names: it is tried on the model when it is opened, against one lesson at a time through
the model as it comes.

It also carries what the own core does not: a GPU, where torch multiplies as it comes, and FSDP2, where the scores of
the chosen rows are made in one piece, since the head is whole only while the model runs.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MethodType
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from tensaku.errors import UsageError
from tensaku.models.foreign import load_causal, quiet, why_foreign
from tensaku.models.products import Multiply, plain
from tensaku.tune import foreign_pack
from tensaku.tune.checkpoints import gathered
from tensaku.tune.devices import CPU, HERE, Place
from tensaku.tune.full import copy_model_files
from tensaku.tune.group import Sharded, together
from tensaku.tune.head import cross_entropy, losses_of
from tensaku.tune.learner import Measured
from tensaku.tune.pack import Example, Pack, pack
from tensaku.tune.section import Tune
from tensaku.tune.targets import projections, target_modules

__all__ = ["TransformersLearner", "fallback_reason", "open_learner"]

_ROWS = 2048
"""Most rows of one pack: beyond that nothing is gained, and more is in memory at once."""
_NOTHING = Measured(0.0, 0, 0)
_NEAR = 1e-4
"""How far two ways to the same scores may lie apart, relative to the largest: fp32 sums in another order."""


def fallback_reason(cfg: Tune, base: Path, place: Place = HERE) -> str | None:
    """Why this training goes through Transformers, as one says it; None where the own core does it.

    Raises:
        UsageError: `tune.core = "own"` and the own core does not compute this model; or the folder is no model.
    """
    why = why_foreign(base)
    if cfg.core == "own" and why:
        raise UsageError(why, where="tune.core", fix='Set tune.core = "auto": Transformers then does the training')
    if cfg.core == "transformers":
        return "tune.core asks for it"
    return why or place.why_transformers


def open_learner(
    cfg: Tune, base: Path, prefix: int, multiply: Multiply, place: Place = HERE, *, bf16: bool = False
) -> TransformersLearner:
    """The learner for `cfg` over the model in the folder `base`.

    Args:
        cfg: its `method`, `rank`, `alpha`, `layers`, `targets`, `rslora`, `dora`, `dropout` and `seed` count.
        base: a Hugging Face folder that Transformers knows.
        prefix: first tokens that every prompt has in common.
        multiply: the matrix product.
        place: where it learns.
        bf16: whether torch may multiply in bf16 there.

    Raises:
        UsageError: a setting does not fit the model or the method.
    """
    if cfg.method not in ("lora", "full"):
        what = f"{cfg.method!r} is not done through Transformers"
        raise UsageError(
            what, where="tune.method", fix='Use "lora" or "full", or a base model of a family of the own core'
        )
    if cfg.method == "full" and cfg.dropout:
        what = "dropout is of thin matrices, and full fine-tuning has none"
        raise UsageError(what, where="tune.dropout", fix="Set it to 0")
    if cfg.method == "lora" and cfg.rank < 1:
        raise UsageError(f"the rank is {cfg.rank}", where="tune.rank", fix="Set it to 1 or more")
    model = load_causal(base)
    adapted = _adapted(model, cfg) if cfg.method == "lora" else None
    if place.device == CPU:
        _multiply_by(model, multiply)
    # With dropout every lesson draws its own, so nothing is shared between lessons.
    prefix = 0 if cfg.dropout else prefix
    return TransformersLearner(model, adapted, base, prefix, multiply, place, seed=cfg.seed, bf16=bf16)


@dataclass(frozen=True, slots=True)
class _Way:
    """What a model allows: several lessons in one pack; head and loss in blocks; else scores of chosen rows."""

    packs: bool
    blocks: bool
    chosen: bool


class TransformersLearner:
    """A `Learner[Example]` over a model of Transformers; open it with `open_learner`.

    Args:
        model: for causal language modelling, fp32, at rest.
        adapted: PEFT's model around it where thin matrices learn; None where every weight does.
        base: folder of the model; its other files go into what full fine-tuning saves.
        prefix: first tokens that every prompt has in common.
        multiply: the matrix product of head and attention.
        place: where it learns; `model` and `adapted` come there, and are shared out if that is asked for.
        seed: where dropout starts.
        bf16: whether products may be made in bf16.
    """

    def __init__(
        self,
        model: Any,
        adapted: Any,
        base: Path,
        prefix: int,
        multiply: Multiply,
        place: Place = HERE,
        *,
        seed: int = 0,
        bf16: bool = False,
    ) -> None:
        self.model, self.adapted, self._place, self._bf16 = model, adapted, place, bf16
        self._base, self._prefix, self._multiply, self._seed = base, prefix, multiply, seed
        self._head = model.get_output_embeddings()
        self._drops = [m for m in model.modules() if isinstance(m, nn.Dropout)] if _drops(adapted) else []
        self._attention = model.config._attn_implementation
        self._way = self._tried()
        if self._way.packs:
            self._attend_packs()
        if place.sharded:
            self._way = replace(self._way, blocks=False)
            _share_out(model, place)
        elif place.device != CPU:
            (adapted or model).to(place.device)

    @property
    def spoken(self) -> str:
        """Which parts apply, for the log."""
        way = self._way
        parts = ["no padding"]
        if way.packs:
            parts.append("lessons packed" + (", their common prefix computed once" if self._prefix else ""))
        else:
            parts.append("one lesson at a time")
        parts.append(
            "loss in blocks on scored rows" if way.blocks else "scored rows" if way.chosen else "all rows scored"
        )
        if self._place.sharded:
            parts.append(f"shared out among {self._place.group.size} processes (FSDP2)")
        where = "" if self._place.device == CPU else f", {self._place.device}"
        return f"Transformers and PEFT on {self.model.config.model_type}{where}: {'; '.join(parts)}"

    def named_parameters(self) -> Iterator[tuple[str, Tensor]]:
        """Every trainable tensor under a stable name."""
        return ((name, p) for name, p in (self.adapted or self.model).named_parameters() if p.requires_grad)

    def count(self, lessons: Sequence[Example]) -> int:
        """The tokens that are scored."""
        return sum(len(lesson.completion) for lesson in lessons)

    def gradients(self, lessons: Sequence[Example], terms: int) -> Measured:
        """Add d(summed loss / terms) to the gradient of every parameter."""
        seen = Measured(0.0, 0, 0)
        with self._dropping(lessons), together():
            for batch, counts in self._passes(lessons):
                loss = self._backward(batch, terms, counts)
                seen += Measured(loss, len(batch.labels), len(batch.ids)) if counts else _NOTHING
        return seen

    @torch.no_grad()
    def loss(self, lessons: Sequence[Example]) -> Measured:
        """The loss alone, without dropout."""
        seen = Measured(0.0, 0, 0)
        with together():
            for batch, counts in self._passes(lessons):
                loss = self._summed(batch)
                seen += Measured(loss, len(batch.labels), len(batch.ids)) if counts else _NOTHING
        return seen

    def _summed(self, batch: Pack) -> float:
        if self._way.blocks:
            losses = losses_of(self._hidden(batch), self._head.weight, batch.labels, self._multiply)
        else:
            losses = functional.cross_entropy(self._scores(batch).double(), batch.labels, reduction="none")
        return float(losses.sum())

    def save(self, folder: Path, base: str) -> None:
        """Write `adapter/` or `model/` as PEFT and Transformers write them; `base` names the model tuned.

        Where the model is shared out every process must call this, and process 0 writes.
        """
        group = self._place.group
        if self._place.sharded:
            self.model.reshard()  # after a pass without a way back, some tensors are still whole
        state = gathered(dict(self._kept()), group)
        if group.rank > 0:
            return
        with quiet():
            if self.adapted is not None:
                _save_adapter(self.adapted, folder / "adapter", base, state)
                return
            target = folder / "model"
            target.mkdir(parents=True, exist_ok=True)
            copy_model_files(self._base, target)
            self.model.save_pretrained(target, state_dict=state)

    def _kept(self) -> Iterator[tuple[str, Tensor]]:
        """What is written: what learns, and of a whole model what belongs to it beside."""
        yield from self.named_parameters()
        if self.adapted is None:
            beside = set(self.model.state_dict())
            yield from ((name, held) for name, held in self.model.named_buffers() if name in beside)

    def _passes(self, lessons: Sequence[Example]) -> Iterator[tuple[Pack, bool]]:
        """The passes through the model, and whether each counts.

        Where the model is shared out all processes go through equally many: those with fewer add some of made-up words.
        """
        device, group = self._place.device, self._place.group
        batches = list(self._packs(lessons))
        missing = group.most(len(batches)) - len(batches) if isinstance(group, Sharded) else 0
        yield from ((batch.to(device), True) for batch in batches)
        yield from ((pack(self._idle, 0).to(device), False) for _ in range(missing))

    def _packs(self, lessons: Sequence[Example]) -> Iterator[Pack]:
        """The lessons in as few passes as the model allows."""
        if not self._way.packs:
            yield from (pack([lesson], 0) for lesson in lessons)
            return
        group: list[Example] = []
        rows = self._prefix
        for lesson in lessons:
            more = len(lesson.prompt) + len(lesson.completion) - 1 - self._prefix
            if group and rows + more > _ROWS:
                yield pack(group, self._prefix)
                group, rows = [], self._prefix
            group.append(lesson)
            rows += more
        if group:
            yield pack(group, self._prefix)

    def _backward(self, batch: Pack, terms: int, counts: bool) -> float:
        if not self._way.blocks:
            each = functional.cross_entropy(self._scores(batch).double(), batch.labels, reduction="none")
            loss = (each if batch.weights is None else each * batch.weights).sum()
            # FSDP2 makes the mean over the processes of what are parts of one sum.
            share = self._place.group.size if self._place.sharded else 1
            (loss * (share * counts / terms)).backward()  # type: ignore[no-untyped-call]
            return float(loss.detach())
        hidden = self._hidden(batch)
        head_grad = None
        if self._head.weight.requires_grad:
            if self._head.weight.grad is None:
                self._head.weight.grad = torch.zeros_like(self._head.weight)
            head_grad = self._head.weight.grad
        losses, grad = cross_entropy(
            hidden.detach(),
            self._head.weight.detach(),
            batch.labels,
            terms=terms,
            multiply=self._multiply,
            head_grad=head_grad,
            weights=batch.weights,
        )
        hidden.backward(grad)  # type: ignore[no-untyped-call]
        return float(losses.sum())

    def _format(self) -> torch.autocast:
        return torch.autocast(self._place.device.type, torch.bfloat16, enabled=self._bf16)

    def _hidden(self, batch: Pack) -> Tensor:
        """What the head multiplies, [scored rows, width]."""
        with foreign_pack.packed(batch, self._multiply), self._format():
            found: Tensor = self.model.base_model(**self._rows(batch)).last_hidden_state[0]
        return found[batch.scored].float()

    def _scores(self, batch: Pack) -> Tensor:
        """The model's own scores, [scored rows, vocabulary]."""
        with foreign_pack.packed(batch, self._multiply), self._format():
            if self._way.chosen:
                found: Tensor = self.model(**self._rows(batch), logits_to_keep=batch.scored).logits[0]
                return found
            found = self.model(**self._rows(batch)).logits[0]
        return found[batch.scored]

    def _rows(self, batch: Pack) -> dict[str, Any]:
        rows: dict[str, Any] = {"input_ids": batch.ids[None], "use_cache": False}
        return rows | {"position_ids": batch.positions[None]} if self._way.packs else rows

    def _dropping(self, lessons: Sequence[Example]) -> _Dropping:
        """Dropout is drawn from the seed, the lessons and the parameters as they stand.

        So nothing about it has to be kept: a run that is taken up again, on any number of processes, draws the same.
        """
        state = zlib.crc32(repr(list(lessons)).encode(), self._seed & 0xFFFFFFFF)
        if self._drops:
            for _, p in self.named_parameters():
                own = p.to_local() if hasattr(p, "to_local") else p
                state = zlib.crc32(own.detach().cpu().numpy().tobytes(), state)
        return _Dropping(self._drops, state, self._place.device)

    # what the model allows

    @torch.no_grad()
    def _tried(self) -> _Way:
        """Try each part against the model as it comes."""
        lessons = _trial(self.model)
        self._idle = lessons[-1:]
        self._way = _Way(packs=False, blocks=False, chosen=False)
        wanted = torch.cat([self._scores(pack([lesson], 0)) for lesson in lessons])
        chosen = self._agrees(_Way(packs=False, blocks=False, chosen=True), [pack([e], 0) for e in lessons], wanted)
        blocks = self._agrees(_Way(packs=False, blocks=True, chosen=False), [pack([e], 0) for e in lessons], wanted)
        packs = self._packable() and self._agrees(_Way(True, blocks, chosen), [pack(lessons, _TRIAL_PREFIX)], wanted)
        if self.model.config._attn_implementation != self._attention:
            self.model.set_attn_implementation(self._attention)
        return _Way(packs, blocks, chosen)

    def _agrees(self, way: _Way, batches: Sequence[Pack], wanted: Tensor) -> bool:
        self._way = way
        if way.blocks and not (type(self._head) is nn.Linear and self._head.bias is None):
            return False
        try:
            if way.packs:
                self._attend_packs()
            if way.blocks:
                found = torch.cat([plain(self._hidden(batch), self._head.weight) for batch in batches])
            else:
                found = torch.cat([self._scores(batch) for batch in batches])
        except Exception:  # whatever a model of another make does with a call it is not made for: this way is closed
            return False
        return found.shape == wanted.shape and bool((found - wanted).abs().max() <= _NEAR * wanted.abs().max())

    def _packable(self) -> bool:
        """Whether nothing in the configuration speaks against packing that a short trial would not show."""
        config = self.model.config.get_text_config(decoder=True)
        kinds = set(getattr(config, "layer_types", None) or ())
        windows = getattr(config, "sliding_window", None) and getattr(config, "use_sliding_window", True)
        chunks = getattr(config, "attention_chunk_size", None)
        if chunks or not kinds <= {"full_attention", "sliding_attention"}:
            return False
        # A model may also keep its window in a mask of its own, which is longer than the trial.
        return not windows or self._tells_window(int(config.sliding_window))

    def _tells_window(self, window: int) -> bool:
        self._way = _Way(packs=True, blocks=False, chosen=False)
        batch = pack(_trial(self.model), _TRIAL_PREFIX)
        try:
            self._attend_packs()
            with foreign_pack.packed(batch, self._multiply) as met:
                self.model(**self._rows(batch))
        except Exception:  # as above
            return False
        return window in met

    def _attend_packs(self) -> None:
        foreign_pack.register()
        with quiet():
            self.model.set_attn_implementation(foreign_pack.NAME)


class _Dropping:
    """Dropout is on while the body runs, from a random state of its own; the process's stays as it was."""

    def __init__(self, modules: Sequence[nn.Module], state: int, device: torch.device) -> None:
        self._modules, self._state, self._device = modules, state, device

    def __enter__(self) -> None:
        self._fork = torch.random.fork_rng(devices=[] if self._device == CPU else [self._device])
        self._fork.__enter__()
        torch.manual_seed(self._state)
        for module in self._modules:
            module.train()

    def __exit__(self, *error: Any) -> None:
        for module in self._modules:
            module.eval()
        self._fork.__exit__(*error)


_TRIAL_PREFIX = 5


def _trial(model: Any) -> list[Example]:
    """Three lessons of made-up words that share their first ones."""
    words = int(model.get_input_embeddings().weight.shape[0])
    random = torch.Generator().manual_seed(11)

    def some(count: int) -> list[int]:
        return torch.randint(0, words, (count,), generator=random).tolist()

    shared = some(_TRIAL_PREFIX)
    return [Example([*shared, *some(a)], some(b)) for a, b in ((20, 9), (7, 13), (13, 5))]


def _drops(adapted: Any) -> bool:
    return adapted is not None and adapted.peft_config["default"].lora_dropout > 0


def _adapted(model: Any, cfg: Tune) -> Any:
    """PEFT's model with thin matrices beside the matrices that `cfg` names."""
    import peft
    from transformers.pytorch_utils import Conv1D

    names = target_modules(model, cfg.targets, cfg.layers)
    kinds = {type(model.get_submodule(name)) for name in names}
    settings = peft.LoraConfig(
        r=cfg.rank,
        lora_alpha=cfg.alpha,
        target_modules=names,
        use_rslora=cfg.rslora,
        use_dora=cfg.dora,
        lora_dropout=cfg.dropout,
        fan_in_fan_out=kinds == {Conv1D},  # PEFT sets it by itself where the kinds are mixed
        task_type="CAUSAL_LM",
    )
    try:
        with quiet(), torch.random.fork_rng(devices=[]):
            torch.manual_seed(cfg.seed)
            adapted = peft.get_peft_model(model, settings)
    except (ValueError, NotImplementedError, RuntimeError, TypeError) as error:
        what = f"PEFT cannot put LoRA beside this model's matrices ({str(error).splitlines()[0]})"
        fix = 'Name others in tune.targets, or set tune.method = "full"'
        raise UsageError(what, where="tune.targets", fix=fix) from error
    return adapted.eval()


def _share_out(model: Any, place: Place) -> None:
    """Let FSDP2 hold a part of every tensor here: layers by themselves, what is left with the model."""
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    mesh = init_device_mesh(place.device.type, (place.group.size,))
    layers = set(model._no_split_modules or ())
    for module in [m for m in model.modules() if type(m).__name__ in layers]:
        fully_shard(module, mesh=mesh)
    fully_shard(model, mesh=mesh)


def _save_adapter(adapted: Any, folder: Path, base: str, state: dict[str, Tensor]) -> None:
    adapted.peft_config["default"].base_model_name_or_path = base
    adapted.save_pretrained(folder, safe_serialization=True, save_embedding_layers=False, state_dict=state)
    (folder / "README.md").unlink(missing_ok=True)  # a form to be filled in, of no use here
    path = folder / "adapter_config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    config["target_modules"] = sorted(config["target_modules"])  # it was a set: any order, another in each process
    path.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", encoding="utf-8")


class _Product(torch.autograd.Function):
    """x W' by the chosen product, with gradients for x and, where it learns, W."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, multiply: Multiply) -> Tensor:
        ctx.save_for_backward(x if ctx.needs_input_grad[1] else None, weight)
        ctx.multiply = multiply
        return multiply(x, weight)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        x, weight = ctx.saved_tensors
        for_x = ctx.multiply(grad, weight.T) if ctx.needs_input_grad[0] else None
        for_weight = ctx.multiply(grad.T, x.T) if ctx.needs_input_grad[1] else None
        return for_x, for_weight, None


def _multiply_by(model: nn.Module, multiply: Multiply) -> None:
    """Let the matrices inside layers be multiplied by `multiply`, those that PEFT wrapped too."""
    from transformers.pytorch_utils import Conv1D

    for name in projections(model):
        module = model.get_submodule(name)
        if type(module) in (nn.Linear, Conv1D):
            module.forward = MethodType(_forward(multiply, transposed=type(module) is Conv1D), module)


def _forward(multiply: Multiply, *, transposed: bool) -> Any:
    def forward(module: Any, x: Tensor) -> Tensor:
        weight = module.weight.T if transposed else module.weight
        flat = x.reshape(-1, x.shape[-1])
        if not len(flat):  # an expert that nobody asked
            return x.new_zeros(*x.shape[:-1], len(weight))
        y: Tensor = _Product.apply(flat, weight, multiply)  # type: ignore[no-untyped-call]
        y = y if module.bias is None else y + module.bias
        return y.view(*x.shape[:-1], -1)

    return forward
