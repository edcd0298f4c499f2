"""What is ours in the folder that VAR_DIR names: another's folder, or another's file in it, is left alone."""

from __future__ import annotations

import shutil
from pathlib import Path

# One of them lies in every folder a launcher has worked in.
SIGNS = ("launcher.lock", "postgres/PG_VERSION")
# Everything a launcher, the site and its commands keep.
OURS = (
    "postgres", "log", "processes", "run", "static", "static.stamp", "rejects",
    "accounts.txt", "demo*.txt", "demo*.draft", "secret_key", "secret_key.*", "launcher.lock",
)  # fmt: skip
# Where `make bench` works: such a folder in ours.
_BENCH = "bench"


def is_ours(var: Path) -> bool:
    """Whether a launcher has worked in the folder."""
    return any((var / sign).is_file() for sign in SIGNS)


def why_not_ours(var: Path) -> str:
    if not var.exists():
        return f"there is no {var}"
    return f"{var} holds neither {' nor '.join(SIGNS)}, so it is no folder of Identity Desk"


def delete_ours(var: Path) -> list[str]:
    """Delete what is ours, and the folder where nothing else is in it; return the names of what is left."""
    if is_ours(var / _BENCH):
        shutil.rmtree(var / _BENCH)
    for path in [found for name in OURS for found in var.glob(name)]:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
    left = sorted(path.name for path in var.iterdir())
    if not left and not var.is_symlink():
        var.rmdir()
    return left
