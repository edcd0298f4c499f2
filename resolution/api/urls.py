"""Addresses under /api/v1/, without a slash at the end."""

from __future__ import annotations

from django.urls import path, re_path

from resolution.api import (
    audit,
    blocked_values,
    bulk_proposals,
    channels,
    conflicts,
    customers,
    erase,
    explain,
    identifier_rules,
    identifiers,
    judgements,
    merge_policies,
    merges,
    models,
    proposals,
    resolve,
    split,
    views,
)
from resolution.converters import IdConverter

ID = IdConverter.regex

app_name = "api"
urlpatterns = [
    path("resolve", resolve.ResolveView.as_view(), name="resolve"),
    path("duplicates/search", resolve.DuplicateSearchView.as_view(), name="duplicates-search"),
    path("explain", explain.ExplainView.as_view(), name="explain"),
    path("customers", customers.CustomerListView.as_view(), name="customers"),
    path("customers/<id:customer_id>", customers.CustomerView.as_view(), name="customer"),
    path(
        "customers/<id:customer_id>/provenance",
        customers.CustomerProvenanceView.as_view(),
        name="customer-provenance",
    ),
    path(
        "customers/<id:customer_id>/history",
        customers.CustomerHistoryView.as_view(),
        name="customer-history",
    ),
    path("customers/<id:customer_id>/as-of", customers.CustomerAsOfView.as_view(), name="customer-as-of"),
    path("customers/<id:customer_id>/split", split.SplitView.as_view(), name="customer-split"),
    path("customers/<id:customer_id>/erase", erase.EraseView.as_view(), name="customer-erase"),
    path("customers/<id:customer_id>/merges", merges.CustomerMergesView.as_view(), name="customer-merges"),
    path(
        "customers/<id:customer_id>/identifiers",
        identifiers.IdentifierListView.as_view(),
        name="identifiers",
    ),
    path(
        "customers/<id:customer_id>/identifiers/<id:mapping_id>",
        identifiers.IdentifierView.as_view(),
        name="identifier",
    ),
    re_path(
        f"^customers/(?!{ID}(?:/|$))(?P<given>[^/]+)", views.NoCustomerId.as_view(), name="no-customer-id"
    ),
    path("conflicts", conflicts.ConflictListView.as_view(), name="conflicts"),
    path("conflicts/<number:conflict_id>", conflicts.ConflictView.as_view(), name="conflict"),
    path("judgements", judgements.JudgementView.as_view(), name="judgements"),
    path("merges/proposals", proposals.ProposalListView.as_view(), name="proposals"),
    path("merges/proposals/<number:proposal_id>", proposals.ProposalView.as_view(), name="proposal"),
    path(
        "merges/proposals/<number:proposal_id>/approve",
        proposals.ApproveView.as_view(),
        name="proposal-approve",
    ),
    path(
        "merges/proposals/<number:proposal_id>/reject", proposals.RejectView.as_view(), name="proposal-reject"
    ),
    path(
        "merges/proposals/<number:proposal_id>/withdraw",
        proposals.WithdrawView.as_view(),
        name="proposal-withdraw",
    ),
    path("merges/proposals/bulk", bulk_proposals.BulkView.as_view(), name="proposals-bulk"),
    path(
        "merges/proposals/bulk/<number:batch_id>/approve",
        bulk_proposals.BulkApproveView.as_view(),
        name="proposals-bulk-approve",
    ),
    path(
        "merges/proposals/bulk/<number:batch_id>/reject",
        bulk_proposals.BulkRejectView.as_view(),
        name="proposals-bulk-reject",
    ),
    path("merges", merges.MergeListView.as_view(), name="merges"),
    path("merges/<number:merge_id>", merges.MergeView.as_view(), name="merge"),
    path("merges/<number:merge_id>/undo", merges.UndoView.as_view(), name="merge-undo"),
    path("merges/policies", merge_policies.PolicyListView.as_view(), name="merge-policies"),
    path("merges/policies/<slug:rule>", merge_policies.PolicyView.as_view(), name="merge-policy"),
    path("models", models.ModelListView.as_view(), name="models"),
    path("models/<version:version>", models.ModelView.as_view(), name="model"),
    path("models/<version:version>/compare", models.CompareView.as_view(), name="model-compare"),
    path("models/<version:version>/promote", models.PromoteView.as_view(), name="model-promote"),
    path("models/<version:version>/rollback", models.RollBackView.as_view(), name="model-rollback"),
    path("identifier-rules", identifier_rules.RuleListView.as_view(), name="identifier-rules"),
    path(
        "identifier-rules/<slug:identifier_type>", identifier_rules.RuleView.as_view(), name="identifier-rule"
    ),
    path(
        "identifier-rules/<slug:identifier_type>/preview",
        identifier_rules.RulePreviewView.as_view(),
        name="identifier-rule-preview",
    ),
    path("blocked-values", blocked_values.BlockedListView.as_view(), name="blocked-values"),
    path("blocked-values/shipped", blocked_values.ShippedListView.as_view(), name="blocked-values-shipped"),
    path("blocked-values/<number:block_id>", blocked_values.BlockedView.as_view(), name="blocked-value"),
    path(
        "blocked-values/<number:block_id>/retire",
        blocked_values.RetireView.as_view(),
        name="blocked-value-retire",
    ),
    path("audit", audit.AuditListView.as_view(), name="audit"),
    path("channels", channels.ChannelListView.as_view(), name="channels"),
    re_path(r"^(?P<rest>(?s:.*))$", views.NothingHere.as_view(), name="nothing-here"),
]
