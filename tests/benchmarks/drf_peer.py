"""The usual way as a peer: a DRF serializer that creates one order per request with `.create()` and `.save()`.

Served by gunicorn with two sync workers: `gunicorn tests.benchmarks.drf_peer:application`. It writes the same tables
and seals the receiver, but triages nothing.
"""

from datetime import UTC, datetime
from typing import Any

import django
from django.core.handlers.wsgi import WSGIHandler
from django.db import transaction
from django.urls import path

django.setup()

from rest_framework import generics, serializers  # noqa: E402

from orderhub.core.draft import read_draft  # noqa: E402
from orderhub.models import Buyer, Effect, Order, OrderLine, Receiver, Shop, TimelineEntry  # noqa: E402
from orderhub.services import receivers  # noqa: E402


class LineSerializer(serializers.ModelSerializer):
    class Meta:
        model = OrderLine
        fields = ("line_no", "sku", "title", "quantity", "unit_price_fen", "paid_fen", "refund")


class OrderSerializer(serializers.ModelSerializer):
    lines = LineSerializer(many=True)
    receiver = serializers.DictField()
    buyer = serializers.DictField()

    class Meta:
        model = Order
        fields = (
            "external_no", "status", "created_at", "paid_at", "modified_at", "total_fen", "discount_fen",
            "freight_fen", "paid_fen", "buyer_remark", "seller_remark", "flag", "presale", "lines", "receiver", "buyer",
        )  # fmt: skip

    @transaction.atomic
    def create(self, validated: dict[str, Any]) -> Order:
        shop = Shop.objects.get(code="bench")
        lines, _, buyer = validated.pop("lines"), validated.pop("receiver"), validated.pop("buyer")
        draft = read_draft(self.initial_data)
        owner, _ = Buyer.objects.get_or_create(
            shop=shop, external_id=buyer.get("id", ""), defaults={"nickname": buyer.get("nickname", "")}
        )
        now = datetime.now(UTC)
        order = Order(shop=shop, buyer=owner, received_at=now, content_hash=0, lane="regular", **validated)
        order.save()
        for line in lines:
            OrderLine(shop=shop, order=order, **line).save()
        row = next(receivers.receiver_rows([(order.pk, shop.pk, draft)]))
        values = dict(zip(receivers.COLUMNS, row, strict=True))
        grams = values.pop("name_grams")
        Receiver(**values, name_grams=grams.strip("{}").split(",") if grams else None).save(force_insert=True)
        TimelineEntry(shop=shop, order=order, at=now, kind="intake", source="channel", actor="peer").save()
        Effect(
            shop=shop, order=order, kind="wms_push", key=f"wms:{order.external_no}", due_at=now, created_at=now
        ).save()
        return order

    def to_representation(self, instance: Order) -> dict[str, Any]:
        return {"id": instance.pk}


class Create(generics.CreateAPIView):
    authentication_classes = ()
    permission_classes = ()
    serializer_class = OrderSerializer
    queryset = Order.objects.all()


urlpatterns = [path("orders/", Create.as_view())]
application = WSGIHandler()
