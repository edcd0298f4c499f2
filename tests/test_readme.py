"""The README tells the truth: every setting, command, target and picture it should name, it names."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
READERS = r"env\.(?:text|flag|whole_number|words|choice|secret_key)\(\s*\"([A-Z_]+)\""


def settings_read() -> set[str]:
    code = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "identity_project").glob("*.py"))
    return {*re.findall(READERS, code), "DATABASE_URL", "REDIS_URL", "PORT", "SECRET_KEY"}


def commands() -> set[str]:
    folders = ROOT.glob("*/management/commands/*.py")
    return {path.stem for path in folders if path.stem != "__init__"}


def targets() -> set[str]:
    return set(re.findall(r"^([a-z]+):.*## ", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


def links() -> set[str]:
    found = re.findall(r"\]\(([^)#]+)\)", README)
    return {link for link in found if "://" not in link}


class TestReadme:
    @pytest.mark.parametrize("name", sorted(settings_read()))
    def test_every_setting_is_listed(self, name: str) -> None:
        assert f"`{name}`" in README

    @pytest.mark.parametrize("name", sorted(commands()))
    def test_every_command_is_listed(self, name: str) -> None:
        assert f"`{name}" in README

    @pytest.mark.parametrize("name", sorted(targets() - {"help"}))
    def test_every_make_target_is_listed(self, name: str) -> None:
        assert f"make {name}" in README

    @pytest.mark.parametrize("link", sorted(links()))
    def test_every_link_leads_somewhere(self, link: str) -> None:
        assert (ROOT / link).exists()
