"""App configuration."""

import gc

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class OrderHubConfig(AppConfig):
    """The order pool; puts what drives the pipeline into the slots through which lower layers reach it."""

    name = "orderhub"
    verbose_name = _("Order pool")

    def ready(self) -> None:
        """Fill the hooks once all apps are there."""
        from orderhub import deliveries, rejudging, remapping, reruns, schedules  # noqa: PLC0415  (models must be loaded first)
        from orderhub.core import crypto, hooks  # noqa: PLC0415
        from triage.selectors.findings import marks_of  # noqa: PLC0415

        # Keys that cannot be read stop the start, not the first order hours later.
        crypto.keyring()
        hooks.process_inbox.fill(deliveries.process)
        hooks.rerun_reject.fill(reruns.rerun_reject)
        hooks.retriage.fill(rejudging.retriage)
        hooks.remap.fill(remapping.remap)
        hooks.open_reasons.fill(marks_of)
        hooks.release_order.fill(rejudging.release_order)
        hooks.start_pull.fill(schedules.start_pull)
        # What is loaded by now lives as long as the process. Looking through it at every thousand new objects cost
        # 7 % of an intake (docs/performance.md).
        gc.freeze()
        gc.set_threshold(50_000, 20, 100)
