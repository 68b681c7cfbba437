"""`tensaku plan` as somebody types it: answers, JSON, and one message for what is wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tensaku.testing import tiny_model

Cli = Callable[..., Any]


@pytest.mark.parametrize("method", ["load", "lora", "qlora", "full", "dpo", "pretrain", "serve"])
@pytest.mark.parametrize("model", ["llama-2-7b", "gemma-3-4b", "0.6b-class"])
def test_every_method_is_planned(cli: Cli, model: str, method: str) -> None:
    done = cli("plan", model, method)
    assert done.code == 0, done.err
    assert model in done.out
    assert "Sources" in done.out
    if method != "load":
        assert "band" in done.out
        assert "from sizes" in done.out

    told = cli("plan", model, method, "--json").json
    assert told["parameters"] > 0
    assert "NaN" not in json.dumps(told)


def test_seventy_billion_say_why_one_gpu_does_not_do(cli: Cli) -> None:
    told = cli("plan", "llama-3.1-70b", "serve", "--json").json
    assert told["gpus"] == 2
    assert "most of it is weights (141.1 GB)" in told["why_not_fewer"]
    assert told["memory"]["low"] < told["memory"]["total"] < told["memory"]["high"] <= told["memory"]["of"]
    assert set(told["node"]) >= {"cores", "ram_least", "ram_better", "pcie_lanes"}


@pytest.mark.parametrize("method", ["load", "lora", "full", "serve"])
@pytest.mark.parametrize("name", ["epyc-9654", "xeon-8480+", "xeon-6776p", "xeon-6980p"])
def test_a_processor_is_planned_as_one_machine(cli: Cli, name: str, method: str) -> None:
    done = cli("plan", "llama-2-7b", method, "--gpu", name)
    assert done.code == 0, done.err
    assert "8 bytes; RAM of" in done.out
    assert "GPU" not in done.out.partition("Sources")[0].replace("money.gpu_price", "").replace("money.rent_gpu", "")
    told = cli("plan", "llama-2-7b", method, "--gpu", name, "--json").json
    if method == "load":
        assert "yes" in done.out
        return
    assert (told["gpus"], told["servers"]) == (0, 1)
    assert "node" not in told
    assert told["memory"]["of"] in (512e9, 768e9)
    assert told["hours"]["low"] <= told["hours"]["middle"] <= told["hours"]["high"]
    assert any("40.6 TFLOP/s of 206" in line for line in told["assumptions"])
    assert any("widened" in line for line in told["assumptions"]) == (name == "epyc-9654")
    assert "band" in done.out
    assert any("the rest of the machine" in line for line in told["unknown"])


def test_what_does_not_fit_a_machine_says_why(cli: Cli) -> None:
    done = cli("plan", "llama-3.1-70b", "full", "--gpu", "epyc-9654")
    assert done.code == 2
    assert "its RAM is 768.0 GB" in done.err
    assert "most of it is optimiser (846.6 GB)" in done.err
    assert "-s memory_gb=" in done.err
    assert cli("plan", "llama-3.1-70b", "full", "--gpu", "epyc-9654", "-s", "memory_gb=1536").code == 0
    done = cli("plan", "llama-3.1-8b", "serve", "--gpu", "epyc-9654", "-s", "serve.answer_goal=5")
    assert "one machine: 95 of 100 wait" in done.err
    done = cli("plan", "llama-3.1-8b", "serve", "--gpu", "epyc-9654", "-s", "gpus=2")
    assert "planned for one machine" in done.err


def test_the_table_lists_processors_with_what_they_are_reckoned_from(cli: Cli) -> None:
    rows = cli("plan", "--list", "hardware", "--json").json
    assert rows["xeon-8480+"]["socket"] == "processor"
    assert "56 cores x 2 GHz (base)" in cli("plan", "--list", "hardware").out


def test_a_load_with_goals_takes_as_many_gpus_as_it_needs(cli: Cli) -> None:
    asked = ["-s", "serve.rate=4", "-s", "serve.users=0", "-s", "serve.adapters=30", "-s", "serve.prefix=600"]
    loose = cli("plan", "llama-3.1-8b", "serve", *asked, "--json").json
    strict = cli("plan", "llama-3.1-8b", "serve", *asked, "-s", "serve.answer_goal=6", "--json").json
    assert strict["gpus"] > loose["gpus"]
    assert strict["latency"]["whole"][1] <= 6
    assert "the goal is 6 s" in strict["why_not_fewer"]
    assert strict["memory"]["exact"]["adapters"] > 0
    assert strict["memory"]["exact"]["shared beginnings"] > 0
    drafted = cli("plan", "llama-3.1-8b", "serve", *asked, "-s", "serve.accepted=0.8", "--json").json
    assert drafted["times"]["words_a_pass"] > 4


def test_money_is_in_yen_and_what_is_unknown_is_named(cli: Cli) -> None:
    bare = cli("plan", "qwen2.5-7b", "full", "--gpu", "h200-sxm", "--json").json
    assert bare["bill"]["buy"] is None
    assert any("the price of the GPU" in line for line in bare["unknown"])
    given = ["-s", "money.gpu_price=5000000", "-s", "money.rent_gpu_day=20000", "-s", "money.yen_per_kwh=30"]
    told = cli("plan", "qwen2.5-7b", "full", "--gpu", "h200-sxm", *given, "--json").json
    bill, hours, gpus = told["bill"], told["hours"]["middle"], told["gpus"]
    assert bill["buy"] == 5_000_000 * gpus
    assert bill["rent"] == pytest.approx(20000 * gpus * hours / 24)
    assert bill["kwh"] == pytest.approx(0.7 * gpus * hours * 1.3)
    assert bill["break_even_days"] == pytest.approx(5_000_000 / (20000 - 0.7 * 24 * 1.3 * 30))


def test_latency_and_money_have_their_bands_too(cli: Cli) -> None:
    asked = ["-s", "serve.users=8", "-s", "serve.rate=0.5"]
    told = cli("plan", "llama-3.1-8b", "serve", *asked, "--json").json
    slow, fast = told["latency_band"]["slow"], told["latency_band"]["fast"]
    for which in ("first", "whole"):
        assert fast[which][1] < told["latency"][which][1] < slow[which][1]
    assert fast["capacity"] > told["latency"]["capacity"] > slow["capacity"]
    assert (
        f"band {fast['whole'][1]:.2f} to {slow['whole'][1]:.2f} s" in cli("plan", "llama-3.1-8b", "serve", *asked).out
    )
    near = f"serve.rate={0.9 * told['latency']['capacity']:.2f}"
    crowded = cli("plan", "llama-3.1-8b", "serve", "-s", "serve.users=8", "-s", near, "-s", "gpus=1")
    assert "more arrive than can be answered" in crowded.out

    prices = ["-s", "money.rent_gpu_day=20000", "-s", "money.yen_per_kwh=30"]
    told = cli("plan", "llama-3.1-8b", "full", *prices, "--json").json
    low, high = told["bill_band"]["low"], told["bill_band"]["high"]
    for name in ("kwh", "power", "rent", "own_total", "rent_total"):
        assert low[name] < told["bill"][name] < high[name]
        assert high[name] / low[name] == pytest.approx(told["hours"]["high"] / told["hours"]["low"])


def test_a_sum_says_what_it_lacks(cli: Cli) -> None:
    assert "without power and the server around the GPUs" in cli("plan", "llama-3.1-8b", "lora").out
    prices = ["-s", "money.server_price=3000000", "-s", "money.yen_per_kwh=30"]
    assert (
        "without"
        not in cli("plan", "llama-3.1-8b", "lora", *prices).out.partition("Money")[2].partition("Unknown")[0][30:]
    )


def test_the_public_calculator_is_not_said_to_count_tables_that_no_version_had(cli: Cli) -> None:
    """Llama 3.1 came after Transformers had dropped them: 27.96, as the calculator counts it today."""
    long, short = cli("plan", "llama-3.1-8b").out, cli("plan", "elyza-7b").out
    assert 'total 27.96 "GB"' in long
    assert "sines" not in long
    assert 'largest layer 776.03 "MB", total 24.74 "GB"' in short
    assert "sines" in short


def test_a_gpu_whose_speed_nobody_published_is_planned_without_time(cli: Cli) -> None:
    told = cli("plan", "llama-3.1-8b", "lora", "--gpu", "rtx-6000-ada", "--json").json
    assert "step" not in told
    assert any("unknown here" in line for line in told["unknown"])
    known = cli("plan", "llama-3.1-8b", "lora", "--gpu", "rtx-6000-ada", "-s", "tflops=180", "--json").json
    assert known["step"]["seconds"] > 0


def test_the_memory_that_cards_report_is_said_beside_the_makers(cli: Cli) -> None:
    told = cli("plan", "llama-3.1-8b", "lora", "--json").json
    assert told["memory"]["of"] == 80e9
    assert any("such cards report 81,559 MiB, 85.5 x 10^9" in line for line in told["assumptions"])
    for own in ("40", "85"):
        told = cli("plan", "llama-3.1-8b", "lora", "-s", f"memory_gb={own}", "--json").json
        assert not any("81,559" in line for line in told["assumptions"])


def test_a_folder_of_weights(cli: Cli, tmp_path: Path) -> None:
    folder = tiny_model(tmp_path / "m")
    told = cli("plan", folder, "--json").json
    assert told["loading_bytes"]["as stored"] == 4 * told["parameters"]
    lines = cli("plan", folder, "--list", "tensors").out.splitlines()
    assert sum(int(line[84:100].replace(",", "")) for line in lines) == told["parameters"]


@pytest.mark.parametrize("what", ["models", "hardware", "settings"])
def test_lists(cli: Cli, what: str) -> None:
    done = cli("plan", "--list", what)
    assert done.code == 0
    assert len(done.out.splitlines()) > 10
    assert cli("plan", "--list", what, "--json").code == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "no model is named"),
        (["llama-2-8b"], "Did you mean llama-2-7b"),
        (["llama-2-7b", "loar"], "no method 'loar'. Did you mean lora"),
        (["llama-2-7b", "lora", "--gpu", "h100"], "no accelerator 'h100'. Did you mean h100-sxm"),
        (["llama-2-7b", "lora", "-s", "train.bach=3"], "did you mean 'batch'?"),
        (["llama-2-7b", "lora", "-s", "train.batch=0"], "train.batch"),
        (["llama-2-7b", "lora", "-s", "train.batch=many"], "train.batch"),
        (["llama-2-7b", "lora", "-s", "nonsense"], "must be KEY=VALUE"),
        (["llama-2-7b", "serve", "-s", "serve.prompt=9000"], "llama-2-7b takes 4096"),
        (["llama-2-7b", "serve", "-s", "serve.users=0"], "a rate must be given"),
        (["llama-2-7b", "serve", "-s", "serve.prefix=1500"], "not shorter than the prompt"),
        (["175b-class", "full", "-s", "gpus=8"], "too little"),
        (["llama-3.1-8b", "lora", "-s", "gpus=7", "-s", "memory_gb=1"], "too little"),
        (["bert-base-cased", "serve"], "is an encoder"),
        (["llama-2-7b", "serve", "-s", "draft='bert-base-cased'"], "is an encoder and drafts nothing"),
        (["llama-2-7b", "serve", "-s", "draft='0.6b-class'"], "none of its words turns out right"),
        (["llama-2-7b", "lora", "-s", "memory_gb=1e308"], "less than or equal to"),
        (["llama-2-7b", "lora", "-s", "tflops=1e308"], "less than or equal to"),
        (["llama-2-7b", "lora", "-s", "train.epochs=1e300"], "less than or equal to"),
        (["llama-2-7b", "lora", "-s", "money.gpu_price=1e300"], "less than or equal to"),
        (["/dev/zero"], "more than 64 MB"),
        (["bert-base-cased", "lora"], "is an encoder"),
        (["--list", "modls"], "no list 'modls'. Did you mean models"),
        (["--list", "tensors"], "no model is named"),
        (["--calibrate"], "nothing was made in this workspace yet"),
        (["--page", "x.html"], "nothing was made in this workspace yet"),
        (["175b-class", "lora", "--gpu", "this-machine"], "does not compute gpt2"),
        (["llama-2-7b", "dpo", "--gpu", "this-machine"], "dpo on this machine is not planned"),
    ],
)
def test_mistakes_are_one_message(cli: Cli, words: list[str], said: str) -> None:
    done = cli("plan", *words)
    assert done.code == 2
    assert said in done.err
    assert not done.out


def test_this_machine(cli: Cli) -> None:
    for method in ("lora", "qlora", "full", "serve"):
        told = cli("plan", "gemma-3-270m", method, "--gpu", "this-machine", "--json").json
        assert told["peak"] > 268e6
        assert told["seconds"] > 0
        assert 0 < told["memory_band"] < 0.2
    assert "within" in cli("plan", "gemma-3-270m", "lora", "--gpu", "this-machine").out


def test_each_run_leaves_its_error_and_too_few_runs_are_not_fitted(cli: Cli, desk: Path) -> None:
    rows = cli("plan", "--list", "errors", "-C", desk, "--json").json
    assert [row["kind"] for row in rows] == ["tune", "serve", "serve"]
    names = [row["name"].rpartition("-")[0] for row in rows]
    assert names == ["tune", "answers", "answers"]
    assert [row["name"].partition(" ")[2] for row in rows] == ["", "base", "tuned"]
    assert all(row["peak_mb"] > 50 and row["seconds"] > 0 for row in rows)
    again = cli("plan", "--list", "errors", "-C", desk, "--json").json
    assert again == rows  # nothing is noted twice
    page = desk / "errors.html"
    assert cli("plan", "--page", page, "-C", desk).code == 0
    assert rows[0]["name"] in page.read_text(encoding="utf-8")
    done = cli("plan", "--calibrate", "-C", desk)
    assert done.code == 2
    assert "4 or more runs" in done.err


def test_a_run_notes_itself(road: Path) -> None:
    """The workspace that `tensaku run` walked has its prediction beside what was measured."""
    notes = (road / ".tensaku" / "plan-errors.jsonl").read_text(encoding="utf-8").splitlines()
    assert len(notes) == 3  # the training, and the exam answered by the base and by the tuned model
    assert all(json.loads(note)["seconds_predicted"] > 0 for note in notes)


def test_cost_ratios_against_a_larger_model(cli: Cli) -> None:
    told = cli("plan", "llama-2-7b", "--gpu", "a10", "-s", "against=175b-class", "--json").json
    training, hardware = told["ratios"]
    assert training["of_one"] == pytest.approx(26, rel=0.02)
    assert hardware["of_one"] == pytest.approx(15_000_000 / 700_000)
    assert "training costs 1/25.9" in cli("plan", "llama-2-7b", "-s", "against=175b-class").out
    assert "no built-in model" in cli("plan", "llama-2-7b", "-s", "against=176b").err


def test_a_sealed_run_whose_base_is_gone_does_not_stop_the_next(cli: Cli, desk: Path) -> None:
    import shutil

    (desk / ".tensaku" / "plan-errors.jsonl").unlink()
    for folder in (desk / ".tensaku" / "artifacts").glob("base-*"):
        shutil.rmtree(folder)
    for folder in (desk / ".tensaku" / "artifacts").glob("trim-*"):
        shutil.rmtree(folder)
    done = cli("plan", "--list", "errors", "-C", desk, "--json")
    assert done.code == 0
    assert done.json == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--calibrate", "llama-2-7b"), "--calibrate stands alone"),
        (("--page", "x.html", "llama-2-7b", "lora"), "a model and a method"),
        (("--list", "models", "-s", "gpus=2"), "settings"),
        (("--list", "errors", "--calibrate"), "--calibrate stands alone, and was given with --list errors"),
        (("llama-2-7b", "lora", "-s", "memory_gb=1e999"), "finite"),
        (("gemma-3-1b", "lora", "--gpu", "this-machine", "-s", "gpus=2"), "gpus cannot be set"),
        (("gemma-3-1b", "serve", "--gpu", "this-machine", "-s", "draft='gemma-3-270m'"), "draft cannot be set"),
        (("gemma-3-1b", "serve", "--gpu", "this-machine", "-s", "serve.precision=bf16"), "serve.precision"),
        (("gemma-3-1b", "serve", "--gpu", "this-machine", "-s", "serve.rate=2"), "serve.rate cannot be set"),
        (("gemma-3-1b", "serve", "--gpu", "this-machine", "-s", "serve.answer_goal=2"), "serve.answer_goal cannot"),
        (("gemma-3-1b", "lora", "--gpu", "this-machine", "-s", "train.recompute=false"), "train.recompute cannot"),
    ],
)
def test_nothing_that_was_said_is_left_out_in_silence(cli: Cli, words: tuple[str, ...], said: str) -> None:
    done = cli("plan", *words)
    assert done.code == 2
    assert said in done.err
    assert not Path("x.html").exists()
