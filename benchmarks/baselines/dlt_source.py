"""Baseline: the same streams as a REST API source of dlt, loaded into files.

All resources are ``parallelized``, those below accounts and conversations too. What is nested in a
row stays there, as with the other programs. Runs in an environment of its own, and is told by that
environment's variables to contact nobody but the API, and how many workers are to read.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import dlt
from dlt.sources.rest_api import rest_api_source

ARCHIVING = ("notes", "tasks", "projects", "meetings")


def listed(name: str, path: str, table: str | None = None, **params: str) -> dict[str, Any]:
    """Describe a list of the API."""
    return {
        "name": name,
        "table_name": table or name,
        "endpoint": {"path": path, "params": {"limit": "100", "sortBy": "updatedAt", **params}},
    }


def resources(*, archived: bool) -> list[dict[str, Any]]:
    """Describe all there is."""
    found = [listed("accounts", "accounts", status="activeOrChurned")]
    found += [listed(name, name) for name in ("organizations", "users", "conversations")]
    for name in ARCHIVING:
        found.append(listed(name, name, archived="false"))
        if archived:
            found.append(listed(f"archived_{name}", name, name, archived="true"))
    found += [
        listed(f"nps_{target}", "npsResponses", "nps_responses", target=target)
        for target in ("accounts", "organization")
    ]
    notes = listed("account_notes", "accounts/{resources.accounts.id}/notes", archived="false")
    messages = listed("messages", "conversations/{resources.conversations.id}")
    messages["endpoint"] |= {"params": {}, "paginator": "single_page", "data_selector": "messages"}
    return [*found, notes | {"include_from_parent": ["id"]}, messages]


def main() -> None:
    """Load some of the streams."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("folder", type=Path, help="where the pipeline and its files are")
    parser.add_argument("--streams", nargs="+", required=True)
    parser.add_argument("--archived", action="store_true")
    parser.add_argument("--incremental", choices=("none", "desc"))
    args = parser.parse_args()
    chosen = [
        {**each, "selected": each["table_name"] in args.streams}
        for each in resources(archived=args.archived)
    ]
    if args.incremental:
        incremental = {
            "cursor_path": "updatedAt",
            "on_cursor_value_missing": "include",
            # By trust in the order it may stop at the first row that it has seen.
            "row_order": None if args.incremental == "none" else args.incremental,
        }
        for each in chosen:
            each["endpoint"]["incremental"] = incremental
    source = rest_api_source(
        {
            "client": {
                "base_url": f"{args.url}/resources/",
                "auth": {"type": "http_basic", "username": "sandbox", "password": ""},
                "paginator": {"type": "cursor", "cursor_path": "next", "cursor_param": "from"},
            },
            "resource_defaults": {
                "primary_key": "id",
                "write_disposition": "append",
                "parallelized": True,
                "endpoint": {"data_selector": "results"},
            },
            "resources": chosen,
        },
        name="vitally",
        max_table_nesting=0,
        # This is for the lists, and the same word among the defaults for what is below them.
        parallelized=True,
    )
    pipeline = dlt.pipeline(
        "baseline",
        pipelines_dir=str(args.folder / "pipelines"),
        destination=dlt.destinations.filesystem((args.folder / "files").resolve().as_uri()),
        dataset_name="vitally",
    )
    pipeline.run(source, loader_file_format="jsonl").raise_on_failed_jobs()


if __name__ == "__main__":
    main()
