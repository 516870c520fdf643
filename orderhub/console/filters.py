"""Filters of the order list that features add from their `admin.py`."""

from django.contrib.admin import SimpleListFilter

order_filters: list[type[SimpleListFilter]] = []
"""Append a filter class; it is shown on the order list after the pool's own. It must narrow by an indexed column or a
sub-select, never by a join that repeats orders."""
