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


def test_the_extension_is_not_part_of_the_number():
    assert canonical_phone("18877771111-123") == "18877771111"


def test_the_tail_of_a_masked_phone_is_found_by_its_visible_digits():
    assert phone_tail("138****2807") == "2807"
    assert phone_tail("138****") == ""


def test_masks_show_no_more_than_they_must():
    assert mask_phone("13912345678") == "139****5678"
    assert mask_name("欧阳娜娜") == "欧**"
    assert mask_name("李") == "李*"
    assert mask_detail("文三路 90 号 3 幢 501 室") == "文三路 ***"
