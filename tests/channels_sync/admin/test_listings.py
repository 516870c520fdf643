import re
from html import unescape

import pytest
from django.contrib.admin.models import LogEntry
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test.utils import CaptureQueriesContext

from channels_sync.admin.listing_forms import PartFormSet
from channels_sync.models import Listing
from channels_sync.services import mapping
from channels_sync.services.suggestions import suggest
from orderhub.models import Order, Sku
from tests.channels_sync.services.test_listings import ITEM, change_parts, lines_of, make_listing
from tests.drafts import deliver, draft, line
from tests.factories import make_shop

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("rules")]

LIST = "/ops/channels_sync/listing/"


@pytest.fixture
def shop():
    Sku.objects.bulk_create([Sku(code="SERUM-30", title="精华液", list_price_fen=9900), Sku(code="MASK-10")])
    return make_shop("tb", platform="taobao")


def parts_of(listing):
    return [(part.sku, part.quantity, part.value_fen) for part in Listing.objects.get(pk=listing.pk).parts.all()]


def form(*parts, initial=0, **values):
    data = {"parts-TOTAL_FORMS": len(parts), "parts-INITIAL_FORMS": initial, "share_percent": "", **values}
    for place, (sku, quantity, value) in enumerate(parts):
        data |= {f"parts-{place}-sku": sku, f"parts-{place}-quantity": quantity, f"parts-{place}-value_fen": value}
    return data


def said(response):
    return [str(message) for message in response.context["messages"]]


@pytest.mark.parametrize("rows", [1, 3])
@pytest.mark.parametrize("view", ["unmatched", "all"])
def test_the_list_needs_a_fixed_number_of_queries(log_in, shop, rows, view, django_assert_num_queries):
    client = log_in("supervisor")
    for number in range(rows):
        make_listing(shop, item_id=f"u{number}", outer_id="serum_30")
        make_listing(shop, ("SERUM-30", 2), item_id=f"m{number}")
    suggest()
    client.get(LIST)
    with django_assert_num_queries(9):
        body = client.get(f"{LIST}?view={view}").content.decode()
    assert body.count("<tr data-href") == rows * (1 if view == "unmatched" else 2)


def test_the_queue_comes_first_with_its_suggestions(log_in, shop):
    make_listing(shop, item_id="11", outer_id="SERUM-30*2+MASK-10", title="礼盒 <b>", spec="红")
    make_listing(shop, ("MASK-10", 1), item_id="12", title="已匹配")
    suggest()
    body = log_in("supervisor").get(LIST).content.decode()
    assert "礼盒 &lt;b&gt;" in body
    assert "已匹配" not in body
    assert 'name="expected" value="SERUM-30*2+MASK-10"' in body
    assert "SERUM-30 × 2 + MASK-10" in body


@pytest.mark.parametrize("term", ["tb-1", "611", "512", "面膜", "MASK-10"])
def test_items_are_found_by_everything_people_have(log_in, shop, term):
    make_listing(shop, ("MASK-10", 1), item_id="6111", sku_id="5122", outer_id="tb-1", title="补水面膜")
    make_listing(shop, ("SERUM-30", 1), item_id="9", sku_id="9", outer_id="9")
    body = log_in("supervisor").get(LIST, {"view": "all", "q": term}).content.decode()
    assert body.count("<tr data-href") == 1


@pytest.mark.django_db(transaction=True)
def test_one_click_takes_the_suggestion_and_orders_follow(log_in, shop):
    deliver(shop, draft(lines=[line(item_id="11", sku_id="12", sku="serum_30")]))
    suggest()
    listing = Listing.objects.get()
    response = log_in("supervisor").post(f"{LIST}{listing.pk}/accept/", {"expected": "SERUM-30"}, follow=True)
    assert parts_of(listing) == [("SERUM-30", 1, 9900)]
    assert lines_of()[0][1] == "SERUM-30"
    assert said(response) == ["Matched with SERUM-30.", "1 open order follows."]


def test_a_click_on_what_has_changed_changes_nothing(log_in, shop):
    listing = make_listing(shop, outer_id="serum_30")
    suggest()
    client = log_in("supervisor")
    assert said(client.post(f"{LIST}{listing.pk}/accept/", {"expected": "MASK-10"}, follow=True)) == [
        "The suggestions have changed; look again."
    ]
    client.post(f"{LIST}{listing.pk}/accept/", {})
    assert client.get(f"{LIST}{listing.pk}/accept/").status_code == 405
    assert parts_of(listing) == []


def test_many_are_matched_at_once(log_in, shop):
    listings = [make_listing(shop, item_id=str(n), outer_id="serum_30") for n in range(3)]
    without = make_listing(shop, item_id="9", outer_id="zzz")
    suggest()
    client = log_in("supervisor")
    selected = {"action": "accept_best", "_selected_action": [row.pk for row in (*listings, without)]}
    assert said(client.post(LIST, selected, follow=True)) == ["3 items matched.", "zzz: There is no suggestion."]
    assert [parts_of(row) for row in listings] == [[("SERUM-30", 1, 9900)]] * 3


def test_items_that_cannot_be_matched_are_named_with_chinese_marks(log_in, shop):
    without = make_listing(shop, item_id="9", outer_id="zzz")
    client = log_in("supervisor")
    client.cookies["django_language"] = "zh-hans"
    selected = {"action": "accept_best", "_selected_action": [without.pk]}
    assert said(client.post(LIST, selected, follow=True)) == ["zzz：暂无建议。"]


@pytest.mark.parametrize(("action", "state"), [("ignore", "ignored"), ("reopen", "unmatched")])
def test_items_are_put_aside_and_back(log_in, shop, action, state):
    listing = make_listing(shop, ("SERUM-30", 1))
    client = log_in("supervisor")
    selected = {"action": action, "_selected_action": [listing.pk]}
    question = client.post(f"{LIST}?view=all", selected).content.decode()
    assert ("What they are made of is forgotten" in question, parts_of(listing)) == (True, [("SERUM-30", 1, None)])
    selected["confirmed"] = "1"
    assert said(client.post(f"{LIST}?view=all", selected, follow=True)) == ["1 item changed."]
    assert (Listing.objects.get(pk=listing.pk).state, parts_of(listing)) == (state, [])


ON_SALE = (
    "%s: the channel keeps the stock of %d that it was told last and goes on selling. Change it on the platform if "
    "that must not be."
)


@pytest.mark.parametrize("action", ["ignore", "reopen"])
def test_what_stays_on_sale_of_an_item_put_aside_is_told(log_in, shop, action):
    rows = [make_listing(shop, ("MASK-10", 1), item_id=str(n), outer_id=f"M{n}", shown=n) for n in range(13)]
    selected = {"action": action, "_selected_action": [row.pk for row in rows], "confirmed": "1"}
    assert said(log_in("supervisor").post(f"{LIST}?view=all", selected, follow=True)) == [
        "13 items changed.", *(ON_SALE % (f"M{n}", n) for n in range(1, 11)), "… and 2 more.",
    ]  # fmt: skip


@pytest.mark.django_db(transaction=True)
def test_what_stays_on_sale_is_told_by_form_and_file_too(log_in, shop):
    listing = make_listing(shop, ("SERUM-30", 1), shown=50, item_id="11", sku_id="")
    data = form(("SERUM-30", "1", ""), initial=1) | {"parts-0-id": listing.parts.get().pk, "parts-0-DELETE": "on"}
    client = log_in("supervisor")
    assert ON_SALE % ("SET-1", 50) in said(client.post(f"{LIST}{listing.pk}/change/", data, follow=True))
    text = "item_id,outer_id,sku,state\n11,SET-1,,ignored\n"
    response = client.post(f"{LIST}import/", {"shop": shop.pk, "file": upload(text)})
    assert (said(response), Listing.objects.get().state) == ([ON_SALE % ("SET-1", 50)], "ignored")


@pytest.mark.django_db(transaction=True)
def test_the_form_says_what_an_item_is_made_of(log_in, shop):
    deliver(shop, draft(lines=[line(**ITEM)]))
    listing = Listing.objects.get()
    client = log_in("supervisor")
    body = client.get(f"{LIST}{listing.pk}/change/").content.decode()
    assert 'name="parts-0-sku"' in body
    data = form(("SERUM-30", "1", "70"), ("MASK-10", "3", "10"))
    response = client.post(f"{LIST}{listing.pk}/change/", data, follow=True)
    assert "1 open order follows." in said(response)
    assert parts_of(listing) == [("SERUM-30", 1, 7000), ("MASK-10", 3, 1000)]
    assert [entry[1] for entry in lines_of()] == ["SERUM-30", "MASK-10"]
    assert "3 x MASK-10" in LogEntry.objects.latest("pk").get_change_message()


@pytest.mark.parametrize(
    ("parts", "reason"),
    [
        ([("NOPE", "1", "")], "there is no SKU NOPE"), ([("MASK-10", "1", ""), ("MASK-10", "2", "")], "appears twice"),
        ([("MASK-10", "0", "")], "greater than or equal to 1"),
        ([("MASK-10", "1001", "")], "less than or equal to 1000"),
        ([("MASK-10", "1", "abc")], "Type an amount in yuan"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_told_in_the_form(log_in, shop, parts, reason):
    listing = make_listing(shop)
    response = log_in("supervisor").post(f"{LIST}{listing.pk}/change/", form(*parts))
    assert response.status_code == 200
    assert reason in unescape(response.content.decode())
    assert parts_of(listing) == []


def test_taking_every_part_away_puts_the_item_back(log_in, shop):
    listing = make_listing(shop, ("SERUM-30", 1))
    part = listing.parts.get()
    data = form(("SERUM-30", "1", ""), initial=1) | {"parts-0-id": part.pk, "parts-0-DELETE": "on"}
    log_in("supervisor").post(f"{LIST}{listing.pk}/change/", data)
    assert (Listing.objects.get(pk=listing.pk).state, parts_of(listing)) == ("unmatched", [])


def test_saving_without_a_change_is_no_news(log_in, shop):
    listing = make_listing(shop, ("SERUM-30", 2))
    part = listing.parts.get()
    data = form(("SERUM-30", "2", ""), initial=1) | {"parts-0-id": part.pk, "parts-0-listing": listing.pk}
    response = log_in("supervisor").post(f"{LIST}{listing.pk}/change/", data | {"share_percent": "40"})
    assert response.status_code == 302
    saved = Listing.objects.get(pk=listing.pk)
    assert (saved.share_percent, saved.mapped_at) == (40, None)
    assert listing.parts.get().pk == part.pk


@pytest.mark.parametrize("share", ["", "40"])
def test_saving_an_item_leaves_alone_what_the_stock_turn_wrote_meanwhile(log_in, shop, share, monkeypatch):
    listing = make_listing(shop, ("SERUM-30", 2), item_id="11", sku_id="")
    clean, meanwhile = PartFormSet.clean, {"shown": 7, "asked": 9, "asked_no": 4, "stock_error": "no such item"}

    def clean_while_told(self):
        Listing.objects.update(**meanwhile)
        clean(self)

    monkeypatch.setattr(PartFormSet, "clean", clean_while_told)
    data = form(("SERUM-30", "2", ""), initial=1, share_percent=share) | {"parts-0-id": listing.parts.get().pk}
    assert log_in("supervisor").post(f"{LIST}{listing.pk}/change/", data).status_code == 302
    saved = Listing.objects.values("share_percent", *meanwhile).get()
    assert saved == {"share_percent": int(share) if share else None, **meanwhile}


def test_a_code_is_added_by_hand(log_in, shop):
    item = {"shop": shop.pk, "item_id": "", "sku_id": "", "outer_id": "SET-9", "title": "", "spec": ""}
    data = form(("SERUM-30", "2", "")) | item
    assert log_in("supervisor").post(f"{LIST}add/", data).status_code == 302
    listing = Listing.objects.get()
    assert (listing.outer_id, listing.state, parts_of(listing)) == ("SET-9", "matched", [("SERUM-30", 2, 9900)])


@pytest.mark.parametrize("code", ["11", "12"])
def test_a_code_that_is_the_items_or_skus_own_id_is_none_as_in_orders(log_in, shop, code):
    item = {"shop": shop.pk, "item_id": "11", "sku_id": "12", "outer_id": code, "title": "", "spec": ""}
    data = form(("SERUM-30", "2", "")) | item
    client = log_in("supervisor")
    assert client.post(f"{LIST}add/", data).status_code == 302
    assert Listing.objects.values_list("item_id", "sku_id", "outer_id").get() == ("11", "12", "")
    assert client.post(f"{LIST}add/", data).status_code == 200
    assert Listing.objects.count() == 1


def test_an_item_needs_something_to_be_known_by(log_in, shop):
    data = form(("SERUM-30", "2", "")) | {"shop": shop.pk, "item_id": "", "sku_id": "", "outer_id": ""}
    response = log_in("supervisor").post(f"{LIST}add/", data)
    assert (response.status_code, Listing.objects.count()) == (200, 0)


@pytest.mark.parametrize(
    ("role", "sees", "changes"),
    [("supervisor", True, True), ("auditor", True, False), ("warehouse", True, False), ("agent", False, False),
     ("risk", False, False)],
)  # fmt: skip
def test_who_may_see_and_change_it(log_in, shop, role, sees, changes):
    client = log_in(role)
    listing = make_listing(shop, outer_id="serum_30")
    suggest()
    page = f"{LIST}{listing.pk}/change/"
    assert {client.get(path).status_code for path in (LIST, page, f"{LIST}export/")} == {200 if sees else 403}
    assert {client.get(f"{LIST}{name}/").status_code for name in ("add", "import")} == {200 if changes else 403}
    assert client.post(f"{LIST}{listing.pk}/accept/", {"expected": "MASK-10"}).status_code == (302 if changes else 403)
    assert client.post(f"{LIST}{listing.pk}/delete/", {"post": "yes"}).status_code == 403
    assert client.post(page, form(("MASK-10", "1", ""))).status_code == (302 if changes else 403)
    client.post(f"{LIST}?view=all", {"action": "ignore", "_selected_action": [listing.pk], "confirmed": "1"})
    assert Listing.objects.get(pk=listing.pk).state == ("ignored" if changes else "unmatched")
    body = client.get(LIST).content.decode() if sees else ""
    assert ("/accept/" in body) is False


def test_people_who_may_only_look_get_no_buttons(log_in, shop):
    make_listing(shop, outer_id="serum_30")
    suggest()
    body = log_in("auditor").get(LIST).content.decode()
    assert "SERUM-30" in body
    assert "/accept/" not in body
    assert "/import/" not in body


def upload(text, name="items.csv"):
    return SimpleUploadedFile(name, text.encode())


def test_a_file_is_taken_over_and_each_bad_row_named(log_in, shop):
    text = "item_id,sku,quantity\n11,SERUM-30,2\n12,NOPE,1\n"
    response = log_in("supervisor").post(f"{LIST}import/", {"shop": shop.pk, "file": upload(text)})
    body = response.content.decode()
    assert re.search(r"new <strong class=\"num\">1</strong>", body)
    assert "There is no SKU NOPE." in body
    assert parts_of(Listing.objects.get()) == [("SERUM-30", 2, 9900)]


def test_bad_rows_are_told_in_the_reader_s_language(log_in, shop):
    client = log_in("supervisor")
    client.cookies["django_language"] = "zh-hans"
    text = "item_id,sku,quantity,state\n12,NOPE,1,\n13,SERUM-30,x,\n14,SERUM-30,1001,\n15,SERUM-30,1,ignored\n"
    body = client.post(f"{LIST}import/", {"shop": shop.pk, "file": upload(text)}).content.decode()
    assert re.findall(r'<td class="num">([^<]*)</td><td class="text">([^<]*)</td>', body) == [
        ("SKU", "没有 SKU NOPE。"), ("件数", "不是整数。"), ("件数", "件数应为 1 至 1000，实际为 1001。"),
        ("状态", "已忽略的商品不能有 SKU。"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (" \n", "文件为空。"),
        ("foo,bar\n1,2\n", "需要 sku 列，以及 item_id、sku_id、outer_id 中的至少一列。文件中的列：foo, bar"),
    ],
)
def test_a_file_that_cannot_be_used_is_told_at_its_field(log_in, shop, text, reason):
    client = log_in("supervisor")
    client.cookies["django_language"] = "zh-hans"
    response = client.post(f"{LIST}import/", {"shop": shop.pk, "file": upload(text)})
    assert (response.status_code, reason in response.content.decode()) == (400, True)


@pytest.mark.parametrize("ending", ["csv", "xlsx", "ndjson", "exe"])
def test_the_items_are_handed_out_as_a_file(log_in, shop, ending):
    make_listing(shop, ("SERUM-30", 2), item_id="11")
    make_listing(make_shop("jd"), ("MASK-10", 1), item_id="99")
    response = log_in("auditor").get(f"{LIST}export/", {"ending": ending, "shop": shop.pk})
    body = response.content
    assert response["Content-Disposition"].startswith('attachment; filename="listings-tb-')
    if ending == "csv":
        assert body.decode("utf-8-sig").splitlines()[1:] == ["tb,11,12,SET-1,,,matched,SERUM-30,2,"]
    else:
        assert body[:2] == (b'{"' if ending == "ndjson" else b"PK")


def order_page(client):
    return client.get(f"/ops/orderhub/order/{Order.objects.get().pk}/change/").content.decode()


def test_the_order_page_says_that_a_line_has_no_own_sku(log_in, shop):
    deliver(shop, draft(lines=[line(**ITEM, title="礼盒")]))
    listing = Listing.objects.get()
    supervisor, agent = log_in("supervisor"), log_in("agent")
    link = f"{LIST}{listing.pk}/change/"
    assert ("No own SKU" in order_page(supervisor), link in order_page(supervisor)) == (True, True)
    assert ("No own SKU" in order_page(agent), link in order_page(agent)) == (True, False)
    mapping.ignore(listing_ids=[listing.pk], actor="ada")
    assert "No own SKU" not in order_page(supervisor)


def test_the_order_page_says_so_of_a_code_alone_too(log_in, shop):
    deliver(shop, draft(lines=[line(sku="TYPO")]))
    page = order_page(log_in("supervisor"))
    assert ("No own SKU" in page, f"{LIST}{Listing.objects.get().pk}/change/" in page) == (True, True)


def test_the_order_page_says_what_a_bundle_was_sold_as(log_in, shop):
    listing = make_listing(shop)
    change_parts(listing, ("SERUM-30", 1), ("MASK-10", 5))
    deliver(shop, draft(lines=[line(**ITEM, title="双十一礼盒")]))
    body = order_page(log_in("agent"))
    assert "Sold on the channel as" in body
    assert "双十一礼盒" in body


def test_an_order_without_anything_odd_has_no_panel(log_in, shop):
    deliver(shop, draft(lines=[line(item_id="1", sku="SERUM-30"), line(line_no="2")]))
    assert "Sold on the channel as" not in order_page(log_in("supervisor"))


@pytest.mark.parametrize("count", [1, 3])
def test_the_panel_needs_a_fixed_number_of_queries(log_in, shop, count):
    deliver(shop, draft(lines=[line(line_no=str(n), item_id=f"i{n}", sku=f"x{n}") for n in range(count)]))
    client = log_in("agent")
    order_page(client)
    with CaptureQueriesContext(connection) as queries:
        order_page(client)
    assert sum("channels_sync_listing" in query["sql"] for query in queries) == 2
