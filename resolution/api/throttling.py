"""How much one caller may ask: counted in the cache, one counter a caller and minute (or other period)."""

from __future__ import annotations

import logging
import time
from typing import Any

from django.core.cache import cache
from redis.exceptions import RedisError
from rest_framework.request import Request
from rest_framework.throttling import SimpleRateThrottle

from resolution.api.authentication import caller_of

logger = logging.getLogger(__name__)


class CallerRateThrottle(SimpleRateThrottle):
    """Allows `API_RATE` requests a period to each key and each person.

    Without a cache nothing is counted, and a cache that cannot be reached stops nobody: the limit guards
    against a caller that runs wild, it is no access control.
    """

    scope = "caller"
    num_requests: int | None
    duration: int

    def allow_request(self, request: Request, view: Any) -> bool:
        if self.num_requests is None or not request.user.is_authenticated:
            return True
        window, self.elapsed = divmod(time.time(), self.duration)
        return _count(f"api-rate:{caller_of(request)}:{int(window)}", self.duration) <= self.num_requests

    def wait(self) -> float:
        return max(1.0, self.duration - self.elapsed)


def _count(name: str, seconds: int) -> int:
    """Count one more under `name` and return the sum; 0 where nothing can be counted."""
    try:
        cache.add(name, 0, timeout=seconds)
        return cache.incr(name)
    except ValueError:  # no cache is configured: what was added is not there
        return 0
    except RedisError as error:
        logger.warning("rate_not_counted", exc_info=error)
        return 0
