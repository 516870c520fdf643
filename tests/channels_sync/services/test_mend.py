from django.utils import translation

from channels_sync.services import mend
from channels_sync.services.compare import FieldDifference
from channels_sync.services.verdicts import Verdict


def test_what_fetching_again_did_not_help_is_named_in_words():
    fields = (FieldDifference("paid_fen", "¥1.00", "¥2.00"), FieldDifference("lines[2].refund", "none", "asked"))
    with translation.override("zh-hans"):
        told = mend._why(Verdict("differing", "field", fields))
    assert told == "重新拉取后仍不一致：实付、商品行 2：退款"
