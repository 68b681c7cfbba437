"""The bill of materials fits the standard's own schema, and its signature shows every alteration."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tensaku.errors import DataError, GateError
from tensaku.govern import Release, release
from tensaku.govern.bom import bill_of_materials, check_bill, check_signature, flow_down, sign
from tensaku.store import Artifact, Store


def test_a_bill_fits_the_schema_and_names_every_part(store: Store, road: Callable[..., dict[str, Artifact]]) -> None:
    made = road()
    sealed = store.run(release, Release(), **made)
    bill = bill_of_materials(store, sealed)
    check_bill(bill)
    parts = {part["bom-ref"]: part for part in bill["components"]}
    assert parts[made["base"].ref]["licenses"] == [{"license": {"name": "gemma"}}]
    assert parts[made["base"].ref]["hashes"] == [{"alg": "SHA-256", "content": "b" * 64}]
    lessons = made["lessons"]
    assert parts[lessons.ref]["hashes"][0]["content"] == lessons.manifest["files"]["lessons.jsonl"]["sha256"]
    assert any(name.startswith("pkg:pypi/sqlalchemy@") for name in parts)
    assert "Gemma" in bill["metadata"]["component"]["properties"][0]["value"]
    assert bill == bill_of_materials(store, sealed)
    with pytest.raises(GateError, match="bill of materials"):
        check_bill({**bill, "components": [{"type": "robot", "name": "x"}]})


def test_duties_flow_down_and_an_unknown_licence_is_said() -> None:
    duties = {duty["part"]: duty["en"] for duty in flow_down({"a": "gemma", "b": "CC-BY-SA-4.0", "c": "", "d": "MIT?"})}
    assert "prohibited uses" in duties["a"]
    assert "same terms" in duties["b"]
    assert "counsel" in duties["c"]
    assert "counsel" in duties["d"]


def test_a_signature(tmp_path: Path) -> None:
    file, key = tmp_path / "bom.json", tmp_path / "keys" / "sign.key"
    file.write_text("{}")
    with pytest.raises(DataError, match="no signature"):
        check_signature(file)
    sign(file, key)
    assert key.stat().st_mode & 0o077 == 0
    public = check_signature(file)
    assert check_signature(file, public) == public
    with pytest.raises(GateError, match="signed by"):
        check_signature(file, "another")
    file.write_text("{ }")
    with pytest.raises(GateError, match=r"bom\.json was altered"):
        check_signature(file, public)
