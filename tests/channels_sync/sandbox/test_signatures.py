import json
from pathlib import Path

import pytest

from channels_sync.sandbox.signatures import expected_sign, is_signed

VECTORS = Path(__file__).parents[2] / "payloads" / "vectors"


def vectors(name):
    return json.loads((VECTORS / f"{name}.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("vector", vectors("top"), ids=lambda vector: vector["id"])
def test_signature_of_every_independent_sdk_is_accepted(vector):
    params, secret = vector["inputs"]["params"], vector["inputs"]["app_secret"]
    signed = {**params, "sign": vector["expected"]["sign"]}
    assert is_signed(signed, secret)
    assert not is_signed({**signed, "page_no": "2"}, secret)


def test_the_body_takes_part_in_the_signature():
    vector = next(v for v in vectors("qimen") if v["id"] == "qimen-spi-verify")
    inputs = vector["inputs"]
    assert is_signed(inputs["query"], inputs["app_secret"], inputs["body"]) is vector["expected"]["valid"]
    tampered = is_signed(inputs["query"], inputs["app_secret"], inputs["tampered_body"])
    assert tampered is vector["expected"]["tampered_valid"]


def test_delivery_order_vector_gives_its_signature():
    vector = next(v for v in vectors("qimen") if v["id"] == "qimen-deliveryorder-create")
    inputs = vector["inputs"]
    assert expected_sign(inputs["query"], inputs["app_secret"], "md5", inputs["body"]) == vector["expected"]["sign"]


def test_empty_parameters_take_no_part():
    assert expected_sign({"a": "1", "b": ""}, "s") == expected_sign({"a": "1"}, "s")


def test_unknown_sign_method_is_not_signed():
    assert not is_signed({"a": "1", "sign_method": "none", "sign": ""}, "s")
