"""One decision turned round: the text differs from the final there and nowhere else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tensaku.curate.turned import Turned, turned
from tensaku.ledger.finals import compared

DRAFT = "当月の国内株式市場は３．２％の上昇となった。日銀は政策金利を据え置いた。今後も必ず上昇する。"
MODEL = "当月の国内株式市場は3.2%上昇しました。日銀は政策金利を引き上げました。今後も必ず上昇する。"
FINAL = "当月の国内株式市場は3.2%上昇しました。日銀は政策金利を据え置きました。今後も上昇を見込みます。"


def turns(draft: str, revision: str, final: str) -> list[Turned]:
    """As the ledger would have it: the changes between the three texts with their decisions."""
    rows = compared(draft, revision, final)

    def of(between: str) -> list[tuple[object, object]]:
        return [(change, decision) for name, change, decision in rows if name == between]

    return turned(
        draft,
        revision,
        proposed=of("draft-revision"),  # type: ignore[arg-type]
        edits=[change for change, _ in of("revision-final")],  # type: ignore[misc]
        total=[change for change, _ in of("draft-final")],  # type: ignore[misc]
    )


def test_each_decision_alone_is_put_back_the_models_way() -> None:
    texts: dict[str, list[str]] = {}
    for one in turns(DRAFT, MODEL, FINAL):
        texts.setdefault(one.kind, []).append(one.text)
    assert texts["altered"] == [FINAL.replace("据え置きました", "引き上げました")]
    assert texts["missed"] == [FINAL.replace("今後も上昇", "今後も必ず上昇"), FINAL.replace("を見込みます", "する")]
    assert "rejected" not in texts
    assert all(text.endswith("据え置きました。今後も上昇を見込みます。") for text in texts["accepted"])


def test_a_plain_rejection() -> None:
    final = "当月の国内株式市場は3.2%上昇しました。日銀は政策金利を据え置いた。今後も必ず上昇する。"
    against = [one for one in turns(DRAFT, MODEL, final) if one.kind != "accepted"]
    assert [(one.kind, one.text) for one in against] == [("rejected", MODEL)]
    assert len(against[0].changes) == 1


@pytest.mark.parametrize(
    ("draft", "revision", "final", "kinds"),
    [
        ("上昇した。日銀は動いた。", "上昇した。", "上昇した。日銀は動いた。", ["rejected"]),  # a deletion undone
        ("上昇した。", "上昇した。日銀は動いた。", "上昇した。", ["rejected"]),  # an insertion taken out
        ("上昇した。", "上昇しました。", "上昇しました。", ["accepted"]),
        ("上昇した。", "上昇した。", "上昇した。", []),
        ("上昇した。", "上昇した。", "上昇しました。", ["missed"]),
    ],
)
def test_kinds(draft: str, revision: str, final: str, kinds: list[str]) -> None:
    assert [one.kind for one in turns(draft, revision, final)] == kinds


WORDS = st.lists(st.sampled_from("市場は。上昇した、日銀３％し据え置き ab"), max_size=14).map("".join)


@given(WORDS, WORDS, WORDS)
def test_whatever_the_texts(draft: str, revision: str, final: str) -> None:
    """Nothing is lost: all decisions against the model turned round together would be the revision again."""
    found = turns(draft, revision, final)
    assert all(one.text != final for one in found)
    if revision != final:
        assert any(one.kind != "accepted" for one in found)
    if sum(one.kind != "accepted" for one in found) == 1:
        assert [one.text for one in found if one.kind != "accepted"] == [revision]
