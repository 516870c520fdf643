import gettext
import os

from orderhub.core.catalogues import compile_one, compile_stale

PO = r"""
msgid ""
msgstr ""
"Content-Type: text/plain; charset=UTF-8\n"
"Plural-Forms: nplurals=1; plural=0;\n"

msgid "Orders"
msgstr "订单"

msgctxt "lane"
msgid "Regular"
msgstr "常规"

msgid "%(count)s order"
msgid_plural "%(count)s orders"
msgstr[0] "%(count)s 个订单"

#, fuzzy
msgid "Queue"
msgstr "猜的"

msgid "A \"quoted\" line\n"
"and a second"
msgstr "带“引号”的行\n"
"和第二行"
"""


def make_po(folder):
    po = folder / "zh_Hans" / "LC_MESSAGES" / "django.po"
    po.parent.mkdir(parents=True)
    po.write_text(PO, encoding="utf-8")
    return po


def test_a_compiled_catalogue_is_what_gettext_reads(tmp_path):
    mo = compile_one(make_po(tmp_path))
    with mo.open("rb") as file:
        catalogue = gettext.GNUTranslations(file)
    assert catalogue.gettext("Orders") == "订单"
    assert catalogue.pgettext("lane", "Regular") == "常规"
    assert catalogue.ngettext("%(count)s order", "%(count)s orders", 5) == "%(count)s 个订单"
    assert catalogue.gettext('A "quoted" line\nand a second') == "带“引号”的行\n和第二行"
    assert catalogue.gettext("Queue") == "Queue"


def test_only_what_changed_is_compiled(tmp_path):
    po = make_po(tmp_path)
    assert compile_stale(tmp_path) == [po.with_suffix(".mo")]
    assert compile_stale(tmp_path) == []
    later = po.stat().st_mtime_ns + 10**9
    os.utime(po, ns=(later, later))
    assert compile_stale(tmp_path) == [po.with_suffix(".mo")]
    assert sorted(path.name for path in po.parent.iterdir()) == ["django.mo", "django.po"]
