"""The page in a real browser: log in, see a case, look at its picture, judge it, find it kept; charts; two languages."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.system.site import Site, first_case

pytestmark = pytest.mark.system

PATIENCE_MS = 60_000


def _log_in(page: Page, site: Site, role: str = "duty_chief") -> None:
    name, password = site.password_of(role)
    page.get_by_test_id("login-name").fill(name)
    page.get_by_test_id("login-password").fill(password)
    page.get_by_test_id("login-submit").click()
    expect(page.get_by_test_id("user")).to_be_visible()


def test_a_wrong_password_is_told_and_nothing_is_shown(page: Page, site: Site) -> None:
    page.get_by_test_id("login-name").fill(site.password_of("grid_worker")[0])
    page.get_by_test_id("login-password").fill("wrong")
    page.get_by_test_id("login-submit").click()
    expect(page.get_by_test_id("login-error")).to_be_visible()
    expect(page.get_by_test_id("case-list")).to_have_count(0)


def test_a_case_is_seen_judged_false_undone_and_judged_true_and_it_is_kept(page: Page, site: Site) -> None:
    with site.client() as client:
        case = first_case(client, kind="intrusion")
    _log_in(page, site)
    expect(page.get_by_test_id("live-state")).to_have_attribute("data-state", "live", timeout=PATIENCE_MS)
    page.goto(f"{site.url}/cases/{case['id']}")
    detail = page.get_by_test_id("case-detail")
    expect(detail).to_be_visible()
    expect(page.get_by_test_id("case-picture").first).to_have_attribute(
        "data-state", re.compile("shown|ready|loaded"), timeout=PATIENCE_MS
    )
    status = detail.get_by_test_id("case-status").first
    if status.get_attribute("data-status") != "reported":
        page.get_by_test_id("action-reopen").click()
        expect(status).to_have_attribute("data-status", "reported")
    page.get_by_test_id("action-dismiss").click()
    page.get_by_test_id("reason-light").click()
    page.get_by_test_id("dismiss-send").click()
    expect(status).to_have_attribute("data-status", "rejected")
    page.get_by_test_id("action-reopen").click()
    expect(status).to_have_attribute("data-status", "reported")
    page.get_by_test_id("action-confirm").click()
    expect(status).to_have_attribute("data-status", "filed")
    page.reload()
    expect(page.get_by_test_id("case-detail").get_by_test_id("case-status").first).to_have_attribute(
        "data-status", "filed", timeout=PATIENCE_MS
    )
    expect(page.locator('[data-testid="history-entry"][data-action="confirm"]').first).to_be_visible()


def test_what_a_person_reports_is_in_the_list_and_the_figures_open(page: Page, site: Site) -> None:
    with site.client() as client:
        areas = client.get("/api/v1/areas").json()["items"]
    grid = next(area for area in areas if area["level"] == "grid")
    _log_in(page, site)
    page.goto(f"{site.url}/report")
    expect(page.get_by_test_id("report-form")).to_be_visible(timeout=PATIENCE_MS)
    page.get_by_test_id("report-send").click()
    expect(page.get_by_test_id("report-receipt")).to_have_count(0)  # it says what is missing
    page.get_by_test_id("report-category").click()
    page.locator(".el-select-dropdown__item:visible").first.click()
    page.get_by_test_id("report-title").fill("A manhole without its cover")
    page.get_by_test_id("report-form").get_by_test_id("report-area").click()  # its tree has the same id
    page.keyboard.type(grid["name"])
    page.locator(".el-tree-node__content:visible", has_text=grid["name"]).last.click()
    page.get_by_test_id("report-send").click()
    expect(page.get_by_test_id("report-receipt")).to_be_visible(timeout=PATIENCE_MS)
    case = page.get_by_test_id("report-case")
    path = case.get_attribute("href")
    assert path is not None
    case.click()
    expect(page.get_by_test_id("case-report")).to_contain_text("A manhole without its cover", timeout=PATIENCE_MS)
    page.goto(site.url)
    expect(page.locator(f'[data-testid="case-row"][data-case-id="{path.rsplit("/", 1)[1]}"]')).to_be_visible(
        timeout=PATIENCE_MS
    )
    page.goto(f"{site.url}/figures")
    expect(page.get_by_test_id("statistics")).to_be_visible(timeout=PATIENCE_MS)
    expect(page.get_by_test_id("figure").first).to_be_visible(timeout=PATIENCE_MS)
    expect(page.get_by_test_id("ranking")).to_be_visible(timeout=PATIENCE_MS)


def test_a_new_case_comes_into_the_list_by_itself(page: Page, site: Site) -> None:
    _log_in(page, site)
    rows = page.get_by_test_id("case-row")
    expect(rows.first).to_be_visible(timeout=PATIENCE_MS)
    expect(page.get_by_test_id("map").locator("canvas").first).to_be_visible()
    expect(page.get_by_test_id("figure-open")).to_have_text(re.compile(r"^[1-9]"))


def test_readings_are_drawn(page: Page, site: Site) -> None:
    with site.client("maintainer") as client:
        devices = client.get("/api/v1/devices", params={"limit": 100}).json()["items"]
    device = next(device for device in devices if device["kind"] == "charging_pile")
    _log_in(page, site, "maintainer")
    page.goto(f"{site.url}/devices/{device['id']}")
    chart = page.get_by_test_id("chart").first
    expect(chart).to_be_visible(timeout=PATIENCE_MS)
    expect(chart).to_have_attribute("data-points", re.compile(r"^[1-9]"), timeout=PATIENCE_MS)
    expect(chart.locator("canvas").first).to_be_visible()


def test_the_language_is_chinese_and_can_be_english(page: Page, site: Site) -> None:
    _log_in(page, site)
    expect(page.locator("html")).to_have_attribute("lang", re.compile("zh"))
    page.get_by_test_id("language-switch").first.click()
    expect(page.locator("html")).to_have_attribute("lang", re.compile("en"))


def test_nodes_show_themselves(page: Page, site: Site) -> None:
    _log_in(page, site, "maintainer")
    page.goto(f"{site.url}/nodes")
    expect(page.locator('[data-testid="node"][data-presence="online"]')).to_have_count(2, timeout=PATIENCE_MS)


def test_a_click_on_a_grid_filters_the_list_and_clearing_brings_all_back(page: Page, site: Site) -> None:
    _log_in(page, site)
    expect(page.get_by_test_id("case-row").first).to_be_visible(timeout=PATIENCE_MS)
    canvas = page.get_by_test_id("map").locator("canvas").first
    expect(canvas).to_be_visible()
    expect(page.get_by_test_id("filter-clear")).to_have_count(0)
    box = canvas.bounding_box()
    assert box is not None
    shown = page.get_by_test_id("map").bounding_box()
    assert shown is not None
    page.mouse.click(shown["x"] + shown["width"] * 0.55, shown["y"] + shown["height"] * 0.62)
    expect(page.get_by_test_id("filter-clear")).to_be_visible()
    page.get_by_test_id("filter-clear").click()
    expect(page.get_by_test_id("case-row").first).to_be_visible()


def test_a_camera_is_looked_at_with_the_keyboard_alone(page: Page, site: Site) -> None:
    _log_in(page, site)
    page.goto(f"{site.url}/wall")
    expect(page.get_by_test_id("empty")).to_be_visible(timeout=PATIENCE_MS)
    page.get_by_test_id("wall-choose").focus()
    page.keyboard.press("Enter")
    camera = page.locator('[data-testid^="wall-pick-"]').first
    expect(camera).to_be_visible(timeout=PATIENCE_MS)
    expect(page.get_by_test_id("wall-send")).to_be_disabled()
    camera.focus()
    page.keyboard.press("Space")
    page.get_by_test_id("wall-purpose").focus()
    page.keyboard.type("evening rounds")
    page.keyboard.press("Enter")
    tile = page.locator('[data-testid="wall-tile"][data-state="shown"][data-look="fresh"]').first
    expect(tile).to_be_visible(timeout=PATIENCE_MS)
    picture = tile.locator("img")
    first = picture.get_attribute("src")
    expect(picture).not_to_have_attribute("src", first or "", timeout=PATIENCE_MS)
    assert picture.evaluate("image => image.naturalWidth") > 0
    page.get_by_test_id("wall-stop").click()
    expect(page.get_by_test_id("wall-tile")).to_have_count(0)
