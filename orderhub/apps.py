"""App configuration."""

import gc

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class OrderHubConfig(AppConfig):
    """The order pool; puts the pipeline into the slots through which lower layers reach it."""

    name = "orderhub"
    verbose_name = _("Order pool")

    def ready(self) -> None:
        """Fill the hooks once all apps are there."""
        from orderhub import pipeline, schedules  # noqa: PLC0415  (models must be loaded first)
        from orderhub.core import hooks  # noqa: PLC0415

        hooks.process_inbox.fill(pipeline.process)
        hooks.rerun_reject.fill(pipeline.rerun_reject)
        hooks.retriage.fill(pipeline.retriage)
        hooks.remap.fill(pipeline.remap)
        hooks.release_order.fill(pipeline.release_order)
        hooks.start_pull.fill(schedules.start_pull)
        # What is loaded by now lives as long as the process. Looking through it at every thousand new objects cost
        # 7 % of an intake (docs/performance.md).
        gc.freeze()
        gc.set_threshold(50_000, 20, 100)
