"""Shops, warehouses and groups of agents: the few rows everything else points to."""

from datetime import datetime
from typing import Any

import orjson
from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from orderhub.core.crypto import UnreadableError, open_sealed, seal

SET_AT = "__set_at__"
"""Key beside the sealed values that tells when each of them was set."""


class SealedSettings(models.Model):
    """Credentials that are written by people and read by connectors only, sealed in one column together with the
    time at which each value was set."""

    sealed_credentials = models.BinaryField(_("credentials"), default=b"", blank=True, editable=False)

    class Meta:
        abstract = True

    @property
    def credentials(self) -> dict[str, Any]:
        """The clear credentials; an empty dictionary when none were stored."""
        return {name: value for name, value in self._opened().items() if name != SET_AT}

    @credentials.setter
    def credentials(self, value: dict[str, Any]) -> None:
        stored = self._opened() if self.can_open else {}  # new credentials are the way out of a lost data key
        now = timezone.now().isoformat(timespec="seconds")
        known: dict[str, str] = stored.get(SET_AT, {})
        times = {name: known.get(name, now) if stored.get(name) == clear else now for name, clear in value.items()}
        body = orjson.dumps({**value, SET_AT: times})
        self.sealed_credentials = seal(body, b"credentials") if value else b""

    @property
    def can_open(self) -> bool:
        """Whether the data key that sealed the credentials is there."""
        try:
            self._opened()
        except UnreadableError:
            return False
        return True

    @property
    def credentials_set_at(self) -> dict[str, datetime]:
        """When each stored value was set, by name; values stored by versions that did not note it are left out."""
        return {name: datetime.fromisoformat(text) for name, text in self._opened().get(SET_AT, {}).items()}

    def _opened(self) -> dict[str, Any]:
        if not self.sealed_credentials:
            return {}
        clear: dict[str, Any] = orjson.loads(open_sealed(self.sealed_credentials, b"credentials"))
        return clear


class Warehouse(SealedSettings):
    """One warehouse system that orders are pushed to, through the adapter registered under `adapter`."""

    code = models.CharField(_("code"), max_length=50, unique=True)
    name = models.CharField(_("name"), max_length=100)
    adapter = models.CharField(_("adapter"), max_length=50, default="qimen")
    settings = models.JSONField(
        _("settings"),
        default=dict,
        blank=True,
        help_text=_(
            "For Qimen: owner_code, warehouse_code and sender with name, mobile, province, city, district, town, "
            "detail; if wanted carrier, repeat_words, retry_words. The customer id is a credential. "
            "See docs/channels/qimen.md."
        ),
    )
    is_active = models.BooleanField(_("active"), default=True)

    class Meta:
        verbose_name = _("warehouse")
        verbose_name_plural = _("warehouses")
        ordering = ["code"]

    def __str__(self) -> str:
        return self.name


def default_merge_window() -> int:
    """Return how long regular orders of a new shop wait, as the hub is set to."""
    return int(settings.HUB_MERGE_WINDOW_SECONDS)


class Shop(SealedSettings):
    """One store on one platform; `platform` is the key of its connector."""

    code = models.SlugField(_("code"), max_length=50, unique=True)
    name = models.CharField(_("name"), max_length=100)
    platform = models.CharField(_("platform"), max_length=50)
    warehouse = models.ForeignKey(
        Warehouse, models.PROTECT, null=True, blank=True, related_name="shops", verbose_name=_("warehouse")
    )
    settings = models.JSONField(_("settings"), default=dict, blank=True)
    merge_window_seconds = models.PositiveIntegerField(
        _("merge window (seconds)"),
        default=default_merge_window,
        help_text=_("How long a regular order waits before the warehouse push."),
    )
    ship_hours = models.PositiveSmallIntegerField(
        _("hours to ship"), default=48, help_text=_("Used where the channel gives no deadline of its own.")
    )
    is_active = models.BooleanField(
        _("active"),
        default=True,
        help_text=_("Off: its channel is neither asked nor told; what there is to tell goes out once it is on."),
    )
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    class Meta:
        verbose_name = _("shop")
        verbose_name_plural = _("shops")
        ordering = ["code"]

    def __str__(self) -> str:
        return self.name

    @property
    def active_warehouse(self) -> Warehouse | None:
        """The warehouse that orders can be pushed to now; None where none is set or it is switched off."""
        return self.warehouse if self.warehouse and self.warehouse.is_active else None

    @property
    def stock_warehouses(self) -> list[str]:
        """The codes of the warehouses whose stock this shop sells: its setting, else where it sends; none means all."""
        named = self.settings.get("stock_warehouses")
        if isinstance(named, list) and named and all(isinstance(code, str) for code in named):
            return named
        return [self.warehouse.code] if self.warehouse else []


class AgentGroup(models.Model):
    """A group of agents that takes the manual work of some shops."""

    name = models.CharField(_("name"), max_length=100, unique=True)
    agents = models.ManyToManyField(
        settings.AUTH_USER_MODEL, blank=True, related_name="agent_groups", verbose_name=_("agents")
    )
    shops = models.ManyToManyField(Shop, blank=True, related_name="agent_groups", verbose_name=_("shops"))

    class Meta:
        verbose_name = _("agent group")
        verbose_name_plural = _("agent groups")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name
