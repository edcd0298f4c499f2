"""Programs run as an ordinary user, also where the tests are run by root."""

from __future__ import annotations

import os

NOBODY = 65534
# To read what root installed under a home of its own; a folder that is not its own it cannot write in.
_READS_ALL = "+dac_read_search"


def ordinary_user() -> list[str]:
    """Return the words that go before a command, so that no root runs it."""
    if os.geteuid():
        return []
    return [
        "setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups",
        f"--inh-caps={_READS_ALL}", f"--ambient-caps={_READS_ALL}",
    ]  # fmt: skip


def give(folder: str | os.PathLike[str]) -> None:
    """Make a folder and all in it the ordinary user's."""
    if os.geteuid():
        return
    for root, folders, files in os.walk(folder):
        for name in (".", *folders, *files):
            os.chown(os.path.join(root, name), NOBODY, NOBODY)
