"""Every address the product answers at."""

from __future__ import annotations

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.templatetags.static import static
from django.urls import include, path
from django.views.generic import RedirectView

from identity_project import health
from resolution.api import docs


def favicon(request: HttpRequest) -> HttpResponse:
    """Send browsers that ask before they have read a page to the icon."""
    return redirect(static("resolution/favicon.svg"))


urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:index"), name="home"),
    path("favicon.ico", favicon, name="favicon"),
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path("admin/", include("resolution.admin.urls")),
    path("admin/", admin.site.urls),
    path("api/schema/", docs.SchemaView.as_view(), name="schema"),
    path("api/docs/", docs.DocsView.as_view(url_name="schema"), name="docs"),
    path("api/v1/", include("resolution.api.urls")),
]

handler400 = "resolution.api.errors.bad_request"
handler500 = "resolution.api.errors.server_error"
