"""LoRA beside block-held weights: against fp64 autograd of Transformers and PEFT, and what it keeps in memory."""

from __future__ import annotations

import gc
import json
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any, Literal

import gguf
import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode

from tensaku.errors import UsageError
from tensaku.models.block_files import load_blocks
from tensaku.models.fingerprint import weights_hash
from tensaku.models.products import plain
from tensaku.models.weights import Weights
from tensaku.testing import tiny_model
from tensaku.tune.learner import DecoderLearner
from tensaku.tune.lora import LoraSettings
from tensaku.tune.pack import Example, shared_prefix
from tensaku.tune.quantised import BlockDecoder, BlockLora, BlockRows, BlockWeights


def quantised_model(
    folder: Path, *, family: Literal["gemma3_text", "llama"] = "gemma3_text", kinds: tuple[str, ...] = ("Q8_0", "Q4_0")
) -> Path:
    """The tiny model with matrices in `kinds` in turn; model.safetensors holds exactly what the blocks stand for."""
    tiny_model(folder, family=family)
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    (folder / "config.json").write_text(json.dumps(config | {"intermediate_size": 64}), encoding="utf-8")
    tensors = load_file(folder / "model.safetensors")
    random = torch.Generator().manual_seed(8)
    blocks, told = {}, {}
    for n, (name, tensor) in enumerate(sorted(tensors.items())):
        if tensor.dim() != 2:
            continue
        rows, columns = (64 if size == 48 else size for size in tensor.shape)  # whole blocks need widths of 32
        values = (torch.randn(rows, columns, generator=random) * 0.2).numpy()
        kind = kinds[n % len(kinds)]
        raw = np.asarray(gguf.quantize(values, gguf.GGMLQuantizationType[kind]))
        tensors[name] = torch.from_numpy(np.array(gguf.dequantize(raw, gguf.GGMLQuantizationType[kind])))
        blocks[name] = torch.from_numpy(np.array(raw)).view(rows, -1)
        told[name] = {"type": kind, "shape": [rows, columns]}
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    save_file(blocks, folder / "quantised.blocks", metadata={"format": "pt", "blocks": json.dumps(told)})
    return folder


@pytest.fixture(scope="module", params=["gemma3_text", "llama"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return quantised_model(tmp_path_factory.mktemp("quantised"), family=request.param)


def started(folder: Path, **settings: Any) -> tuple[BlockWeights, BlockLora]:
    """Everything away from where it starts, so that each gradient says something."""
    weights = BlockWeights.load(folder)
    lora = BlockLora(weights, LoraSettings(rank=4, alpha=8, seed=3, **settings), plain)
    random = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for name, p in lora.named_parameters():
            if ".b" in name:
                p.normal_(0, 0.1, generator=random)
            elif ".m" in name:
                p.mul_(torch.empty_like(p).uniform_(0.8, 1.2, generator=random))
    return weights, lora


def step(weights: BlockWeights, lora: BlockLora, examples: list[Example], decoder: Any = None) -> float:
    """Mean loss; its gradient is left with the parameters."""
    head = BlockRows(weights.head, weights.scratch)
    learner = DecoderLearner(decoder or BlockDecoder(weights), lora, shared_prefix(examples), plain, head)
    terms = learner.count(examples)
    return learner.gradients(examples, terms).loss / terms


def theirs(folder: Path, adapter: Path, examples: list[Example]) -> tuple[float, dict[str, Any]]:
    """One pair at a time, unpacked, through Transformers and PEFT in fp64; weights are those of model.safetensors."""
    import peft
    from transformers import AutoModelForCausalLM

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        base = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float64, attn_implementation="eager")
        model = peft.PeftModel.from_pretrained(base, adapter, is_trainable=True).to(torch.float64)
    count = sum(len(e.completion) for e in examples)
    total = 0.0
    for example in examples:
        ids = torch.tensor([example.prompt + example.completion])
        logits = model(ids).logits[0, len(example.prompt) - 1 : -1]
        loss = functional.cross_entropy(logits, torch.tensor(example.completion), reduction="sum") / count
        loss.backward()  # type: ignore[no-untyped-call]
        total += loss.item()
    return total, {n: p.grad for n, p in model.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("settings", [{}, {"layers": 2}, {"targets": ("q", "v"), "rslora": True}, {"dora": True}])
def test_loss_and_every_gradient_agree_with_peft_in_fp64(
    folder: Path, tmp_path: Path, examples: list[Example], settings: dict[str, Any]
) -> None:
    weights, lora = started(folder, **settings)
    lora.save(tmp_path, str(folder))
    loss = step(weights, lora, examples)
    wanted, grads = theirs(folder, tmp_path / "adapter", examples)
    assert abs(loss - wanted) < 1e-5 * wanted
    mine: dict[str, Tensor] = {}
    for (layer, _), thin in lora.thin.items():
        for n, module in enumerate(thin.modules):
            at = f"base_model.model.model.layers.{layer}.{module}"
            assert thin.a.grad is not None
            mine[f"{at}.lora_A.default.weight"] = thin.a.grad[4 * n : 4 * n + 4]
            mine[f"{at}.lora_B.default.weight"] = thin.bs[n].grad  # type: ignore[assignment]
            if thin.magnitudes:
                mine[f"{at}.lora_magnitude_vector.default.weight"] = thin.magnitudes[n].grad  # type: ignore[assignment]
    assert mine.keys() == grads.keys()
    errors = {name: float((mine[name] - exact).norm() / exact.norm()) for name, exact in grads.items()}
    assert max(errors.values()) <= 1e-5, errors


def test_the_gradient_for_what_came_in_is_exact(folder: Path) -> None:
    weights, lora = started(folder, layers=1)
    mine: dict[str, Any] = dict(lora.named_parameters())
    random = torch.Generator().manual_seed(2)
    for layer in (0, 2):  # without an adapter, and with one
        for part, stack in weights.linear[layer].items():
            x = torch.randn(6, stack.shape[1], generator=random).requires_grad_()
            up = torch.randn(6, stack.shape[0], generator=random)
            lora(layer, part, x).backward(up)  # type: ignore[no-untyped-call]
            w = stack.dequantise().double()
            if layer == 2:
                a = mine[f"2.{part}.a"].detach().double()
                bs = [mine[f"2.{part}.b{n}"].detach().double() for n in range(len(stack.parts))]
                w += 2 * torch.cat([b @ a[4 * n : 4 * n + 4] for n, b in enumerate(bs)])
            exact = up.double() @ w
            assert x.grad is not None
            assert (x.grad - exact).norm() <= 1e-6 * exact.norm(), (layer, part)


def test_modules_that_have_no_adapter_are_left_as_they_are(folder: Path) -> None:
    weights, lora = started(folder, targets=("q", "v"))
    x = torch.randn(3, 32, generator=torch.Generator().manual_seed(1))
    more = lora(0, "qkv", x) - x @ weights.linear[0]["qkv"].dequantise().T
    assert (more[:, :32].abs() > 0).all()
    assert (more[:, 32:48] == 0).all()
    assert (more[:, 48:].abs() > 0).all()
    assert torch.equal(lora(1, "o", x), x @ weights.linear[1]["o"].dequantise().T)


def test_the_same_weights_as_in_fp32(folder: Path) -> None:
    whole, held = Weights.load(folder), BlockWeights.load(folder)
    ids = torch.tensor([5, 3, 5, 90])
    assert torch.equal(held.embed(ids), whole.embedding[ids])
    assert torch.equal(held.head.dequantise(), whole.head)
    assert (held.head is held.embedding) == whole.shape.tied
    for layer in range(3):
        for part, weight in whole.linear[layer].items():
            assert torch.equal(held.dequantise(layer, part), weight)
        assert all(torch.equal(held.frame.norms[layer][name], norm) for name, norm in whole.norms[layer].items())


class Storages(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Remembers the largest fp32 result of any operation, and which were as large as a matrix."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.largest = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        found = func(*args, **(kwargs or {}))
        for tensor in found if isinstance(found, tuple | list) else (found,):
            if isinstance(tensor, Tensor) and tensor.is_floating_point() and tensor.device.type == "cpu":
                self.largest = max(self.largest, tensor.untyped_storage().nbytes())
        return found


def test_no_weight_stays_in_full_precision(
    folder: Path, examples: list[Example], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Counts what autograd keeps between forward and backward, and looks at the storage of every result."""
    from tensaku.models import blocks
    from tensaku.tune import head

    monkeypatch.setattr(head, "_TILE", 32 * 50)
    monkeypatch.setattr(head, "_LEAST", 8)
    monkeypatch.setattr(blocks, "_AT_ONCE", 512)
    held: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        held[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    weights, lora = started(folder)
    one, decoder = examples[:1], BlockDecoder(weights, context=64)
    rows = len(one[0].prompt) + len(one[0].completion)
    with Storages() as seen, torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        step(weights, lora, one, decoder)
    scratch = weights.scratch.take(1, 1).untyped_storage()
    largest_projection = max(4 * s.shape[0] * s.shape[1] for parts in weights.linear for s in parts.values())
    assert scratch.nbytes() == largest_projection
    assert scratch.data_ptr() not in held
    assert not {p.data_ptr() for p in weights_of(weights)} & set(held)
    # Nothing was made that is larger than one projection or the widest activations.
    assert seen.largest <= max(largest_projection, 4 * rows * 2 * weights.shape.intermediate)
    assert seen.largest < 4 * weights.head.shape[0] * weights.head.shape[1]


def floats() -> int:
    """Bytes of all fp32 storage that Python objects hold."""
    gc.collect()
    found = (thing for thing in gc.get_objects() if issubclass(type(thing), Tensor) and thing.device.type == "cpu")
    held = {t.untyped_storage().data_ptr(): t.untyped_storage().nbytes() for t in found if t.is_floating_point()}
    return sum(held.values())


def test_nothing_of_a_weight_s_size_is_held_after_a_step(folder: Path, examples: list[Example]) -> None:
    before = floats()
    weights, lora = started(folder)
    decoder = BlockDecoder(weights, context=64)
    step(weights, lora, examples[:1], decoder)
    stacks = [stack for parts in weights.linear for stack in parts.values()]
    everything = 4 * sum(rows * columns for rows, columns in [s.shape for s in stacks] + [weights.head.shape])
    scratch = weights.scratch.take(1, 1).untyped_storage().nbytes()
    learnt = 2 * 4 * sum(p.numel() for _, p in lora.named_parameters())
    small = 4 * sum(t.numel() for norms in weights.frame.norms for t in [*norms.values(), weights.frame.final_norm])
    tables = 2 * 2 * 4 * 64 * weights.shape.head_dim
    assert floats() - before <= scratch + learnt + small + tables < everything


def weights_of(weights: BlockWeights) -> list[Tensor]:
    stacks = [stack for parts in weights.linear for stack in parts.values()]
    return [part.data for stack in stacks for part in stack.parts] + [weights.embedding.data, weights.head.data]


def test_blocks_are_no_weights_to_whoever_takes_every_safetensors(tmp_path: Path) -> None:
    """As vLLM does. What was made when they were called so is read as before, and is still the same base."""
    folder = quantised_model(tmp_path / "m")
    assert [path.name for path in folder.glob("*.safetensors")] == ["model.safetensors"]
    held, digest = load_blocks(folder), weights_hash(folder)
    (folder / "quantised.blocks").rename(folder / "quantised.safetensors")
    assert load_blocks(folder).keys() == held.keys()
    assert weights_hash(folder) == digest


def test_a_base_without_blocks_is_told_so(tmp_path: Path) -> None:
    what = r'was not made from a GGUF file.*base\.model = "gguf:FILE", or tune\.method = "lora"'
    with pytest.raises(UsageError, match=what):
        BlockWeights.load(tiny_model(tmp_path / "plain"))


def test_blocks_of_a_format_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    folder = quantised_model(tmp_path / "odd")
    held = load_file(folder / "quantised.blocks")
    told = json.dumps({name: {"type": "IQ4_XS", "shape": [1, 32]} for name in held})
    save_file(held, folder / "quantised.blocks", metadata={"blocks": told})
    with pytest.raises(UsageError, match=r"model\.\S+: blocks of the format IQ4_XS cannot be read"):
        BlockWeights.load(folder)


def test_a_missing_matrix_is_named(tmp_path: Path) -> None:
    folder = quantised_model(tmp_path / "cut", kinds=("Q8_0",))
    held = load_file(folder / "quantised.blocks")
    del held["model.layers.1.mlp.up_proj.weight"]
    told = {n: {"type": "Q8_0", "shape": [len(t), t.shape[1] // 34 * 32]} for n, t in held.items()}
    save_file(held, folder / "quantised.blocks", metadata={"blocks": json.dumps(told)})
    with pytest.raises(UsageError, match=r"layers\.1\.mlp\.up_proj\.weight is missing"):
        BlockWeights.load(folder)


ONE_STEP = """
import sys
from pathlib import Path
import torch
from tensaku.models.block_files import load_blocks
from tensaku.models.fingerprint import weights_hash
from tensaku.models.products import plain
from tensaku.tune.own import open_learner
from tensaku.tune.pack import Example
from tensaku.tune.section import Tune

ids = torch.randint(300, 9000, (200,), generator=torch.Generator().manual_seed(1)).tolist()
learner = open_learner(Tune(method=sys.argv[1]), Path(sys.argv[2]), 256, 0, plain)
loss = learner.gradients([Example(ids[:120], ids[120:])], 80).loss / 80
norm = sum(float(p.grad.double().square().sum()) for _, p in learner.named_parameters()) ** 0.5
# Not ru_maxrss: a new process begins with the peak of the one it was forked from.
peak = next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(loss, norm, int(peak) // 1024)
"""


@pytest.mark.model
@pytest.mark.slow
def test_the_demonstration_model_in_half_the_memory(workspace: Path) -> None:
    """Takes about a minute and a half: the same step twice, each in a process of its own, and their peak memory."""
    from tensaku.models.base import Base, base
    from tensaku.store import SilentReporter, Store

    made = Store(workspace, SilentReporter()).run(base, Base(model="demo:gemma-3-270m"), files={})

    def run(method: str) -> list[float]:
        words = [sys.executable, "-c", ONE_STEP, method, str(made.path)]
        done = subprocess.run(words, capture_output=True, text=True, check=True, timeout=280)
        return [float(word) for word in done.stdout.split()]

    (loss, norm, whole), (same_loss, same_norm, held) = run("lora"), run("qlora")
    assert abs(loss - same_loss) < 1e-5 * loss
    assert abs(norm - same_norm) < 1e-4 * norm
    assert held < 0.55 * whole, (held, whole)
