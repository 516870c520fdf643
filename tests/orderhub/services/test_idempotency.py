import pytest
from django.db import connection

from orderhub.services import idempotency
from orderhub.services.access import INTAKE_WRITE, issue_token
from orderhub.services.idempotency import Ticket, Turn

pytestmark = pytest.mark.django_db


def test_a_key_that_is_given_up_while_another_request_looks_is_run_by_that_one():
    token, _secret = issue_token(name="erp", scopes=[INTAKE_WRITE], actor="li")
    first = idempotency.begin(token_id=token.pk, key="k", body_hash="h")
    statements = []

    def give_up_between(execute, sql, params, many, context):
        answer = execute(sql, params, many, context)
        statements.append(sql)
        if len(statements) == 1:
            idempotency.give_up(row_id=first.row_id)
        return answer

    with connection.execute_wrapper(give_up_between):
        second = idempotency.begin(token_id=token.pk, key="k", body_hash="h")
    assert second == Ticket(Turn.RUN, second.row_id)
    assert second.row_id > first.row_id
