"""The step that takes personal data out of pairs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

from tensaku.curate.personal.finding import DEFAULT, Kind
from tensaku.curate.personal.masking import Mode, masked, read_key
from tensaku.curate.steps import Step, drop, one_by_one
from tensaku.errors import UsageError
from tensaku.plugins import NamedFile, steps
from tensaku.records import Pair

__all__ = ["personal"]


@steps.register("personal")
@one_by_one
def personal(
    rows: Iterable[Pair],
    tally: Counter[str],
    /,
    *,
    do: Mode | Literal["drop", "count"] = "number",
    kinds: Sequence[Kind] = DEFAULT,
    key: NamedFile = "",
) -> Step:
    """Take personal data out of both sides alike; the tally says how many of each kind were found.

    Args:
        do: "number" writes 〔氏名1〕, counted within the pair; "redact" 〔氏名〕; "pseudonym" a sealed word that the
            key turns back; "drop" sets such pairs aside: `personal-data`; "count" changes nothing.
        kinds: what is looked for. Companies and corporate numbers are left alone unless named here.
        key: for "pseudonym", the file of the key; keep it apart from the pool.

    Raises:
        UsageError: a pseudonym is wanted without a key, or the key is not there.
    """
    if do == "pseudonym" and not key:
        fix = 'Say key = "FILE"; make one with python -m tensaku.curate.personal new-key FILE'
        raise UsageError("a pseudonym needs a key", where="step 'personal'", fix=fix)
    secret = read_key(Path(key).expanduser()) if do == "pseudonym" else b""
    mode: Mode = "number" if do in ("drop", "count") else do  # type: ignore[assignment]
    for pair in rows:
        texts, found = masked((pair.draft, pair.final), mode, kinds, secret)
        for finding in found:
            tally[finding.kind] += 1
        if found and do == "drop":
            named = ", ".join(sorted({finding.kind for finding in found}))
            yield drop(pair, "personal-data", f"the pair holds personal data: {named}")
        elif found and do != "count":
            tally["pairs changed"] += 1
            yield replace(pair, draft=texts[0], final=texts[1])
        else:
            yield pair
