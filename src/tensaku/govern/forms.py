"""What of a tuned model goes into its release, form by form."""

from __future__ import annotations

import shutil
from pathlib import Path

from tensaku.errors import UsageError
from tensaku.models.fingerprint import sealed_weights_hash
from tensaku.revise import Form
from tensaku.store import Artifact

__all__ = ["copy_tuned", "digests"]

_NEEDED: dict[Form, tuple[str, ...]] = {
    "adapter": ("adapter/adapter_config.json", "adapter/adapter_model.safetensors"),
    "weights": ("model/config.json", "model/tokenizer.json"),
    "prompt": ("prompt.json", "examples.jsonl"),
}


def copy_tuned(tuned: Artifact, form: Form, target: Path) -> None:
    """Copy what an engine needs of `tuned`, and nothing else of it, so that the release stands without its ancestors.

    Weights are copied too and not linked: a link would let whoever unseals one of the two write into the other.

    Raises:
        UsageError: something of it is missing.
    """
    for name in _NEEDED[form]:
        if name not in tuned.files:
            fix = "Tune again; what it holds is no " + form
            raise UsageError(f"{tuned.ref} holds no {name}", where=tuned.path, fix=fix)
    for name in _wanted(tuned, form):
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(tuned.file(name), target / name)


def _wanted(tuned: Artifact, form: Form) -> list[str]:
    if form == "weights":
        return [name for name in tuned.files if name.startswith("model/")]
    return list(_NEEDED[form])


def digests(tuned: Artifact, form: Form) -> dict[str, str]:
    """The SHA-256 of what answers: `adapter_sha256`, `weights_sha256`, or `prompt_sha256` and `examples_sha256`."""
    held = {name: file["sha256"] for name, file in tuned.manifest["files"].items()}
    if form == "adapter":
        return {"adapter_sha256": held["adapter/adapter_model.safetensors"]}
    if form == "prompt":
        return {"prompt_sha256": held["prompt.json"], "examples_sha256": held["examples.jsonl"]}
    return {"weights_sha256": sealed_weights_hash(tuned, "model")}
