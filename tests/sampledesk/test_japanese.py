from __future__ import annotations

import pytest

from tensaku.sampledesk.japanese import past, polite, polite_past, te


@pytest.mark.parametrize(
    ("verb", "plain", "courteous"),
    [
        ("上昇する", "上昇した", "上昇しました"),
        ("広がる", "広がった", "広がりました"),
        ("引き上げる", "引き上げた", "引き上げました"),
        ("続く", "続いた", "続きました"),
        ("相次ぐ", "相次いだ", "相次ぎました"),
        ("膨らむ", "膨らんだ", "膨らみました"),
        ("向かう", "向かった", "向かいました"),
        ("落とす", "落とした", "落としました"),
        ("減らす", "減らした", "減らしました"),
        ("出る", "出た", "出ました"),
        ("入る", "入った", "入りました"),
        ("警戒される", "警戒された", "警戒されました"),
    ],
)
def test_past_forms(verb: str, plain: str, courteous: str) -> None:
    assert (past(verb), polite_past(verb)) == (plain, courteous)


def test_te_and_polite_forms() -> None:
    assert te("進む") == "進んで"
    assert te("維持する") == "維持して"
    assert te("続ける") == "続けて"
    assert polite("必ず上昇する") == "必ず上昇します"
