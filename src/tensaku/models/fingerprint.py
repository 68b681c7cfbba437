"""The content hash of a model's weights: one name for a base in its artifact, in answers and in the model document."""

from __future__ import annotations

from pathlib import Path

from tensaku.models.block_files import is_blocks
from tensaku.store import Artifact
from tensaku.store.artifact import sha256_of

__all__ = ["sealed_weights_hash", "weights_hash"]


def weights_hash(folder: Path) -> str:
    """SHA-256 (hex) of the safetensors file in `folder`; of several, all of them in order of name, joined by `+`."""
    return "+".join(sha256_of(path) for path in sorted(folder.glob("*.safetensors")) if _is_weights(path.name))


def sealed_weights_hash(artifact: Artifact, folder: str) -> str:
    """The same for a folder inside an artifact, as its manifest says: nothing is read."""
    held = {n: f["sha256"] for n, f in artifact.manifest["files"].items() if n.rpartition("/")[0] == folder}
    return "+".join(digest for name, digest in sorted(held.items()) if _is_weights(name))


def _is_weights(name: str) -> bool:
    """The quantised blocks beside the weights are the same numbers once more."""
    return name.endswith(".safetensors") and not is_blocks(name)
