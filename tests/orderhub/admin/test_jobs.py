import re

import pytest
from django.contrib import admin
from django.utils import translation
from django_q.models import Failure, Schedule


@pytest.mark.parametrize("model", [Schedule, Failure])
def test_what_the_job_library_shows_of_itself_is_chinese(model):
    names = [name for name in admin.site.get_model_admin(model).fields if name != "cron"]
    with translation.override("zh-hans"):
        fields = [model._meta.get_field(name) for name in names]
        shown = [str(text) for field in fields for text in (field.verbose_name, field.help_text) if text]
    assert [text for text in shown if not re.search("[\u4e00-\u9fff]", text)] == []
