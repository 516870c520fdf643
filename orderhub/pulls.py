"""Pulls of the channels: each page is stored as a delivery, then taken in at once; the cursor moves with it."""

import structlog

from channels_sync.services import news, sync
from orderhub.core import hooks
from orderhub.core.errors import words_of
from orderhub.deliveries import process
from orderhub.models import Shop
from orderhub.services.inbox import fetch_later

log = structlog.get_logger(__name__)


def pull_shop(shop_id: int, *, force: bool = False) -> dict[str, int] | None:
    """Pull what changed in one shop since its cursor and return the counts; None when it is not due or in other hands.

    Each page is stored before it is taken in; the cursor moves with the last page of a window. A failure is told in
    the shop's sync state, not raised. A run whose time is over asks for another turn, behind whatever else waits.
    """
    shop = Shop.objects.select_related("warehouse").get(pk=shop_id)
    run = sync.begin(shop, force=force)
    if run is None:
        return None
    try:
        for page in run.pages():
            item = news.store(shop, page, source="poll")
            fetch_later(shop, page.later)
            run.count(process(item.pk, at_commit=run.cursor_mover(page)))
    except Exception as error:  # noqa: BLE001  (told to people in the console; the next run starts from the cursor)
        log.warning("pull failed", shop=shop.code, error=words_of(error), kind=type(error).__name__)
        run.fail(error)
    else:
        run.finish()
        if run.was_stopped:
            hooks.start_pull(shop_id)
    return run.log.counts
