"""A real Chromium, driven by selenium; skipped where there is none, unless NNEXP_REQUIRE asks for it."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from required import lacking

FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
)  # fmt: skip


def programs() -> tuple[str, str]:
    """Chromium and its driver, or the test is skipped; it fails where ``NNEXP_REQUIRE`` names chromium."""
    found = [shutil.which(name) for name in ("chromium", "chromedriver")]
    try:
        import selenium  # noqa: F401
    except ImportError:
        found.append(None)
    if None in found:
        lacking("chromium", "chromium, chromedriver and selenium are needed")
    return str(found[0]), str(found[1])


@contextlib.contextmanager
def chromium(width: int = 1280, height: int = 900) -> Iterator[Any]:
    """A browser with an empty profile and a viewport of exactly this size, whose console is kept."""
    binary, driver = programs()
    from selenium.webdriver import Chrome, ChromeOptions
    from selenium.webdriver.chrome.service import Service

    options = ChromeOptions()
    options.binary_location = binary
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    with tempfile.TemporaryDirectory(prefix="nnexp-chromium-", ignore_cleanup_errors=True) as profile:
        for flag in (*FLAGS, f"--user-data-dir={profile}", f"--window-size={width},{height}"):
            options.add_argument(flag)
        browser = Chrome(options=options, service=Service(driver))
        try:
            resize(browser, width, height)
            yield browser
        finally:
            browser.quit()


def resize(browser: Any, width: int, height: int = 900) -> None:
    """Give the page a viewport of this size; a window cannot be narrower than 500 pixels."""
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)


def errors(browser: Any) -> list[str]:
    """What the page has complained of on the console."""
    return [
        entry["message"] for entry in browser.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")
    ]


def picture(browser: Any, file: Path) -> None:
    """The whole page, also below the fold, as a PNG."""
    import base64

    options = {"captureBeyondViewport": True, "format": "png"}
    taken = browser.execute_cdp_cmd("Page.captureScreenshot", options)
    file.write_bytes(base64.b64decode(taken["data"]))
