"""Refunds whose end no list of their platform shows: their orders are fetched one by one."""

from datetime import timedelta

from django.utils import timezone

from channels_sync.connectors.base import connectors
from orderhub.core.words import Status
from orderhub.models import Order, Shop
from orderhub.services import inbox

SETTLED_BY_LISTS = timedelta(days=1)
"""So long the ordinary pull and the re-reading of open orders are left to bring what becomes of a refund."""
MOST = 500
"""Orders of one shop at once; each costs two to four calls. Of more some are drawn, so that each comes up in time."""


def ask_again() -> int:
    """Have the orders with an older open refund fetched, of shops whose platform pays refunds unseen, and return how
    many. Those that wait to be fetched already are left alone. Two queries a shop."""
    platforms = [key for key, connector in connectors.items() if connector.pays_refunds_unseen]
    before, asked = timezone.now() - SETTLED_BY_LISTS, 0
    for shop in Shop.objects.filter(platform__in=platforms, is_active=True).order_by("pk"):
        orders = Order.objects.filter(shop=shop, status=Status.REFUNDING, refund_at__lt=before).order_by("?")
        numbers = list(orders.values_list("external_no", flat=True)[:MOST])
        inbox.fetch_later(shop, numbers)
        asked += len(numbers)
    return asked
