"""The pages as a browser shows them: at two widths, by day and by night, without a network."""

import html
import json
import os
import re
import shutil
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from experiments.report.run_page import report
from tests.report_runs import digits_run

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="no chromium on the PATH; CHROMIUM can name one"
)
DARK, LIGHT = 0, 1
_ITSELF = "not an origin"
WIDTHS = (390, 1280)
# A window is never narrower than 500 pixels, so pages are measured in frames.
_MEASURE = """<script>
const width = frame => frame.contentDocument.documentElement.scrollWidth
onload = () => document.title = Array.from(document.querySelectorAll("iframe"), width)
</script>"""


def chromium(page: Path, folder: Path, width: int, *words: str, scheme: int = LIGHT) -> str:
    """What headless Chromium prints when it opens the page in a window of that width."""
    command = [
        str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
        "--disable-background-networking", "--disable-component-update", "--disable-sync",
        "--disable-dev-shm-usage", "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
        "--no-first-run", f"--user-data-dir={folder / 'profile'}", "--virtual-time-budget=2000",
        f"--blink-settings=preferredColorScheme={scheme}", f"--window-size={width},900",
        *words, page.as_uri(),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=True)
    return done.stdout


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return report(digits_run(tmp_path_factory), check=False)


@pytest.mark.parametrize("width", WIDTHS)
def test_screenshots_by_day_and_by_night(page: Path, width: int, tmp_path: Path):
    from PIL import Image

    paper = []
    for scheme in (DARK, LIGHT):
        shot, log = tmp_path / f"{scheme}.png", tmp_path / "net.json"
        words = (f"--screenshot={shot}", f"--log-net-log={log}")
        chromium(page, tmp_path, width, *words, scheme=scheme)
        assert requests(log) == []
        with Image.open(shot) as image:
            assert image.size == (width, 900)
            colours = Counter(image.convert("RGB").get_flattened_data())
        (most, count), *_ = colours.most_common(1)
        assert len(colours) > 100
        assert 0.4 < count / (width * 900) < 0.98  # paper, and something on it
        paper.append(most)
    assert paper == [(0x15, 0x18, 0x1C), (0xFF, 0xFF, 0xFF)]


def test_no_page_is_wider_than_its_window(page: Path, tmp_path: Path):
    assert widths(page.read_text(encoding="utf-8"), tmp_path) == WIDTHS


def test_a_page_that_is_wider_would_be_found(tmp_path: Path):
    assert widths('<!DOCTYPE html><p style="width: 500px">wide', tmp_path) == (508, 1280)


def test_a_request_would_be_found(tmp_path: Path):
    path, log = tmp_path / "page.html", tmp_path / "net.json"
    path.write_text('<img src="http://127.0.0.1:9/x.png">')
    chromium(path, tmp_path, 390, f"--log-net-log={log}", "--dump-dom")
    assert "http://127.0.0.1:9/x.png" in requests(log)


def widths(page: str, folder: Path) -> tuple[int, ...]:
    """How wide the page is with every fold open, in frames of all WIDTHS."""
    page = page.replace("<details>", "<details open>")
    frames = (
        f'<iframe style="border: 0" width="{width}" srcdoc="{html.escape(page)}"></iframe>'
        for width in WIDTHS
    )
    path = folder / "measured.html"
    path.write_text(f"<!DOCTYPE html><title></title>{''.join(frames)}{_MEASURE}", encoding="utf-8")
    found = re.search(r"<title>([\d,]+)</title>", chromium(path, folder, 1400, "--dump-dom"))
    assert found
    return tuple(map(int, found[1].split(",")))


def requests(log: Path) -> list[str]:
    """Every address of the web that a page asked for; what the browser asks for itself is not."""
    events = (e.get("params", {}) for e in json.loads(log.read_text(encoding="utf-8"))["events"])
    asked = (e["url"] for e in events if "url" in e and e.get("initiator", _ITSELF) != _ITSELF)
    return [url for url in asked if re.match(r"(https?|wss?|ftp):", url)]
