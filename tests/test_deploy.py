"""Releases of each form on a tiny desk: what they hold, that they stand alone, that every door is served by them."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from tensaku import serve
from tensaku.deploy import opened, register_release
from tensaku.errors import UsageError
from tensaku.follow import Loader
from tensaku.pipeline import Built, Workspace, build
from tensaku.revise import DraftText, start
from tensaku.store import SilentReporter, Store
from tensaku.testing import serving, tiny_desk

pytestmark = pytest.mark.usefixtures("every_method")

DRAFT = DraftText("当月の市場は1.2パーセントの上昇となった。", "青葉ファンド", "market", "2026-09")
METHODS = {"adapter": "lora", "weights": "full", "prompt": "prompt"}
Walk = Callable[..., tuple[Workspace, Store, Built]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    # so few lessons that the prompt quotes four by default
    return tiny_desk(tmp_path_factory.mktemp("deploy") / "desk", lessons=7, exam=3)


@pytest.fixture
def walk(folder: Path) -> Walk:
    """Walks the road by the method of a form and enters the release into the ledger; a second walk does nothing."""

    def run(form: str, *sets: str) -> tuple[Workspace, Store, Built]:
        fixed = ("tune.epochs=0.1", "evaluate.scorers=[{ scorer = 'chrf' }]", f"tune.method={METHODS[form]}")
        workspace = Workspace.open(folder, [*fixed, *sets])
        store = Store(workspace.root, SilentReporter())
        built = build(store, workspace)
        register_release(workspace, built["release"], "")
        return workspace, store, built

    return run


def test_a_release_holds_what_answers_and_its_papers(walk: Walk) -> None:
    papers = {"card.md", "gates.json", "instruction.md", "lineage.json", "report.html", "scores.json"}
    wanted = {
        "adapter": {"adapter/adapter_config.json", "adapter/adapter_model.safetensors"},
        "weights": {
            f"model/{n}" for n in ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json")
        },
        "prompt": {"prompt.json", "examples.jsonl"},
    }
    for form, held in wanted.items():
        _, store, built = walk(form)
        release = built["release"]
        assert set(release.files) == papers | held
        assert release.facts["form"] == built["evaluate"].facts["form"] == form
        assert store.verify(release.ref) == []
        for name in held:
            copied, tuned = release.manifest["files"][name], built["tune"].manifest["files"][name]
            assert copied["sha256"] == tuned["sha256"]
            assert release.file(name).stat().st_ino != built["tune"].file(name).stat().st_ino
    assert release.facts["prompt_sha256"] == release.manifest["files"]["prompt.json"]["sha256"]


def test_the_model_document_names_the_form(walk: Walk) -> None:
    cards = {form: walk(form)[2]["release"].file("card.md").read_text(encoding="utf-8") for form in METHODS}
    assert "| アダプター | tune-" in cards["adapter"]
    assert "| Tuned weights | tune-" in cards["weights"]
    assert "| Prompt | tune-" in cards["prompt"]
    assert "| 引用する過去の対の数と順 | " in cards["prompt"]
    assert "nearest-" in cards["prompt"]
    assert "Past pairs quoted" not in cards["adapter"]


@pytest.mark.parametrize("form", METHODS)
def test_a_draft_is_revised_and_says_by_what(walk: Walk, form: str) -> None:
    workspace, _, built = walk(form)
    release, base = built["release"], built["trim"]
    with pytest.raises(UsageError, match="not approved"), opened(workspace, release.ref, trial=False):
        pass
    with opened(workspace, release.ref, trial=True) as (engine, job, _):
        made_by = start(engine, job, DRAFT).result().provenance
    assert made_by["release"] == release.ref
    assert made_by["trial"] == "yes"
    assert made_by["base"] == base.facts["sha256"]  # the same hash as in the model document
    assert (made_by["adapter"] != "") == (form == "adapter")
    assert ("weights" in made_by, "prompt" in made_by) == (form == "weights", form == "prompt")
    if form == "weights":
        assert made_by["weights"] == release.facts["weights_sha256"]
    if form == "prompt":
        assert made_by["examples"] == "4"


def test_a_release_stands_without_what_it_was_made_from(walk: Walk, tmp_path: Path) -> None:
    workspace, _, built = walk("weights")
    copy = Path(shutil.copytree(workspace.folder, tmp_path / "copy"))
    for stage in ("tune", "evaluate"):
        shutil.rmtree(copy / ".tensaku" / "artifacts" / built[stage].ref)
    elsewhere = Workspace.open(copy)
    with opened(elsewhere, built["release"].ref, trial=True) as (engine, job, _):
        assert start(engine, job, DRAFT).result().usage.prompt > 0


def ask(url: str, model: str) -> Any:
    messages = [{"role": "system", "content": "直す"}, {"role": "user", "content": DRAFT.text}]
    body = {"model": model, "messages": messages, "max_tokens": 4}
    return httpx.post(f"{url}/v1/chat/completions", json=body, timeout=60).json()


def test_the_api_quotes_examples_and_offers_no_base_that_is_none(walk: Walk) -> None:
    tokens = {}
    for form in METHODS:
        workspace, store, built = walk(form)
        with Loader(workspace, store) as loader:
            loaded = loader.load(built["release"].ref, trial=True)
            tuned, served = loaded.tuned, loaded.served("tiny")
            with serving(serve.build_app(engine=loaded.engine, models=[served], base=tuned.form != "weights")) as url:
                names = [card["id"] for card in httpx.get(f"{url}/v1/models").json()["data"]]
                assert ("base" in names) == (form != "weights")
                answer = ask(url, "tiny")
                assert answer["tensaku"]["base"] == built["trim"].facts["sha256"]
                assert answer["tensaku"].get("weights") == tuned.made_by.get("weights")
                tokens[form] = answer["usage"]["prompt_tokens"]
                if form == "weights":
                    assert ask(url, "base")["error"]["code"] == "model_not_found"
    assert tokens["adapter"] == tokens["weights"] < tokens["prompt"]


def test_examples_that_do_not_fit_the_served_context(walk: Walk, tmp_path: Path) -> None:
    workspace, _, built = walk("prompt")
    release = built["release"].ref
    copy = Path(shutil.copytree(workspace.folder, tmp_path / "copy"))
    with (
        pytest.raises(UsageError, match=r"the prompt's examples do not fit.*serve\.context"),
        opened(Workspace.open(copy, ["serve.context=200"]), release, trial=True),
    ):
        pass


def test_a_release_from_before_there_were_forms(walk: Walk, monkeypatch: pytest.MonkeyPatch) -> None:
    workspace, store, built = walk("adapter")
    manifest = dict(built["release"].manifest)
    manifest["facts"] = {name: value for name, value in manifest["facts"].items() if name != "form"}
    old = type(built["release"])(built["release"].key, built["release"].ref, "release", built["release"].path, manifest)
    get = store.get
    monkeypatch.setattr(store, "get", lambda ref: old if ref == old.ref else get(ref))
    with Loader(workspace, store) as loader:
        loaded = loader.load(old.ref, trial=True)
    assert (loaded.tuned.form, loaded.job.adapter) == ("adapter", old.ref)


def test_profiles_are_listed_with_what_they_would_take_here(walk: Walk, folder: Path, cli: Callable[..., Any]) -> None:
    walk("adapter")
    told = cli("serve", "--list-profiles", "-C", folder, "--json").json
    assert [one["name"] for one in told["profiles"]] == ["latency", "throughput"]
    assert told["hardware"]["cores"] >= 1
    assert all(one["at_once"] >= 1 for one in told["profiles"])
    shown = cli("serve", "--list-profiles", "-C", folder)
    assert shown.code == 0
    assert any(line.split()[:2] == [">", told["chosen"]] for line in shown.out.splitlines())
    workspace = Workspace.open(folder, ["serve.profile='latency'", "serve.at_once=3"])
    base = Store(workspace.root, SilentReporter()).list("base")[-1].path
    used = workspace.spec.serve.engine_for(base)
    assert (used["slots"], used["chunk"]) == (3, 64)
    assert cli("serve", "--list-profiles", "-C", folder / "none").code == 2
