import pytest
from django.utils import translation

from orderhub.core.errors import FieldError


@pytest.mark.parametrize(("language", "told"), [("en", "rate: too high"), ("zh-hans", "rate：too high")])
def test_field_and_reason_are_joined_as_the_reader_writes(language, told):
    with translation.override(language):
        assert str(FieldError("rate", "too high")) == told
        assert str(FieldError("", "too high")) == "too high"
