"""What every address shares: who may call, how often, what a body may hold, and the request's id."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import Resolver404, resolve
from django.views import View
from django_filters.rest_framework import FilterSet
from rest_framework.generics import ListAPIView, RetrieveAPIView
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.views import APIView

from resolution.api.errors import LengthRequired, MalformedRequest
from resolution.api.pagination import KeysetPagination
from resolution.api.parsing import StrictJSONParser
from resolution.api.permissions import Access, HasAccess
from resolution.api.request_id import HEADER, request_id_of
from resolution.api.schema import DeskSchema
from resolution.api.serializers import Body
from resolution.api.throttling import CallerRateThrottle
from resolution.errors import NotFound

PAGE_PARAMETERS = frozenset({"limit", "cursor"})


class DeskView(APIView):
    """One address: `access` says per method what a caller must be allowed to, `query` what may follow it."""

    access: ClassVar[Mapping[str, Access]]
    query: ClassVar[type[Body]] = Body
    parser_classes = (StrictJSONParser,)
    permission_classes = (IsAuthenticated, HasAccess)
    throttle_classes = (CallerRateThrottle,)
    http_method_names: ClassVar[list[str]] = ["get", "head", "post", "patch", "delete"]
    schema = DeskSchema()

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if "Transfer-Encoding" in request.headers and not request.META.get("CONTENT_LENGTH"):
            raise LengthRequired
        check_parameters(request, self.parameters())

    def parameters(self) -> frozenset[str]:
        """The names of all parameters this address knows."""
        return frozenset(self.query().fields)

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        response = super().finalize_response(request, response, *args, **kwargs)
        response[HEADER] = request_id_of(request)
        return response


class DeskListView(DeskView, ListAPIView):
    """A list with filters and cursor pages."""

    filterset_class: ClassVar[type[FilterSet] | None] = None
    pagination_class = KeysetPagination

    def parameters(self) -> frozenset[str]:
        filters = self.filterset_class.base_filters if self.filterset_class else ()
        return PAGE_PARAMETERS.union(filters)


class DeskDetailView(DeskView, RetrieveAPIView):
    """One row by its number; `noun` is what a refusal calls it."""

    noun: ClassVar[str]
    filter_backends: ClassVar[tuple[Any, ...]] = ()

    def get_object(self) -> Any:
        try:
            return super().get_object()
        except Http404:
            number = self.kwargs[self.lookup_url_kwarg]
            raise NotFound(
                f"There is no {self.noun} {number}. Check the number.", **{self.noun: number}
            ) from None


def check_parameters(request: Request, known: frozenset[str]) -> None:
    """Refuse what would be passed over otherwise: a parameter unknown, given twice, or without a value."""
    for name, values in request.query_params.lists():
        if name not in known:
            shown = ", ".join(sorted(known)) or "none"
            raise MalformedRequest(
                f"There is no parameter “{name[:60]}” here. Known: {shown}.", known=sorted(known)
            )
        if len(values) > 1:
            raise MalformedRequest(f"{name} was given {len(values)} times; give it once.", parameter=name)
        if not values[0]:
            raise MalformedRequest(f"{name} has no value; give one or leave it out.", parameter=name)


class NothingHere(DeskView):
    """Answers addresses that do not exist; one with a slash too many is sent on to the right one."""

    authentication_classes = ()
    permission_classes = ()
    schema = None

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        return _without_slash(request) or super().dispatch(request, *args, **kwargs)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        raise Http404


class NoCustomerId(NothingHere):
    """Answers an address under customers/ whose id is none."""

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        given = kwargs["given"]
        raise NotFound(
            f"“{given[:60]}” is no customer id; an id is a UUID, as the list of customers gives it."
        )


class PermanentRedirectKeepingBody(HttpResponseRedirect):
    status_code = 308


def _without_slash(request: HttpRequest) -> HttpResponse | None:
    if not request.path.endswith("/") or not _leads_somewhere(request.path_info.rstrip("/")):
        return None
    query = request.META.get("QUERY_STRING", "")
    return PermanentRedirectKeepingBody(request.path.rstrip("/") + (f"?{query}" if query else ""))


def _leads_somewhere(path: str) -> bool:
    try:
        return not issubclass(getattr(resolve(path).func, "cls", View), NothingHere)
    except Resolver404:
        return False
