"""What is done from the command line is on record as well, as done by the product itself."""

import json
import sqlite3
from pathlib import Path

ADA = {"emails": [{"address": "ada@example.com"}]}


def recorded(folder: Path) -> list[tuple[str, str]]:
    """The records since the last look, oldest first: their types and by whom."""
    with sqlite3.connect(folder / "sekisho.sqlite", isolation_level=None) as database:
        rows = database.execute("SELECT type, actor_kind FROM audit_event ORDER BY id").fetchall()
        database.execute("DELETE FROM audit_event")
    database.close()
    return rows


def test_each_command_that_changes_something_leaves_a_record_sec_118(sekisho, tmp_path):
    def done(*words: str, **environment: str) -> tuple[str, list[str]]:
        """Run a command, and say what it told and what it left."""
        outcome = sekisho(*words, **environment)
        assert outcome.status == 0, outcome.err
        rows = recorded(tmp_path / "data")
        assert {who for _, who in rows} <= {"system"}
        return outcome.out, [kind for kind, _ in rows]

    header = {"format": "sekisho.users", "version": 1}
    Path("users.ndjson").write_text("".join(json.dumps(one) + "\n" for one in (header, ADA)))
    done("migrate", "up")
    imported = ["signing_key_created", "users_imported"]
    assert done("user", "import", "users.ndjson")[1] == imported
    assert done("user", "export", "-o", "all.ndjson")[1] == ["users_exported"]
    ada = json.loads(Path("all.ndjson").read_text().splitlines()[1])["id"]
    assert done("jwt", "create", ada)[1] == ["session_created"]
    assert done("key", "create")[1] == ["secret_key_created"]
    (made,) = json.loads(done("key", "list", "--json")[0])
    assert done("key", "revoke", made["id"])[1] == ["secret_key_revoked"]
    assert done("jwk", "create")[1] == ["signing_key_created"]
    assert done("jwk", "rotate", "--now")[1] == ["signing_key_rotated"]
    for reading in (
        ("key", "list"),
        ("jwk", "list"),
        ("webhook", "list"),
        ("cleanup",),
        ("cleanup", "--run"),
        ("user", "validate", "users.ndjson", "--on-conflict", "skip"),
        ("config", "check"),
        ("migrate", "status"),
    ):
        assert done(*reading)[1] == [], reading


def test_a_trial_leaves_none(sekisho, tmp_path):
    header = {"format": "sekisho.users", "version": 1}
    Path("users.ndjson").write_text("".join(json.dumps(one) + "\n" for one in (header, ADA)))
    sekisho("migrate", "up")
    sekisho("key", "list")
    recorded(tmp_path / "data")
    assert sekisho("user", "validate", "users.ndjson").status == 0
    assert recorded(tmp_path / "data") == []
