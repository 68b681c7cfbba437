"""Packing: every pair sees itself and the shared prefix, and nothing else."""

from __future__ import annotations

from pathlib import Path

import torch
from hypothesis import given
from hypothesis import strategies as st

from tensaku.models.decoder import Decoder
from tensaku.models.products import plain
from tensaku.models.weights import Weights
from tensaku.tune.attention import PackedAttention
from tensaku.tune.pack import Example, pack, shared_prefix


def test_the_shared_prefix_is_the_longest_and_leaves_each_prompt_a_token() -> None:
    assert shared_prefix([Example([1, 2, 3, 4], [9]), Example([1, 2, 5], [9])]) == 2
    assert shared_prefix([Example([1, 2, 3], [9]), Example([1, 2, 3], [8])]) == 2
    assert shared_prefix([Example([5], [9]), Example([6], [9])]) == 0


tokens = st.lists(st.integers(3, 90), min_size=1, max_size=6)


@given(st.lists(tokens, min_size=0, max_size=2), st.lists(st.tuples(tokens, tokens), min_size=1, max_size=5))
def test_every_scored_row_predicts_its_own_completion(
    shared: list[list[int]], pairs: list[tuple[list[int], list[int]]]
) -> None:
    common = [t for part in shared for t in part]
    examples = [Example([*common, *prompt], completion) for prompt, completion in pairs]
    prefix = shared_prefix(examples)
    packed = pack(examples, prefix)
    assert packed.labels.tolist() == [t for _, completion in pairs for t in completion]
    at = 0
    for example, (a, b) in zip(examples, packed.segments, strict=True):
        whole = packed.ids[:prefix].tolist() + packed.ids[a:b].tolist()
        assert whole == example.prompt + example.completion[:-1]
        positions = packed.positions[:prefix].tolist() + packed.positions[a:b].tolist()
        assert positions == list(range(len(whole)))
        for n in range(len(example.completion)):
            row = int(packed.scored[at])
            at += 1
            assert int(packed.positions[row]) == len(example.prompt) - 1 + n


def hidden_states(folder: Path, examples: list[Example]) -> torch.Tensor:
    weights = Weights.load(folder)
    decoder = Decoder(weights)
    batch = pack(examples, shared_prefix(examples))

    def linear(layer: int, part: str, x: torch.Tensor) -> torch.Tensor:
        return x @ weights.linear[layer][part].T

    attend = PackedAttention(weights.shape, batch, plain)
    with torch.no_grad():
        return decoder.hidden(batch.ids, batch.positions, linear, attend, rows=batch.scored)


def test_a_pair_learns_the_same_packed_as_alone(gemma: Path, llama: Path, examples: list[Example]) -> None:
    for folder in (gemma, llama):
        together = hidden_states(folder, examples)
        alone = torch.cat([hidden_states(folder, [e]) for e in examples])
        assert (together - alone).abs().max() < 1e-4
