"""`langchain-openai`, `litellm` and the `llm` command against the API with keys, in an environment of their own."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from tensaku.ledger import Ledger
from tensaku.serve import Rules, Served, build_app
from tensaku.testing import ScriptedEngine, serving

PYTHON = os.environ.get("TENSAKU_CLIENTS_PYTHON", "")


@pytest.mark.clients
@pytest.mark.skipif(not PYTHON, reason="TENSAKU_CLIENTS_PYTHON names no environment with these clients")
def test_clients_that_nobody_here_wrote(tmp_path: Path) -> None:
    engine = ScriptedEngine(lambda messages: f"修正案:{messages[-1].content}")
    with Ledger.open(tmp_path / "ledger.sqlite") as ledger:
        ledger.add_person("sato", "佐藤")
        key = ledger.add_key("sato", "clients")[1]
        models = [Served("monthly", "release-1", None)]
        with serving(build_app(engine=engine, models=models, rules=Rules(keys=True), ledger=ledger)) as url:
            words = [PYTHON, str(Path(__file__).with_name("clients.py")), f"{url}/v1", key, str(tmp_path)]
            environment = {**os.environ, "LLM_USER_PATH": str(tmp_path), "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
            environment.pop("PYTHONPATH", None)
            done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=240)
        assert done.returncode == 0, done.stderr
        found = json.loads(done.stdout.splitlines()[-1])
        assert len(ledger.answers()) == 6
    assert found.pop("langchain") == ["修正案:原稿", 6]
    assert found.pop("litellm-refused") is True
    assert found == dict.fromkeys(
        ("langchain-stream", "langchain-async", "litellm", "litellm-stream", "llm"), "修正案:原稿"
    )
