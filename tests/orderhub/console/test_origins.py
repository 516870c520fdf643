import pytest
from django.utils import translation

from orderhub.console.origins import actor_word


@pytest.mark.parametrize(
    ("actor", "shown"),
    [
        ("meimei", "meimei"),
        ("pull", "拉取（自动）"),
        ("nightly", "每晚自动"),
        ("command line", "命令行"),
        ("command:import_stock", "命令行：import_stock"),
        ("manage.py:root", "命令行：root"),
        ("outbox:wms_push", "推送仓库"),
        ("warehouse:WH01", "华东仓"),
        ("warehouse:WH02", "WH02"),
        ("intake:poll", ""),
        ("who:knows", "who:knows"),
        ("", ""),
    ],
)
def test_who_did_it_is_told_as_people_know_it(actor, shown):
    with translation.override("zh-hans"):
        assert actor_word(actor, {"WH01": "华东仓"}) == shown
