"""The channels on the dashboard."""

from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from channels_sync import selectors
from channels_sync.admin.runs import lag_text
from orderhub.console import columns
from orderhub.console.dashboard import DashboardCard, add_card

HEALTH_WORDS = {
    "ok": ("✓", gettext_lazy("Up to date"), "green"),
    "late": ("●", gettext_lazy("Behind"), "amber"),
    "failing": ("●", gettext_lazy("Failing, tries again"), "amber"),
    "stopped": ("◆", gettext_lazy("Needs a person"), "red"),
    "idle": ("—", gettext_lazy("Sends by itself"), "faint"),
}


def sync_card(request: HttpRequest) -> dict[str, Any]:
    """Return the state of every active shop, worst first; nothing for people who may not see it."""
    if not request.user.has_perm("channels_sync.view_shopsync"):
        return {}
    rows = []
    for state in selectors.sync_health():
        mark, word, tone = HEALTH_WORDS[state.tone]
        rows.append(
            {
                "shop": state.shop.name,
                "link": reverse("admin:channels_sync_channel", args=[state.shop.code]),
                "platform": state.platform,
                "pill": columns.pill(f"{mark} {word}", tone),
                "lag": lag_text(state.sync) if state.pulls else columns.NOTHING,
                "last_success_at": state.sync.last_success_at if state.sync else None,
                "error": state.sync.last_error if state.sync else "",
            }
        )
    return {"rows": rows, "hint": _("late from %(minutes)s minutes") % {"minutes": 5}}


add_card(DashboardCard("sync", gettext_lazy("Channels"), "channels_sync/sync_card.html", sync_card, "half", 50))
