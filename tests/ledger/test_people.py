import pytest

from tensaku.errors import NotFound, UsageError
from tensaku.ledger import Ledger


def test_a_person_is_kept_with_roles_and_only_once(ledger: Ledger) -> None:
    again = ledger.add_person("sato", "佐藤 花子", ("developer", "writer"))
    assert again == ledger.person("sato")
    assert [p.name for p in ledger.people()] == ["sato", "tanaka"]
    assert again.roles == ("writer", "developer")
    assert again.at.tzinfo is not None


def test_a_name_is_never_given_to_another(ledger: Ledger) -> None:
    with pytest.raises(UsageError, match="already 佐藤 花子"):
        ledger.add_person("sato", "佐藤 次郎")


@pytest.mark.parametrize("name", ["", "system", "a b", "x" * 65, "a/b", "a\x00"])
def test_a_name_that_cannot_sign_is_refused(ledger: Ledger, name: str) -> None:
    with pytest.raises(UsageError, match="cannot be a person's name"):
        ledger.add_person(name, "誰か")


def test_an_unknown_role_names_the_nearest(ledger: Ledger) -> None:
    with pytest.raises(NotFound, match="approver"):
        ledger.add_person("abe", "阿部", ("aprover",))


def test_an_unknown_person_names_the_nearest_and_never_the_system(ledger: Ledger) -> None:
    with pytest.raises(NotFound, match="Did you mean sato"):
        ledger.person("satoh")
    with pytest.raises(NotFound) as caught:
        ledger.person("sistem")
    assert "system" not in str(caught.value)


def test_who_left_signs_no_more_and_what_was_signed_stays(ledger: Ledger) -> None:
    ledger.set_active("tanaka", False, by="sato")
    with pytest.raises(UsageError, match="no longer active"):
        ledger.add_person("abe", "阿部", by="tanaka")
    assert ledger.person("tanaka").active is False
    ledger.set_active("tanaka", True, by="sato")
    assert ledger.set_roles("tanaka", ("auditor",), by="sato").roles == ("auditor",)
    assert ledger.verify_records() == []
    assert [(e.who, e.what, e.subject) for e in ledger.log()][-2:] == [
        ("sato", "person.active", "person:tanaka"),
        ("sato", "person.roles", "person:tanaka"),
    ]


def test_the_system_itself_is_left_alone(ledger: Ledger) -> None:
    with pytest.raises(UsageError, match="stays as it is"):
        ledger.set_active("system", False)
