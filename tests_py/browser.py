"""A headless Chromium that opens pages of the tests."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PROGRAMS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")


def program() -> str:
    """The path of a Chromium. Raises RuntimeError where there is none: the viewer's tests are not skipped."""
    found = next((path for name in PROGRAMS if (path := shutil.which(name))), None)
    if found is None:
        raise RuntimeError(
            f"the viewer's tests need one of {', '.join(PROGRAMS)}: apt install chromium-headless-shell (or chromium), "
            "or run scripts/setup"
        )
    return found


@contextlib.contextmanager
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        # Its own sandbox does not work for root, nor in many containers.
        running = playwright.chromium.launch(executable_path=program(), args=["--no-sandbox"])
        yield running
        running.close()


@contextlib.contextmanager
def opened(running: Any, path: Path, **options: Any) -> Iterator[Any]:
    """A page; that it reports an error, warns, or tries to load anything fails the test."""
    faults = []
    page = running.new_page(**{"viewport": {"width": 1280, "height": 860}, **options})
    page.set_default_timeout(10000)
    page.on("pageerror", lambda error: faults.append(f"error: {error}"))
    page.on("console", lambda message: faults.append(f"{message.type}: {message.text}"))
    page.on("request", lambda r: r.url.startswith("file:") or faults.append(f"loads {r.url}"))
    page.on("dialog", lambda dialog: (faults.append("a dialog"), dialog.dismiss()))
    page.goto(path.as_uri())
    yield page
    page.close()
    assert not faults, faults
