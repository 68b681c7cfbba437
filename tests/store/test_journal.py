from pathlib import Path

from tensaku.store import Journal


def test_records_come_back_and_a_torn_last_line_is_cut_off(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "log.jsonl")
    assert journal.read() == []
    records = [{"n": n, "text": "一行\u2028目\n" * n} for n in range(3)]
    for record in records:
        journal.append(record)
    assert journal.read() == records
    whole = journal.path.read_bytes()
    assert whole.isascii()
    for cut in range(1, len(whole.splitlines()[-1]) + 1):
        journal.path.write_bytes(whole[:-cut])
        assert journal.read() == records[:2]
        journal.append(records[2])
        assert journal.path.read_bytes() == whole


def test_what_a_lost_power_left_is_cut_off_too(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "log.jsonl")
    journal.append({"n": 1})
    for left in (b"\0" * 80 + b"\n", b"[1]\n", b'{"n": 2\n{"n": 3}\n'):
        with journal.path.open("ab") as file:
            file.write(left)
        assert journal.read() == [{"n": 1}]
        assert journal.path.read_bytes() == b'{"n": 1}\n'
    journal.remove()
    assert journal.read() == []
