"""Variables are read as what they mean, and a bad one is refused by its name."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from identity_project import env, logs
from identity_project.env import BadSetting

ROOT = Path(__file__).resolve().parent.parent


def settings_with(**variables: str) -> dict[str, object]:
    """Some settings as a fresh process reads them under these variables alone."""
    program = (
        "import json; from identity_project import settings as s;"
        "print(json.dumps({name: getattr(s, name) for name in ('CACHES', 'DATABASES', 'SECURE_HSTS_SECONDS',"
        " 'SESSION_COOKIE_SECURE', 'CONTENT_SECURITY_POLICY', 'DEBUG')}))"
    )
    environment = {"PATH": os.environ["PATH"], "SECRET_KEY": "x", **variables}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


class TestReaders:
    @pytest.mark.parametrize(
        ("given", "meant"), [("1", True), ("Yes", True), ("off", False), ("FALSE", False)]
    )
    def test_a_flag_reads_yes_and_no(self, given: str, meant: bool, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("DEBUG", given)
        assert env.flag("DEBUG", default=not meant) is meant

    def test_a_blank_variable_is_one_not_set(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PORT", "  ")
        assert env.port() == 8000

    def test_a_flag_that_is_neither_is_refused_by_name(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("DEBUG", "maybe")
        with pytest.raises(BadSetting, match="DEBUG is 'maybe'"):
            env.flag("DEBUG", default=False)

    @pytest.mark.parametrize("given", ["abc", "0", "70000", "-1", "80.5", "²"])
    def test_a_port_outside_the_range_is_refused_by_name(
        self, given: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("PORT", given)
        with pytest.raises(BadSetting, match=r"PORT is .* a whole number from 1 to 65535"):
            env.port()

    def test_a_list_drops_empty_parts(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("ALLOWED_HOSTS", "a.example, ,b.example,")
        assert env.words("ALLOWED_HOSTS") == ["a.example", "b.example"]

    def test_a_choice_names_what_is_allowed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("LOG_FORMAT", "xml")
        with pytest.raises(BadSetting, match="one of json, console"):
            env.choice("LOG_FORMAT", "json", ("json", "console"))

    def test_a_database_address_becomes_djangos_settings(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("DATABASE_URL", "postgresql://anna:pa%40ss@db.example:5433/desk?sslmode=require")
        database = env.database() or {}
        assert (database["HOST"], database["PORT"], database["NAME"]) == ("db.example", 5433, "desk")
        assert (database["USER"], database["PASSWORD"]) == ("anna", "pa@ss")
        assert database["OPTIONS"] == {"sslmode": "require"}

    @pytest.mark.parametrize(
        "given",
        ["mysql://root:secret@db/desk", "postgres://root:secret@db", "postgres://root:secret@db:x/desk"],
    )
    def test_another_database_is_refused_without_its_password(
        self, given: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("DATABASE_URL", given)
        with pytest.raises(BadSetting, match="DATABASE_URL is") as refusal:
            env.database()
        assert "secret" not in str(refusal.value)

    def test_another_cache_is_refused(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("REDIS_URL", "memcached://cache")
        with pytest.raises(BadSetting, match="REDIS_URL is"):
            env.cache_url()


class TestSecretKey:
    def test_is_made_once_and_kept_for_its_owner_only(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("SECRET_KEY", raising=False)
        path = tmp_path / "var" / "secret_key"

        first, second = env.secret_key(path), env.secret_key(path)

        assert first == second
        assert len(first) > 50
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert [entry.name for entry in path.parent.iterdir()] == ["secret_key"]

    def test_of_two_that_make_it_together_the_first_wins(self, tmp_path: Path) -> None:
        path = tmp_path / "secret_key"
        env._keep_key(path, "first")
        env._keep_key(path, "second")
        assert path.read_text() == "first"


class TestSettings:
    def test_by_default_both_servers_are_the_embedded_ones(self) -> None:
        settings = settings_with(VAR_DIR="/srv/desk")
        assert settings["DATABASES"]["default"]["HOST"] == "/srv/desk/run"
        assert settings["CACHES"]["default"]["LOCATION"] == "unix:///srv/desk/run/valkey.sock?db=0"

    def test_without_a_cache_named_beside_a_database_there_is_none(self) -> None:
        settings = settings_with(DATABASE_URL="postgres://a:b@db/desk")
        assert settings["CACHES"]["default"] == {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}

    def test_a_cache_named_is_the_cache_taken(self) -> None:
        settings = settings_with(DATABASE_URL="postgres://a:b@db/desk", REDIS_URL="valkey://cache:6379/2")
        assert settings["CACHES"]["default"]["LOCATION"] == "redis://cache:6379/2"

    def test_https_secures_cookies_and_promises_to_stay(self) -> None:
        settings = settings_with(HTTPS="1")
        assert settings["SESSION_COOKIE_SECURE"] is True
        assert settings["SECURE_HSTS_SECONDS"] == 31_536_000

    def test_no_policy_allows_inline_code(self) -> None:
        directives = settings_with()["CONTENT_SECURITY_POLICY"]["DIRECTIVES"]
        assert directives["default-src"] == ["'self'"]
        assert not [source for sources in directives.values() for source in sources if "unsafe" in source]

    def test_debugging_is_off_unless_asked_for(self) -> None:
        assert settings_with()["DEBUG"] is False


class TestLogs:
    def test_personal_fields_are_hidden(self) -> None:
        event = logs.hide_personal_values(
            None, "info", {"event": "linked", "email": "anna@example.org", "id": 7}
        )
        assert event == {"event": "linked", "email": logs.HIDDEN, "id": 7}

    def test_a_search_is_logged_without_what_was_searched(self) -> None:
        event = logs.hide_personal_values(None, "info", {"request": "GET /admin/customers/?q=anna%20berg"})
        assert event["request"] == "GET /admin/customers/"

    def test_a_refused_row_is_not_quoted(self) -> None:
        error = (
            "UniqueViolation: duplicate key\nDETAIL:  Key (email)=(anna@example.org) already exists.\nline"
        )
        event = logs.hide_personal_values(None, "error", {"exception": error})
        assert "anna" not in event["exception"]
        assert "duplicate key" in event["exception"]
