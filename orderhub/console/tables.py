"""Cells of the console's lists: how one attribute of one row is shown."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.admin.utils import display_for_field, display_for_value, lookup_field
from django.core.exceptions import ObjectDoesNotExist
from django.db.models import BooleanField, DateTimeField, Model
from django.utils.safestring import SafeString

from orderhub.console.change_list import ConsoleChangeList
from orderhub.console.columns import NOTHING, when, yes_no

CHECKBOX = "action_checkbox"


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell: its value as markup and the class of its column."""

    html: Any
    css: str
    is_link: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a list; `link` is empty where the object has no page."""

    key: str
    name: str
    link: str
    cells: list[Cell]


def rows(cl: ConsoleChangeList, *, with_links: bool = True) -> Iterator[Row]:
    """Return the rows of the current page."""
    columns = [name for name in cl.list_display if name != CHECKBOX]
    links = cl.list_display_links
    for result in cl.result_list:
        link = str(cl.url_for_result(result)) if with_links and links is not None else ""
        cells = [
            Cell(cell(cl, name, result), column_class(cl, name), bool(link) and (name in links if links else not place))
            for place, name in enumerate(columns)
        ]
        yield Row(str(result.pk), str(result), link, cells)


def column_class(cl: ConsoleChangeList, name: str) -> str:
    """Return the classes of a column's cells."""
    kind = (
        " number" if name in cl.model_admin.number_columns else " text" if name in cl.model_admin.text_columns else ""
    )
    return f"field-{name}{kind}"


def cell(cl: ConsoleChangeList, name: str, result: Model) -> Any:
    """Return the value of column `name` of one row, as markup."""
    try:
        field, attribute, value = lookup_field(name, result, cl.model_admin)
    except ObjectDoesNotExist:
        return NOTHING
    if isinstance(value, SafeString):
        return value
    if isinstance(field, DateTimeField) or isinstance(value, datetime):
        return when(value)
    if isinstance(field, BooleanField) or getattr(attribute, "boolean", False):
        return yes_no(bool(value))
    if value is None or value == "":
        return NOTHING
    if field is not None and not getattr(field, "auto_created", False):
        return getattr(result, field.name) if field.is_relation else display_for_field(value, field, "—")
    return display_for_value(value, "—")
