from collections import Counter

import pytest
from django.contrib import admin

from orderhub.console.navigation import navigation
from tests.factories import make_user


@pytest.mark.django_db
def test_every_page_stands_in_the_side_bar_once(rf):
    request = rf.get("/ops/")
    request.user = make_user("boss", is_staff=True, is_superuser=True)
    links = Counter(item["link"] for group in navigation(request) for item in group["items"])
    assert [link for link, times in links.items() if times > 1] == []
    assert len(links) > len(admin.site._registry) / 2
