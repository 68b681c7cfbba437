"""Learning through Transformers: whatever is left out of the work, loss and gradients are those of the plain way."""

from __future__ import annotations

import importlib
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn import functional

from tensaku.errors import UsageError
from tensaku.models.decoder import Decoder
from tensaku.models.foreign import load_causal, quiet
from tensaku.models.products import plain, product
from tensaku.models.weights import Weights
from tensaku.testing import tiny_foreign_model
from tensaku.tune import Tune, loop
from tensaku.tune.learner import DecoderLearner
from tensaku.tune.loop import Course, Places, train
from tensaku.tune.lora import LoraSettings, MergedLora
from tensaku.tune.pack import Example, shared_prefix
from tensaku.tune.transformers_learner import TransformersLearner, fallback_reason, open_learner

PACKED = "lessons packed, their common prefix computed once; loss in blocks on scored rows"
SPOKEN = {
    "gpt2": PACKED,
    "gpt_neox": PACKED,
    "mistral": PACKED,
    "qwen2_moe": PACKED,
    "opt": PACKED,
    "phi": "lessons packed, their common prefix computed once; scored rows",  # its head has a bias
    "granite": "lessons packed, their common prefix computed once; scored rows",  # its scores are divided
    "gemma2": "one lesson at a time; scored rows",  # scores in its attention are squashed
    "bloom": "one lesson at a time; loss in blocks on scored rows",  # it counts positions in a mask
}
LORAS: dict[str, dict[str, Any]] = {
    "lora": {"rank": 4, "alpha": 8},
    "rslora": {"rank": 3, "alpha": 8, "rslora": True},
    "dora": {"rank": 4, "alpha": 8, "dora": True, "layers": 1},
}


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Models this small only lose by more."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def foreign(tmp_path_factory: pytest.TempPathFactory) -> Any:
    root, made = tmp_path_factory.mktemp("foreign"), {}

    def get(family: Any) -> Path:
        if family not in made:
            made[family] = tiny_foreign_model(root / family, family)
        return made[family]

    return get


def opened(folder: Path, examples: list[Example], multiply: str = "plain", **settings: Any) -> TransformersLearner:
    """With every tensor of LoRA away from where it starts."""
    cfg = Tune(**{"core": "transformers", "seed": 3} | settings)
    learner = open_learner(cfg, folder, shared_prefix(examples), product(multiply))
    random = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for name, p in learner.named_parameters():
            if "lora_B" in name:
                p.normal_(0, 0.1, generator=random)
            elif "magnitude" in name:
                p.mul_(torch.empty_like(p).uniform_(0.8, 1.2, generator=random))
    return learner


def theirs(folder: Path, adapter: Path | None, examples: list[Example]) -> tuple[float, dict[str, torch.Tensor]]:
    """One lesson at a time through Transformers and PEFT in fp64, the loss from all their scores."""
    import peft

    model: Any = load_causal(folder).to(torch.float64)
    if hasattr(model.config, "num_experts"):
        model.set_experts_implementation("eager")  # the other has no fp64
    if adapter is not None:
        with quiet():
            model = peft.PeftModel.from_pretrained(model, adapter, is_trainable=True).to(torch.float64).eval()
    count = sum(len(e.completion) for e in examples)
    total = 0.0
    for example in examples:
        logits = model(torch.tensor([example.prompt + example.completion])).logits[0, len(example.prompt) - 1 : -1]
        loss = example.weight * functional.cross_entropy(logits, torch.tensor(example.completion), reduction="sum")
        loss = loss / count
        loss.backward()  # type: ignore[no-untyped-call]
        total += loss.item()
    return total, {n: p.grad for n, p in model.named_parameters() if p.grad is not None}


def agree(learner: TransformersLearner, examples: list[Example], folder: Path, adapter: Path | None) -> None:
    terms = learner.count(examples)
    measured = learner.gradients(examples, terms)
    assert measured.scored == terms
    wanted, grads = theirs(folder, adapter, examples)
    assert abs(measured.loss / terms - wanted) < 1e-5 * wanted
    if all(example.weight == 1 for example in examples):
        assert math.isclose(learner.loss(examples).loss, measured.loss, rel_tol=1e-6)
    mine = {name: p.grad for name, p in learner.named_parameters() if p.grad is not None}
    assert mine.keys() == grads.keys()
    # A bias on keys shifts all scores of a row alike: its gradient is nothing, and rounding is all there is to see.
    largest = max(float(g.norm()) for g in grads.values())
    errors = {n: float((mine[n] - g).norm() / max(float(g.norm()), 1e-3 * largest)) for n, g in grads.items()}
    assert max(errors.values()) <= 5e-5, errors


@pytest.mark.parametrize("family", ["gpt2", "phi", "gemma2"])
def test_a_lesson_counts_by_its_weight(foreign: Any, family: str, examples: list[Example], tmp_path: Path) -> None:
    weighted = [example._replace(weight=n / 4) for n, example in enumerate(examples[:5])]
    learner = opened(foreign(family), weighted, **LORAS["lora"])
    learner.save(tmp_path, "base-1")
    agree(learner, weighted, foreign(family), tmp_path / "adapter")


@pytest.mark.parametrize(
    ("family", "kind"),
    [*((family, "lora") for family in SPOKEN), ("gpt2", "dora"), ("gpt2", "rslora"), ("mistral", "dora")],
)
def test_lora_beside_any_family(foreign: Any, family: str, kind: str, examples: list[Example], tmp_path: Path) -> None:
    learner = opened(foreign(family), examples, **LORAS[kind])
    assert learner.spoken == f"Transformers and PEFT on {family}: no padding; {SPOKEN[family]}"
    learner.save(tmp_path, "base-1")
    agree(learner, examples, foreign(family), tmp_path / "adapter")


@pytest.mark.parametrize("family", SPOKEN)
def test_every_weight_of_any_family(foreign: Any, family: str, examples: list[Example]) -> None:
    learner = opened(foreign(family), examples, method="full")
    agree(learner, examples, foreign(family), None)


def test_the_other_product_teaches_the_same(foreign: Any, examples: list[Example], tmp_path: Path) -> None:
    kinds: list[dict[str, Any]] = [LORAS["lora"], {"method": "full"}]
    for n, settings in enumerate(kinds):
        learner = opened(foreign("gpt2"), examples, "onednn", **settings)
        learner.save(tmp_path / str(n), "base-1")
        agree(learner, examples, foreign("gpt2"), None if n else tmp_path / "0" / "adapter")


@pytest.mark.parametrize("kind", ["lora", "rslora"])
@pytest.mark.parametrize("family", ["gemma", "llama"])
def test_it_agrees_with_the_own_core(
    family: str, kind: str, request: pytest.FixtureRequest, examples: list[Example]
) -> None:
    folder, settings = request.getfixturevalue(family), LORAS[kind]
    learner = opened(folder, examples, **settings)
    assert PACKED in learner.spoken
    theirs = dict(learner.named_parameters())
    lora = MergedLora(Weights.load(folder), LoraSettings(**settings), plain)
    own: dict[str, tuple[Any, Any]] = {}
    for (layer, _), thin in lora.thin.items():
        for n, module in enumerate(thin.modules):
            at, rank = f"base_model.model.model.layers.{layer}.{module}", lora.settings.rank
            rows = slice(n * rank, (n + 1) * rank)
            own[f"{at}.lora_A.default.weight"] = (thin.a, rows)
            own[f"{at}.lora_B.default.weight"] = (thin.bs[n], slice(None))
    assert own.keys() == theirs.keys()
    with torch.no_grad():
        for name, (tensor, rows) in own.items():
            tensor[rows] = theirs[name]
    core = DecoderLearner(Decoder(lora._weights), lora, shared_prefix(examples), plain)
    terms = core.count(examples)
    mine, wanted = learner.gradients(examples, terms), core.gradients(examples, terms)
    assert math.isclose(mine.loss, wanted.loss, rel_tol=1e-6)
    assert mine[1:] == wanted[1:]  # as many rows went through both
    for name, (tensor, rows) in own.items():
        grad, other = theirs[name].grad, tensor.grad[rows]
        assert grad is not None
        assert (grad - other).norm() <= 2e-5 * other.norm(), name


def test_many_lessons_are_taken_in_turns(foreign: Any, examples: list[Example], monkeypatch: Any) -> None:
    from tensaku.tune import transformers_learner

    learner = opened(foreign("mistral"), examples)
    whole = learner.gradients(examples, 1)
    grads = {name: p.grad.clone() for name, p in learner.named_parameters() if p.grad is not None}
    monkeypatch.setattr(transformers_learner, "_ROWS", 60)
    assert len(list(learner._packs(examples))) > 3
    parts = learner.gradients(examples, 1)
    assert math.isclose(parts.loss, whole.loss, rel_tol=1e-6)
    for name, p in learner.named_parameters():
        assert p.grad is not None
        assert torch.allclose(p.grad, 2 * grads[name], rtol=1e-3, atol=1e-4)


def test_a_window_that_only_a_mask_knows_is_not_packed(foreign: Any, examples: list[Example], monkeypatch: Any) -> None:
    """A trial shorter than the window would not show it."""
    modeling_mistral: Any = importlib.import_module("transformers.models.mistral.modeling_mistral")

    folder = foreign("mistral")
    path = folder / "config.json"
    before = path.read_text()
    path.write_text(json.dumps(json.loads(before) | {"sliding_window": 200}))
    try:
        assert "packed" in opened(folder, examples).spoken
        forward = modeling_mistral.ALL_ATTENTION_FUNCTIONS.get_interface

        def silent(*args: Any) -> Any:
            function = forward(*args)
            return lambda *a, sliding_window=None, **kw: function(*a, **kw)

        monkeypatch.setattr(modeling_mistral.ALL_ATTENTION_FUNCTIONS, "get_interface", silent)
        assert "one lesson at a time" in opened(folder, examples).spoken
    finally:
        path.write_text(before)


def run(
    learner: TransformersLearner, examples: list[Example], folder: Path, aside: Path, kill_at: int = 0
) -> dict[str, bytes]:
    for place in (folder, aside):
        place.mkdir(parents=True, exist_ok=True)
    done = [0]

    def advance(*_: Any) -> None:
        done[0] += 1
        if done[0] == kill_at:
            raise KeyboardInterrupt

    course = Course(9, 4, 0.02, 2, 1)
    train(learner, examples, course, Places(folder, aside), advance)
    learner.save(folder, "base-1")
    names = ("adapter_config.json", "adapter_model.safetensors")
    return {name: (folder / "adapter" / name).read_bytes() for name in names}


@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_taken_up_again_the_result_has_the_same_bytes(
    foreign: Any, examples: list[Example], dropout: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "_CHECKPOINT_SECONDS", 0.0)
    monkeypatch.setattr(loop, "_CHECKPOINT_SHARE", 1e9)
    settings: dict[str, Any] = {"dropout": dropout, "rank": 4}
    whole = run(opened(foreign("gpt2"), examples, **settings), examples, tmp_path / "whole", tmp_path / "w")
    with pytest.raises(KeyboardInterrupt):
        run(opened(foreign("gpt2"), examples, **settings), examples, tmp_path / "cut", tmp_path / "c", kill_at=5)
    torch.manual_seed(99)  # whatever else the process drew
    again = run(opened(foreign("gpt2"), examples, **settings), examples, tmp_path / "cut", tmp_path / "c")
    assert again == whole
    losses = [json.loads(line)["loss"] for line in (tmp_path / "whole" / "loss.jsonl").read_text().splitlines()]
    assert losses[-1] < losses[0]
    assert sorted(p.name for p in (tmp_path / "whole" / "adapter").iterdir()) == sorted(whole)
    config = json.loads(whole["adapter_config.json"])
    assert config["base_model_name_or_path"] == "base-1"
    assert config["target_modules"] == sorted(config["target_modules"])


def test_dropout_is_there_while_it_learns_and_nowhere_else(foreign: Any, examples: list[Example]) -> None:
    still, dropping = (opened(foreign("gpt2"), examples, dropout=d) for d in (0.0, 0.5))
    before = torch.random.get_rng_state()
    one = dropping.gradients(examples, 1).loss
    assert torch.equal(before, torch.random.get_rng_state())
    torch.manual_seed(99)  # what else the process draws makes no difference
    two = dropping.gradients(examples, 1).loss
    assert one == two
    assert one != pytest.approx(still.gradients(examples, 1).loss, rel=1e-4)
    assert dropping.loss(examples).loss == pytest.approx(still.loss(examples).loss, rel=1e-6)
    assert dropping.gradients(examples[::-1], 1).loss != pytest.approx(one, rel=1e-4)
    with torch.no_grad():
        next(p for name, p in dropping.named_parameters() if "lora_A" in name).mul_(1.0001)
    assert dropping.gradients(examples, 1).loss != one


def test_a_whole_model_is_saved_as_it_learnt(foreign: Any, examples: list[Example], tmp_path: Path) -> None:
    for family in ("gpt2", "qwen2_moe"):
        learner = opened(foreign(family), examples, method="full")
        learner.gradients(examples, learner.count(examples))
        with torch.no_grad():
            for _, p in learner.named_parameters():
                assert p.grad is not None
                p -= 0.1 * p.grad
        learner.save(tmp_path / family, "base-1")
        folder = tmp_path / family / "model"
        assert {"config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"} <= {
            p.name for p in folder.iterdir()
        }
        found = opened(folder, examples, method="full").loss(examples).loss
        assert found == pytest.approx(learner.loss(examples).loss, rel=1e-6)
        assert found < opened(foreign(family), examples, method="full").loss(examples).loss


def test_only_what_is_asked_for_learns(foreign: Any, examples: list[Example]) -> None:
    learner = opened(foreign("gpt2"), examples, targets=("q", "k", "v", "down"), layers=2)
    names = {name.split(".h.")[1].split(".lora_")[0] for name, _ in learner.named_parameters()}
    assert names == {f"{n}.{module}" for n in (1, 2) for module in ("attn.c_attn", "mlp.c_proj")}
    learner = opened(foreign("gpt_neox"), examples, targets=("o", "up"))
    names = {name.split(".layers.")[1].split(".lora_")[0][2:] for name, _ in learner.named_parameters()}
    assert names == {"attention.dense", "mlp.dense_h_to_4h"}


@pytest.mark.parametrize(
    ("settings", "what"),
    [
        (
            {"targets": ("q",)},
            r"tune.targets: no projection of this model is 'q' alone\. It has q, k, v in one, o, up, down",
        ),
        ({"targets": ("o", "gate")}, "no projection of this model is 'gate' alone"),
        ({"layers": 4}, "the model has 3 layers, 4 are asked to learn"),
        ({"method": "qlora"}, "'qlora' is not done through Transformers"),
        ({"method": "full", "dropout": 0.1}, "dropout is of thin matrices"),
    ],
)
def test_settings_that_do_not_fit(foreign: Any, settings: dict[str, Any], what: str) -> None:
    with pytest.raises(UsageError, match=what):
        open_learner(Tune(core="transformers").model_copy(update=settings), foreign("gpt2"), 0, plain)


def test_rank_nothing(foreign: Any) -> None:
    with pytest.raises(UsageError, match="the rank is 0"):
        open_learner(Tune().model_copy(update={"rank": 0}), foreign("gpt2"), 0, plain)


def test_what_peft_cannot_do_is_said_in_our_words(foreign: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import peft

    def refuse(*_: Any) -> None:
        raise ValueError("Target module X is not supported.\nOnly ...")

    monkeypatch.setattr(peft, "get_peft_model", refuse)
    with pytest.raises(UsageError, match=r"PEFT cannot put LoRA beside .*\(Target module X is not supported\.\)"):
        open_learner(Tune(), foreign("gpt2"), 0, plain)


def test_who_does_the_training(foreign: Any, gemma: Path, tmp_path: Path) -> None:
    assert fallback_reason(Tune(), gemma) is None
    assert fallback_reason(Tune(core="own"), gemma) is None
    assert fallback_reason(Tune(core="transformers"), gemma) == "tune.core asks for it"
    assert fallback_reason(Tune(), foreign("gpt2")) == "the model family 'gpt2' is not known to the decoder"
    with pytest.raises(UsageError, match=r"tune.core: the model family 'gpt2' .*tune.core = \"auto\""):
        fallback_reason(Tune(core="own"), foreign("gpt2"))
    with pytest.raises(UsageError, match="no model"):
        fallback_reason(Tune(), tmp_path)
