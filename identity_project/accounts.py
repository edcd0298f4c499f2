"""Who the embedded servers run as: PostgreSQL refuses root, so root starts them as another account."""

from __future__ import annotations

import os
import pwd
import stat
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from identity_project.trouble import Trouble

ACCOUNT = "identity-desk"


@dataclass(frozen=True, slots=True)
class Account:
    """A system account; `uid` is None for "whoever started us"."""

    uid: int | None = None
    gid: int | None = None

    def popen_arguments(self) -> dict[str, Any]:
        if self.uid is None:
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def make_folder(self, path: Path) -> None:
        """Make a folder only this account can enter, or take it over."""
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self.uid is not None and self.gid is not None:
            os.chown(path, self.uid, self.gid)


def account_for(data: Path) -> Account:
    """The account that shall own `data`: ourselves, or for root the owner it has, or ours made for it."""
    if os.geteuid() != 0:
        return Account()
    if data.exists() and data.stat().st_uid != 0:
        return Account(uid=data.stat().st_uid, gid=data.stat().st_gid)
    entry = _find_account() or _make_account()
    return Account(uid=entry.pw_uid, gid=entry.pw_gid)


def open_the_way(account: Account, targets: Iterable[Path]) -> list[Path]:
    """Let another account pass through (not list) the folders above each target; return those changed."""
    if account.uid is None:
        return []
    above = dict.fromkeys(folder for target in targets for folder in target.resolve().parents)
    closed = [folder for folder in above if not _passable(folder)]
    for folder in closed:
        folder.chmod(stat.S_IMODE(folder.stat().st_mode) | stat.S_IXOTH)
    return closed


def _passable(folder: Path) -> bool:
    return bool(folder.stat().st_mode & stat.S_IXOTH)


def _find_account() -> pwd.struct_passwd | None:
    try:
        return pwd.getpwnam(ACCOUNT)
    except KeyError:
        return None


def _make_account() -> pwd.struct_passwd:
    command = ["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", ACCOUNT]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise Trouble(
            f"PostgreSQL refuses to run as root and the account {ACCOUNT!r} could not be made for it: "
            "run as an ordinary user, or give DATABASE_URL."
        ) from error
    return pwd.getpwnam(ACCOUNT)
