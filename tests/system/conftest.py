"""The demo, started once for all tests that only look at it and press its buttons; and a real browser."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.system.site import Site

WEB = Path(__file__).parents[2] / "cloud" / "web" / "dist" / "index.html"


@contextlib.contextmanager
def _passable_directory() -> Iterator[Path]:
    """A folder that a database under an account of its own can pass through; pytest closes its own to others."""
    directory = Path(tempfile.mkdtemp(prefix="gridward-demo-"))
    directory.chmod(0o711)
    yield directory
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture
def passable_directory() -> Iterator[Path]:
    with _passable_directory() as directory:
        yield directory


@pytest.fixture(scope="session")
def site_directory() -> Iterator[Path]:
    with _passable_directory() as directory:
        yield directory


@pytest.fixture(scope="session")
def site(site_directory: Path) -> Iterator[Site]:
    site = Site(site_directory / "demo", site_directory / "demo.log")
    try:
        yield site.start()
    finally:
        if site.process is not None and site.process.poll() is None:
            site.stop()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("there is no chromium on this machine: the page is not tested")
    if not WEB.exists():
        pytest.skip("the page is not built (make web): it is not tested")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=program,
            args=[
                *(["--no-sandbox"] if os.geteuid() == 0 else []),
                "--disable-gpu",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
                "--no-first-run",
            ],
        )
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser, site: Site) -> Iterator[Page]:
    """A page at the log-in, in Chinese as it comes; whatever the page reports as an error fails the test."""
    context = browser.new_context(viewport={"width": 1600, "height": 1000}, locale="zh-CN")
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on(
        "console",
        lambda message: errors.append(message.text) if "Content Security Policy" in message.text else None,
    )
    page.goto(site.url)
    yield page
    context.close()
    assert not errors
