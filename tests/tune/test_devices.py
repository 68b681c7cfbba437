"""Where a model learns: what does not go together is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from tensaku.errors import UsageError
from tensaku.store import SilentReporter, Store
from tensaku.tune import Tune, tune

Inputs = Callable[..., dict[str, Any]]
pytestmark = pytest.mark.usefixtures("one_thread")
FSDP: dict[str, Any] = {"parallel": "fsdp", "processes": 2}


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"parallel": "fsdp"}, "one process has nobody to share the model with"),
        ({**FSDP, "method": "qlora"}, "'qlora' is done by the own core alone"),
        ({**FSDP, "core": "own"}, "the own core works on processors, whole in every process"),
        ({"device": "cuda"}, "there is no GPU that this torch can use"),
        ({"device": "cuda", "core": "own"}, "the own core works on processors"),
    ],
)
def test_what_does_not_go_together_is_refused(
    workspace: Path, gemma: Path, inputs_of: Inputs, settings: dict[str, Any], said: str
) -> None:
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    store = Store(workspace, SilentReporter())
    with pytest.raises(UsageError, match=said) as caught:
        store.run(tune, Tune(**settings), **inputs_of(store, gemma))
    assert caught.value.fix
