"""Channel items from and to files, in the console."""

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from django import forms
from django.core.exceptions import PermissionDenied
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.http import content_disposition_header
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from channels_sync.admin.offer_columns import say_what_stays_on_sale
from channels_sync.services.listing_files import Imported, Refused, export_items, import_items
from channels_sync.tables.sniff import inspect
from orderhub.console.actions import actor_of
from orderhub.console.reject_words import field_words, reason_words
from orderhub.core.errors import HubError
from orderhub.models import Shop

if TYPE_CHECKING:
    from channels_sync.admin.listings import ListingAdmin

LARGEST = 20 * 1024 * 1024
ENDINGS = {"csv": "text/csv", "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
           "ndjson": "application/x-ndjson"}  # fmt: skip
SHOWN = 200


class ImportForm(forms.Form):
    """Which file, for which shop."""

    shop = forms.ModelChoiceField(Shop.objects.order_by("code"), label=gettext_lazy("shop"))
    file = forms.FileField(label=gettext_lazy("file"), help_text=gettext_lazy("CSV, XLSX or NDJSON, up to 20 MB"))

    def clean_file(self) -> "UploadedFile[bytes]":
        """Refuse a file that is too large for a request; `manage.py import_listings` takes it."""
        file: UploadedFile[bytes] = self.cleaned_data["file"]
        if (file.size or 0) > LARGEST:
            raise forms.ValidationError(_("The file is larger than 20 MB; use manage.py import_listings."))
        return file


def import_view(listings: "ListingAdmin", request: HttpRequest) -> HttpResponse:
    """Take a file over and tell what became of each row; one that cannot be read as a whole is told at its field."""
    if not (listings.has_change_permission(request) and listings.has_add_permission(request)):
        raise PermissionDenied
    form = ImportForm(request.POST or None, request.FILES or None)
    result = _import(request, form) if request.method == "POST" and form.is_valid() else None
    context = {
        **listings.admin_site.each_context(request),
        "title": _("Import channel items"),
        "opts": listings.opts,
        "form": form,
        "counts": _counts(result) if result else [],
        "refused": [_told(row) for row in result.refused[:SHOWN]] if result else [],
        "more": max(len(result.refused) - SHOWN, 0) if result else 0,
        "back": reverse("admin:channels_sync_listing_changelist"),
        "template": f"{reverse('admin:channels_sync_listing_export')}?ending=xlsx",
    }
    return TemplateResponse(request, "channels_sync/listing_import.html", context, status=400 if form.errors else 200)


def _import(request: HttpRequest, form: ImportForm) -> Imported | None:
    upload: UploadedFile[bytes] = form.cleaned_data["file"]
    with TemporaryDirectory() as folder:
        path = Path(folder) / "upload"
        with path.open("wb") as file:
            file.writelines(upload.chunks())
        try:
            result = import_items(shop=form.cleaned_data["shop"], facts=inspect(path), actor=actor_of(request))
        except HubError as error:
            form.add_error("file", reason_words(str(error)))
            return None
    say_what_stays_on_sale(request, result.put_aside)
    return result


def _told(row: Refused) -> Refused:
    """Return a refused row in the reader's language."""
    return replace(row, field=field_words(row.field), reason=reason_words(row.reason))


def _counts(result: Imported) -> list[tuple[str, int]]:
    words = {
        "new": _("new"), "changed": _("changed"), "unchanged": _("unchanged"), "skipped": _("left for later"),
        "rejected": _("refused"),
    }  # fmt: skip
    return [(word, result.counts[name]) for name, word in words.items()]


def export_view(listings: "ListingAdmin", request: HttpRequest) -> HttpResponse:
    """Hand the items of one shop, or of all, out as a file."""
    if not listings.has_view_or_change_permission(request):
        raise PermissionDenied
    ending = request.GET.get("ending", "xlsx")
    ending = ending if ending in ENDINGS else "xlsx"
    shop_id = request.GET.get("shop", "")
    shop = Shop.objects.filter(pk=int(shop_id)).first() if shop_id.isascii() and shop_id.isdigit() else None
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"items.{ending}"
        export_items(path=path, shop=shop)
        body = path.read_bytes()
    name = f"listings-{shop.code if shop else 'all'}-{timezone.localdate():%Y%m%d}.{ending}"
    disposition = content_disposition_header(True, name)
    return HttpResponse(body, content_type=ENDINGS[ending], headers={"Content-Disposition": disposition or ""})
