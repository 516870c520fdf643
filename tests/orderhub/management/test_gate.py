import json

import pytest
from django.core.management import CommandError, call_command

from orderhub.models import Gate, GateChange
from tests.drafts import deliver, draft
from tests.factories import make_shop

pytestmark = pytest.mark.django_db


def run(capsys, *words):
    call_command("gate", *words)
    return capsys.readouterr().out


def test_without_a_state_it_shows_the_gate_and_changes_nothing(capsys):
    assert run(capsys) == "Gate     open\n"
    assert not GateChange.objects.exists()


def test_it_pauses_and_says_who_and_why(capsys):
    shop = make_shop("flagship")
    text = run(capsys, "paused", "--reason", "stock count")
    assert text.startswith("Gate     PAUSED, since ")
    assert text.rstrip().endswith(": stock count")
    deliver(shop, draft())
    lines = run(capsys).splitlines()
    assert lines[1].split() == ["flagship", "open"]
    assert lines[-1] == "  1 orders wait before the gate, as long as the gate is paused"
    assert Gate.objects.get().actor.startswith("manage.py:")


def test_one_shop_is_throttled(capsys):
    shop = make_shop("flagship")
    run(capsys, "trickle", "--shop", "flagship", "--rate", "30", "--reason", "stock count")
    assert Gate.objects.values_list("shop", "state", "rate_per_minute").get() == (shop.pk, "trickle", 30)


def test_json_is_for_scripts(capsys):
    make_shop("flagship")
    told = json.loads(run(capsys, "paused", "--shop", "flagship", "--reason", "stock count", "--json"))
    assert (told["of_all"]["state"], told["waiting"], told["ends_at"]) == ("open", 0, None)
    assert [(shop["code"], shop["own"]["state"], shop["own"]["reason"]) for shop in told["shops"]] == [
        ("flagship", "paused", "stock count")
    ]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["paused"], "--reason: "),
        (["trickle", "--reason", "stock count"], "--rate: "),
        (["paused", "--rate", "5", "--reason", "stock count"], "--rate: "),
        (["paused", "--shop", "nowhere", "--reason", "stock count"], "--shop: there is no shop 'nowhere'"),
        (["shut", "--reason", "stock count"], "invalid choice"),
    ],
)
def test_what_cannot_be_is_refused_by_its_name(words, told):
    with pytest.raises(CommandError, match=told):
        call_command("gate", *words)
    assert not Gate.objects.exists()


def test_the_status_shows_the_gate_too(capsys):
    call_command("gate", "paused", "--reason", "stock count")
    capsys.readouterr()
    call_command("status")
    assert any(line.startswith("Gate     PAUSED, since ") for line in capsys.readouterr().out.splitlines())
    call_command("status", "--json")
    assert json.loads(capsys.readouterr().out)["gate"]["of_all"]["state"] == "paused"
