"""The OpenAPI schema and its browsable page, which runs under the strict content security policy."""

from __future__ import annotations

from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView


class SchemaView(SpectacularAPIView):
    """The OpenAPI 3.1 schema, open to everybody: it tells of addresses, never of customers."""

    authentication_classes = ()


class DocsView(SpectacularSwaggerSplitView):
    """The schema as a page, with its script apart from its HTML."""

    authentication_classes = ()
    template_name = "resolution/api_docs.html"
