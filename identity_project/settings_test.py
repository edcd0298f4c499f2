"""What tests change: their own servers, cheap passwords, static files without a manifest."""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path

os.environ.setdefault("SECRET_KEY", "only-for-tests-" + "0" * 50)

from identity_project import embedded, env
from identity_project.settings import *  # noqa: F403
from identity_project.settings import CACHES, DATABASES, MIDDLEWARE, STORAGES

# One folder a run: whoever reads this first names it, the parallel workers inherit the name.
TEST_SERVERS = embedded.Servers(
    Path(os.environ.setdefault("TEST_VAR_DIR", f"{tempfile.gettempdir()}/identity-desk-test-{os.getpid()}"))
)
WORKER = int(re.sub(r"\D", "", os.environ.get("PYTEST_XDIST_WORKER", "")) or 0)

ALLOWED_HOSTS = ["*"]
DATABASES["default"].update(env.database("TEST_DATABASE_URL") or TEST_SERVERS.database())
DATABASES["default"]["CONN_MAX_AGE"] = 0
CACHE_URL = env.cache_url("TEST_REDIS_URL") or TEST_SERVERS.cache_url(database=WORKER)
CACHES["default"] = {
    "BACKEND": "django_redis.cache.RedisCache",
    "LOCATION": CACHE_URL,
    "KEY_PREFIX": f"test{WORKER}",
}
MIDDLEWARE.remove("whitenoise.middleware.WhiteNoiseMiddleware")  # nothing was collected for it to serve
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
STORAGES["staticfiles"] = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
LOGGING_CONFIG = None
