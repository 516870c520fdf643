from datetime import timedelta

import pytest
from django.utils import timezone

from orderhub.core.errors import FieldError
from orderhub.models import ApiToken
from orderhub.services.access import INTAKE_WRITE, ORDERS_READ, client_of, digest, issue_token, revoke_token
from tests.factories import make_shop

pytestmark = pytest.mark.django_db


def test_only_a_digest_of_the_secret_is_stored():
    token, secret = issue_token(name="erp", scopes=[ORDERS_READ], actor="li")
    assert secret.startswith("hub_")
    assert len(secret) > 40
    stored = ApiToken.objects.values().get(pk=token.pk)
    assert secret not in str(stored)
    assert stored["digest"] == digest(secret)


def test_a_client_knows_its_scopes_and_shops():
    shop, other = make_shop(), make_shop()
    _token, secret = issue_token(name="erp", scopes=[ORDERS_READ, INTAKE_WRITE, ORDERS_READ], actor="li", shops=[shop])
    client = client_of(secret)
    assert client.scopes == (ORDERS_READ, INTAKE_WRITE)
    assert client.shop_ids == (shop.pk,)
    assert client.may_see(shop.pk)
    assert not client.may_see(other.pk)
    assert client.pk == f"token:{client.token_id}"


def test_a_token_whose_last_shop_is_deleted_is_for_none():
    shop, other = make_shop(), make_shop()
    _token, secret = issue_token(name="erp", scopes=[ORDERS_READ], actor="li", shops=[shop])
    shop.delete()
    client = client_of(secret)
    assert (client.shop_ids, client.may_see(other.pk)) == ((), False)


def test_a_token_for_every_shop_is_for_those_to_come():
    _token, secret = issue_token(name="erp", scopes=[ORDERS_READ], actor="li")
    assert client_of(secret).may_see(make_shop().pk)


@pytest.mark.parametrize(
    ("values", "path"),
    [({"scopes": []}, "scopes"), ({"scopes": ["everything"]}, "scopes"),
     ({"scopes": [ORDERS_READ], "expires_at": timezone.now() - timedelta(hours=1)}, "expires_at")],
)  # fmt: skip
def test_a_token_that_makes_no_sense_is_not_issued(values, path):
    with pytest.raises(FieldError) as refused:
        issue_token(name="erp", actor="li", **values)
    assert refused.value.path == path
    assert ApiToken.objects.count() == 0


def test_use_is_noted_at_most_once_a_minute(django_assert_num_queries):
    token, secret = issue_token(name="erp", scopes=[ORDERS_READ], actor="li")
    with django_assert_num_queries(2):
        client_of(secret)
    with django_assert_num_queries(1):
        client_of(secret)
    token.refresh_from_db()
    assert token.last_used_at is not None


def test_revoking_twice_is_revoking_once():
    token, secret = issue_token(name="erp", scopes=[ORDERS_READ], actor="li")
    assert revoke_token(token_id=token.pk, actor="li") is True
    assert revoke_token(token_id=token.pk, actor="li") is False
    assert client_of(secret) is None
