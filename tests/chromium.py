"""The Chromium of the browser tests: found on the machine, or installed by `make test`."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def find() -> Path | None:
    """CHROMIUM names one; else the system's is taken, else the one Playwright keeps in its cache."""
    named = os.environ.get("CHROMIUM")
    if named:
        return Path(named)
    found = next(filter(None, map(shutil.which, NAMES)), None)
    return Path(found) if found else _kept_by_playwright()


def install() -> Path:
    """Install one: by apt-get as root, else into Playwright's cache; exit with a sentence if that fails."""
    for command in _ways():
        print(f"No Chromium here, the browser tests need one: {' '.join(command)}", flush=True)
        done = subprocess.run(command, check=False, stdin=subprocess.DEVNULL)
        found = find() if done.returncode == 0 else None
        if found:
            return found
    sys.exit(
        "No Chromium could be installed: install the package chromium, or set CHROMIUM to the path of one, "
        "and run again."
    )


def _ways() -> list[list[str]]:
    by_playwright = [sys.executable, "-m", "playwright", "install", "chromium"]
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        return [by_playwright]
    install_package = "apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install --yes chromium"
    return [["sh", "-c", install_package], by_playwright]


def _kept_by_playwright() -> Path | None:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        path = Path(playwright.chromium.executable_path)
    return path if path.exists() else None


if __name__ == "__main__":
    print(f"Browser tests use {find() or install()}")
