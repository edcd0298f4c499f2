"""Make the virtual environment from the locked, hashed requirements; standard library only.

Usage: python3 -m identity_project.bootstrap base|dev

It runs before any package is there. A stamp in the environment holds the lock's hash, so that a start
with nothing to install takes no time.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

from identity_project.trouble import Trouble

ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENT = ROOT / ".venv"
PYTHON = ENVIRONMENT / "bin" / "python"
# dev.txt holds everything base.txt does, at the same versions
INCLUDED = {"base": ("base",), "dev": ("base", "dev")}
MINIMUM = (3, 11)
ALMOST_FULL = 50_000_000  # bytes
_NO_NETWORK = (
    "NewConnectionError",
    "NameResolutionError",
    "ConnectTimeoutError",
    "Max retries",
    "name resolution",
    "Temporary failure resolving",
    "Could not resolve",
    "Could not connect",
    "Unable to connect",
)


def ensure_environment(kind: str) -> None:
    """Leave an environment that holds what requirements/{kind}.txt locks, whatever was there before."""
    _require_python()
    _require_writable(ROOT)
    folder = os.open(ROOT, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)  # a second make waits here for the first one's environment
        if not _is_current(kind):
            _build(kind)
    finally:
        os.close(folder)


def _build(kind: str) -> None:
    os.umask(0o022)  # as root, PostgreSQL's account must be able to read its programs
    if not _works():
        print(f"Making the environment in {ENVIRONMENT.name} …", flush=True)
        _make_environment()
    print(f"Installing the packages of requirements/{kind}.txt, once …", flush=True)
    _install(kind)
    for name in INCLUDED[kind]:
        _stamp(name).write_text(_fingerprint(name))


def _is_current(kind: str) -> bool:
    stamp = _stamp(kind)
    return _works() and stamp.exists() and stamp.read_text() == _fingerprint(kind)


def _works() -> bool:
    """Whether the environment's Python starts and is new enough; a moved or updated one may not."""
    program = f"import sys; sys.exit(sys.version_info < {MINIMUM})"
    return PYTHON.exists() and subprocess.run([str(PYTHON), "-c", program], check=False).returncode == 0


def _stamp(kind: str) -> Path:
    return ENVIRONMENT / f".installed-{kind}"


def _fingerprint(kind: str) -> str:
    return hashlib.sha256((ROOT / "requirements" / f"{kind}.txt").read_bytes()).hexdigest()


def _make_environment() -> None:
    shutil.rmtree(ENVIRONMENT, ignore_errors=True)
    if importlib.util.find_spec("ensurepip") is None or importlib.util.find_spec("venv") is None:
        _install_venv_package()
    done = subprocess.run([sys.executable, "-m", "venv", str(ENVIRONMENT)], capture_output=True, text=True)
    if done.returncode:
        shutil.rmtree(ENVIRONMENT, ignore_errors=True)
        raise Trouble(_sentence(done.stdout + done.stderr, "The environment could not be made"))


def _install_venv_package() -> None:
    """Debian and Ubuntu keep venv in a package of its own; root gets it, others are told how."""
    package = f"python{sys.version_info.major}.{sys.version_info.minor}-venv"
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise Trouble(
            f"Python's venv module is missing: run `apt-get install {package}` as root, then start again."
        )
    print(f"Python's venv module is missing, installing {package} …", flush=True)
    _, told = _apt_get("update")  # ends well without a network too, and says so
    failed, why = _apt_get("install", "--yes", package)
    if failed:
        raise Trouble(
            _sentence(told + why, f"Python's venv module is missing and {package} could not be installed")
        )


def _apt_get(*words: str) -> tuple[int, str]:
    """Return the exit status, and all that was said, in English."""
    done = subprocess.run(
        ["apt-get", *words],
        env={**os.environ, "LC_ALL": "C"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout


def _install(kind: str) -> None:
    words = [
        str(PYTHON), "-m", "pip", "install", "--quiet", "--require-hashes", "--no-input",
        "--disable-pip-version-check", "--no-warn-script-location", "--retries", "2",
        "--requirement", str(ROOT / "requirements" / f"{kind}.txt"),
    ]  # fmt: skip
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode:
        raise Trouble(_sentence(done.stdout, "The packages could not be installed"))


def _sentence(output: str, failed: str) -> str:
    if any(sign in output for sign in _NO_NETWORK):
        return f"{failed}: the package index cannot be reached; connect this machine to it and start again."
    if "No space left" in output or shutil.disk_usage(ROOT).free < ALMOST_FULL:
        return f"{failed}: the disk is full; about 1 GB is needed in {ROOT}."
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    return f"{failed}: {lines[-1] if lines else 'no reason was given'}"


def _require_python() -> None:
    if sys.version_info < MINIMUM:
        have, wanted = (".".join(map(str, version[:2])) for version in (sys.version_info, MINIMUM))
        raise Trouble(
            f"This is Python {have}, {wanted} or newer is needed: install it, or name it as PYTHON=…"
        )


def _require_writable(folder: Path) -> None:
    if not os.access(folder, os.W_OK):
        raise Trouble(f"Cannot write in {folder}: use a copy of the project in a folder of yours.")


def main() -> int:
    kind = sys.argv[1] if len(sys.argv) == 2 else ""
    if kind not in INCLUDED:
        print("Say which requirements to install: base or dev.", file=sys.stderr)
        return 2
    try:
        ensure_environment(kind)
    except Trouble as trouble:
        print(trouble, file=sys.stderr)
        return 1
    except OSError as error:
        print(f"The environment could not be made: {error.strerror} ({error.filename}).", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
