"""The plan as a page in a browser: as wide as the screen, in light and dark, with search and filter.

Its pictures are left in ``build/plan``; that of the page on writing is one of them.
"""

from __future__ import annotations

import contextlib
import functools
import json
import re
import subprocess
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from harness.browser import OFFLINE, chromium
from harness.support import ROOT, config_for
from harness.target import Row, messages
from sandbox import World, serve
from tests.whole.terminal import Terminal

pytestmark = pytest.mark.journey

LOOK = """<!DOCTYPE html><iframe id="page" src="plan.html" style="width: {width}px; height: 900px; border: 0">
</iframe><pre id="found"></pre><script>
document.getElementById("page").addEventListener("load", event => {{
  const page = event.target.contentDocument, found = {{}};
  const records = [...page.querySelectorAll("section tbody")];
  const visible = () => records.filter(body => body.offsetParent).length;
  const type = (id, value) => {{
    const control = page.getElementById(id);
    control.value = value;
    control.dispatchEvent(new event.target.contentWindow.Event("input"));
  }};
  found.width = page.documentElement.scrollWidth;
  found.all = visible();
  type("search", "MILLS 3");
  found.searched = visible();
  type("search", "nothing like it");
  found.none = [visible(), !page.getElementById("none").hidden];
  type("search", "");
  type("stream", "contacts");
  found.contacts = visible();
  type("stream", "");
  const box = page.querySelector("input[data-action=create]");
  box.click();
  found.without_creates = visible();
  found.styled = page.defaultView.getComputedStyle(page.querySelector(".create h2")).color;
  document.getElementById("found").textContent = JSON.stringify(found);
}});
</script>"""
COLOURS = {"light": "rgb(27, 122, 61)", "dark": "rgb(125, 223, 154)"}
SCHEMES = {"light": "1", "dark": "0"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a plan, made by the command."""
    folder = tmp_path_factory.mktemp("plan")
    world = World(seed=1, accounts=30)
    with serve(world) as sandbox:
        rows = [dict(row) for row in world.tables["accounts"].rows.values() if row["externalId"]]
        users = [row for row in world.tables["users"].rows.values() if row["externalId"]]
        linked = [row for row in users if row.get("accounts") and row["email"]][:2]
        accounts: list[Row] = [
            {
                "externalId": row["externalId"],
                "name": f"{row['name']} Group",
                "traits": {"seats": n * 5},
            }
            for n, row in enumerate(rows[:12])
        ]
        accounts += [
            {"externalId": f"no-{n}", "name": f"Example Mills {n}", "traits": {"plan": "gold"}}
            for n in range(25)
        ]
        accounts += [{"externalId": row["externalId"], "_deleted": True} for row in rows[15:17]]
        accounts.append({"externalId": "long", "name": "x" * 400, "traits": {"y" * 90: "z" * 400}})
        contacts = [
            {"externalId": row["externalId"], "accountExternalIds": [rows[0]["externalId"]]}
            for row in linked
        ]
        config: dict[str, Any] = {
            **config_for(sandbox.url),
            "dry_run": True,
            "plan_file": "plan.html",
            "plan_limit": 10,
            "first_push": True,
            "deletes": "delete",
            "max_deletes": 10,
            "max_requests_per_minute": 20,
            "streams": {"contacts": {"resource": "users", "links": "exact"}},
        }
        (folder / "config.json").write_text(json.dumps(config))
        said = messages(accounts=accounts, contacts=contacts)
        (folder / "rows.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in said))
        Terminal(folder).run("target-vitally --config config.json --input rows.jsonl")
    return folder


@contextlib.contextmanager
def served(folder: Path) -> Iterator[str]:
    handler = functools.partial(SimpleHTTPRequestHandler, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def browser(profile: Path, *options: str) -> str:
    """Run the browser to its end, and return what it printed."""
    command = [chromium(), "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
    done = subprocess.run(
        [*command, *OFFLINE, f"--user-data-dir={profile}", *options],
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    )
    return done.stdout


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1400, 390])
def test_the_page_is_read_on_every_screen(folder: Path, width: int, scheme: str) -> None:
    (folder / "look.html").write_text(LOOK.format(width=width))
    colours = f"--blink-settings=preferredColorScheme={SCHEMES[scheme]}"
    pictures = ROOT / "build" / "plan"
    pictures.mkdir(parents=True, exist_ok=True)
    with served(folder) as address:
        text = browser(
            folder / "profile",
            colours,
            f"--window-size={width + 100},1000",
            "--virtual-time-budget=10000",
            "--dump-dom",
            f"{address}/look.html",
        )
        picture = pictures / f"{width}-{scheme}.png"
        size = f"--window-size={width},{1100 if width > 500 else 1400}"
        browser(
            folder / "profile", colours, size, f"--screenshot={picture}", f"{address}/plan.html"
        )
    found = json.loads(re.findall('<pre id="found">(.+?)</pre>', text)[0])
    assert found == {
        "width": width,
        "all": 2 + 2 + 10 + 10,
        "searched": 1,
        "none": [0, True],
        "contacts": 2,
        "without_creates": 14,
        "styled": COLOURS[scheme],
    }
    assert picture.stat().st_size > 10_000
