"""What a connector is told of a shop."""

from channels_sync.connectors.base import ShopAccess
from channels_sync.selectors import known_versions
from channels_sync.services.allowance import SharedAllowance
from orderhub.models import Shop


def shop_access(shop: Shop) -> ShopAccess:
    """Return the access of `shop`: credentials in clear, in memory only."""
    shop_id = shop.pk
    return ShopAccess(
        shop_id=shop_id,
        code=shop.code,
        credentials=shop.credentials,
        settings=shop.settings,
        budget=SharedAllowance,
        known=lambda versions: known_versions(shop_id, versions),
    )
