"""Orders queued for their push, and what came of it."""

from datetime import timedelta

from django.db import connection
from django.utils import timezone

from orderhub.models import Effect, Order, Warehouse
from orderhub.services.outbox import NewEffect, add_effects


def queue(*orders, kind="wms_push"):
    due = timezone.now() - timedelta(hours=1)
    effects = [NewEffect(order.shop_id, order.pk, kind, f"{kind}:{order.external_no}", due) for order in orders]
    with connection.cursor() as cursor:
        add_effects(cursor, effects)


def due_again():
    Effect.objects.filter(state="pending").update(due_at=timezone.now() - timedelta(hours=1))


def now_of(*orders):
    return [Order.objects.get(pk=order.pk).status for order in orders]


def other_house(shop, **values):
    own = shop.warehouse
    other = Warehouse(code="GZ", name="GZ", adapter=own.adapter, settings=own.settings, **values)
    other.credentials = own.credentials
    other.save()
    return other


def deliveries(platform):
    return {row["code"]: row for row in platform.store.query("SELECT * FROM deliveries")}
