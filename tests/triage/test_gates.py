from django.utils.translation import override

from triage.gates import gate_texts


def test_cash_on_delivery_leads_to_shipping_by_hand_on_the_order_page():
    told = []
    for language in ("en", "zh-hans"):
        with override(language):
            told.append(gate_texts("channel_hold", {"hold": "cod"})[2])
    assert told == ["Somebody ships it by hand here, or the buyer pays online", "在本系统手工发货，或买家改为在线支付"]
