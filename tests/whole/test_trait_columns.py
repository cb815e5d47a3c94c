"""The setting `trait_columns`: one typed column for each custom field, beside `traits`."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from harness.expectations import expected
from harness.support import Result, Row, catalog, config_for, run_command, run_in_process, run_tap
from sandbox import Sandbox
from tap_vitally.streams import STREAMS
from tap_vitally.tap import TapVitally
from tests.dbt.warehouses import Warehouse, duckdb_warehouse, postgres_warehouse
from vitally_api import Policy

StartSandbox = Callable[..., Sandbox]

OWN = {
    "trait_next_step": "vitally.custom.nextStep",
    "trait_products": "vitally.custom.products",
    "trait_sfdc_renew_date_c": "sfdc.Renew_Date__c",
    "trait_tier": "vitally.custom.tier",
}
"""The columns of the fields that every model of the sandbox has."""
MORE = {
    "beta": ("Beta", "boolean"),
    "vitally.custom.largeCount": ("Count", "number"),
    "hspot.contract_start_date": ("Contract", "date"),
    "plan": ("Plan", "number"),
}
"""Fields of accounts alone; every plan is a word, which is no number."""
MODELS = ("accounts", "organizations", "users", "conversations", "notes", "tasks", "projects")


@pytest.fixture
def sandbox(start_sandbox: StartSandbox) -> Sandbox:
    sandbox = start_sandbox(accounts=8)
    for path, (label, kind) in MORE.items():
        add(sandbox, path, kind, label=label)
    return sandbox


def add(sandbox: Sandbox, path: str, kind: str = "string", **more: str) -> None:
    sandbox.world.create("customFields", **{"model": "accounts", **more}, path=path, type=kind)


def config_of(sandbox: Sandbox, **settings: Any) -> Row:
    return config_for(sandbox.url, trait_columns=True, **settings)


def columns(config: Row) -> dict[str, dict[str, Row]]:
    """The columns of the catalog that hold one trait each, by stream."""
    return {
        entry["stream"]: {
            name: declared
            for name, declared in entry["schema"]["properties"].items()
            if name.startswith("trait_")
        }
        for entry in catalog(config=config)["streams"]
    }


def run(folder: Path, config: Row, entries: Row, *, code: int = 0) -> Result:
    """Run the tap on a catalog, as its users do."""
    for name, content in (("config", config), ("catalog", entries)):
        (folder / f"{name}.json").write_text(json.dumps(content))
    command = [sys.executable, "-m", "tap_vitally"]
    files = [f"--{name}={folder}/{name}.json" for name in ("config", "catalog")]
    done = run_command([*command, *files])
    assert done.returncode == code, done.stderr
    return done


def warnings(result: Result, what: str) -> list[str]:
    return [line for line in result.stderr.splitlines() if "| WARNING " in line and what in line]


def test_every_stream_of_a_model_has_the_columns_of_its_fields(sandbox: Sandbox) -> None:
    found = columns(config_of(sandbox, custom_object_streams=True))
    of_accounts = {*OWN, "trait_beta", "trait_large_count", "trait_hspot_contract_start_date"}
    of_accounts |= {"trait_plan"}
    for stream in STREAMS:
        model = (stream.of or stream).name
        if stream.name == "custom_object_instances":
            assert stream.name not in found
        elif model in MODELS:
            wanted = of_accounts if model == "accounts" else set(OWN)
            assert set(found[stream.name]) == wanted
        else:
            assert not found[stream.name]
    objects = {name for name in found if name.startswith("custom_object_")} - {
        stream.name for stream in STREAMS
    }
    assert len(objects) == len(sandbox.world.ids("customObjects"))
    assert all(set(found[name]) == set(OWN) for name in objects)


def test_the_generic_instances_have_none(sandbox: Sandbox) -> None:
    assert not columns(config_of(sandbox))["custom_object_instances"]


def test_a_column_says_what_it_holds(sandbox: Sandbox) -> None:
    found = columns(config_of(sandbox))["accounts"]
    assert found["trait_tier"]["description"] == "Tier (vitally.custom.tier)."
    assert found["trait_products"]["items"] == {"type": ["string"]}
    assert found["trait_sfdc_renew_date_c"]["format"] == "date-time"
    assert found["trait_hspot_contract_start_date"]["format"] == "date"
    assert found["trait_beta"]["type"] == ["boolean", "null"]


def test_rows_hold_their_traits_twice(sandbox: Sandbox, tmp_path: Path) -> None:
    config = config_of(sandbox)
    done = run(tmp_path, config, catalog(["accounts", "notes", "account_tasks"], config))
    for stream in ("accounts", "notes", "account_tasks"):
        rows = done.records(stream)
        expected_rows = expected(sandbox.world, stream)
        assert len(rows) == len(expected_rows)
        for row in rows:
            key = (row["parentAccountId"],) if "parentAccountId" in row else ()
            traits = expected_rows[*key, row["id"]]["traits"]
            assert row["traits"] == traits
            for name, path in OWN.items():
                assert row[name] == traits.get(path)
    assert any(row["trait_products"] for row in done.records("accounts"))


def test_a_value_that_does_not_fit_is_counted_apart_and_fails_no_run(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    config = config_of(sandbox, fail_on_skipped=True)
    done = run(tmp_path, config, catalog(["accounts", "vitally_sync_runs"], config))
    rows = done.records("accounts")
    held = [row["traits"].get("plan") for row in rows]
    lost = sum(plan is not None for plan in held)
    assert lost
    assert {row["trait_plan"] for row in rows} == {None}
    (reported,) = [r for r in done.records("vitally_sync_runs") if r["stream"] == "accounts"]
    assert (reported["madeNullTraits"], reported["madeNull"], reported["madeNullProperties"]) == (
        lost,
        0,
        {},
    )
    assert len(warnings(done, "trait_plan")) == 1
    assert f"made null in accounts: trait_plan, {lost} values, which traits keeps" in done.stderr


def test_the_catalog_in_use_decides_and_later_fields_are_told_once(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    config = config_of(sandbox)
    entries = catalog(["accounts", "organization_accounts"], config)
    # From now on both would be called by a longer name.
    add(sandbox, "tier")
    add(sandbox, "usage_mrr", "number")
    done = run(tmp_path, config, entries)
    rows = done.records("accounts")
    held = [row["traits"].get("vitally.custom.tier") for row in rows]
    assert any(held)
    assert [row["trait_tier"] for row in rows] == held
    assert {name for row in rows for name in row if name.startswith("trait_")} == set(
        columns_in(entries, "accounts")
    )
    (line,) = warnings(done, "custom fields that the catalog lacks")
    assert "'accounts' has custom fields that the catalog lacks: tier, usage_mrr." in line


def columns_in(entries: Row, stream: str) -> list[str]:
    (entry,) = (entry for entry in entries["streams"] if entry["stream"] == stream)
    return [name for name in entry["schema"]["properties"] if name.startswith("trait_")]


def test_a_column_that_is_not_selected_is_not_written(sandbox: Sandbox, tmp_path: Path) -> None:
    config = config_of(sandbox)
    entries = catalog(["accounts"], config)
    for entry in entries["streams"]:
        for item in entry["metadata"]:
            if item["breadcrumb"] == ["properties", "trait_tier"]:
                item["metadata"]["selected"] = False
    rows = run(tmp_path, config, entries).records("accounts")
    assert rows
    assert not any("trait_tier" in row for row in rows)
    assert all("trait_next_step" in row for row in rows)


def test_a_run_without_a_catalog_has_the_columns_too(sandbox: Sandbox, tmp_path: Path) -> None:
    done = run_tap(tmp_path, config_of(sandbox), default_selection=True)
    assert done.returncode == 0, done.stderr
    assert all(set(OWN) <= row.keys() for row in done.records("accounts"))


def test_models_that_are_refused_have_none_and_the_log_says_so(
    sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    sandbox.refuse("customFields")
    assert not any(columns(config_of(sandbox)).values())
    reported = [
        record.getMessage() for record in caplog.records if record.levelno == logging.WARNING
    ]
    assert sorted(line.partition(":")[0] for line in reported) == [
        f"No trait columns for {model}" for model in sorted(MODELS)
    ]


def test_discovery_without_the_api_leaves_the_streams_that_all_have(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(TapVitally, "policy", Policy(patience=0.0))
    config = config_for("http://127.0.0.1:9", trait_columns=True, custom_object_streams=True)
    found = columns(config)
    assert set(found) == {stream.name for stream in STREAMS}
    assert not any(found.values())
    (reported,) = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert "at http://127.0.0.1:9" in reported.getMessage()


def test_nothing_is_asked_without_the_setting(sandbox: Sandbox) -> None:
    run_in_process(config_for(sandbox.url), select=["accounts"])
    assert not [entry for entry in sandbox.requests if "customFields" in entry.path]


def loaded_types(warehouse: Warehouse, result: Result) -> dict[str, tuple[Any, ...]]:
    """Load a run; what the columns hold and how they are typed, by account."""
    warehouse.load(result.stdout, "traits")
    rows = warehouse.fetch(
        "SELECT id, trait_beta, trait_large_count, trait_sfdc_renew_date_c, trait_next_step"
        " FROM traits.accounts",
        [],
    )
    return {row[0]: row[1:] for row in rows}


def test_databases_get_typed_columns(
    sandbox: Sandbox, tmp_path: Path, make_database: Callable[[], str]
) -> None:
    config = config_of(sandbox)
    done = run(tmp_path, config, catalog(["accounts"], config))
    expected_rows = expected(sandbox.world, "accounts")
    wanted = {}
    for (account,), row in expected_rows.items():
        held = row["traits"]
        renewal = held.get("sfdc.Renew_Date__c")
        wanted[account] = (
            held.get("beta"),
            held.get("vitally.custom.largeCount"),
            renewal and renewal[:19].replace("T", " "),
            held.get("vitally.custom.nextStep"),
        )
    for warehouse in (
        duckdb_warehouse(tmp_path),
        postgres_warehouse(tmp_path, make_database()),
    ):
        found = loaded_types(warehouse, done)
        assert {
            account: (beta, count and Decimal(count), renewal and str(renewal), raw_page)
            for account, (beta, count, renewal, raw_page) in found.items()
        } == wanted
