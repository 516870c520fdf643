from io import StringIO

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from openpyxl import Workbook, load_workbook

from channels_sync.models import Listing, ListingPart
from channels_sync.services.listing_files import export_items, import_items
from channels_sync.tables.sniff import inspect
from orderhub.core.errors import HubError
from orderhub.models import Sku
from tests.channels_sync.services.test_listings import make_listing
from tests.factories import make_shop

pytestmark = pytest.mark.django_db

HEAD = "item_id,sku_id,outer_id,title,spec,state,sku,quantity,value\n"


@pytest.fixture
def shop():
    Sku.objects.bulk_create([Sku(code="A", list_price_fen=900), Sku(code="B"), Sku(code="=C")])
    return make_shop("tb", platform="taobao")


def taken(shop, path):
    result = import_items(shop=shop, facts=inspect(path), actor="ada")
    told = [(row.row, row.field, row.reason) for row in result.refused]
    return {name: count for name, count in result.counts.items() if count}, told


def written(tmp_path, text, name="items.csv", encoding="utf-8"):
    path = tmp_path / name
    path.write_text(text, encoding=encoding)
    return path


def shapes():
    rows = ListingPart.objects.order_by("listing__item_id", "pk")
    return list(rows.values_list("listing__item_id", "sku", "quantity", "value_fen"))


def test_rows_of_one_item_are_its_parts(shop, tmp_path):
    path = written(tmp_path, HEAD + "11,12,SET,礼盒,红,,A,2,\n11,12,SET,,,,B,1,3.50\n13,,,,,,B,,\n")
    assert taken(shop, path) == ({"new": 2}, [])
    assert shapes() == [("11", "A", 2, 900), ("11", "B", 1, 350), ("13", "B", 1, None)]
    first = Listing.objects.get(item_id="11")
    assert (first.sku_id, first.outer_id, first.title, first.spec, first.state) == (
        "12",
        "SET",
        "礼盒",
        "红",
        "matched",
    )


def test_a_code_that_is_the_items_or_skus_own_id_is_none_as_in_orders(shop, tmp_path):
    path = written(tmp_path, HEAD + "11,12,12,,,,A,,\n13,,13,,,,A,,\n,,14,,,,A,,\n13,,,,,,B,,\n")
    assert taken(shop, path) == ({"new": 3}, [])
    keys = Listing.objects.order_by("pk").values_list("item_id", "sku_id", "outer_id")
    assert sorted(keys) == [("", "", "14"), ("11", "12", ""), ("13", "", "")]
    assert shapes()[-2:] == [("13", "A", 1, 900), ("13", "B", 1, None)]


def test_the_second_time_nothing_changes(shop, tmp_path):
    path = written(tmp_path, HEAD + "11,,,,,,A,2,\n14,,,,,ignored,,,\n")
    assert taken(shop, path) == ({"new": 2}, [])
    before = list(Listing.objects.order_by("pk").values())
    assert taken(shop, path) == ({"unchanged": 2}, [])
    assert list(Listing.objects.order_by("pk").values()) == before


def test_a_bad_row_stops_only_its_own_item(shop, tmp_path):
    lines = [
        "11,,,,,,A,2,", "11,,,,,,NOPE,1,", "12,,,,,,A,x,", "13,,,,,,A,0,", "6.5E+17,,,,,,A,1,", ",,,,,,A,1,",
        "14,,,,,wrong,A,1,", "15,,,,,ignored,A,1,", "16,,,,,,A,1,-3", "17,,,,,,A,1,", "17,,,,,,A,2,", "18,,,,,,B,1,",
    ]  # fmt: skip
    counts, told = taken(shop, written(tmp_path, HEAD + "\n".join(lines)))
    assert counts == {"new": 1, "rejected": 9}
    assert [(row, field) for row, field, _reason in told] == [
        (3, "sku"), (4, "quantity"), (5, "quantity"), (6, "item_id"), (7, "item_id"), (8, "state"), (9, "state"),
        (10, "value"), (12, "sku"),
    ]  # fmt: skip
    assert shapes() == [("18", "B", 1, None)]


def test_rows_without_sku_are_left_for_later(shop, tmp_path):
    make_listing(shop, ("A", 1), item_id="11", sku_id="", outer_id="")
    assert taken(shop, written(tmp_path, HEAD + "11,,,,,,,,\n19,,,,,unmatched,,,\n")) == ({"skipped": 2}, [])
    assert shapes() == [("11", "A", 1, None)]
    assert not Listing.objects.filter(item_id="19").exists()


def test_the_names_that_spreadsheets_use_are_known(shop, tmp_path):
    path = written(tmp_path, "宝贝ID,商家编码,自有SKU,数量,状态\n11,SET,A,2,已匹配\n", encoding="gb18030")
    assert taken(shop, path) == ({"new": 1}, [])
    assert shapes() == [("11", "A", 2, 900)]


def test_lines_of_json(shop, tmp_path):
    text = (
        '{"item_id": 11, "parts": [{"sku": "A", "quantity": 2, "value_fen": 70}, {"sku": "B"}]}\n'
        '{"item_id": "12", "parts": [{"sku": "A"}, {"sku": "A"}]}\nbroken\n[1]\n{"item_id": "13", "sku": "B"}\n'
    )
    counts, told = taken(shop, written(tmp_path, text, "items.ndjson"))
    assert counts == {"new": 2, "rejected": 3}
    assert [row for row, _field, _reason in told] == [2, 3, 4]
    assert shapes() == [("11", "A", 2, 70), ("11", "B", 1, None), ("13", "B", 1, None)]


def test_a_file_without_the_columns_is_refused(shop, tmp_path):
    with pytest.raises(HubError, match="columns sku and one of item_id"):
        taken(shop, written(tmp_path, "foo,sku\n1,A\n"))


def test_a_code_without_ids_takes_its_items_along(shop, tmp_path):
    make_listing(shop, item_id="11", outer_id="SET")
    assert taken(shop, written(tmp_path, HEAD + ",,SET,,,,A,2,\n")) == ({"new": 1}, [])
    assert shapes() == [("", "A", 2, 900), ("11", "A", 2, 900)]


@pytest.mark.parametrize("ending", ["csv", "xlsx", "ndjson"])
def test_what_is_written_is_read_again_unchanged(shop, tmp_path, ending):
    make_listing(shop, ("A", 2), ("=C", 1), item_id="611111111111111111", title="=cmd()", spec="+红")
    make_listing(shop, item_id="12", title="未匹配")
    make_listing(shop, item_id="13", state="ignored")
    make_listing(make_shop("jd"), ("B", 1), item_id="14")
    ListingPart.objects.filter(sku="A").update(value_fen=1234)
    path = tmp_path / f"items.{ending}"
    assert export_items(path=path, shop=shop) == 3
    before = list(Listing.objects.order_by("pk").values())
    assert taken(shop, path) == ({"unchanged": 2, "skipped": 1}, [])
    assert list(Listing.objects.order_by("pk").values()) == before
    Listing.objects.filter(shop=shop).delete()
    assert taken(shop, path) == ({"new": 2, "skipped": 1}, [])
    found = Listing.objects.get(shop=shop, item_id="611111111111111111")
    assert (found.title, found.spec) == ("=cmd()", "+红")
    assert ("611111111111111111", "A", 2, 1234) in shapes()


def test_no_cell_is_a_formula(shop, tmp_path):
    make_listing(shop, ("=C", 1), title="=cmd()")
    export_items(path=tmp_path / "items.csv", shop=shop)
    assert "'=cmd()" in (tmp_path / "items.csv").read_text("utf-8-sig")
    export_items(path=tmp_path / "items.xlsx", shop=shop)
    book = load_workbook(tmp_path / "items.xlsx")
    assert {cell.data_type for row in book.active.iter_rows(min_row=2) for cell in row if cell.value} == {"s"}
    book.close()


def test_an_id_that_excel_spoiled_is_named(shop, tmp_path):
    book = Workbook()
    book.active.append(["item_id", "sku"])
    book.active.append([611111111111111111, "A"])
    book.save(tmp_path / "items.xlsx")
    counts, told = taken(shop, tmp_path / "items.xlsx")
    assert (counts, told[0][:2]) == ({"rejected": 1}, (2, "item_id"))


def test_another_ending_is_refused(tmp_path):
    with pytest.raises(HubError, match="must end in"):
        export_items(path=tmp_path / "items.txt")


@pytest.mark.parametrize("count", [1, 40])
def test_items_are_taken_over_set_wise(shop, tmp_path, count, django_assert_max_num_queries):
    path = written(tmp_path, HEAD + "".join(f"{n},,,,,,A,2,\n" for n in range(count)))
    with django_assert_max_num_queries(14):
        assert taken(shop, path) == ({"new": count}, [])


def test_the_commands_take_over_and_write(shop, tmp_path):
    path = written(tmp_path, HEAD + "11,,,,,,A,2,\n12,,,,,,NOPE,1,\n")
    out, err = StringIO(), StringIO()
    call_command("import_listings", str(path), shop="tb", stdout=out, stderr=err)
    assert out.getvalue() == "new 1, changed 0, unchanged 0, skipped 0, rejected 1\n"
    assert err.getvalue() == "row 3 12 sku: there is no SKU NOPE\n"
    target = tmp_path / "out.csv"
    call_command("export_listings", str(target), stdout=out)
    assert target.read_text("utf-8-sig").splitlines()[1] == "tb,11,,,,,matched,A,2,9.00"


def test_the_command_tells_what_stays_on_sale_of_items_put_aside(shop, tmp_path):
    for item, shown in (("11", 50), ("12", 0)):
        make_listing(shop, ("A", 1), item_id=item, sku_id="", outer_id="", shown=shown)
    out = StringIO()
    call_command(
        "import_listings",
        str(written(tmp_path, HEAD + "11,,,,,ignored,,,\n12,,,,,ignored,,,\n")),
        shop="tb",
        stdout=out,
    )
    assert out.getvalue().splitlines() == [
        "new 0, changed 2, unchanged 0, skipped 0, rejected 0",
        "11: the channel keeps the stock of 50 that it was told last and goes on selling",
    ]


@pytest.mark.parametrize(
    ("shop_code", "text", "reason"),
    [
        ("nope", HEAD, "there is no shop nope"),
        ("tb", HEAD + "1,,,,,,X,1,\n", "no row of the file"),
        ("tb", "", "empty"),
    ],
)
def test_the_command_says_why_it_could_not(shop, tmp_path, shop_code, text, reason):
    with pytest.raises(CommandError, match=reason):
        call_command(
            "import_listings", str(written(tmp_path, text)), shop=shop_code, stdout=StringIO(), stderr=StringIO()
        )
