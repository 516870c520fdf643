from triage.defaults.rules import RULES


def test_what_the_buyer_wrote_is_called_as_on_the_order_page():
    texts = {rule["code"]: str(rule) for rule in RULES}
    assert [code for code, text in texts.items() if "买家备注" in text] == []
    assert "买家留言" in texts["remark_change"]
