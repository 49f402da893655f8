"""What the drill ran on; no name of a host and no path."""

import os
import platform
from importlib.metadata import version

_PACKAGES = ("uvicorn", "uvloop", "asyncpg", "litestar", "strawberry-graphql")


def facts() -> list[str]:
    """Describe the machine and what runs on it, a line each."""
    python = f"{platform.python_implementation()} {platform.python_version()}"
    packages = ", ".join(f"{name} {version(name)}" for name in _PACKAGES)
    cores = f"{os.cpu_count()} cores, {platform.machine()}, {platform.system()}"
    together = "both replicas, the databases, the balancer and the clients share the cores"
    return [
        f"{cores}; {python}, {packages}",
        f"PostgreSQL with its default settings, fsync on; {together}",
        f"load average before the start: {os.getloadavg()[0]:.1f}; above 0.5 it was shared",
    ]
