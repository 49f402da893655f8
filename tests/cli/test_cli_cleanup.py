"""`sekisho cleanup`: what has expired is counted, and removed where that is asked for."""

import json
import re

from app.upkeep import TABLES


def test_it_counts_without_being_told_to_remove(sekisho, new_database):
    sekisho("migrate", "up", **new_database)
    told = sekisho("cleanup", **new_database)
    assert (told.status, told.err) == (0, "")
    lines = told.out.splitlines()
    assert [line.split()[0] for line in lines[:-1]] == list(TABLES)
    assert all(re.fullmatch(r"\S+ +0", line) for line in lines[:-1])
    assert lines[-1].strip() == "to remove; --run removes them"


def test_it_removes_and_says_how_many_to_a_program(sekisho, new_database):
    sekisho("key", "create", **new_database)
    short = {"AUDIT_LOG_RETENTION": "1ms"}
    told = sekisho("cleanup", "--tables", "audit_logs", "--json", **short, **new_database)
    (counted,) = json.loads(told.out)
    assert counted["found"] >= 1
    assert counted == {"table": "audit_logs", "found": counted["found"], "removed": 0}
    told = sekisho("cleanup", "--run", "-t", "audit_logs", "--json", **short, **new_database)
    assert json.loads(told.out) == [{**counted, "removed": counted["found"]}]
    told = sekisho("cleanup", "--run", "-t", "audit_logs", **short, **new_database)
    assert re.fullmatch(r"audit_logs +0\n +removed\n", told.out)


def test_a_table_that_there_is_not_is_a_misuse(sekisho):
    refused = sekisho("cleanup", "--tables", "audit_logs,users")
    assert refused.status == 2
    assert "There is no 'users'" in refused.err
