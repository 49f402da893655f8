"""Where the encryption secrets come from (SEC-120)."""

import asyncio
import stat
from pathlib import Path

import pytest

from app.config import Config, Secret
from app.config.sections import Secrets
from app.keys import KeysUnreadable, encryption_secrets

OWN = Secret("a-secret-of-my-own")
OLD = Secret("an-older-one-of-mine")


def test_the_configured_ones_come_in_their_order(tmp_path):
    config = Config(secret_keys=[OWN, OLD], data_dir=str(tmp_path / "data"))
    assert encryption_secrets(config) == [OWN.reveal(), OLD.reveal()]
    assert not (tmp_path / "data").exists()


def test_the_old_place_counts_where_the_new_one_is_empty():
    assert encryption_secrets(Config(secrets=Secrets(keys=[OLD]))) == [OLD.reveal()]
    both = Config(secret_keys=[OWN], secrets=Secrets(keys=[OLD]))
    assert encryption_secrets(both) == [OWN.reveal()]


def test_production_without_a_secret_is_refused_and_makes_none(tmp_path):
    """SEC-120"""
    with pytest.raises(KeysUnreadable):
        encryption_secrets(Config(environment="production", data_dir=str(tmp_path)))
    assert list(tmp_path.iterdir()) == []


def test_development_makes_one_and_keeps_it_to_itself(tmp_path):
    """SEC-120"""
    config = Config(data_dir=str(tmp_path / "a" / "b"))
    (made,) = encryption_secrets(config)
    file = tmp_path / "a" / "b" / "encryption.key"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) & 0o077 == 0
    assert len(made) >= 43
    assert encryption_secrets(config) == [made]
    (other,) = encryption_secrets(Config(data_dir=str(tmp_path / "c")))
    assert other != made


async def test_processes_that_start_together_make_one_and_read_it_whole(tmp_path):
    """SEC-120"""
    for n in range(10):
        config = Config(data_dir=str(tmp_path / str(n)))
        starts = (asyncio.to_thread(encryption_secrets, config) for _ in range(12))
        found = await asyncio.gather(*starts)
        assert len({one for (one,) in found}) == 1
        assert [file.name for file in (tmp_path / str(n)).iterdir()] == ["encryption.key"]


def test_an_existing_file_is_read_and_left_as_it_is(tmp_path):
    file = tmp_path / "encryption.key"
    file.write_text("  kept-from-another-day\n")
    assert encryption_secrets(Config(data_dir=str(tmp_path))) == ["kept-from-another-day"]
    assert file.read_text() == "  kept-from-another-day\n"


@pytest.mark.parametrize("content", [b"", b"   \n", b"too short", b"\xff" * 40])
def test_a_damaged_file_is_refused_and_not_replaced(tmp_path, content):
    """SEC-120"""
    file = tmp_path / "encryption.key"
    file.write_bytes(content)
    with pytest.raises(KeysUnreadable) as refused:
        encryption_secrets(Config(data_dir=str(tmp_path)))
    assert str(file) in str(refused.value)
    assert file.read_bytes() == content


def test_a_place_that_cannot_be_written_is_refused(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(KeysUnreadable):
        encryption_secrets(Config(data_dir=str(tmp_path / "file" / "data")))
    directory = tmp_path / "data" / "encryption.key"
    directory.mkdir(parents=True)
    with pytest.raises(KeysUnreadable):
        encryption_secrets(Config(data_dir=str(Path(directory).parent)))
