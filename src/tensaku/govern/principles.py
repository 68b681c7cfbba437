"""The eight principles, and for each requirement the control, the evidence in the pack, and the test that holds it.

The mapping rests on the titles of Japan's FSA's Principles for Model Risk Management (12 November 2021) as public pages
give them, and on this project's own summary of what each asks for. It quotes no wording of the FSA, and has not been
reviewed by anybody there. Before it is shown to a supervisor, hold it against the principles' own text.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["BASIS", "PRINCIPLES", "Principle", "Requirement"]

_BASIS_JA = (
    "この対応表は、金融庁「モデル・リスク管理に関する原則」（2021年11月12日）の公開情報にある原則名と、"
    "各原則の趣旨を本ソフトウェアの作者が要約したものに基づく。原文の引用ではなく、金融庁の確認も受けていない。"
    "監督当局に示す前に、原文と照合すること。"
)
_BASIS_EN = (
    "This mapping rests on the titles of the FSA's Principles for Model Risk Management (12 November 2021) as public "
    "pages give them, and on the software's authors' own summary of what each asks for. It quotes no wording of the "
    "FSA and was not reviewed by it. Hold it against the principles' own text before showing it to a supervisor."
)
BASIS = (_BASIS_JA, _BASIS_EN)
"""What the mapping rests on, in Japanese and in English."""


class Requirement(NamedTuple):
    """What is asked for, what meets it, where the pack shows it, and which test of this software holds the control."""

    japanese: str
    english: str
    control: tuple[str, str]
    evidence: tuple[str, ...]
    test: str


class Principle(NamedTuple):
    """One of the eight."""

    number: int
    japanese: str
    english: str
    requirements: tuple[Requirement, ...]


PRINCIPLES = (
    Principle(
        1,
        "ガバナンス",
        "Governance",
        (
            Requirement(
                "三つの防衛線の役割が定められ、守られる",
                "The three lines' duties are set and kept to",
                (
                    "役割は台帳にあり、調整者は承認できず、監査人は変更できない",
                    "Roles are in the ledger; who tuned cannot approve, an auditor changes nothing",
                ),
                ("people.json", "delegations.json"),
                "tests/govern/test_lines.py",
            ),
            Requirement(
                "データの閲覧権限（情報隔壁）がモデルにも及ぶ",
                "Entitlements to data (information barriers) reach the models made from it",
                (
                    "モデルは、元になったファイルとファンドをすべて閲覧できる者だけが使え、一覧にも出ない",
                    "A model answers, and is listed for, those alone who may see every file and fund behind it",
                ),
                ("barriers.json",),
                "tests/test_barriers.py",
            ),
            Requirement(
                "例外には理由と期限がある",
                "Exceptions have a reason and an end",
                ("期限を過ぎた例外は効かない", "An exception past its end has no effect"),
                ("exceptions.json",),
                "tests/govern/test_lines.py",
            ),
        ),
    ),
    Principle(
        2,
        "モデルの特定、インベントリー管理及びリスク格付",
        "Model identification, inventory, risk rating",
        (
            Requirement(
                "開発中・廃止を含む全モデルの台帳",
                "An inventory of all models, in development and retired ones too",
                ("台帳にないモデルは応答できない", "Nothing answers that is not in the inventory"),
                ("inventory.json",),
                "tests/govern/test_lines.py",
            ),
            Requirement(
                "重要性と複雑性による格付",
                "A rating by materiality and complexity",
                (
                    "規則による格付、第二線の理由付き変更",
                    "A rating by rule, which the second line overrides with a reason",
                ),
                ("inventory.json", "ratings.json"),
                "tests/govern/test_lines.py",
            ),
        ),
    ),
    Principle(
        3,
        "モデル開発",
        "Model development",
        (
            Requirement(
                "データ、手法、前提、限界、試験の文書",
                "Data, method, assumptions, limits and tests are documented",
                (
                    "モデル記述書は記録から書かれ、値は根拠に繋がり、加筆は署名される",
                    "The model document is written from the record, its figures link to it, additions are signed",
                ),
                ("releases/*/document/model-document.ja.html", "releases/*/report.html", "releases/*/gates.json"),
                "tests/govern/test_document.py",
            ),
            Requirement(
                "由来を元ファイルまで辿れる",
                "Origins can be traced to the files",
                ("内容のハッシュで封印された系譜", "Lineage sealed by content hash"),
                ("releases/*/lineage.json", "lineage.json"),
                "tests/govern/test_traces.py",
            ),
        ),
    ),
    Principle(
        4,
        "モデル承認",
        "Model approval",
        (
            Requirement(
                "使用開始・重要な変更の際の内部承認、条件付き承認",
                "Internal approval before first use and material change, with conditions",
                (
                    "条件（業務・件数・期限）は応答時に強制される",
                    "Conditions (tasks, answers, end) are held to at each answer",
                ),
                ("approvals.json", "rollouts.json"),
                "tests/govern/test_lines.py",
            ),
            Requirement(
                "権限のある者が、見た記録に対して判断する",
                "Who may decide does, on the record as they saw it",
                (
                    "デスクでの判断はサインインした者の名で、画面を開いたときの記録に対して一度だけ行われる",
                    "At the desk a decision is made in the name of who signed in, once, on the record as it was read",
                ),
                ("approvals.json", "log.jsonl"),
                "tests/desk/test_approvals.py",
            ),
            Requirement(
                "承認に要する判定・検証は格付により、重要な変更は再承認を要する",
                "What an approval takes follows the rating; a material change takes an approval of its own",
                (
                    "変更は系譜から検出され、理由のない承認は拒まれる",
                    "Changes are found from lineage; approving one without a reason is refused",
                ),
                ("approvals.json", "releases/*/document/model-document.ja.html"),
                "tests/govern/test_needs.py",
            ),
            Requirement(
                "現行モデルとの比較による昇格判定",
                "A challenger is held against the champion",
                ("判定は封印され、覆すには理由を要する", "The verdict is sealed; overriding it takes a reason"),
                ("gates.json", "gates/*/promotion.html"),
                "tests/govern/test_promotion.py",
            ),
        ),
    ),
    Principle(
        5,
        "継続モニタリング",
        "Ongoing monitoring",
        (
            Requirement(
                "意図したとおり機能し続けているかの確認",
                "It is confirmed that models go on working as intended",
                (
                    "応答と確定文から指標を算出し、限界を超えれば警告する",
                    "Figures from answers and finals, with limits and alerts",
                ),
                ("monitoring.json",),
                "tests/govern/test_monitor.py",
            ),
        ),
    ),
    Principle(
        6,
        "モデル検証",
        "Model validation",
        (
            Requirement(
                "独立した検証と指摘の是正",
                "Independent validation; findings are remedied",
                ("重大な未解決の指摘は承認を妨げる", "An open finding of high severity blocks approval"),
                ("validations.json", "findings.json"),
                "tests/govern/test_validation.py",
            ),
        ),
    ),
    Principle(
        7,
        "ベンダー・モデル及び外部リソースの活用",
        "Vendor products and external resources",
        (
            Requirement(
                "外部モデル・データ・部品にも同じ管理",
                "The same discipline for outside models, data and packages",
                (
                    "公開ごとの部品表（CycloneDX）とライセンス義務",
                    "A bill of materials (CycloneDX) a release, and the licences' duties",
                ),
                ("releases/*/bom.json", "releases/*/duties.json"),
                "tests/govern/test_bom.py",
            ),
        ),
    ),
    Principle(
        8,
        "内部監査",
        "Internal audit",
        (
            Requirement(
                "第三線が全体を検証できる、改ざんできない記録",
                "The third line can judge the whole; the record cannot be rewritten",
                ("ハッシュ連鎖の記録と外部の錨", "A hash-chained log, with anchors outside"),
                ("log.jsonl", "log-check.json", "anchors.jsonl"),
                "tests/govern/test_log.py",
            ),
        ),
    ),
)
