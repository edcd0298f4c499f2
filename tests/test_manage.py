"""manage.py itself: what ends a command before it can say a word of its own."""

from __future__ import annotations

import sys

import pytest
from django.core import management

import manage


def end_of(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[object, str]:
    """How a command line ends: its exit status and what it says beside."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["manage.py", *words])
        with pytest.raises(SystemExit) as ended:
            manage.main()
    return ended.value.code, capsys.readouterr().err


class TestMain:
    def test_says_that_it_was_stopped(
        self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def interrupted(words: list[str]) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr(management, "execute_from_command_line", interrupted)

        status, said = end_of(capsys, "find_duplicates")

        assert (status, said.startswith("Stopped.")) == (130, True)

    def test_refuses_bytes_that_are_no_text(self, capsys: pytest.CaptureFixture[str]) -> None:
        status, said = end_of(capsys, "compare_model", "\udcff")

        assert status == 2
        assert said == "Argument 2 is '\\udcff', which is not UTF-8 text; write it in UTF-8.\n"
