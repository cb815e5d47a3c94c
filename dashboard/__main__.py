"""Writes the answers as one page with plots, which any browser opens: ``make dashboard``."""

from __future__ import annotations

import argparse
import json
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import jinja2
import vl_convert
from markupsafe import Markup

from dashboard.charts import chart
from dashboard.questions import Unusable, answers, figures

ROOT: Final = Path(__file__).parents[1]
DEMO: Final = ROOT / "output" / "vitally.duckdb"
MOST_ROWS: Final = 12


def main() -> int:
    """Write the page; return the exit code."""
    parser = argparse.ArgumentParser(prog="make dashboard", description=__doc__)
    parser.add_argument("--database", type=Path, help="DuckDB file that dbt has built")
    parser.add_argument("--output", type=Path, default=ROOT / "output" / "dashboard.html")
    asked = parser.parse_args()
    database = asked.database or _default()
    try:
        asked.output.write_text(page(database), encoding="utf-8")
    except Unusable as error:
        print(f"{_short(database)} {error}", file=sys.stderr)
        return 1
    print(f"The dashboard is {_short(asked.output)}: open it in a browser.")
    return 0


def page(database: Path) -> str:
    """Return the page, with all that it needs inside."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent), autoescape=True, trim_blocks=True
    )
    environment.filters["cell"] = _cell
    drawn = [(answer, chart(answer)) for answer in answers(database)]
    template = environment.get_template("page.html")
    text: str = template.render(
        answers=drawn,
        figures=figures(database),
        database=database.name,
        day=datetime.now(UTC).date().isoformat(),
        most=MOST_ROWS,
        library=Markup(vl_convert.javascript_bundle().replace("</script", r"<\/script")),  # noqa: S704
        plots=Markup(json.dumps([plot for _, plot in drawn]).replace("<", r"\u003c")),  # noqa: S704
    )
    return text


def _default() -> Path:
    """Return the database of the first steps or, without one, that of the demo."""
    own = Path(os.environ.get("VITALLY_DUCKDB_PATH") or ROOT / "output" / "warehouse.duckdb")
    return own if own.exists() or not DEMO.exists() else DEMO


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, int | float) and not isinstance(value, bool):
        return f"{value:,.1f}".removesuffix(".0")
    return str(value)


def _short(path: Path) -> str:
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)


if __name__ == "__main__":
    raise SystemExit(main())
