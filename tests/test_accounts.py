"""The commands of people, end to end."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tensaku.deploy import _of_sign_in as of_sign_in
from tensaku.deploy import access_rules
from tensaku.desk import AccessRules
from tensaku.errors import UsageError
from tensaku.pipeline import Workspace
from tensaku.testing import tiny_desk


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tiny_desk(tmp_path / "desk")


def test_a_person_is_added_bounded_disabled_and_let_in_again(cli: Callable[..., Any], folder: Path) -> None:
    add = ("user", "add", "mori", "--display", "森 直子", "--role", "reviewer", "--role", "writer")
    added = cli(*add, "--fund", "国内株式F", "--password", "-C", folder)
    assert added.code == 0
    once = added.out.split("Password  ")[1].split()[0]
    assert "only fund:国内株式F; password to be changed" in cli("user", "list", "-C", folder).out
    with Workspace.open(folder).open_ledger() as ledger:
        person = ledger.check_password("mori", once)
        assert person is not None
        assert person.credential == "once"
        token = ledger.begin_session("mori", how="password", hours=1)
    assert "森 直子  auditor; only fund:国内株式F" in cli("user", "set", "mori", "--role", "auditor", "-C", folder).out
    assert "only" not in cli("user", "set", "mori", "--all", "-C", folder).out
    assert "disabled" in cli("user", "disable", "mori", "-C", folder).out
    assert "disabled" not in cli("user", "enable", "mori", "-C", folder).out
    with Workspace.open(folder).open_ledger() as ledger:
        assert ledger.session(token, idle_minutes=5) is None
        token = ledger.begin_session("mori", how="password", hours=1)
    assert cli("user", "signout", "mori", "-C", folder).code == 0
    with Workspace.open(folder).open_ledger() as ledger:
        assert ledger.session(token, idle_minutes=5) is None


def test_a_password_is_printed_once_or_read_and_never_shown(
    cli: Callable[..., Any], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cli("user", "add", "mori", "-C", folder)
    assert "It works once" in cli("user", "password", "mori", "-C", folder).out
    monkeypatch.setattr("sys.stdin", io.StringIO("正しい合言葉は長い1\n"))
    read = cli("user", "password", "mori", "--stdin", "-C", folder)
    assert read.code == 0
    assert "正しい" not in read.out
    with Workspace.open(folder).open_ledger() as ledger:
        assert ledger.check_password("mori", "正しい合言葉は長い1") is not None
    assert cli("user", "list", "--json", "-C", folder).json[0]["password"] == "set"
    monkeypatch.setattr("sys.stdin", io.StringIO("short\n"))
    assert "too short" in cli("user", "password", "mori", "--stdin", "-C", folder).err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("password", "nobody"), "no person 'nobody'"),
        (("disable", "system"), "Tensaku itself"),
        (("set", "mori"), "nothing to change"),
        (("set", "mori", "--role", "boss"), "no role 'boss'"),
        (("set", "mori", "--all", "--fund", "x"), "too much"),
        (("add", "abe", "--fund", " "), "bounds no right"),
    ],
)
def test_a_mistake_is_one_message(cli: Callable[..., Any], folder: Path, words: tuple[str, ...], said: str) -> None:
    cli("user", "add", "mori", "-C", folder)
    told = cli("user", *words, "-C", folder)
    assert told.code == 2
    assert said in told.err
    assert told.err.count("\n") == 1
    assert [row["name"] for row in cli("user", "list", "--json", "-C", folder).json] == ["mori"]


def test_beyond_this_machine_a_password_is_always_asked_for(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = Workspace.open(folder)
    assert access_rules(plain, loopback=True, tls=False).open
    assert not access_rules(plain, loopback=False, tls=False).open
    assert access_rules(plain, loopback=False, tls=True).secure
    assert not access_rules(Workspace.open(folder, ['desk.sign_in="always"']), loopback=True, tls=False).open
    sso = ['desk.oidc.issuer="https://sso.example"', 'desk.oidc.client_id="tensaku"']
    monkeypatch.setenv("TENSAKU_OIDC_SECRET", "s3cret")
    rules = access_rules(Workspace.open(folder, sso), loopback=True, tls=False)
    assert (rules.open, rules.oidc.client_secret) == (False, "s3cret")
    assert "s3cret" not in repr(rules)
    with pytest.raises(UsageError, match="client name"):
        access_rules(Workspace.open(folder, sso[:1]), loopback=True, tls=False)


def test_whoever_starts_the_server_is_told_who_can_come_in(folder: Path) -> None:
    with Workspace.open(folder).open_ledger() as ledger:
        ledger.add_person("mori", "森")
        assert "open: whoever" in of_sign_in(AccessRules(open=True), ledger)[0]
        told = "\n".join(of_sign_in(AccessRules(open=False), ledger))
        assert "unencrypted" in told
        assert "nobody has a password yet" in told
        ledger.set_password("mori", "correct-horse-1")
        assert of_sign_in(AccessRules(open=False, secure=True), ledger) == []
