"""Where the encryption secrets come from."""

import contextlib
import os
import secrets
import tempfile
from pathlib import Path

from app.config.sections import Config
from app.keys.errors import KeysUnreadable

FILE = "encryption.key"


def encryption_secrets(config: Config) -> list[str]:
    """Give the configured secrets; development makes one of its own and keeps it.

    Raises:
        KeysUnreadable: Production has none, or the kept one cannot be read.
    """
    configured = [secret.reveal() for secret in config.secret_keys or config.secrets.keys]
    if configured:
        return configured
    if config.is_production:
        raise KeysUnreadable("There is no encryption secret; set secret_keys (SECRET_KEYS).")
    return [_kept(Path(config.data_dir) / FILE)]


def _kept(path: Path) -> str:
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not path.exists():
            _make(path)
        secret = path.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise KeysUnreadable(f"The encryption key in {path} cannot be read or written.") from error
    if len(secret) < 16:  # noqa: PLR2004  # SEC-120
        raise KeysUnreadable(f"The encryption key in {path} is damaged.")
    return secret


def _make(path: Path) -> None:
    """Put a whole file in its place at once, unless another process has just done so."""
    handle, draft = tempfile.mkstemp(dir=path.parent)  # for nobody else to read
    try:
        with os.fdopen(handle, "w") as file:
            file.write(secrets.token_urlsafe(32))
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
    finally:
        Path(draft).unlink()
