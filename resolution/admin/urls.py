"""Addresses of the screens, in front of the admin's own: a customer's page takes the admin's address."""

from __future__ import annotations

from django.urls import path

from resolution import converters  # noqa: F401  (makes <number:…> and <version:…> known)
from resolution.admin import (
    api_keys,
    approvals,
    audit,
    blocked_values,
    bulk_proposals,
    customer,
    duplicates,
    erase,
    home,
    identifier_rules,
    match_models,
    merge_policies,
    queue,
    runs,
    split,
    undo,
    workbench,
)

app_name = "resolution"

CUSTOMER = "customers/customer/<uuid:customer_id>"

urlpatterns = [
    path("", home.home, name="home"),
    path("queue/", queue.queue, name="queue"),
    path("queue/claim-next/", queue.claim_next, name="claim-next"),
    path("queue/propose/", bulk_proposals.propose_together, name="propose-together"),
    path("queue/<int:conflict_id>/", workbench.workbench, name="workbench"),
    path("queue/<int:conflict_id>/claim/", queue.claim, name="claim"),
    path("queue/<int:conflict_id>/renew/", queue.renew, name="renew"),
    path("compare/", workbench.compare, name="compare"),
    path("approvals/", approvals.approvals, name="approvals"),
    path("approvals/<int:proposal_id>/", approvals.proposal, name="proposal"),
    path("approvals/batches/<int:batch_id>/", bulk_proposals.proposal_batch, name="proposal-batch"),
    path("customers/customer/add/", customer.add_customer, name="add-customer"),
    path(f"{CUSTOMER}/change/", customer.customer, name="customer"),
    path(f"{CUSTOMER}/edit/", customer.edit_customer, name="edit-customer"),
    path(f"{CUSTOMER}/as-of/", customer.customer_as_of, name="customer-as-of"),
    path(f"{CUSTOMER}/duplicates/", duplicates.duplicates, name="duplicates"),
    path(f"{CUSTOMER}/split/", split.split, name="split"),
    path(f"{CUSTOMER}/erase/", erase.erase, name="erase"),
    path(f"{CUSTOMER}/erased/", erase.erased, name="erased"),
    path(f"{CUSTOMER}/identifiers/", customer.link_identifier, name="link-identifier"),
    path(
        f"{CUSTOMER}/identifiers/<uuid:mapping_id>/unlink/",
        customer.unlink_identifier,
        name="unlink-identifier",
    ),
    path("merges/<int:merge_id>/undo/", undo.undo, name="undo"),
    path("runs/", runs.runs, name="runs"),
    path("runs/start/", runs.start_run, name="start-run"),
    path("models/", match_models.models, name="models"),
    path("models/<version:version>/", match_models.model, name="model"),
    path("models/<version:version>/compare/", match_models.compare_model, name="compare-model"),
    path("models/<version:version>/promote/", match_models.promote_model, name="promote-model"),
    path("models/<version:version>/roll-back/", match_models.roll_back_model, name="roll-back-model"),
    path("models/<version:version>/discard/", match_models.discard_model, name="discard-model"),
    path("second-person/", merge_policies.merge_policies, name="merge-policies"),
    path("rules/", identifier_rules.rules, name="rules"),
    path("rules/<slug:identifier_type>/", identifier_rules.rule, name="rule"),
    path("blocked/", blocked_values.blocked_values, name="blocked-values"),
    path("blocked/add/", blocked_values.block_value, name="block-value"),
    path("blocked/<number:block_id>/lift/", blocked_values.lift_block, name="lift-block"),
    path("train-model/", match_models.train_model, name="train-model"),
    path("resolution/apikey/add/", api_keys.make_key, name="make-key"),
    path("resolution/apikey/<int:key_id>/revoke/", api_keys.revoke_key, name="revoke-key"),
    path("resolution/auditentry/check/", audit.check_trail, name="check-trail"),
]
