"""A headless Chromium that opens pages of the tests."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PROGRAMS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")


def program() -> str | None:
    return next((path for name in PROGRAMS if (path := shutil.which(name))), None)


@contextlib.contextmanager
def opened(path: Path, **options: Any) -> Iterator[Any]:
    """The page, which fails the test at an error, a warning, or a try to load anything."""
    from playwright.sync_api import sync_playwright

    faults = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program(), args=["--no-sandbox"])
        page = browser.new_page(**{"viewport": {"width": 1280, "height": 860}, **options})
        page.set_default_timeout(10000)
        page.on("pageerror", lambda error: faults.append(f"error: {error}"))
        page.on("console", lambda message: faults.append(f"{message.type}: {message.text}"))
        page.on("request", lambda r: r.url.startswith("file:") or faults.append(f"loads {r.url}"))
        page.on("dialog", lambda dialog: (faults.append("a dialog"), dialog.dismiss()))
        page.goto(path.as_uri())
        yield page
        browser.close()
    assert not faults, faults
