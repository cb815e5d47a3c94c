"""The site of the documentation in a browser, on a wide screen and on a phone."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from harness.browser import Measured, measured
from harness.programs import program
from harness.support import ROOT

pytestmark = pytest.mark.journey

BAD = """<!doctype html><meta charset="utf-8"><title>Bad</title><link rel="icon" href="data:,">
<script src="https://elsewhere.example/some.js"></script>
<a href="/nowhere.html">a dead link</a> <a href="/good.html#nowhere">a dead anchor</a>
<div style="width: 1500px">wide</div>
<div class="md-content"><ol><li>one</li></ol><p>text</p><ol><li>two</li></ol></div>"""
GOOD = """<!doctype html><meta charset="utf-8"><title>Good</title><link rel="icon" href="data:,">
<h1 id="here">Title</h1><a href="#here">here</a>
<pre style="overflow-x: auto"><code>{}</code></pre>"""


@pytest.fixture(scope="module")
def site() -> Path:
    """Build the site as `make site` does."""
    command = [str(program("zensical")), "build", "--strict"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return ROOT / "build" / "site"


def pages_of(site: Path) -> list[str]:
    """Return the addresses of all pages; the one for missing pages names its files from the root."""
    files = (path.relative_to(site).as_posix() for path in site.rglob("*.html"))
    return sorted(f"/{file}" for file in files if file != "404.html")


def test_every_page_fits_both_screens_and_leads_nowhere_else(site: Path, tmp_path: Path) -> None:
    pages = pages_of(site)
    assert len(pages) >= len(list((ROOT / "docs").rglob("*.md")))
    assert measured(site, pages, tmp_path) == Measured(pages=2 * len(pages))


def test_what_does_not_fit_or_is_not_there_is_found(tmp_path: Path) -> None:
    folder = tmp_path / "site"
    folder.mkdir()
    (folder / "bad.html").write_text(BAD)
    (folder / "good.html").write_text(GOOD.format("long " * 500))
    found = measured(folder, ["/bad.html", "/good.html"], tmp_path / "profile")
    assert found.pages == 4
    assert [line[:17] for line in found.wider] == [
        "/bad.html at 1400",
        "/bad.html: each s",
        "/bad.html at 390:",
        "/bad.html: each s",
    ]
    assert found.missing == ["/nowhere.html 404", "/good.html#nowhere"]
    assert set(found.elsewhere) == {"https://elsewhere.example/some.js"}
    assert found.failed == []
