"""A real Chromium against the live server. Strangers' hosts are not reachable: every request to one fails the test."""

import os
import shutil
from urllib.parse import urlsplit

import pytest

# Playwright runs an event loop in the test's thread; the tests' own queries are made between its calls.
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"


@pytest.fixture(scope="session")
def chromium():
    from playwright.sync_api import sync_playwright

    path = os.environ.get("HUB_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    assert path, "Browser tests need Chromium: install it, or name it in HUB_CHROMIUM."
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


class Tab:
    """One page that remembers what went wrong on it."""

    def __init__(self, context, base):
        self.context, self.base, self.problems = context, base, []
        self.page = context.new_page()
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        self.page.on("console", self._listen)
        self.page.on("request", self._watch)

    def _listen(self, message):
        # A search that is overtaken by the next letter is told as an error by htmx; a failed one says sendError, too.
        if message.type == "error" and not message.text.startswith(("htmx:afterRequest", "htmx:sendAbort")):
            self.problems.append(message.text)

    def _watch(self, request):
        if request.url.startswith("http") and urlsplit(request.url).netloc != urlsplit(self.base).netloc:
            self.problems.append(f"asked another host: {request.url}")

    def open(self, path):
        self.page.goto(f"{self.base}{path}")
        return self.page


@pytest.fixture
def open_tab(chromium, live_server):
    """Make a tab of a given width and colour scheme; afterwards nothing may have gone wrong on it."""
    tabs = []

    def make(width=1440, height=900, scheme="light", user=None, language="zh-hans"):
        from django.conf import settings
        from django.test import Client

        context = chromium.new_context(
            viewport={"width": width, "height": height}, color_scheme=scheme, permissions=["clipboard-read"]
        )
        cookies = {"django_language": language}
        if user is not None:
            client = Client()
            client.force_login(user)
            cookies[settings.SESSION_COOKIE_NAME] = client.cookies[settings.SESSION_COOKIE_NAME].value
        context.add_cookies([{"name": n, "value": v, "url": live_server.url} for n, v in cookies.items()])
        tabs.append(Tab(context, live_server.url))
        return tabs[-1]

    yield make
    for tab in tabs:
        tab.context.close()
    assert [problem for tab in tabs for problem in tab.problems] == []
