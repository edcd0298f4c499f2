"""Typed readers of environment variables; a bad value is refused by name."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Any

import environ
from django.core.exceptions import ImproperlyConfigured

_TRUE = {"1", "true", "yes", "on"}
_FALSE = {"0", "false", "no", "off"}
_CACHE_SCHEMES = ("redis://", "rediss://", "valkey://", "valkeys://", "unix://")


class BadSetting(ImproperlyConfigured):
    """An environment variable holds a value that cannot be used."""

    def __init__(self, name: str, value: str, wanted: str) -> None:
        super().__init__(f"{name} is {value!r}, but {wanted} is wanted: change or unset {name}.")


def text(name: str, default: str = "") -> str:
    return os.environ.get(name, "").strip() or default


def flag(name: str, *, default: bool) -> bool:
    value = text(name)
    if not value:
        return default
    if value.lower() in _TRUE:
        return True
    if value.lower() in _FALSE:
        return False
    raise BadSetting(name, value, "yes or no (1, true, on / 0, false, off)")


def whole_number(name: str, default: int, *, low: int = 0, high: int = 2**31 - 1) -> int:
    value = text(name)
    if not value:
        return default
    if not (value.isascii() and value.isdigit() and low <= int(value) <= high):
        raise BadSetting(name, value, f"a whole number from {low} to {high}")
    return int(value)


def var_dir(project: Path) -> Path:
    """Where all that is kept between two starts lies: var/ in the project unless VAR_DIR names another."""
    return Path(text("VAR_DIR", str(project / "var"))).absolute()


def port(name: str = "PORT", default: int = 8000) -> int:
    return whole_number(name, default, low=1, high=65535)


def words(name: str, default: tuple[str, ...] = ()) -> list[str]:
    """A comma-separated list, empty parts dropped."""
    value = text(name)
    if not value:
        return list(default)
    return [part.strip() for part in value.split(",") if part.strip()]


def choice(name: str, default: str, allowed: tuple[str, ...]) -> str:
    value = text(name, default)
    if value not in allowed:
        raise BadSetting(name, value, f"one of {', '.join(allowed)}")
    return value


def database(name: str = "DATABASE_URL") -> dict[str, Any] | None:
    """Django's settings for the PostgreSQL at a URL; None where the variable is not set."""
    value = text(name)
    if not value:
        return None
    if not value.startswith(("postgres://", "postgresql://")):
        raise BadSetting(name, _without_password(value), "postgres://user:password@host:port/database")
    try:
        settings = dict(environ.Env.db_url_config(value))
    except ValueError:
        settings = {}
    if not settings.get("NAME"):
        raise BadSetting(name, _without_password(value), "postgres://user:password@host:port/database")
    return {**settings, "ENGINE": "django.db.backends.postgresql"}


def cache_url(name: str = "REDIS_URL") -> str:
    """The address of Redis or Valkey, empty where the variable is not set."""
    value = text(name)
    if value and not value.startswith(_CACHE_SCHEMES):
        raise BadSetting(name, _without_password(value), "redis://host:port/number or unix:///path?db=number")
    return value.replace("valkeys://", "rediss://").replace("valkey://", "redis://")


def uses_embedded_database() -> bool:
    return not text("DATABASE_URL")


def uses_embedded_cache() -> bool:
    """The embedded cache goes with the embedded database only.

    Beside a database of your own every process must name the same cache, or one would write without the
    others forgetting the old owner: without REDIS_URL there is none.
    """
    return uses_embedded_database() and not text("REDIS_URL")


def secret_key(path: Path, name: str = "SECRET_KEY") -> str:
    """The key from the environment, else the one kept at `path`, made there on first use (mode 600)."""
    return text(name) or _kept_key(path)


def _kept_key(path: Path) -> str:
    if not path.exists():
        _keep_key(path, secrets.token_urlsafe(64))
    return path.read_text(encoding="ascii").strip()


def _keep_key(path: Path, key: str) -> None:
    """Two processes starting together end with the same key: the link of the slower one is refused."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    draft.touch(mode=0o600)
    draft.write_text(key, encoding="ascii")
    try:
        os.link(draft, path)
    except FileExistsError:
        pass  # the other process was first, its key is read
    finally:
        draft.unlink()


def _without_password(url: str) -> str:
    scheme, _, rest = url.partition("://")
    return f"{scheme}://…@{rest.rsplit('@', 1)[1]}" if "@" in rest else url
