import pytest
from django.contrib.auth.models import Group, User

from tests.factories import make_user

USERS = "/ops/auth/user/"


def form(user, **values):
    return {"username": user.username, "first_name": "", "last_name": "", "email": "", "is_active": "on", **values}


@pytest.mark.parametrize("rows", [1, 3])
def test_the_lists_need_a_fixed_number_of_queries(supervisor, rows, django_assert_num_queries):
    for _ in range(rows):
        make_user().groups.add(Group.objects.get(name="agent"))
    supervisor.get(USERS)
    with django_assert_num_queries(8):
        response = supervisor.get(USERS)
    assert len(response.context["cl"].result_list) == rows + 1


def test_a_supervisor_gives_roles(supervisor):
    user = make_user()
    agent = Group.objects.get(name="agent")
    supervisor.post(f"{USERS}{user.pk}/change/", form(user, is_staff="on", groups=[agent.pk]))
    user.refresh_from_db()
    assert (user.is_staff, [group.name for group in user.groups.all()]) == (True, ["agent"])


@pytest.mark.parametrize(("role", "is_let_in"), [("risk", True), ("warehouse", True), ("agent", False)])
def test_a_role_that_works_in_the_console_opens_it(supervisor, role, is_let_in):
    user, group = make_user(), Group.objects.get(name=role)
    supervisor.post(f"{USERS}{user.pk}/change/", form(user, groups=[group.pk]))
    user.refresh_from_db()
    assert user.is_staff is is_let_in
    supervisor.post(f"{USERS}{user.pk}/change/", form(user, email="a@example.com", groups=[group.pk]))
    user.refresh_from_db()
    assert (user.is_staff, user.email) == (False, "a@example.com"), "what was closed by hand stays closed"


def test_nobody_but_a_superuser_makes_a_superuser(supervisor):
    user = make_user()
    supervisor.post(f"{USERS}{user.pk}/change/", form(user, is_superuser="on", user_permissions=["1"]))
    user.refresh_from_db()
    assert user.is_superuser is False
    assert not user.user_permissions.exists()


def test_a_superuser_is_out_of_reach(supervisor):
    boss = User.objects.create_superuser("boss", password="boss-password")
    supervisor.post(f"{USERS}{boss.pk}/change/", form(boss, username="taken"))
    supervisor.post(f"{USERS}{boss.pk}/password/", {"password1": "Abcd-1234-xyz", "password2": "Abcd-1234-xyz"})
    boss.refresh_from_db()
    assert boss.username == "boss"
    assert boss.check_password("boss-password")


def test_nobody_changes_their_own_role(person):
    me = person("supervisor")
    auditor = Group.objects.get(name="auditor")
    me.post(f"{USERS}{me.person.pk}/change/", form(me.person, groups=[auditor.pk]))
    assert [group.name for group in me.person.groups.all()] == ["supervisor"]


def test_roles_are_not_edited_by_hand(supervisor):
    group = Group.objects.get(name="auditor")
    before = group.permissions.count()
    assert supervisor.post(f"/ops/auth/group/{group.pk}/change/", {"name": "x"}).status_code == 403
    assert group.permissions.count() == before
