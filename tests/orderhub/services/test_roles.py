import pytest
from django.contrib.auth.models import Group, Permission, User

from orderhub.services.roles import ROLES, sync_roles
from tests.factories import make_user

pytestmark = pytest.mark.django_db


def granted(role: str) -> set[str]:
    rows = Group.objects.get(name=role).permissions.values_list("content_type__app_label", "codename")
    return {f"{app}.{codename}" for app, codename in rows}


def test_every_role_becomes_a_group_and_a_second_run_changes_nothing():
    counts = sync_roles()
    before = {role.name: granted(role.name) for role in ROLES}
    assert sync_roles() == counts
    assert {role.name: granted(role.name) for role in ROLES} == before
    assert all(counts.values())


def test_a_group_that_was_changed_by_hand_is_put_right_and_keeps_its_members():
    sync_roles()
    group, user = Group.objects.get(name="auditor"), make_user()
    user.groups.add(group)
    group.permissions.set(Permission.objects.filter(codename="delete_order"))
    sync_roles()
    assert "orderhub.delete_order" not in granted("auditor")
    assert list(group.user_set.all()) == [user]


def test_groups_that_are_no_role_are_left_alone():
    mine = Group.objects.create(name="mine")
    mine.permissions.set(Permission.objects.all()[:1])
    sync_roles()
    assert mine.permissions.count() == 1


def test_an_auditor_reads_and_nothing_else():
    sync_roles()
    assert all(".view_" in name for name in granted("auditor"))
    assert {"orderhub.view_order", "orderhub.view_reveal", "admin.view_logentry"} <= granted("auditor")


@pytest.mark.parametrize(
    ("role", "may", "may_not"),
    [
        ("supervisor", "orderhub.release_order", "orderhub.delete_order"),
        ("agent", "orderhub.release_order", "orderhub.release_abnormal"),
        ("agent", "orderhub.reveal_personal_data", "orderhub.view_reject"),
        ("supervisor", "orderhub.delete_shiprule", "orderhub.delete_shop"),
        ("risk", "orderhub.release_abnormal", "orderhub.change_shop"),
        ("warehouse", "orderhub.view_effect", "orderhub.release_order"),
    ],
)
def test_what_sets_the_roles_apart(role, may, may_not):
    sync_roles()
    assert may in granted(role)
    assert may_not not in granted(role)


@pytest.mark.parametrize(
    ("permission", "roles"),
    [
        ("release_order", {"supervisor", "agent", "risk"}),
        ("release_abnormal", {"supervisor", "risk"}),
        ("ship_by_hand", {"supervisor", "warehouse"}),
    ],
)
def test_who_moves_orders(permission, roles):
    sync_roles()
    assert {role.name for role in ROLES if f"orderhub.{permission}" in granted(role.name)} == roles


def test_nobody_but_superusers_may_grant_single_permissions():
    sync_roles()
    assert not any(name.startswith("auth.") and "permission" in name for name in granted("supervisor"))
    assert not User.objects.exists()
