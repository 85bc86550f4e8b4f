"""The README's picture of the running page: `python -m tests.system.picture ACCESS.JSON cloud/web/pictures/command-centre.png`.

ACCESS.JSON is what a running demo wrote, about two minutes after its start.
"""

import json
import os
import shutil
import sys
from pathlib import Path

from playwright.sync_api import expect, sync_playwright


def take(access: Path, picture: Path) -> None:
    """Log in as the duty chief, open the newest case with a picture, take the picture."""
    site = json.loads(access.read_text(encoding="utf-8"))
    chief = next(user for user in site["users"] if user["role"] == "duty_chief")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"] if os.geteuid() == 0 else []
        )
        page = browser.new_context(viewport={"width": 1600, "height": 960}, locale="zh-CN").new_page()
        page.goto(site["url"])
        page.get_by_test_id("login-name").fill(chief["name"])
        page.get_by_test_id("login-password").fill(chief["password"])
        page.get_by_test_id("login-submit").click()
        expect(page.get_by_test_id("case-row").first).to_be_visible()
        rows = page.evaluate("fetch('/api/v1/cases?kind=loitering&limit=50').then(answer => answer.json())")
        shown = next(case for case in rows["items"] if case["picture"])
        page.goto(f"{site['url']}/cases/{shown['id']}")
        expect(page.locator('[data-testid="case-picture"][data-state="shown"]').first).to_be_visible(timeout=30_000)
        page.wait_for_timeout(2_000)  # the map and the readings are drawn after the case
        page.screenshot(path=str(picture))
        browser.close()


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    take(Path(sys.argv[1]), Path(sys.argv[2]))
