"""Projects, which have no external id, and whose account has two names in the API."""

from __future__ import annotations

from typing_extensions import override

from target_vitally.lookup.client import WriteRejected
from target_vitally.mapping.plan import Plan
from target_vitally.mapping.resource import Record
from target_vitally.mapping.rows import PendingWrite
from target_vitally.writers.base import ResourceWriter
from vitally_api.statuses import INVALID


class ProjectWriter(ResourceWriter):
    """Creates projects with ``accountId``, or ``customerId`` in workspaces that require that."""

    customers = False
    """True if this workspace requires ``customerId``."""

    @override
    def create(self, write_: PendingWrite, plan: Plan) -> Record:
        body = self._renamed(plan.body)
        try:
            answer = self.send(write_, "POST", self.path(write_), body)
        except WriteRejected as rejected:
            reported = rejected.status in INVALID and "customerId" in str(rejected)
            if not reported or "customerId" in body:
                raise
            self.customers = True
            answer = self.send(write_, "POST", self.path(write_), self._renamed(plan.body))
        return self.keep(write_, answer, plan.body)

    def _renamed(self, body: Record) -> Record:
        if not self.customers:
            return body
        return {("customerId" if n == "accountId" else n): v for n, v in body.items()}
