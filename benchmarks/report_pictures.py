"""The two pictures of a page in README, as a desktop shows them in light and in dark.

    minirram demo --out runs/demo
    python benchmarks/report_pictures.py runs/demo/report.html

Needs Debian's chromium and chromium-driver, and `pip install selenium '.[report]'`.
"""

import argparse
import base64
import io
import shutil
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
WIDTH, HEIGHT = 1180, 1150
PICTURES = (("light", "light", "h1", 60), ("dark", "dark", "#conductances", 20))
"""name, colour scheme, what stands at the top, pixels above it"""


def browser() -> Any:
    """Chromium without a window."""
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"):
        options.add_argument(argument)
    return webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))


def picture(chromium: Any, page: Path, scheme: str, top: str, above: int) -> bytes:
    """A PNG of WIDTH x HEIGHT pixels in 256 colours."""
    from PIL import Image

    size = {"width": WIDTH, "height": HEIGHT, "deviceScaleFactor": 1, "mobile": False}
    chromium.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    chromium.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": features})
    chromium.get(page.resolve().as_uri())
    script = "return document.querySelector(arguments[0]).getBoundingClientRect().top + scrollY"
    y = max(0.0, float(chromium.execute_script(script, top)) - above)
    clip = {"x": 0, "y": y, "width": WIDTH, "height": HEIGHT, "scale": 1}
    found = chromium.execute_cdp_cmd("Page.captureScreenshot", {"captureBeyondViewport": True, "clip": clip})
    out = io.BytesIO()
    shot = Image.open(io.BytesIO(base64.b64decode(found["data"]))).convert("RGB")
    shot.quantize(256, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE).save(out, "PNG", optimize=True)
    return out.getvalue()


def main() -> None:
    """Write docs/report-light.png and docs/report-dark.png."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("page", type=Path, help="page of a run, as minirram demo writes it")
    parser.add_argument("--out", type=Path, default=ROOT / "docs", metavar="FOLDER", help="default: docs")
    options = parser.parse_args()
    import machine

    machine.tell()
    with browser() as chromium:
        for name, scheme, top, above in PICTURES:
            path = options.out / f"report-{name}.png"
            path.write_bytes(picture(chromium, options.page, scheme, top, above))
            print(f"{path}: {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
