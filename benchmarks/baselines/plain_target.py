"""Baseline: a target that does what the Singer SDK offers, and nothing more.

Each row is sent on its own: PUT by external id, and POST where there is no such record.
"""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Any, ClassVar
from urllib.parse import quote

import requests
from singer_sdk import Target
from singer_sdk import typing as th
from singer_sdk.sinks import RecordSink


class PlainSink(RecordSink):
    """Sends rows to the list that the stream is named for."""

    @property
    def _session(self) -> requests.Session:
        """One session for all rows."""
        if "session" not in self.__dict__:
            session = requests.Session()
            session.auth = (self.config["api_key"], "")
            self.__dict__["session"] = session
        found: requests.Session = self.__dict__["session"]
        return found

    def process_record(self, record: dict[str, Any], context: dict[str, Any]) -> None:
        """Send a row."""
        del context
        address = f"{self.config['api_url']}/resources/{self.stream_name}"
        key = record["externalId"]
        body = json.dumps(record, default=float)
        answer = self._session.put(f"{address}/{quote(key, safe='')}", body, timeout=60)
        if answer.status_code == HTTPStatus.NOT_FOUND:
            answer = self._session.post(address, body, timeout=60)
        answer.raise_for_status()


class PlainTarget(Target):
    """The target."""

    name = "plain-target"
    default_sink_class = PlainSink
    config_jsonschema: ClassVar[dict[str, Any]] = th.PropertiesList(
        th.Property("api_key", th.StringType, required=True, secret=True),
        th.Property("api_url", th.StringType, required=True),
    ).to_dict()


if __name__ == "__main__":
    PlainTarget.cli()
