"""Pages in headless Chromium: nothing else is asked for, they fit, print, and can be used by everyone.

Needs Debian's chromium and chromium-driver, selenium, matplotlib, and axe-core from npm: MINIRRAM_AXE names axe.min.js.
"""

import base64
import importlib
import json
import os
import shutil
from pathlib import Path

import pytest

from ..support.options import figures
from ..support.own_task import features, pixels

pytestmark = pytest.mark.slow
WIDTHS = (1280, 390)
SCHEMES = ("light", "dark")
SERIOUS = ("serious", "critical")


@pytest.fixture(scope="module")
def browser():
    """Chromium behind its driver."""
    webdriver = pytest.importorskip("selenium.webdriver", reason="needs selenium: pip install selenium")
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not chromium or not driver:
        pytest.skip("needs Debian's packages chromium and chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    service = importlib.import_module("selenium.webdriver.chrome.service").Service(driver)
    with webdriver.Chrome(options=options, service=service) as opened:
        yield opened


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """{kind: path of a page}: a run on a table that went through a bench, on pixels, a fit, a comparison, a sweep."""
    pytest.importorskip("matplotlib", reason="needs matplotlib: pip install '.[report]'")
    folder = tmp_path_factory.mktemp("browser")
    found = {}
    for kind, write, data in (("table", features, "mine.csv"), ("pixels", pixels, "mine.npz")):
        here = folder / kind
        here.mkdir()
        write(str(here))
        run = str(here / "run")
        figures("train", str(here / "mine.json"), "--data", str(here / data), "--out", run, "--epochs", "2")
        if kind == "table":
            figures("bench", run, "--driver", "simulated")
        assert figures("report", run)["pictures"] > 8
        found[kind] = str(here / "run" / "report.html")
    figures("chip", str(folder / "table" / "run"), "--out", str(folder / "map.npy"), "--state", "programmed")
    figures("fit", str(folder / "map.npy"), "--unit", "S", "--out", str(folder / "mine.json"), "--force")
    found["fit"] = figures("report", str(folder / "mine.json"))["file"]
    beside, points, here = str(folder / "compare"), str(folder / "sweep"), folder / "table"
    arms = ["--arms", "pair", "float", "--seeds", "0", "1", "--epochs", "1", "--rates", "0.1"]
    figures("compare", str(here / "mine.json"), "--data", str(here / "mine.csv"), "--out", beside, *arms)
    vary = ["--vary", "read_noise=0,0.02", "--vary", "adc_bits=6,8", "--energy"]
    figures("sweep", "--run", str(here / "run"), *vary, "--out", points)
    found.update(comparison=figures("report", beside)["file"], sweep=figures("report", points)["file"])
    return found


KINDS = ("table", "pixels", "fit", "comparison", "sweep")


def shown(browser, path, width, scheme="light"):
    """Open a page at a width in a colour scheme."""
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    features_ = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": features_})
    browser.get(Path(path).as_uri())


@pytest.mark.parametrize("kind", KINDS)
def test_a_page_asks_for_nothing_and_fits(browser, pages, kind):
    browser.get_log("performance")
    backgrounds = set()
    for scheme in SCHEMES:
        for width in WIDTHS:
            shown(browser, pages[kind], width, scheme)
            assert browser.execute_script("return document.documentElement.scrollWidth <= window.innerWidth")
            assert browser.execute_script("return [...document.images].every(i => i.complete && i.naturalWidth > 0)")
        backgrounds.add(browser.execute_script("return getComputedStyle(document.body).backgroundColor"))
    assert len(backgrounds) == 2 and browser.get_log("browser") == []
    messages = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    asked = [m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"]
    page = Path(pages[kind]).as_uri()
    assert page in asked and [url for url in asked if not url.startswith("data:") and url != page] == []


@pytest.mark.parametrize("kind", KINDS)
def test_axe_finds_nothing_serious(browser, pages, kind):
    axe = os.environ.get("MINIRRAM_AXE", "")
    if not os.path.isfile(axe):
        pytest.skip("needs axe-core from npm: MINIRRAM_AXE=node_modules/axe-core/axe.min.js")
    source = Path(axe).read_text(encoding="utf-8")
    for scheme in SCHEMES:
        for width in WIDTHS:
            shown(browser, pages[kind], width, scheme)
            browser.execute_script(source)
            found = browser.execute_async_script("axe.run(document).then(arguments[arguments.length - 1])")
            assert len(found["passes"]) > 20
            bad = [(one["id"], one["nodes"][0]["html"]) for one in found["violations"] if one["impact"] in SERIOUS]
            assert bad == [], (scheme, width)


@pytest.mark.parametrize("width", WIDTHS)
def test_the_keyboard_reaches_all_that_scrolls_or_answers(browser, pages, width):
    keys = importlib.import_module("selenium.webdriver.common.keys").Keys
    shown(browser, pages["table"], width)
    wanted = browser.execute_script(
        "const all = [...document.querySelectorAll('a[href], [tabindex=\"0\"], input:checked')];"
        "all.forEach((e, k) => e.dataset.stop = k); return all.length"
    )
    body, reached = browser.find_element("tag name", "body"), []
    for _ in range(wanted):
        (body if not reached else browser.switch_to.active_element).send_keys(keys.TAB)
        stop, outline = browser.execute_script(
            "const e = document.activeElement, s = getComputedStyle(e);"
            "return [e.dataset.stop, s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) >= 2]"
        )
        assert outline, f"no outline on stop {stop}"
        reached.append(int(stop))
    assert reached == list(range(wanted)) and wanted > 20


def test_maps_are_zoomed_by_the_arrow_keys(browser, pages):
    keys = importlib.import_module("selenium.webdriver.common.keys").Keys
    shown(browser, pages["table"], 390)
    share = "const c = document.querySelector('.cells'); return c.offsetWidth / c.parentElement.clientWidth"
    radio, found = browser.find_element("id", "zoom-1"), []
    for _ in range(4):
        found.append(round(browser.execute_script(share)))
        radio.send_keys(keys.ARROW_RIGHT)
        radio = browser.switch_to.active_element
    assert found == [1, 2, 4, 8]
    assert browser.execute_script("return document.documentElement.scrollWidth <= window.innerWidth")


@pytest.mark.parametrize("kind", KINDS)
def test_a_page_prints_in_light_with_nothing_beyond_the_paper(browser, pages, kind):
    shown(browser, pages[kind], 680, "dark")  # the width of A4 between its margins
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    assert browser.execute_script("return getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert browser.execute_script("return document.documentElement.scrollWidth <= window.innerWidth + 1")
    hidden = "return [...document.querySelectorAll('nav, .zoom > input')].every(e => e.offsetParent === null)"
    assert browser.execute_script(hidden)
    paper = {"printBackground": True, "paperWidth": 8.27, "paperHeight": 11.69}
    data = base64.b64decode(browser.execute_cdp_cmd("Page.printToPDF", paper)["data"])
    assert data.startswith(b"%PDF-") and 1 < data.count(b"/Type /Page\n") + data.count(b"/Type /Page ") < 40
