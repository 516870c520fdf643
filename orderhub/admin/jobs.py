"""Jobs: heartbeats and schedules. Schedules are code (`orderhub/schedules.py`); the console only shows them."""

from datetime import timedelta

from django.contrib import admin
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django_q.models import Failure, OrmQ, Schedule, Success

from orderhub.console import columns
from orderhub.console.model_admin import ReadOnlyModelAdmin
from orderhub.console.paging import Keyset
from orderhub.models import JobHeartbeat

LATE_FACTOR = 3
"""A job that has missed this many of its turns counts as silent."""

for _model in (Failure, OrmQ, Schedule, Success):
    if admin.site.is_registered(_model):
        admin.site.unregister(_model)


@admin.register(JobHeartbeat)
class JobHeartbeatAdmin(ReadOnlyModelAdmin):
    """When each job ran last, and how it went."""

    list_display = ("name", "health", "beat_at", "took_ms", "every_seconds", "error")
    number_columns = ("took_ms", "every_seconds")
    text_columns = ("error",)
    fields = ("name", "health", "beat_at", "took_ms", "every_seconds", "message")
    readonly_fields = ("health",)
    empty_text = gettext_lazy("No job has run yet. Start the workers.")

    @admin.display(description=gettext_lazy("state"))
    def health(self, job: JobHeartbeat) -> SafeString:
        """Failed, silent or well."""
        if not job.is_ok:
            return columns.pill(f"✕ {_('failed')}", "red")
        if job.beat_at < timezone.now() - timedelta(seconds=job.every_seconds * LATE_FACTOR + 30):
            return columns.pill(f"▲ {_('silent')}", "amber")
        return columns.pill(f"✓ {_('runs')}", "green")

    @admin.display(description=gettext_lazy("message"))
    def error(self, job: JobHeartbeat) -> SafeString:
        """The last error, cut."""
        return columns.truncated(job.message)


@admin.register(Schedule)
class ScheduleAdmin(ReadOnlyModelAdmin):
    """The schedules as they stand in the job table."""

    list_display = ("name", "func", "minutes", "cron", "next_run")
    fields = ("name", "func", "schedule_type", "minutes", "cron", "repeats", "next_run", "cluster")
    number_columns = ("minutes",)
    empty_text = gettext_lazy("Run manage.py sync_schedules.")


@admin.register(Failure)
class FailureAdmin(ReadOnlyModelAdmin):
    """Tasks that ended with an error."""

    keyset = Keyset(("started", "id"))
    list_display = ("name", "func", "started", "stopped", "error")
    text_columns = ("error",)
    fields = ("name", "func", "started", "stopped", "result")
    empty_text = gettext_lazy("No task has failed.")

    @admin.display(description=gettext_lazy("last error"))
    def error(self, task: Failure) -> SafeString:
        """The error, cut."""
        return columns.truncated(str(task.result or ""))
