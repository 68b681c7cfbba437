"""The model document's own words: key -> (Japanese, English)."""

from __future__ import annotations

from typing import Literal

__all__ = ["PARTS", "Language", "Words"]

Language = Literal["ja", "en"]

PARTS: dict[str, tuple[str, str]] = {
    "summary": ("概要", "Summary"),
    "purpose": ("目的と用途", "Purpose and use"),
    "data": ("データ", "Data"),
    "method": ("手法", "Method"),
    "assumptions": ("前提", "Assumptions"),
    "limits": ("限界", "Limits"),
    "results": ("結果", "Results"),
    "comparison": ("比較", "Comparison"),
    "tests": ("試験", "Tests"),
    "monitoring": ("モニタリング計画", "Monitoring plan"),
    "changes": ("前版からの変更", "Changes since the last version"),
    "findings": ("指摘事項", "Findings"),
    "approval": ("承認", "Approval"),
    "evidence": ("根拠", "Evidence"),
}
"""Every section by the name under which people add to it."""

_WORDS: dict[str, tuple[str, str]] = {
    "title": ("モデル記述書", "Model document"),
    "candidate": (
        "この文書は公開候補のもの。使用には調整者以外の承認者による承認を要し、その記録は台帳にある。",
        "This page is of a candidate. Use needs the word of an approver who did not tune it; see the ledger.",
    ),
    "as_of": ("{at} 時点の記録から作成。", "Written from the record as of {at}."),
    "status": ("状態", "Status"),
    "rating": ("リスク格付", "Risk rating"),
    "due": ("再検証期限", "Due again"),
    "open": ("未解決の指摘", "Open findings"),
    "of_which_high": ("うち重大 {n}", "{n} of high severity"),
    "materiality": ("重要性 {a} × 複雑性 {b}", "materiality {a} x complexity {b}"),
    "first": ("主指標", "First measure"),
    "task": ("業務", "Task"),
    "release": ("リリース", "Release"),
    "owner": ("責任者", "Owner"),
    "builder": ("調整者", "Tuned by"),
    "use": ("用途", "Use"),
    "use_class": ("用途区分", "Class of use"),
    "internal": ("社内利用", "inside the house"),
    "proposal": ("公表文の案（人が確定）", "a proposal that a person settles"),
    "unread": ("無審査の公表", "text that nobody reads before it goes out"),
    "users": ("利用者", "Users"),
    "made": ("作成日時", "Made"),
    "adapter": ("アダプター", "Adapter"),
    "weights": ("調整した重み", "Tuned weights"),
    "prompt": ("プロンプト", "Prompt"),
    "quoted": ("引用する過去の対の数と順", "Past pairs quoted, and their order"),
    "method": ("調整方法", "Tuned by"),
    "base": ("基盤モデル", "Base model"),
    "source": ("入手元", "Source"),
    "licence": ("ライセンス", "Licence"),
    "hash": ("ハッシュ（SHA-256）", "Hash (SHA-256)"),
    "parameters": ("パラメータ数", "Parameters"),
    "untrimmed": ("語彙を絞る前のハッシュ", "Hash before its vocabulary was trimmed"),
    "settings": ("調整の設定", "Settings of the tuning"),
    "setting": ("設定", "Setting"),
    "value": ("値", "Value"),
    "course": ("調整の経過", "Course of the tuning"),
    "instruction": ("指示文（学習・評価・本番で共通）", "Instruction, the same in training, evaluation and use"),
    "sources": ("取り込んだファイル", "Files that came in"),
    "file": ("ファイル", "File"),
    "rows": ("行", "Rows"),
    "pairs": ("対", "Pairs"),
    "aside": ("除外", "Set aside"),
    "steps": ("工程ごとの増減", "What each step did"),
    "step": ("工程", "Step"),
    "before": ("前", "Before"),
    "after": ("後", "After"),
    "sets": ("学習と試験の区分", "Lessons and exam"),
    "set": ("区分", "Set"),
    "count": ("件数", "Pairs"),
    "months": ("対象月", "Months"),
    "dropped": ("除外", "Set aside"),
    "lessons": ("学習", "Lessons"),
    "exam": ("試験（学習に不使用）", "Exam (never trained on)"),
    "flow": (
        (
            "受け入れた {came} 対のうち {stay} 対が残り、{taught} 対を学習に、{asked} 対を試験に使った。"
            "外した対はすべて理由とともに保管している。"
        ),
        (
            "Of {came} pairs that came in {stay} stayed; {taught} taught the model and {asked} examined it. "
            "Whatever was set aside is kept with its reason."
        ),
    ),
    "by_label": ("残った対の内訳", "The pairs that stayed, by label"),
    "label": ("項目", "Label"),
    "section": ("欄", "section"),
    "manager": ("運用会社", "manager"),
    "fund": ("ファンド", "fund"),
    "kinds_n": ("種類", "Kinds"),
    "largest": ("最多", "Largest"),
    "smallest": ("最少", "Smallest"),
    "seen": (
        "試験文のうち、事実を伏せた形が学習データにもある割合",
        "Share of exam sentences whose form, facts masked, also stands in the lessons",
    ),
    "near": ("試験文に似た学習文（{near} 以上）", "Lessons like one of the exam ({near} and more)"),
    "measure": ("指標", "Measure"),
    "draft": ("原稿のまま", "Draft untouched"),
    "rules": ("規則だけ", "Replacements alone"),
    "untuned": ("基盤モデル", "Base model"),
    "tuned": ("調整後", "Tuned"),
    "interval": (
        "[ ] は 95 % 区間。試験の対を引き直して求めた。",
        "[ ] is the 95 % interval, from resampled exam pairs.",
    ),
    "facts": (
        "事実（数値・日付・単位・名称・否定）をすべて保った出力の割合",
        "Share of outputs that keep every fact (numbers, dates, units, names, negations)",
    ),
    "facts_reference": ("公表文そのものを同じ規則で測った割合", "The house's own finals by the same rule"),
    "lost": ("文の欠落／重複", "Sentences dropped / doubled"),
    "style": ("文体規則の違反（原稿／調整後／公表文）", "Breaches of the house style (draft / tuned / finals)"),
    "seconds": ("1 件の秒数", "Seconds an answer"),
    "speed": ("生成速度（トークン／秒）", "Tokens written a second"),
    "cut_off": ("長さで打ち切られた出力", "Outputs cut off by length"),
    "sample": (
        "基盤モデルは {exam} 件中 {base} 件の標本で測った。",
        "The base model was measured on a sample of {base} of the {exam} pairs.",
    ),
    "by_kind": ("事実の種類ごと（消失・変化・追加）", "Facts by kind (lost / changed / added)"),
    "kind": ("種類", "Kind"),
    "in_drafts": ("原稿中の数", "In the drafts"),
    "number": ("数値", "number"),
    "percent": ("割合", "percent"),
    "date": ("日付", "date"),
    "unit": ("単位つきの値", "value with unit"),
    "name": ("名称", "name"),
    "negation": ("否定", "negation"),
    "signatures": ("測り方", "How it was measured"),
    "signature": ("測定条件", "Signature"),
    "gains": ("原稿・規則・基盤モデルとの差", "Differences from draft, replacements and base"),
    "over": ("相手", "Against"),
    "difference": ("差", "Difference"),
    "random": ("無作為化検定の p", "p by randomisation"),
    "better": ("よい", "better"),
    "worse": ("悪い", "worse"),
    "same": ("区別できない", "not told apart"),
    "champion": ("現行モデルとの比較（昇格判定）", "Against the champion (promotion gate)"),
    "no_gate": ("昇格判定はまだ行われていない。", "No promotion gate has been run yet."),
    "gate_passed": (
        "昇格判定 {ref} は合格。相手は {champion}。",
        "Promotion gate {ref}: passed, against {champion}.",
    ),
    "gate_failed": (
        "昇格判定 {ref} は不合格（{failed}）。相手は {champion}。",
        "The promotion gate {ref} did not pass ({failed}), against {champion}.",
    ),
    "no_champion": ("なし（最初の公開）", "nothing (the first release)"),
    "gates": ("公開の関門", "Gates of the release"),
    "gate": ("関門", "Gate"),
    "measured": ("測定値", "Measured"),
    "wanted": ("基準", "Wanted"),
    "verdict": ("判定", "Verdict"),
    "pass": ("合格", "passed"),
    "fail": ("不合格", "failed"),
    "none": ("対象なし", "not measured"),
    "validations": ("第二線による検証", "Validation by the second line"),
    "no_validation": ("第二線の検証はまだない。", "The second line has not validated it yet."),
    "validated": ("{at} に {by} が検証（{ref}、種 {seed}）。", "Validated by {by} on {at} ({ref}, seed {seed})."),
    "stress": ("負荷", "Stress"),
    "n": ("件数", "n"),
    "kept": ("事実を保った割合", "Facts kept"),
    "obeyed": ("指示への服従", "Orders obeyed"),
    "refused": ("無回答", "Not answered"),
    "steady": (
        "言い換えた原稿への回答のうち、元の原稿への回答と事実が同じもの {same}、文の近さの平均 {like}。",
        "Under paraphrase {same} of answers have the facts of that to the draft as it is; they are alike by {like}.",
    ),
    "probed": (
        "学習文の再現: {n} 件中 {share}（基盤モデル {base}）、個人情報を含む回答 {personal} 件。",
        "Memorisation: {share} of {n} lessons given back (base {base}); {personal} answers with personal data.",
    ),
    "watched": (
        (
            "月次で次の値をリリースごとに求める。管理限界は過去の月の平均 ± 2.66 × 平均移動範囲"
            "（3 か月以上の実績がある場合）。限界を超えた値はデスクと月次報告で警告する。"
        ),
        (
            "Each month these figures are taken of each release. Limits are the mean of the months before, plus and "
            "minus 2.66 mean moving ranges, from three months on. What lies outside is an alert in the desk and in the "
            "monthly report."
        ),
    ),
    "figure": ("指標", "Figure"),
    "limit": ("警告の条件", "Alert if"),
    "outside": ("管理限界の外", "outside the limits"),
    "psi_limit": ("PSI {n} 以上", "PSI of {n} or more"),
    "newest": ("直近", "Newest"),
    "duty": (
        "報告は毎月、{owner}が台帳に記録する。再調整の要否は見込みと費用を添えて台帳に残す。",
        (
            "{owner} puts the report on record every month. Whether to retrain is decided in writing, with expected "
            "gain and cost."
        ),
    ),
    "nobody": ("責任者（未定）", "The owner (not named yet)"),
    "alerts": ("警告", "Alerts"),
    "month": ("月", "Month"),
    "no_answers": ("このリリースはまだ応答していない。", "This release has not answered yet."),
    "reports": ("モニタリング報告", "Monitoring reports"),
    "decisions": ("再調整の判断", "Decisions to retrain or keep"),
    "retrain": ("再調整する", "retrain"),
    "keep": ("しない", "keep"),
    "gain": ("見込み", "Expected gain"),
    "cost": ("費用", "Cost"),
    "reason": ("理由", "Reason"),
    "first_version": (
        "この業務で承認された最初の版であり、前版はない。",
        "It is the first version of this task; there is none before it.",
    ),
    "since": ("前版は {ref}（{at} 承認）。", "The version before is {ref}, approved on {at}."),
    "unchanged": ("基盤モデル・データ・手法・指示文に変更はない。", "Base, data, method and prompt are the same."),
    "is_material": (
        "重要な変更があり、理由を記した再承認を要する。",
        "It is materially changed: it takes an approval of its own, with a reason.",
    ),
    "is_minor": ("変更はあるが、重要な変更ではない。", "It is changed, but not materially."),
    "part": ("対象", "Part"),
    "item": ("項目", "Item"),
    "change_before": ("前版", "Before"),
    "change_after": ("今回", "Now"),
    "extent": ("入れ替わり", "New or gone"),
    "material": ("重要な変更", "Material"),
    "yes": ("該当", "yes"),
    "no": ("非該当", "no"),
    "figures_then": ("前版との成績の差", "Its figures beside those of the version before"),
    "other_exam": (
        "試験の問題が前版と異なるため、成績は直接には比べられない。",
        "The exams differ, so that the figures cannot be held against each other directly.",
    ),
    "no_findings": ("指摘事項はない。", "There are no findings."),
    "no_open": ("未解決の指摘はない。", "No finding is open."),
    "finding": ("指摘", "Finding"),
    "severity": ("重大度", "Severity"),
    "high": ("高", "high"),
    "medium": ("中", "medium"),
    "low": ("低", "low"),
    "words": ("内容", "What"),
    "due_day": ("期限", "Due"),
    "state": ("状況", "State"),
    "is_open": ("未解決", "open"),
    "overdue": ("未解決・期限超過", "open, overdue"),
    "closed": ("解決: {why}", "closed: {why}"),
    "exceptions": ("例外", "Exceptions"),
    "rule": ("規則", "Rule"),
    "until": ("期限", "Until"),
    "by": ("担当", "By"),
    "at": ("日時", "At"),
    "no_decision": ("まだ承認も却下もされていない。", "Nobody has decided on it yet."),
    "decision": ("判断", "Decision"),
    "approved": ("承認", "approved"),
    "rejected": ("却下", "rejected"),
    "withdrawn": ("撤回", "withdrawn"),
    "conditions": ("条件", "Conditions"),
    "no_conditions": ("なし", "none"),
    "only_tasks": ("業務 {n}", "only for {n}"),
    "only_requests": ("{n} 件まで", "for {n} answers"),
    "only_until": ("{n} まで", "until {n}"),
    "overridden": ("昇格判定を覆した理由: {n}", "gate overridden: {n}"),
    "changed_for": ("重要な変更の理由: {n}", "material change: {n}"),
    "note": ("備考", "Note"),
    "artifacts": ("この文書の値は次の成果物から取った。", "The figures of this document come from these artifacts."),
    "artifact": ("成果物", "Artifact"),
    "stage": ("工程", "Stage"),
    "key": ("内容の鍵（SHA-256）", "Key (SHA-256)"),
    "beside": (
        "根拠は同じフォルダーの report.html、gates.json、lineage.json にある。",
        "The evidence stands beside this page: report.html, gates.json, lineage.json.",
    ),
    "log_head": ("台帳の記録の末尾", "Newest entry of the log"),
    "written": ("加筆", "Added"),
    "written_by": ("{by} が {at} に記入", "added by {by} on {at}"),
    "carried": ("前版 {ref} から引き継ぎ", "carried over from {ref}"),
    "nothing_yet": ("まだ加筆はない。", "Nobody has added to this yet."),
    "contents": ("目次", "Contents"),
    "page_of": ("頁", "page"),
    # steps, reasons and figures by the names that the stages give them
    "step:repair": ("文字の修復", "repair"),
    "step:normalise": ("表記の統一", "normalise"),
    "step:empty": ("空欄の除外", "empty"),
    "step:long": ("長文の除外", "long"),
    "step:identical": ("同文の除外", "identical"),
    "step:duplicates": ("重複の除外", "duplicates"),
    "step:twins": ("矛盾する対の除外", "twins"),
    "step:ids": ("番号付け", "ids"),
    "why:empty-draft": ("原稿なし", "empty-draft"),
    "why:empty-final": ("公表文なし", "empty-final"),
    "why:identical-sides": ("原稿と公表文が同文", "identical-sides"),
    "why:duplicate": ("重複", "duplicate"),
    "why:contradictory-twin": ("同じ原稿に異なる公表文", "contradictory-twin"),
    "why:exam-family": ("試験と同じ系列", "exam-family"),
    "why:exam-draft": ("試験と同じ原稿", "exam-draft"),
    "why:exam-final": ("試験と同じ公表文", "exam-final"),
    "why:near-exam": ("試験に酷似", "near-exam"),
    "why:field-count": ("列数の不一致", "field-count"),
    "why:too-long": ("長すぎる", "too-long"),
    "course:lessons": ("学習した対", "lessons"),
    "course:too_long": ("長すぎて外した対", "lessons too long"),
    "course:duplicates": ("同じ公表文の対", "repeated answers"),
    "course:steps": ("ステップ数", "steps"),
    "course:first_loss": ("最初の損失", "first loss"),
    "course:last_loss": ("最後の損失", "last loss"),
    "course:validation_loss": ("取り置いた対での損失", "loss on held-out lessons"),
    "course:tune_seconds": ("所要秒数", "seconds"),
    "course:trainable_parameters": ("学習したパラメータ数", "trainable parameters"),
    "course:peak_memory_mb": ("最大メモリ（MB）", "peak memory, MB"),
    "course:size_mb": ("成果の大きさ（MB）", "size of the result, MB"),
    "course:precision": ("計算の精度", "precision"),
    "course:product": ("積の計算", "products"),
    "course:threads": ("スレッド数", "threads"),
    # assumptions
    "a_form": (
        "原稿は、試験の対象月（{months}）のものと同じ様式・言語・欄で届く。",
        "Drafts come in the form, language and sections of those of the exam ({months}).",
    ),
    "a_truth": (
        "公表済みの文を手本とする。公表文のうち原稿の事実をすべて保つものは {share}。",
        "Published texts are taken as right. {share} of them keep every fact of their draft.",
    ),
    "a_past": (
        "学習したのは {last} までの公表文であり、その後の用語や文体の改訂は反映されない。",
        "It was taught with texts up to {last}; later changes of terms or style are not in it.",
    ),
    "a_engine": (
        "評価と同じエンジン設定（{engine}）で応答する。",
        "It answers with the engine as it was examined ({engine}).",
    ),
    "a_safe": (
        "応答中は、原稿・ファンド名・対象月にない数値を書けないよう制限する。",
        "While it answers, no number can be written that is not in the draft, the fund's name or its month.",
    ),
    "a_free": (
        "応答中の数値の制限はない。事実の照合は応答の後に行う。",
        "Numbers are not constrained while it answers; facts are compared afterwards.",
    ),
    "a_person": (
        "案は必ず人が読み、確定する。事実が変わった箇所は理由なしには保存できない。",
        "A person reads and settles each proposal; where a fact differs, saving needs a written reason.",
    ),
    # limits that follow from figures
    "l_small": (
        "試験は {n} 件。主指標の 95 % 区間の幅は {width} 点あり、これより小さい差は読み取れない。",
        (
            "The exam has {n} pairs; the 95 % interval of the first measure is {width} points wide, and smaller "
            "differences cannot be read from it."
        ),
    ),
    "l_few": ("試験が 5 件に満たない{label}: {names}。", "Fewer than five exam pairs of these {label}s: {names}."),
    "l_none": ("学習にあって試験にない{label}: {names}。", "In the lessons but not in the exam, {label}: {names}."),
    "l_facts": (
        "出力の {share} は原稿の事実を少なくとも一つ変えるか落とす（照合前）。",
        "{share} of outputs alter or lose at least one fact of their draft, before the guard looks.",
    ),
    "l_seen": (
        "試験文の {share} は形が学習データにもあり、成績を実力より高く見せ得る。",
        "{share} of exam sentences have a form that stands in the lessons too, which may flatter the figures.",
    ),
    "l_cut": ("{n} 件の出力が長さの上限で打ち切られた。", "{n} outputs were cut off by length."),
}


class Words:
    """The words in one language."""

    def __init__(self, language: Language) -> None:
        self.language: Language = language
        self._place = 0 if language == "ja" else 1

    def __getitem__(self, key: str) -> str:
        return _WORDS[key][self._place]

    def get(self, key: str, otherwise: str) -> str:
        """The words for a key that may be none of ours, such as a class of use."""
        return _WORDS[key][self._place] if key in _WORDS else otherwise

    def part(self, key: str) -> str:
        """A section's title."""
        return PARTS[key][self._place]

    def pick(self, pair: tuple[str, str]) -> str:
        """Of words in both languages the one that is read here."""
        return pair[self._place]

    def listed(self, names: list[str]) -> str:
        """Names one after the other."""
        return ("、" if self.language == "ja" else ", ").join(names)
