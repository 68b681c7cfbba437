"""The bill of materials of a release: CycloneDX 1.6 with model, data and packages, and a signature of a local key.

Written to the standard's JSON form (ECMA-424, the ML-BOM profile: `machine-learning-model`, `modelCard`, `data`).
"""

from __future__ import annotations

import base64
import functools
import json
import re
import uuid
from collections.abc import Iterator, Mapping
from importlib import metadata, resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tensaku.errors import DataError, GateError, MissingExtra, UsageError
from tensaku.store import Artifact, Store
from tensaku.store.artifact import sha256_of

if TYPE_CHECKING:
    from jsonschema_rs import Draft7Validator as Validator

__all__ = ["bill_of_materials", "check_bill", "check_signature", "flow_down", "sign"]

_SPEC = "1.6"
_NAMESPACE = uuid.UUID("7a2d3b52-6f0e-4c0b-9d0c-0c5c1f9b9a10")
"""By which the serial number of a release's bill is derived: the same release, the same number."""

_GEMMA = (
    "Gemma Terms of Use: pass the terms and the prohibited uses on to whoever receives the derived model, "
    "say that it was modified, hand a copy of the terms on."
)
_PASS_ON: dict[str, tuple[str, str]] = {
    "gemma": ("Gemma 利用規約: 受領者にも同じ規約と禁止用途を課し、変更した旨を記し、規約の写しを渡す。", _GEMMA),
    "cc-by-sa": (
        "表示・継承: 出典を示し、派生物を公開するときは同じ条件で許諾する。",
        "Share-alike: name the source; what is derived and published is licensed under the same terms.",
    ),
    "llama": (
        "Llama コミュニティライセンス: 写しと表示を渡し、派生モデルの名称を Llama で始める。",
        "Llama Community License: hand on a copy and the notice, begin the derived model's name with Llama.",
    ),
}
"""Start of a licence's name -> what it asks of whoever hands the release on, in Japanese and English. Our summary."""


def flow_down(licences: Mapping[str, str]) -> list[dict[str, str]]:
    """What the licences of the parts (part -> licence) ask of the release; an unknown licence is said to be unknown."""
    found = []
    for part, licence in licences.items():
        words = next((told for start, told in _PASS_ON.items() if licence.lower().startswith(start)), None)
        unknown = ("義務は登録されていない。法務が確認する。", "No duties are on file for it: have it read by counsel.")
        japanese, english = words or unknown
        found.append({"part": part, "licence": licence or "?", "ja": japanese, "en": english})
    return found


def bill_of_materials(store: Store, release: Artifact) -> dict[str, Any]:
    """The bill of a release, as the standard's JSON.

    Raises:
        NotFound: an artifact that it was made from is not in the workspace any more.
    """
    base, tuned = store.get(release.inputs["base"]), store.get(release.inputs["adapter"])
    data = [
        artifact for artifact in store.lineage(release.ref) if artifact.stage in ("lessons", "exam", "curate", "ingest")
    ]
    licences = {base.ref: str(base.facts.get("licence", ""))}
    duties = flow_down(licences)
    model = {
        "type": "machine-learning-model",
        "bom-ref": release.ref,
        "name": str(release.facts.get("task", "")) or release.ref,
        "version": release.ref,
        "hashes": _hashes(release),
        "modelCard": _model_card(release, data),
        "properties": [{"name": f"tensaku:duty:{duty['part']}", "value": duty["en"]} for duty in duties],
    }
    components = [_base(base), _tuned(tuned), *(_data(artifact) for artifact in data), *_packages()]
    packages = [one["bom-ref"] for one in components if one["type"] == "library"]
    depends = [
        {"ref": release.ref, "dependsOn": [base.ref, tuned.ref, *packages]},
        {"ref": tuned.ref, "dependsOn": sorted({base.ref, *(one.ref for one in data if one.stage == "lessons")})},
    ]
    return {
        "$schema": f"http://cyclonedx.org/schema/bom-{_SPEC}.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": _SPEC,
        "serialNumber": f"urn:uuid:{uuid.uuid5(_NAMESPACE, release.key)}",
        "version": 1,
        "metadata": {"timestamp": release.manifest["ended"], "component": model},
        "components": components,
        "dependencies": depends,
    }


def _hashes(artifact: Artifact) -> list[dict[str, str]]:
    digest = (
        artifact.facts.get("adapter_sha256") or artifact.facts.get("weights_sha256") or artifact.facts.get("sha256")
    )
    return (
        [{"alg": "SHA-256", "content": digest}]
        if isinstance(digest, str) and re.fullmatch("[0-9a-f]{64}", digest)
        else []
    )


def _base(base: Artifact) -> dict[str, Any]:
    licence = str(base.facts.get("licence", "") or "unknown")
    return {
        "type": "machine-learning-model",
        "bom-ref": base.ref,
        "name": str(base.facts.get("source", base.ref)),
        "version": base.ref,
        "hashes": _hashes(base),
        "licenses": [{"license": {"name": licence}}],
    }


def _tuned(tuned: Artifact) -> dict[str, Any]:
    held = [(name, file["sha256"]) for name, file in tuned.manifest["files"].items()]
    weights = next((digest for name, digest in held if name.endswith(".safetensors")), None)
    return {
        "type": "machine-learning-model",
        "bom-ref": tuned.ref,
        "name": f"tuned ({tuned.facts.get('method', tuned.stage)})",
        "version": tuned.ref,
        "hashes": [{"alg": "SHA-256", "content": weights}] if weights else [],
    }


def _data(artifact: Artifact) -> dict[str, Any]:
    held = [
        (n, f["sha256"]) for n, f in artifact.manifest["files"].items() if n.endswith(".jsonl") and n != "drops.jsonl"
    ]
    return {
        "type": "data",
        "bom-ref": artifact.ref,
        "name": artifact.stage,
        "version": artifact.ref,
        "hashes": [{"alg": "SHA-256", "content": digest} for _, digest in held[:1]],
        "data": [{"type": "dataset", "name": artifact.stage, "classification": "confidential"}],
        "properties": [{"name": "tensaku:pairs", "value": str(artifact.facts.get("n", ""))}],
    }


def _model_card(release: Artifact, data: list[Artifact]) -> dict[str, Any]:
    facts = release.facts
    names = sorted(name for name in facts if name.endswith("_tuned") and isinstance(facts[name], int | float))
    metrics = [{"type": name.removesuffix("_tuned"), "value": str(facts[name])} for name in names]
    return {
        "modelParameters": {
            "task": "text revision",
            "datasets": [{"ref": artifact.ref} for artifact in data if artifact.stage in ("lessons", "exam")],
        },
        "quantitativeAnalysis": {"performanceMetrics": metrics},
        "considerations": {"useCases": ["A draft is turned into a proposal; a person settles every one."]},
    }


def _packages() -> Iterator[dict[str, Any]]:
    seen = set()
    for held in sorted(metadata.distributions(), key=lambda one: one.metadata["Name"].lower()):
        name = re.sub(r"[-_.]+", "-", held.metadata["Name"]).lower()
        if name in seen:
            continue
        seen.add(name)
        told = next((held.metadata[name] for name in ("License-Expression", "License") if name in held.metadata), "")
        licence = told.splitlines()[0][:100] if told.strip() else "unknown"
        purl = f"pkg:pypi/{name}@{held.version}"
        yield {
            "type": "library",
            "bom-ref": purl,
            "name": name,
            "version": held.version,
            "purl": purl,
            "licenses": [{"license": {"name": licence}}],
        }


def check_bill(bill: Mapping[str, Any]) -> None:
    """Hold a bill against the standard's own schema.

    Raises:
        GateError: it does not fit; says where.
        MissingExtra: the package with the schema is not installed.
    """
    fault = next(_validator().iter_errors(json.loads(json.dumps(bill))), None)
    if fault is not None:
        where = "/".join(map(str, fault.instance_path))
        raise GateError("bill of materials", measured=f"{where}: {fault.message[:300]}", wanted=f"CycloneDX {_SPEC}")


@functools.cache
def _validator() -> Validator:
    """The standard's own schema, from the package of its keepers; read by a validator that takes milliseconds."""
    try:
        import jsonschema_rs

        folder = resources.files("cyclonedx.schema") / "_res"
    except ImportError as error:
        raise MissingExtra(error.name or "cyclonedx", "govern") from error
    names = [f"{name}.SNAPSHOT.schema.json" for name in (f"bom-{_SPEC}", "spdx", "jsf-0.82")]
    schema, *others = (json.loads((folder / name).read_text(encoding="utf-8")) for name in names)
    # The schema refers to the others by the names of their files, beside its own address.
    registry = jsonschema_rs.Registry(
        [(f"http://cyclonedx.org/schema/{name}", other) for name, other in zip(names[1:], others, strict=True)]
    )
    return jsonschema_rs.Draft7Validator(schema, registry=registry, validate_formats=True, offline=True)


def sign(file: Path, key_file: Path) -> Path:
    """Sign a file with the local key (Ed25519), which is made if it is not there; the signature stands beside it.

    The bundle holds everything needed to check it without a network: digest, signature, public key.

    Raises:
        UsageError: the key cannot be read or written.
        MissingExtra: the package that signs is not installed.
    """
    try:
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    except ImportError as error:
        raise MissingExtra(error.name or "cryptography", "govern") from error

    try:
        if not key_file.exists():
            key_file.parent.mkdir(parents=True, exist_ok=True)
            key_file.touch(mode=0o600, exist_ok=False)
            key_file.write_bytes(Ed25519PrivateKey.generate().private_bytes_raw())
        key = Ed25519PrivateKey.from_private_bytes(key_file.read_bytes())
    except (OSError, ValueError) as error:
        raise UsageError(f"the signing key cannot be used: {error}", where=key_file, fix="Name another key") from None
    public = key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    content = {
        "mediaType": "application/vnd.tensaku.signature+json;version=1",
        "sha256": sha256_of(file),
        "signature": base64.b64encode(key.sign(file.read_bytes())).decode(),
        "publicKey": base64.b64encode(public).decode(),
    }
    made = file.with_name(file.name + ".sig.json")
    made.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    return made


def check_signature(file: Path, public_key: str = "") -> str:
    """Check a file against the signature beside it; the public key (base64) that signed it.

    Args:
        file: what was signed.
        public_key: the key that must have signed it; without one, only that the file is as it was signed is checked.

    Raises:
        DataError: there is no signature, or it is none.
        GateError: the file was altered, or another key signed it.
    """
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    beside = file.with_name(file.name + ".sig.json")
    try:
        held = json.loads(beside.read_text(encoding="utf-8"))
        signed_by, signature = held["publicKey"], base64.b64decode(held["signature"])
        key = Ed25519PublicKey.from_public_bytes(base64.b64decode(signed_by))
    except (OSError, ValueError, KeyError, TypeError):
        raise DataError("this is no signature", file=beside, fix="Take the bill again from where it was made") from None
    if public_key and signed_by != public_key:
        raise GateError("signature", measured=f"signed by {signed_by}", wanted=public_key)
    try:
        key.verify(signature, file.read_bytes())
    except InvalidSignature:
        raise GateError("signature", measured=f"{file.name} was altered", wanted="as it was signed") from None
    return str(signed_by)
