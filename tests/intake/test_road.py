"""Reports come in whole, once, and into the right box; what is doubtful waits with its reason."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

from tensaku.errors import UsageError
from tensaku.intake import Reports, Road
from tensaku.ledger import Ledger
from tensaku.sampledesk.reports import SampleReport

TEXTS = {
    "市場動向": "当月の国内株式市場は上昇しました。日経平均株価は38,915円87銭で取引を終えました。",
    "運用経過": "当ファンドの騰落率は▲1.23％となり、ベンチマークを0.45ポイント下回りました。",
    "今後の見通し": "株式市場は、企業業績の拡大を背景に底堅く推移すると考えています。",
}
HEAD = "蒼樹坂アセットマネジメント　月次レポート\nみずいろ国内株式ファンド\n2026年10月末現在\n\n"


def written(folder: Path, texts: dict[str, str], head: str = HEAD, name: str = "report.txt") -> Path:
    path = folder / name
    path.write_text(head + "\n".join(f"■{h}\n{t}\n" for h, t in texts.items()), encoding="utf-8")
    return path


def test_ten_reports_in_four_formats_come_back_with_every_section_and_number(
    road: Road, samples: tuple[Path, list[SampleReport]]
) -> None:
    folder, reports = samples
    expected = {report.file: report for report in reports}
    arrivals = list(road.bring([folder]))
    assert {Path(name).suffix for name in expected} == {".docx", ".xlsx", ".pdf", ".html"}
    assert len(arrivals) == 10
    for arrival in arrivals:
        want, got = expected[arrival.name], arrival.report
        assert (arrival.what, got.reasons) == ("filed", ()), arrival.name
        assert (got.manager, got.fund, got.as_of) == (want.manager, want.fund, want.as_of)
        assert dict(arrival.texts) == {(want.fund, section): text for section, text in want.sections.items()}
        tables = [
            tuple(tuple(row) for row in block["rows"])
            for page in (got.content or {})["pages"]
            for block in page["blocks"]
            if block["kind"] == "table"
        ]
        assert want.returns in tables, arrival.name
    drafts = road.ledger.drafts()
    held = {(d.manager, d.fund, d.as_of, d.section): d.text for d in drafts}
    wanted = {(r.manager, r.fund, r.as_of, s): t for r in reports for s, t in r.sections.items()}
    assert held == wanted
    assert {draft.origin for draft in drafts} == set(expected)
    assert road.ledger.verify_records() == []
    assert road.ledger.verify_log() is None


def test_the_same_files_again_by_other_names_and_in_a_zip_change_nothing(
    road: Road, samples: tuple[Path, list[SampleReport]], tmp_path: Path
) -> None:
    folder, reports = samples
    few = [folder / report.file for report in reports[:3]]
    list(road.bring(few))
    before = road.ledger.drafts()
    with zipfile.ZipFile(tmp_path / "月次.zip", "w") as archive:
        for number, path in enumerate(few):
            archive.write(path, f"十月/別名{number}{path.suffix}")
    arrivals = list(road.bring([tmp_path / "月次.zip"]))
    assert [arrival.what for arrival in arrivals] == ["known"] * 3
    assert arrivals[0].name == "月次.zip/十月/別名0.docx"
    assert road.ledger.drafts() == before
    assert len(list((tmp_path / "kept").iterdir())) == 3


def test_an_unknown_heading_waits_and_is_learnt_once(road: Road, tmp_path: Path) -> None:
    odd = {"市場動向": TEXTS["市場動向"], "わたしたちの一手": TEXTS["運用経過"], "見通し": TEXTS["今後の見通し"]}
    (first,) = road.bring([written(tmp_path, odd)])
    assert first.what == "inbox"
    assert [reason["code"] for reason in first.report.reasons] == ["heading-unknown"]
    assert road.ledger.drafts() == []
    part = next(n for n, p in enumerate(first.report.parts) if "一手" in p["heading"])
    with pytest.raises(UsageError, match="no section is named for"):
        road.file(first.report.id, manager=first.report.manager, fund="F", as_of="2026-10", sections={}, by="sato")
    row = first.report
    filed = road.file(
        row.id, manager=row.manager, fund=row.fund, as_of=row.as_of, sections={str(part): "performance"}, by="sato"
    )
    assert filed.state == "filed"
    assert {d.section: d.text for d in road.ledger.drafts()} == dict(
        zip(("market", "performance", "outlook"), TEXTS.values(), strict=True)
    )
    with pytest.raises(UsageError, match="no longer waits"):
        road.file(row.id, manager="A", fund="F", as_of="2026-10", sections={str(part): "market"}, by="sato")
    head = HEAD.replace("10月", "11月")
    (second,) = road.bring([written(tmp_path, odd, head, "next.txt")])
    assert second.what == "filed"
    assert second.texts[second.report.fund, "performance"] == TEXTS["運用経過"]


def test_what_a_manager_means_is_its_own_and_can_be_corrected(road: Road, tmp_path: Path) -> None:
    list(road.bring([written(tmp_path, TEXTS)]))
    road.correct("蒼樹坂アセットマネジメント", "運用経過", "outlook", by="sato")
    road.correct("蒼樹坂アセットマネジメント", "今後の見通し", "performance", by="sato")
    (mine,) = road.bring([written(tmp_path, TEXTS, HEAD.replace("10月", "11月"), "b.txt")])
    assert mine.texts[mine.report.fund, "outlook"] == TEXTS["運用経過"]
    other = HEAD.replace("蒼樹坂アセットマネジメント", "七色橋ファンズ")
    (theirs,) = road.bring([written(tmp_path, TEXTS, other, "c.txt")])
    assert theirs.texts[theirs.report.fund, "performance"] == TEXTS["運用経過"]


@pytest.mark.parametrize(
    ("head", "texts", "code"),
    [
        (HEAD.replace("蒼樹坂アセットマネジメント", "どこかの会社"), TEXTS, "manager-missing"),
        (HEAD.replace("みずいろ国内株式ファンド", "ファンド名：あたらしいファンド"), TEXTS, "fund-new"),
        (HEAD.replace("みずいろ", "みずいろ国内小型株ファンド\nみずいろ"), TEXTS, "fund-several"),
        (HEAD.replace("2026年10月末現在", ""), TEXTS, "month-missing"),
        (HEAD.replace("現在", "現在\n2026年9月末現在"), TEXTS, "month-several"),
        (HEAD, {**TEXTS, "運用状況と今後の見通し": "両方について述べます。上昇すると考えます。"}, "heading-doubtful"),
        (HEAD, {"ご挨拶": "時下ますますご清栄のこととお慶び申し上げます。"}, "heading-unknown"),
        (HEAD + TEXTS["市場動向"] * 4 + "\n", {}, "text-without-heading"),
        (HEAD, {"組入上位銘柄": "銘柄の一覧です。"}, "no-sections"),
    ],
)
def test_a_doubt_is_named_and_nothing_goes_into_a_box(
    road: Road, tmp_path: Path, head: str, texts: dict[str, str], code: str
) -> None:
    (arrival,) = road.bring([written(tmp_path, texts, head)])
    assert arrival.what == "inbox"
    assert code in [reason["code"] for reason in arrival.report.reasons]
    assert road.ledger.drafts() == []


def test_the_same_heading_below_two_sections_never_goes_into_the_wrong_box(road: Road, tmp_path: Path) -> None:
    def report(month: int) -> Path:
        body = (
            "■市場動向\n全体として上昇しました。\n＜国内株式＞\n国内は1.5％上昇しました。\n\n"
            "■運用経過\n全体として健闘しました。\n＜国内株式＞\n国内では2.5％を積み増しました。\n"
        )
        path = tmp_path / f"{month}.txt"
        path.write_text(HEAD.replace("10月", f"{month}月") + body, encoding="utf-8")
        return path

    (first,) = road.bring([report(10)])
    assert [r["code"] for r in first.report.reasons] == ["heading-repeated"] * 2
    row = first.report
    chosen = {str(n): "market" if "1.5" in p["text"] else "performance" for n, p in enumerate(row.parts) if n in (2, 4)}
    road.file(row.id, manager=row.manager, fund=row.fund, as_of=row.as_of, sections=chosen, by="sato")
    (second,) = road.bring([report(11)])
    assert {section: text for (_, section), text in second.texts.items()} == {
        "market": "全体として上昇しました。\n国内は1.5％上昇しました。",
        "performance": "全体として健闘しました。\n国内では2.5％を積み増しました。",
    }


def test_a_report_in_english(road: Road, tmp_path: Path) -> None:
    text = {
        "Market Review": "Equities rose by 3.2 percent as the central bank kept its policy rate at 0.5 percent.",
        "Portfolio Performance": "The fund returned 2.9 percent, 0.3 points behind its benchmark.",
        "Outlook & Strategy": "We expect equities to hold up, and keep an overweight in industrials.",
    }
    body = "\n\n".join(f"{heading}\n\n{words}" for heading, words in text.items())
    (tmp_path / "e.txt").write_text(f"{HEAD}October 2026\n\n{body}\n", encoding="utf-8")
    (arrival,) = road.bring([tmp_path / "e.txt"])
    assert list(arrival.texts.values()) == list(text.values()), arrival.report.reasons


def test_a_section_that_always_came_is_missed(road: Road, tmp_path: Path) -> None:
    list(road.bring([written(tmp_path, TEXTS)]))
    two = {heading: text for heading, text in TEXTS.items() if heading != "今後の見通し"}
    (arrival,) = road.bring([written(tmp_path, two, HEAD.replace("10月", "11月"), "b.txt")])
    assert (arrival.what, [r["detail"] for r in arrival.report.reasons]) == ("inbox", ["outlook"])


def test_another_text_for_a_draft_that_is_there_waits(road: Road, tmp_path: Path) -> None:
    list(road.bring([written(tmp_path, TEXTS)]))
    corrected = {**TEXTS, "市場動向": TEXTS["市場動向"].replace("38,915", "38,195")}
    (arrival,) = road.bring([written(tmp_path, corrected, name="訂正.txt")])
    assert (arrival.what, [r["code"] for r in arrival.report.reasons]) == ("inbox", ["drafts-exist"])
    assert [d.text for d in road.ledger.drafts() if d.section == "market"] == [TEXTS["市場動向"]]


def test_a_section_of_the_task_is_found(tmp_path: Path, road: Road) -> None:
    cfg = Reports(managers=road.cfg.managers, funds=road.cfg.funds, sections={"esg": ("責任投資",)})
    more = {**TEXTS, "責任投資の取り組み": "議決権を行使しました。対話を12件行いました。"}
    (arrival,) = Road(road.ledger, cfg).bring([written(tmp_path, more)])
    assert arrival.texts[arrival.report.fund, "esg"] == more["責任投資の取り組み"]


def test_legal_words_and_greetings_are_no_part_of_a_section(road: Road, tmp_path: Path) -> None:
    head = HEAD + "平素は格別のお引き立てを賜り、厚く御礼申し上げます。\n\n"
    path = written(tmp_path, {**TEXTS, "ご留意事項": "元本は保証されません。"}, head)
    path.write_text(path.read_text(encoding="utf-8") + "\n※当資料は勧誘を目的としません。\n", encoding="utf-8")
    (arrival,) = road.bring([path])
    assert arrival.what == "filed"
    assert list(arrival.texts.values()) == list(TEXTS.values())


def test_an_unreadable_file_waits_with_its_reason_and_its_bytes(road: Road, tmp_path: Path) -> None:
    (tmp_path / "壊れ.pdf").write_bytes(b"%PDF-1.7\nnothing more")
    (arrival,) = road.bring([tmp_path / "壊れ.pdf"])
    assert arrival.what == "inbox"
    assert arrival.report.reasons[0]["code"] == "damaged"
    assert (tmp_path / "kept" / arrival.report.sha256).read_bytes().startswith(b"%PDF")
    aside = road.ledger.set_report_aside(arrival.report.id, "差し替えを依頼した", by="sato")
    assert aside.state == "set-aside"
    assert road.ledger.verify_records() == []


def test_killed_at_any_moment_nothing_is_lost_and_nothing_comes_twice(
    samples: tuple[Path, list[SampleReport]], tmp_path: Path
) -> None:
    folder, reports = samples
    script = (
        "import sys; from pathlib import Path\n"
        "from tensaku.intake import Road, Reports; from tensaku.ledger import Ledger\n"
        "from tensaku.sampledesk.voices import voices; from tensaku.sampledesk.content import funds\n"
        "cfg = Reports(managers=tuple(v.name for v in voices()), funds=tuple(f.name for f in funds()))\n"
        "with Ledger.open(Path(sys.argv[1])) as ledger:\n"
        "    for a in Road(ledger, cfg, Path(sys.argv[3])).bring([Path(sys.argv[2])]): print(a.name, flush=True)\n"
    )
    words = [sys.executable, "-c", script, str(tmp_path / "l.db"), str(folder), str(tmp_path / "kept")]
    acknowledged: set[str] = set()
    for lines in (1, 3, 5):
        process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=dict(os.environ))
        assert process.stdout is not None
        for _ in range(lines):
            acknowledged.add(process.stdout.readline().strip())
        time.sleep(0.11 * lines)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        with Ledger.open(tmp_path / "l.db") as ledger:
            assert acknowledged <= {report.name for report in ledger.reports()}
    assert subprocess.run(words, capture_output=True, check=True).returncode == 0
    with Ledger.open(tmp_path / "l.db") as ledger:
        assert len(ledger.reports()) == 10
        assert len(ledger.drafts()) == sum(len(report.sections) for report in reports)
        assert ledger.verify_records() == []


def test_two_at_once_bring_each_report_once(
    road: Road, samples: tuple[Path, list[SampleReport]], tmp_path: Path
) -> None:
    from concurrent.futures import ThreadPoolExecutor

    folder, reports = samples
    some = tmp_path / "some"
    some.mkdir()
    for report in reports[:3]:
        shutil.copy(folder / report.file, some)
    with ThreadPoolExecutor(2) as pool:
        both = [f.result() for f in [pool.submit(lambda: list(road.bring([some]))) for _ in range(2)]]
    assert sorted(a.what for arrivals in both for a in arrivals) == ["filed"] * 3 + ["known"] * 3
    assert len(road.ledger.drafts()) == 9
