"""The base of every admin class; the theme is known here (and in `site.py`) only, so that it can be replaced."""

from typing import TypeVar

from django.db.models import Model
from unfold.admin import ModelAdmin, StackedInline, TabularInline

M = TypeVar("M", bound=Model)


class ConsoleModelAdmin(ModelAdmin):
    """A list and a form in the console's look."""

    list_filter_submit = True
    list_fullwidth = True
    compressed_fields = True
    show_full_result_count = False
    list_per_page = 50


class ConsoleTabularInline(TabularInline):
    """Rows of a related table."""

    extra = 0
    tab = False


class ConsoleStackedInline(StackedInline):
    """Forms of a related table."""

    extra = 0
