"""Entity tags: the version a change is checked against, and a digest of what was shown."""

from __future__ import annotations

import hashlib
import re
from typing import Any

from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request

from resolution.api.errors import MalformedRequest, VersionRequired

_TAG = re.compile(r'"(\d{1,9})-[0-9a-f]{16}"')


def etag_of(version: int, body: Any) -> str:
    """The tag of a body at a version: `"3-0f1e…"`; any change of the body changes it."""
    digest = hashlib.sha256(JSONRenderer().render(body)).hexdigest()
    return f'"{version}-{digest[:16]}"'


def version_seen(request: Request) -> int:
    """The version in If-Match. Raises VersionRequired without one, MalformedRequest for no tag of ours."""
    given = request.headers.get("If-Match")
    if given is None:
        raise VersionRequired
    tag = _TAG.fullmatch(given.strip())
    if tag is None:
        raise MalformedRequest("If-Match must be one ETag as GET gave it, quotes included.", given=given[:80])
    return int(tag[1])


def is_held(request: Request, tag: str) -> bool:
    """Whether the caller holds this representation already, by If-None-Match."""
    given = request.headers.get("If-None-Match", "")
    held = {entry.strip().removeprefix("W/") for entry in given.split(",")}
    return tag in held or "*" in held
