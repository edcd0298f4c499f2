"""What every operation of the OpenAPI schema has in common, so that no view has to say it."""

from __future__ import annotations

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension, OpenApiSerializerExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import DJANGO_PATH_CONVERTER_MAPPING, ResolvedComponent
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import Direction, OpenApiParameter
from rest_framework import serializers

from resolution.api.errors import PROBLEM_TYPE
from resolution.api.permissions import access_of

# Ids in addresses are UUIDs, as in bodies; of a converter of our own it would only know the pattern.
DJANGO_PATH_CONVERTER_MAPPING["id"] = OpenApiTypes.UUID

IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
    OpenApiParameter.HEADER,
    description="The same key with the same body is answered once: later requests get the stored answer.",
)
IF_MATCH = OpenApiParameter(
    "If-Match",
    OpenApiTypes.STR,
    OpenApiParameter.HEADER,
    required=True,
    description="The ETag of what you change, as you read it.",
)
IF_NONE_MATCH = OpenApiParameter(
    "If-None-Match",
    OpenApiTypes.STR,
    OpenApiParameter.HEADER,
    description="An ETag you hold; 304 when it still stands.",
)


class ProblemAnswer(serializers.Serializer[Any]):
    """Problem details (RFC 9457): `code` and `facts` are for programs, `detail` is a sentence for people."""

    type = serializers.CharField()
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField()
    code = serializers.CharField()
    facts = serializers.DictField()
    instance = serializers.CharField()
    request_id = serializers.CharField()


class DeskSchema(AutoSchema):
    """Adds the problem answer, the idempotency header and what a caller must be allowed to."""

    def get_override_parameters(self) -> list[Any]:
        return [IDEMPOTENCY_KEY] if self.method == "POST" else []

    def get_operation(self, *args: Any, **kwargs: Any) -> dict[str, Any] | None:
        operation = super().get_operation(*args, **kwargs)
        if operation is not None and hasattr(self.view, "access"):
            operation["responses"]["default"] = self._problem()
            operation["description"] = f"{operation.get('description', '')}\n\n{self._access_note()}".strip()
        return operation

    def _problem(self) -> dict[str, Any]:
        component: ResolvedComponent = self.resolve_serializer(ProblemAnswer, "response")
        return {"description": "A refusal", "content": {PROBLEM_TYPE: {"schema": component.ref}}}

    def _access_note(self) -> str:
        view: Any = self.view
        access = access_of(view.access, self.method)
        if access is None:
            return ""
        return f"Needs the permission `{access.permission}`, and of a key the scope `{access.scope}`."


class KnownNamesOnly(OpenApiSerializerExtension):
    """Says of request bodies that names they do not know are refused."""

    target_class = "resolution.api.serializers.Body"
    match_subclasses = True

    def map_serializer(self, auto_schema: AutoSchema, direction: Direction) -> dict[str, Any]:
        schema = auto_schema._map_serializer(self.target, direction, bypass_extensions=True)
        return {**schema, "additionalProperties": False}


class KeyScheme(OpenApiAuthenticationExtension):
    """How a key is presented."""

    target_class = "resolution.api.authentication.ApiKeyAuthentication"
    name = "apiKey"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, Any]:
        return {"type": "http", "scheme": "bearer", "bearerFormat": "idk_<prefix>_<secret>"}
