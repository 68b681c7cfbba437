"""The commands of the model document: write it, add to its sections, see what changed since the version before."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal

import typer

from tensaku.errors import DataError, NotFound, UsageError
from tensaku.options import HERE, By, Folder, Json, artifact_of, ledger_of, seen_store

__all__ = ["app"]

app = typer.Typer(
    help="The model document of a release: HTML and Word, Japanese and English, with what people added.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Ref = Annotated[str, typer.Argument(help="The release.")]


@app.command()
def make(
    ref: Ref,
    out: Annotated[Path | None, typer.Option(help="The folder; by default model-document-RELEASE here.")] = None,
    form: Annotated[list[str] | None, typer.Option(help="html or docx; may be repeated; by default both.")] = None,
    as_of: Annotated[str, typer.Option("--as-of", help="As it stood on a day or at a moment; by default now.")] = "",
    folder: Folder = HERE,
    as_json: Json = False,
) -> None:
    """Write the model document from the record; a folder that holds an older one is replaced."""
    from tensaku.govern.document import FORMS, document_files, write_document
    from tensaku.govern.monitor import figures_by_month
    from tensaku.ledger import moment
    from tensaku.pipeline import Workspace

    for name in form or ():
        if name not in FORMS:
            raise NotFound("form", name, FORMS)
    workspace = Workspace.open(folder)
    store = seen_store(workspace)
    release = store.get(ref)
    at = min(moment(as_of, "day"), datetime.now(UTC)) if as_of else datetime.now(UTC)
    share = workspace.spec.approval.data
    with ledger_of(folder) as ledger:
        months = figures_by_month(ledger, at, style=workspace.style())
        chosen = tuple(form or FORMS)
        files = document_files(ledger, store, release.ref, at, share=share, forms=chosen, months=months)
    target = out or Path(f"model-document-{release.ref}")
    write_document(files, target)
    made = [name for name in files if name.startswith("model-document.")]
    if as_json:
        print(json.dumps({"release": release.ref, "folder": str(target), "documents": made, "files": len(files)}))
        return
    for name in made:
        print(target / name)
    print(f"{len(files) - len(made)} files beside them, which the figures link to: keep the folder together.")


@app.command()
def write(
    ref: Ref,
    section: Annotated[str, typer.Argument(help="As `tensaku card sections` lists them, such as limits.")],
    by: By,
    words: Annotated[str, typer.Argument(metavar="[TEXT]", help="The text; or name a file.")] = "",
    file: Annotated[Path | None, typer.Option(help="A file with the text (UTF-8); - is standard input.")] = None,
    language: Annotated[str, typer.Option(help="ja, en, or both.")] = "both",
    remove: Annotated[bool, typer.Option("--remove", help="Take the text out again.")] = False,
    folder: Folder = HERE,
) -> None:
    """Add a text to a section, or replace it; it stands in every document made from now on, with who and when."""
    from tensaku.govern.document import add_text
    from tensaku.pipeline import Workspace

    if language not in ("ja", "en", "both"):
        raise NotFound("language", language, ("ja", "en", "both"))
    if file is not None and words:
        raise UsageError("a text and a file are given", fix="Give one of them")
    text = _read(file) if file is not None else words
    if remove == bool(text.strip()):
        fix = "Leave the text out" if remove else "Write it, name a --file, or take it out with --remove"
        raise UsageError("there is a text to take out" if remove else "there is no text", fix=fix)
    chosen: Literal["ja", "en", "both"] = language  # type: ignore[assignment]
    whole = artifact_of(Workspace.open(folder), ref, by).ref
    with ledger_of(folder, by) as ledger:
        row = add_text(ledger, whole, section, text, by, chosen)
    print(f"{row.subject}: {'taken out' if remove else 'written'} by {by}; see: tensaku card make {whole}")


def _read(file: Path) -> str:
    try:
        content = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
        return content.decode("utf-8-sig")
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror}", file=file) from None
    except UnicodeDecodeError:
        raise DataError("the text is not UTF-8", file=file, fix="Save it as UTF-8") from None


@app.command()
def sections(
    ref: Annotated[str, typer.Argument(metavar="[REF]", help="With what was added to this release's.")] = "",
    folder: Folder = HERE,
    as_json: Json = False,
) -> None:
    """List the sections by the names under which people add to them, with what stands there."""
    from tensaku.govern.changes import approved_before
    from tensaku.govern.document import PARTS, texts_of
    from tensaku.pipeline import Workspace

    held = {}
    if ref:
        whole = artifact_of(Workspace.open(folder), ref).ref
        with ledger_of(folder) as ledger:
            row = ledger.release(whole)
            held = {text.part: text for text in texts_of(ledger, row, approved_before(ledger, row))}
    if as_json:
        told = {
            key: {"ja": text.ja, "en": text.en, "by": text.row.by, "at": text.row.at.isoformat(), "from": text.carried}
            for key, text in held.items()
        }
        print(json.dumps({"sections": list(PARTS), "texts": told}, ensure_ascii=False))
        return
    for key, (japanese, english) in PARTS.items():
        print(f"{key:<12} {japanese} / {english}")
        if key in held:
            text = held[key]
            carried = f", carried over from {text.carried}" if text.carried else ""
            print(f"  {text.row.by}, {text.row.at:%Y-%m-%d}{carried}: {(text.ja or text.en)[:100]}")


@app.command()
def changes(ref: Ref, since: Annotated[str, typer.Option(help="The release to hold it against; by default the one "
            "approved before it.")] = "", folder: Folder = HERE, as_json: Json = False) -> None:  # fmt: skip
    """Say what changed since the version before (base, data, method, prompt), and whether it is material."""
    from tensaku.govern.changes import approved_before, changes_between, plain
    from tensaku.pipeline import Workspace

    workspace = Workspace.open(folder)
    store = seen_store(workspace)
    with ledger_of(folder) as ledger:
        row = ledger.release(store.get(ref).ref)
        before = ledger.release(store.get(since).ref) if since else approved_before(ledger, row)
        found = changes_between(ledger, before, row, workspace.spec.approval.data) if before is not None else []
    if as_json:
        print(json.dumps({"since": before.ref if before else "", "changes": plain(found)}, ensure_ascii=False))
        return
    if before is None:
        print(f"{row.ref}: no release of its task was approved before it")
        return
    print(f"{row.ref} since {before.ref}: {'no change' if not found else ''}")
    for change in found:
        print(f"  {'MATERIAL' if change.material else 'minor   '}  {change.told(japanese=False)}")
