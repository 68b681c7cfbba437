"""A desk with passwords, four eyes and many drafts, in a process of its own: python account_server.py FOLDER PORT."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from tensaku.desk import AccessRules, mount
from tensaku.desk.access import OidcRules
from tensaku.ledger import Ledger, NewDraft
from tensaku.revise import Job
from tensaku.serve import build_app, run
from tensaku.testing import ScriptedEngine

DRAFT = "当月の市場は{n}.5％上昇した。"
PASSWORD = "correct-horse-1"


def fill(ledger: Ledger) -> None:
    people = (("sato", "佐藤 美咲", "writer"), ("mori", "森 直子", "reviewer"), ("kansa", "監査 太郎", "auditor"))
    for name, display, role in people:
        ledger.add_person(name, display, (role,))
        ledger.set_password(name, PASSWORD)
    for n in range(24):
        ledger.add_draft(
            NewDraft(DRAFT.format(n=n), "青葉", f"ファンド{n // 3}", "market", "2026-10", "sample", str(n))
        )


def main() -> None:
    folder, port = Path(sys.argv[1]), int(sys.argv[2])
    ledger = Ledger.open(folder / "ledger.db", review=True)
    if not ledger.people():
        fill(ledger)
    engine = ScriptedEngine(lambda asked: asked[-1].content.split("当月")[-1].replace("した", "しました"), delay=0.01)
    app = build_app(engine=engine)
    oidc = OidcRules(os.environ.get("OIDC_ISSUER", ""), "RS256", os.environ.get("TENSAKU_OIDC_SECRET", ""))
    mount(app, ledger=ledger, engine=engine, job=Job("直してください。"), access=AccessRules(open=False, oidc=oidc))
    run(app, port=port, ready=lambda url: print(url, flush=True))


if __name__ == "__main__":
    main()
