"""Near-duplicates: published likeness, real revisions, and nothing missed beside the slow exact way."""

from __future__ import annotations

import os
import random
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tensaku.curate.dedup import Link, Plan, components, jaccard, near, near_links, shelf, shingles, sorted_sets
from tensaku.curate.dedup.near import bands_of, likeness_of, signatures
from tensaku.curate.dedup.shelf import ShingleShelf
from tensaku.curate.dedup.shingles import _characters
from tensaku.curate.overlap import fold

_BESIDE = (up / "shared" / "data" for up in Path(__file__).resolve().parents)
DATA = Path(os.environ.get("TENSAKU_TEST_DATA") or next((path for path in _BESIDE if path.is_dir()), "shared/data"))


def read(name: str) -> str:
    path = DATA / name
    if not path.is_file():
        pytest.skip(f"{path} is not there")
    return path.read_text(encoding="utf-8-sig")


def test_the_published_likeness_of_two_codes_of_law() -> None:
    names = ("ca1851-match", "ny1850-match", "ca1851-nomatch")
    law = [read(f"textreuse/legal/{name}.txt") for name in names]
    found = likeness_of([(law[0], law[1]), (law[0], law[2]), (law[1], law[2])], 7, "spaced")
    assert found == pytest.approx([0.3842549, 0, 0], abs=5e-8)


def test_successive_statements_of_the_fomc_are_near_duplicates() -> None:
    folder = DATA / "fomc_statements" / "statements"
    if not folder.is_dir():
        pytest.skip(f"{folder} is not there")
    files = sorted(folder.glob("*.txt"))
    texts = [file.read_text(encoding="utf-8-sig") for file in files]
    plan = Plan.at(0.5, 2, "spaced")
    links = {(a, b) for a, b, _ in near_links(texts, plan)}
    every = [(i, i + 1) for i in range(len(texts) - 1)]
    likeness = likeness_of([(texts[a], texts[b]) for a, b in every], 2, "spaced")
    near = [pair for pair, s in zip(every, likeness, strict=True) if s >= 0.5]
    roots = components(len(texts), links)
    assert len(near) >= 30
    assert all(roots[a] == roots[b] for a, b in near)
    # What is found are neighbours in time: most links join statements at most four meetings apart.
    assert sum(b - a <= 4 for a, b in links) >= 0.8 * len(links)


def edited(text: str, edits: int, dice: random.Random) -> str:
    letters = list(text)
    for _ in range(edits):
        letters[dice.randrange(len(letters))] = dice.choice("株債市場上昇下落円高安米国日本")
    return "".join(letters)


def test_components_are_those_of_the_slow_exact_way() -> None:
    dice = random.Random(5)
    texts = [
        "".join(dice.choice("市場株式債券為替上昇下落は、が。米国日本金利景気") for _ in range(200)) for _ in range(60)
    ]
    texts += [edited(dice.choice(texts), dice.randrange(1, 12), dice) for _ in range(60)]
    links = near_links(texts, Plan(0.7))
    sets = sorted_sets(shingles(texts, 5))
    pairs = [(a, b) for a in range(120) for b in range(a + 1, 120)]
    all_likeness = jaccard(sets, np.array([a for a, _ in pairs]), np.array([b for _, b in pairs]))
    clear = [pair for pair, s in zip(pairs, all_likeness, strict=True) if s >= 0.75]
    assert all(link.likeness >= 0.7 for link in links)
    roots = components(120, links)
    assert sum(roots[a] == roots[b] for a, b in clear) >= 0.97 * len(clear)
    assert len(clear) > 20


def test_the_signature_estimates_the_likeness_of_long_and_of_short_texts() -> None:
    dice = random.Random(2)
    for length, within in ((400, 0.03), (40, 0.06)):
        old = ["".join(dice.choice("市場株式債券為替上昇下落は、が。") for _ in range(length)) for _ in range(200)]
        new = [edited(text, length // 40, dice) for text in old]
        table = signatures(shingles(old + new, 3), 128)
        guess = (table[:200] == table[200:]).mean()
        exact = np.mean(likeness_of(list(zip(old, new, strict=True)), 3, "chars"))
        assert guess == pytest.approx(exact, abs=within)


@given(
    st.lists(
        st.text(
            st.characters(exclude_categories=["Cs"]) | st.sampled_from("がﾊﾟｶﾞ①㈱ＡａÅe\u0301 \u3000ﬁßΣ\x00가"),
            max_size=8,
        ),
        max_size=6,
    )
)
def test_the_quick_fold_is_plain(texts: list[str]) -> None:
    codes, lengths = _characters(texts)
    folded = [fold(text) for text in texts]
    assert lengths.tolist() == [len(text.replace("\x00", "")) for text in folded]
    assert "".join(map(chr, codes)) == "".join(folded).replace("\x00", "")


@given(st.lists(st.text("株式上昇。 ３3ａA", max_size=9), max_size=12), st.integers(1, 6))
def test_likeness_is_that_of_sets(texts: list[str], n: int) -> None:
    def runs(text: str) -> set[str]:
        text = fold(text)
        return {text[i : i + n] for i in range(max(len(text) - n + 1, 1))} - {""}

    couples = [(a, b) for a in texts for b in texts]
    wanted = [len(runs(a) & runs(b)) / len(runs(a) | runs(b)) if runs(a) | runs(b) else 0.0 for a, b in couples]
    assert likeness_of(couples, n, "chars") == pytest.approx(wanted)


def test_nothing_and_empty_texts_have_no_duplicates() -> None:
    assert list(near_links([])) == []
    assert list(near_links(["", " ", ""])) == []
    assert [link[:2] for link in near_links(["短", "短", ""])] == [(0, 1)]


def slow_links(texts: list[str], plan: Plan) -> list[Link]:
    """What `near_links` is to find, with a table for each band and all of it in memory."""
    size = plan.bands * plan.rows
    held = shingles(texts, plan.n, plan.unit)
    table = signatures(held, size)
    keys = bands_of(table, plan.bands)
    couples = set[tuple[int, int]]()
    for band in range(plan.bands):
        buckets: dict[int, list[int]] = {}
        for place in np.flatnonzero(np.diff(held.starts)):
            bucket = buckets.setdefault(int(keys[place, band]), [])
            couples.update({(bucket[0], int(place)), (bucket[-1], int(place))} if bucket else ())
            bucket.append(int(place))
    found = []
    for one, two in sorted(couples):
        equal = (table[one].astype(np.uint8) == table[two].astype(np.uint8)).mean()
        guess = (equal - 1 / 256) / (1 - 1 / 256)
        if guess >= plan.threshold - 0.1:
            exact = jaccard(held, np.array([one]), np.array([two]))[0] if guess < plan.threshold + 0.1 else guess
            found += [Link(one, two, float(exact))] if exact >= plan.threshold else []
    return found


PLANS = [
    Plan(0.6),
    Plan.at(0.8),
    Plan.at(0.45),
    Plan.at(0.3, n=2),
    Plan(0.5, 3, "written", 4, 1),
    Plan(0.5, 3, "chars", 2, 1),
]


@pytest.mark.parametrize("plan", PLANS, ids=lambda plan: f"{plan.threshold}-{plan.bands}x{plan.rows}")
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_memory_and_files_give_what_tables_give_also_of_large_classes(
    tmp_path: Path, plan: Plan, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    dice = random.Random(seed)
    texts = ["".join(dice.choice("市場株式債券為替上昇下落は、が。") for _ in range(80)) for _ in range(120)]
    texts += [edited(dice.choice(texts[:120]), dice.randrange(1, 9), dice) for _ in range(120)]
    texts += [texts[0]] * 150 + [edited(texts[1], 2, dice) for _ in range(150)] + ["", "  ", "短", "短い"]
    dice.shuffle(texts)
    wanted = slow_links(texts, plan)
    assert len(wanted) > 300
    held = near_links(texts, plan, block=50)
    assert list(held) == wanted
    assert list(near_links(texts, plan, block=17, folder=tmp_path)) == wanted
    monkeypatch.setattr(near, "_GATHERED", 100)  # judged in portions, some pairs more than once
    assert list(near_links(texts, plan)) == wanted
    assert [*held[2:5], held[-1]] == [*wanted[2:5], wanted[-1]]
    roots = components(len(texts), held)
    assert roots.tolist() == components(len(texts), wanted).tolist()
    assert len(set(roots[[place for place, text in enumerate(texts) if texts.count(text) > 100]])) == 1


def test_few_texts_at_a_time_are_read_of_the_shingles_in_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dice = random.Random(4)
    texts = ["".join(dice.choice("市場株式は、が。") for _ in range(dice.randrange(60))) for _ in range(90)]
    ends = np.array([(dice.randrange(90), dice.randrange(90)) for _ in range(400)])
    wanted = jaccard(shingles(texts, 3), ends[:, 0], ends[:, 1])
    for together in (1, 500, 1 << 22):  # one couple at a time, some, all
        monkeypatch.setattr(shelf, "_TOGETHER", together)
        with ShingleShelf(tmp_path / "shingles") as held:
            for begin in range(0, 90, 40):
                held.add(shingles(texts[begin : begin + 40], 3))
            assert held.jaccard(ends[:, 0], ends[:, 1]).tolist() == wanted.tolist()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
@pytest.mark.parametrize("name", ["shingles.u32", "column-3.u64"])
def test_a_full_disk_is_told_as_one(tmp_path: Path, name: str) -> None:
    (tmp_path / name).symlink_to("/dev/full")
    texts = [f"{number}番目の市場は上昇した。" * 9 for number in range(3000)]
    with pytest.raises(OSError, match="No space left on device"):
        near_links(texts, folder=tmp_path)


def test_files_hold_what_memory_would(tmp_path: Path) -> None:
    dice = random.Random(9)
    texts = ["".join(dice.choice("市場株式債券為替上昇下落は、が。") for _ in range(80)) for _ in range(40)]
    texts += ["", *(edited(text, 2, dice) for text in texts)]
    assert list(near_links(texts, Plan(0.6), block=7, folder=tmp_path)) == list(near_links(texts, Plan(0.6)))
    assert len(near_links(texts, Plan(0.6))) > 20
    (tmp_path / "none").mkdir()
    assert list(near_links([], folder=tmp_path / "none")) == []
