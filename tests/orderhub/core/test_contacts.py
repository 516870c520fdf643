import pytest

from orderhub.core.contacts import (
    canonical_phone,
    contact_kind,
    mask_detail,
    mask_name,
    mask_phone,
    phone_tail,
)


@pytest.mark.parametrize(
    ("phone", "kind"),
    [
        ("13912345678", "plain"),
        ("+86 139-1234-5678", "plain"),
        ("0571-88886666", "plain"),
        ("18877771111-123", "virtual"),
        ("18877771111转1234", "virtual"),
        ("+86 188-7777-1111 转 1234", "virtual"),
        ("13912345678 1234", "virtual"),
        ("+85261234567-123", "virtual"),
        ("1391234-5678", "plain"),
        ("1391234-567", "plain"),
        ("139123 45678", "plain"),
        ("4008008-888", "plain"),
        ("+86 0571 8888-6666", "plain"),
        ("02188886666转801", "plain"),
        ("138****2807", "masked"),
        ("~AgAAAAO3x~9Qk=~1~", "cipher"),
        ("", "plain"),
    ],
)
def test_kind_of_a_phone(phone, kind):
    assert contact_kind(phone) == kind


@pytest.mark.parametrize("text", ["13912345678", "+8613912345678", "0086 139 1234 5678", "139-1234-5678"])
def test_one_number_in_many_spellings_has_one_canonical_form(text):
    assert canonical_phone(text) == "13912345678"


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("18877771111-123", "18877771111"),
        ("13912345678 1234", "13912345678"),
        ("+8618877771111#1234", "18877771111"),
        ("0571-88886666转801", "057188886666"),
        ("02188886666-801", "02188886666"),
        ("1391234-5678", "13912345678"),
        ("1391234-567", "1391234567"),
        ("4008008-888", "4008008888"),
    ],
)
def test_the_extension_is_not_part_of_the_number(text, number):
    assert canonical_phone(text) == number
    assert phone_tail(text) == number[-4:]


def test_the_tail_of_a_masked_phone_is_found_by_its_visible_digits():
    assert phone_tail("138****2807") == "2807"
    assert phone_tail("138****") == ""


def test_masks_show_no_more_than_they_must():
    assert mask_phone("13912345678") == "139****5678"
    assert mask_name("欧阳娜娜") == "欧**"
    assert mask_name("李") == "李*"


@pytest.mark.parametrize(
    ("detail", "shown"),
    [
        ("文三路 90 号 3 幢 501 室", "文三路 ***"),
        ("五一大街和平里 9 号", "五一大街和***"),
        ("三里屯路 9 号", "***"),
        ("五四路 9 号院", "五四路 ***"),
        ("张三家对面", "张***"),
        ("王家对面小卖部", "王家对***"),
        ("幸福小区三号楼二单元五零一", "幸福小区***"),
        ("中华人民共和国大使馆签证处", "中华人民共和***"),
        ("文三路", "文***"),
        ("村", "***"),
        ("", ""),
        ("文三路***", "文三路***"),
    ],
)
def test_of_an_address_less_than_half_is_shown_and_no_number_but_that_of_a_road(detail, shown):
    assert mask_detail(detail) == shown
