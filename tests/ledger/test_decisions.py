import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tensaku.ledger.decisions import Place, decide, places
from tensaku.text import apply, changes

DRAFT = "当月の国内株式市場は３．２％上昇した。日銀は政策金利を据え置いた。円安も追い風だった。"
REVISION = "当月の国内株式市場は3.2%上昇しました。日本銀行は政策金利を据え置きました。円安も追い風となりました。"


def decided(draft: str, revision: str, final: str) -> list[tuple[str, str, str]]:
    proposed = changes(draft, revision)
    decisions = decide(draft, final, proposed=proposed, edits=changes(revision, final), total=changes(draft, final))
    return [(c.old, c.new, d) for c, d in zip(proposed, decisions, strict=True)]


def test_an_untouched_revision_is_accepted_throughout() -> None:
    assert {d for _, _, d in decided(DRAFT, REVISION, REVISION)} == {"accepted"}


def test_a_draft_put_back_is_rejected_throughout() -> None:
    assert {d for _, _, d in decided(DRAFT, REVISION, DRAFT)} == {"rejected"}


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_taking_some_and_leaving_the_rest_is_told_exactly(data: st.DataObject) -> None:
    proposed = changes(DRAFT, REVISION)
    taken = data.draw(st.sets(st.integers(0, len(proposed) - 1)))
    final = apply(DRAFT, [c for i, c in enumerate(proposed) if i in taken])
    expected = [(c.old, c.new, "accepted" if i in taken else "rejected") for i, c in enumerate(proposed)]
    assert decided(DRAFT, REVISION, final) == expected


def test_words_of_the_writers_own_leave_the_other_decisions_as_they_are() -> None:
    final = REVISION.replace("日本銀行", "日銀").replace("追い風", "プラス") + "以上です。"
    found = {(old, new): d for old, new, d in decided(DRAFT, REVISION, final)}
    assert found["３．２％", "3.2%"] == "accepted"
    assert found["日銀", "日本銀行"] == "rejected"
    assert set(found.values()) == {"accepted", "rejected"}


def test_another_wording_in_the_same_place_is_altered() -> None:
    final = REVISION.replace("日本銀行", "中央銀行")
    found = {(old, new): d for old, new, d in decided(DRAFT, REVISION, final)}
    assert found["日銀", "日本銀行"] == "altered"


@pytest.mark.parametrize(
    ("draft", "revision", "final", "expected"),
    [
        ("the old cat sat", "the cat sat", "the cat stood", ["accepted"]),
        ("the old cat sat", "the cat sat", "the old cat stood", ["rejected"]),
        ("the old cat sat", "the cat sat", "the fat cat stood", ["altered"]),
        ("the cat sat", "the fat cat sat", "the cat stood", ["rejected"]),
        ("the cat sat", "the fat cat sat", "the fat cat stood", ["accepted"]),
        ("the cat sat", "the cat sat", "a dog ran", []),
        # Which も of the final is whose cannot be told by place, only by trying what taking and leaving gives.
        ("は下落はも", "も金利したはも市場", "は下落はもも金利したはも市場", ["rejected", "accepted"]),
    ],
)
def test_deletions_and_insertions_beside_other_words(
    draft: str, revision: str, final: str, expected: list[str]
) -> None:
    assert [d for _, _, d in decided(draft, revision, final)] == expected


@settings(max_examples=200, deadline=None)
@given(*[st.text(alphabet="aab 。", max_size=12)] * 3)
def test_every_change_gets_one_decision_whatever_the_texts(draft: str, revision: str, final: str) -> None:
    found = decided(draft, revision, final)
    assert len(found) == len(changes(draft, revision))
    if final == revision:
        assert {d for _, _, d in found} <= {"accepted"}


def put(text: str, place: Place, wording: str) -> str:
    return text[: place.start] + wording + text[place.end :]


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_change_taken_or_left_at_its_place_alters_that_decision_alone(data: st.DataObject) -> None:
    proposed = changes(DRAFT, REVISION)
    taken = data.draw(st.sets(st.integers(0, len(proposed) - 1)))
    turned = data.draw(st.integers(0, len(proposed) - 1))
    final = apply(DRAFT, [c for i, c in enumerate(proposed) if i in taken])
    place = places(DRAFT, REVISION, final, proposed=proposed, edits=changes(REVISION, final))[turned]
    for wording, wanted in ((place.taken, taken | {turned}), (place.left, taken - {turned})):
        assert put(final, place, wording) == apply(DRAFT, [c for i, c in enumerate(proposed) if i in wanted])


def test_places_hold_beside_words_of_the_writers_own() -> None:
    final = "なお、" + REVISION.replace("追い風", "プラス") + "以上です。"
    proposed = changes(DRAFT, REVISION)
    found = places(DRAFT, REVISION, final, proposed=proposed, edits=changes(REVISION, final))
    bank = next(i for i, c in enumerate(proposed) if c.old == "日銀")
    assert put(final, found[bank], found[bank].left) == final.replace("日本銀行", "日銀")
    for change, place in zip(proposed, found, strict=True):
        assert place.taken in (change.new, REVISION[REVISION.find(place.taken) :][: len(place.taken)])
        assert put(final, place, place.taken).startswith("なお、当月の国内株式市場は")


def test_a_wording_of_the_writers_own_is_replaced_as_a_whole() -> None:
    final = REVISION.replace("日本銀行", "中央銀行")
    proposed = changes(DRAFT, REVISION)
    found = places(DRAFT, REVISION, final, proposed=proposed, edits=changes(REVISION, final))
    bank = next(i for i, c in enumerate(proposed) if c.old == "日銀")
    assert put(final, found[bank], found[bank].taken) == REVISION
    assert put(final, found[bank], found[bank].left) == REVISION.replace("日本銀行", "日銀")
