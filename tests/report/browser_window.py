"""A real browser for tests of the page: Chromium without a window, driven through chromedriver and Selenium.

Imports Selenium only when a browser is started, so that its absence is a reason to skip and nothing worse.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

FLAGS = (
    "--headless",
    "--no-sandbox",  # CI runs as root, where Chromium has no sandbox of its own
    "--disable-dev-shm-usage",  # nor much shared memory, in a container
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@dataclass
class Window:
    """One tab, whose size, colours and scripts a test chooses before it opens a page."""

    driver: Chrome

    def open(self, page: Path, *, width: int = 1400, scheme: str = "light", scripts: bool = True) -> None:
        """Shows a file, as a screen of that width would; forgets what was logged before."""
        screen = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": features})
        self.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": not scripts})
        self.driver.get("about:blank")  # the browser's own first page asks for things
        for log in ("browser", "performance"):
            self.driver.get_log(log)  # type: ignore[no-untyped-call] # Selenium has no types for its logs
        self.driver.get(page.as_uri())

    def print_preview(self) -> None:
        """From here on the page looks as it is printed."""
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print", "features": []})
        # What is folded unfolds with the next picture that is drawn.
        self.driver.execute_async_script(
            "const done = arguments[0]; requestAnimationFrame(() => requestAnimationFrame(() => done()))"
        )

    def ask(self, script: str, *arguments: Any) -> Any:
        """What a script, which the page's own policy does not bind, finds out."""
        return self.driver.execute_script(script, *arguments)

    def roles(self) -> list[str]:
        """The roles of all that screen readers are told of."""
        from selenium.webdriver.support.wait import WebDriverWait

        self.driver.execute_cdp_cmd("Accessibility.enable", {})

        def told(driver: Chrome) -> list[str]:
            nodes = driver.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
            roles: list[str] = [node["role"]["value"] for node in nodes if not node["ignored"]]
            return roles if len(roles) > 1 else []

        # The browser makes this tree only now that somebody wants it: at first there may be its root alone.
        return WebDriverWait(self.driver, 60).until(told)

    def complaints(self) -> list[str]:
        """What the console said: errors and warnings, refusals of the security policy among them."""
        entries: list[dict[str, Any]] = self.driver.get_log("browser")  # type: ignore[no-untyped-call] # as above
        return [entry["message"] for entry in entries]

    def fetched(self) -> list[str]:
        """The addresses of all that was asked for since the page was opened, itself among them."""
        entries: list[dict[str, Any]] = self.driver.get_log("performance")  # type: ignore[no-untyped-call] # as above
        messages = [json.loads(entry["message"])["message"] for entry in entries]
        return [m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"]


@contextmanager
def opened(profile: Path) -> Iterator[Window]:
    """A browser with a new, empty profile. Skips the test where something is missing, and says what."""
    pytest.importorskip("selenium", reason="no Selenium to drive a browser with: pip install '.[browser]'")
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    names = ("chromium", "chromium-browser", "google-chrome")
    chromium = next((path for name in names if (path := shutil.which(name)) is not None), None)
    driver = shutil.which("chromedriver")
    if chromium is None or driver is None:
        pytest.skip("no Chromium with its chromedriver here; on Debian: apt-get install chromium chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in (*FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    chrome = webdriver.Chrome(options=options, service=Service(driver))
    try:
        yield Window(chrome)
    finally:
        chrome.quit()
