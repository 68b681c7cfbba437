"""Two texts of one comment as hunks: who changed what, and nothing lost."""

from hypothesis import given, settings
from hypothesis import strategies as st

from tensaku.desk.merge import hunks

BASE = "市場は上昇した。円は下落した。金利は低下した。"
TEXTS = st.text(alphabet="市場は上昇した。円下落金利3%", max_size=40)


@settings(max_examples=80, deadline=None)
@given(base=TEXTS, mine=TEXTS, theirs=TEXTS)
def test_each_side_can_be_had_whole(base: str, mine: str, theirs: str) -> None:
    found = hunks(base, mine, theirs)
    assert "".join(hunk.mine for hunk in found) == mine
    assert "".join(hunk.theirs for hunk in found) == theirs


def test_what_one_side_alone_changed_is_chosen_already() -> None:
    mine, theirs = "国内" + BASE, BASE + "以上。"
    found = hunks(BASE, mine, theirs)
    assert [h.side for h in found if h.side != "both"] == ["mine", "theirs"]
    assert "".join(h.mine if h.side == "mine" else h.theirs for h in found) == "国内" + BASE + "以上。"


def test_what_both_changed_is_open_and_so_is_all_without_a_beginning() -> None:
    mine, theirs = BASE.replace("円は", "ドル円は"), BASE.replace("円は", "ユーロ円は")
    assert [h.side for h in hunks(BASE, mine, theirs) if h.side != "both"] == ["open"]
    assert "mine" not in [h.side for h in hunks(None, mine, theirs)]
