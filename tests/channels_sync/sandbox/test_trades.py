"""Two readings of one protocol: what the emulator writes, the connector reads as it was meant."""

import pytest

from channels_sync.connectors.taobao.mapping import read_trade
from channels_sync.connectors.taobao.pull import FIELDS
from channels_sync.sandbox.credentials import SANDBOX
from channels_sync.sandbox.masking import masked_draft
from channels_sync.sandbox.stream import generate
from channels_sync.sandbox.trades import project, trade
from orderhub.core.draft import read_draft

SAME = (
    "external_no", "status", "created_at", "paid_at", "modified_at", "ship_by", "buyer", "total_fen", "discount_fen",
    "freight_fen", "paid_fen", "buyer_remark", "seller_remark", "presale", "channel_hold",
)  # fmt: skip


@pytest.fixture(scope="module")
def pairs():
    orders = generate(1_500, seed=4, profile="masked")
    return [
        (read_trade(project(trade(o.draft, SANDBOX), FIELDS, full=True)), read_draft(masked_draft(o.draft)))
        for o in orders
    ]


@pytest.mark.parametrize("field", SAME)
def test_connector_reads_what_was_meant(pairs, field):
    assert [getattr(read, field) for read, _ in pairs] == [getattr(meant, field) for _, meant in pairs]


def test_connector_reads_the_lines(pairs):
    def told(draft):
        return [(line.sku, line.title, line.quantity, line.unit_price_fen, line.refund) for line in draft.lines]

    assert [told(read) for read, _ in pairs] == [told(meant) for _, meant in pairs]
    paid = [(read, meant) for read, meant in pairs if meant.status == "paid"]
    assert [[line.paid_fen for line in read.lines] for read, _ in paid] == [
        [line.paid_fen for line in meant.lines] for _, meant in paid
    ]


def test_connector_reads_the_masked_receiver_with_its_token(pairs):
    def told(draft):
        receiver = draft.receiver
        return receiver.name, receiver.phone, receiver.province, receiver.city, receiver.district, receiver.oaid

    assert [told(read) for read, _ in pairs] == [told(meant) for _, meant in pairs]
