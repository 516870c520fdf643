"""Roles: who may do what, as data. `sync_roles` makes the groups say exactly this."""

from dataclasses import dataclass
from fnmatch import fnmatchcase

from django.contrib.auth.models import Group, Permission
from django.db import transaction
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


@dataclass(frozen=True, slots=True)
class Role:
    """One role: what people call it and patterns of `app.codename` that it grants."""

    name: str
    label: str | Promise
    grants: tuple[str, ...]


_WORK = ("orderhub.view_order", "orderhub.reveal_personal_data", "orderhub.release_order", "orderhub.edit_memo")
_STOCK = ("orderhub.view_stocklevel", "orderhub.view_sku")

ROLES = (
    Role(
        "supervisor",
        _("Supervisor"),
        (
            *_WORK,
            "orderhub.release_abnormal", "orderhub.ship_by_hand",
            "orderhub.view_*",
            "orderhub.set_gate", "orderhub.change_reject", "orderhub.change_inboxitem", "orderhub.change_effect",
            "orderhub.change_warehousereport",
            "orderhub.add_shop", "orderhub.change_shop", "orderhub.add_warehouse", "orderhub.change_warehouse",
            "orderhub.add_sku", "orderhub.change_sku",
            "orderhub.add_shiprule", "orderhub.change_shiprule", "orderhub.delete_shiprule",
            "orderhub.add_agentgroup", "orderhub.change_agentgroup", "orderhub.delete_agentgroup",
            "orderhub.add_apitoken", "orderhub.change_apitoken",
            "triage.*", "channels_sync.*",
            "auth.view_user", "auth.add_user", "auth.change_user", "auth.view_group",
            "admin.view_logentry", "django_q.view_schedule", "django_q.view_failure",
        ),
    ),
    Role("agent", _("Agent"), (*_WORK, *_STOCK)),
    Role(
        "risk",
        _("Risk reviewer"),
        (*_WORK, "orderhub.release_abnormal", "triage.view_*", "orderhub.view_reject", "orderhub.view_shop"),
    ),
    Role(
        "warehouse",
        _("Warehouse lead"),
        (
            "orderhub.view_order", "orderhub.ship_by_hand", "orderhub.reveal_personal_data", *_STOCK,
            "orderhub.view_parcel",
            "orderhub.view_effect", "orderhub.change_effect", "orderhub.view_warehouse", "channels_sync.view_listing",
            "orderhub.view_warehousereport", "orderhub.change_warehousereport",
        ),
    ),
    Role(
        "auditor",
        _("Auditor"),
        (
            "orderhub.view_*", "triage.view_*", "channels_sync.view_*", "auth.view_*", "admin.view_*",
            "django_q.view_schedule", "django_q.view_failure",
        ),
    ),
)  # fmt: skip
"""An auditor reads everything and changes nothing; personal data stays masked."""


@transaction.atomic
def sync_roles() -> dict[str, int]:
    """Make one group per role with exactly its permissions and return how many each has. Safe to repeat.

    Members are left alone. Groups that are no role are left alone.
    """
    known = {
        f"{app}.{codename}": pk
        for pk, app, codename in Permission.objects.values_list("pk", "content_type__app_label", "codename")
    }
    counts = {}
    for role in ROLES:
        group, _made = Group.objects.get_or_create(name=role.name)
        wanted = [pk for name, pk in known.items() if any(fnmatchcase(name, pattern) for pattern in role.grants)]
        group.permissions.set(wanted)
        counts[role.name] = len(wanted)
    return counts


def role_label(name: str) -> str:
    """Return what people call a role; another group shows under its own name."""
    return next((str(role.label) for role in ROLES if role.name == name), name)
