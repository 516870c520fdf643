from channels_sync.connectors.base import abilities_of, connectors


def test_a_platform_without_code_can_do_nothing():
    gone = abilities_of("gone")
    assert not any(
        (gone.pulls, gone.pushes, gone.fetches, gone.rereads, gone.ships, gone.writes_stock, gone.writes_memo,
         gone.reveals, gone.masks, gone.authorises, gone.refreshes, gone.keeps_events)
    )  # fmt: skip
    assert gone.hidden_facts == {}


def test_every_other_platform_answers_for_itself():
    assert [abilities_of(key) for key, _connector in connectors.items()] == [each for _key, each in connectors.items()]
