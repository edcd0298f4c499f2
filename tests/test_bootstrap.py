"""Making the environment: what stands in the way is told in a sentence, what is there is not made again."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from identity_project import bootstrap
from identity_project.trouble import Trouble
from tests.ordinary_user import ordinary_user

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """As much of the project as the bootstrap reads, in an empty folder."""
    (tmp_path / "identity_project").mkdir()
    for name in ("__init__.py", "bootstrap.py", "trouble.py"):
        shutil.copy(ROOT / "identity_project" / name, tmp_path / "identity_project")
    shutil.copytree(ROOT / "requirements", tmp_path / "requirements")
    return tmp_path


def run(clone: Path, *before: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*before, sys.executable, "-m", "identity_project.bootstrap", "base"],
        cwd=clone,
        env={"PATH": os.environ["PATH"], "HOME": str(clone), **variables},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def without_network() -> dict[str, str]:
    """Point pip at a port of this machine where nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{probe.getsockname()[1]}/"
    return {"PIP_INDEX_URL": address, "PIP_CONFIG_FILE": os.devnull, "PIP_NO_CACHE_DIR": "1"}


class TestBootstrap:
    def test_without_a_network_it_says_so_and_leaves_no_stamp(self, clone: Path) -> None:
        done = run(clone, **without_network())
        assert done.returncode == 1
        assert done.stderr.splitlines() == [
            "The packages could not be installed: the package index cannot be reached; "
            "connect this machine to it and start again."
        ]
        assert not list((clone / ".venv").glob(".installed-*"))

    def test_an_unknown_kind_is_refused(self, clone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sys, "argv", ["bootstrap", "prod"])
        assert bootstrap.main() == 2

    def test_too_old_a_python_is_named(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(bootstrap, "MINIMUM", (99, 0))
        with pytest.raises(Trouble, match=r"This is Python 3\.\d+, 99.0 or newer is needed"):
            bootstrap.ensure_environment("base")

    def test_a_read_only_project_is_named(self, clone: Path) -> None:
        clone.chmod(0o555)

        done = run(clone, *ordinary_user())

        assert (done.returncode, done.stderr) == (
            1, f"Cannot write in {clone}: use a copy of the project in a folder of yours.\n",
        )  # fmt: skip
        assert not (clone / ".venv").exists()

    def test_debians_missing_package_is_named(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(os, "geteuid", lambda: 1000)
        with pytest.raises(Trouble, match=r"apt-get install python3\.\d+-venv"):
            bootstrap._install_venv_package()

    @pytest.mark.parametrize(
        ("told", "reason"),
        [
            ("Temporary failure resolving 'packages.example'", "the package index cannot be reached"),
            ("E: Could not get lock /var/lib/dpkg/lock", "E: Could not get lock /var/lib/dpkg/lock"),
        ],
    )
    def test_root_is_told_why_it_could_not_be_installed(
        self, told: str, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        script = tmp_path / "apt-get"
        script.write_text(f'#!/bin/sh\necho "{told}"\n[ "$1" = update ]\n')
        script.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
        monkeypatch.setattr(os, "geteuid", lambda: 0)

        with pytest.raises(Trouble, match=r"python3\.\d+-venv could not be installed: ") as refusal:
            bootstrap._install_venv_package()
        assert reason in str(refusal.value)

    @pytest.mark.parametrize(
        ("output", "reason"),
        [
            ("ERROR: [Errno 28] No space left on device", "the disk is full"),
            ("x\nERROR: THESE PACKAGES DO NOT MATCH THE HASHES\n\n", "DO NOT MATCH THE HASHES"),
            ("", "no reason was given"),
        ],
    )
    def test_pips_last_words_become_a_sentence(self, output: str, reason: str) -> None:
        assert reason in bootstrap._sentence(output, "The packages could not be installed")

    def test_a_full_disk_is_the_reason_even_when_nobody_says_so(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(bootstrap, "ALMOST_FULL", 10**18)
        assert "the disk is full" in bootstrap._sentence(
            "ensurepip failed", "The environment could not be made"
        )

    def test_only_a_changed_lock_is_installed_anew(
        self, clone: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(bootstrap, "ROOT", clone)
        monkeypatch.setattr(bootstrap, "ENVIRONMENT", clone)
        monkeypatch.setattr(bootstrap, "PYTHON", Path(sys.executable))
        bootstrap._stamp("base").write_text(bootstrap._fingerprint("base"))
        assert bootstrap._is_current("base")
        assert not bootstrap._is_current("dev")

        with (clone / "requirements" / "base.txt").open("a") as lock:
            lock.write("# changed\n")
        assert not bootstrap._is_current("base")
