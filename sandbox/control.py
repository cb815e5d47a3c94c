"""The control interface below ``/control``, for those who cannot reach into the process."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import msgspec
from starlette.responses import Response
from starlette.routing import Route

from sandbox.faults import Fault

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request

    from sandbox.sandbox import Sandbox
    from sandbox.world import World


T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Change:
    """A change of the world, as it is asked for over HTTP."""

    op: Literal[
        "create",
        "update",
        "archive",
        "unarchive",
        "delete",
        "churn",
        "deactivate",
        "complete",
        "add_message",
        "set_health",
        "ignore",
        "come_back",
        "move_scores",
    ]
    """The method of `World` to call."""
    resource: str = ""
    """What it is about, where the method does not imply that."""
    id: str = ""
    fields: dict[str, Any] = field(default_factory=dict)

    def apply(self, world: World) -> Any:
        """Make the change and return the row as it is now."""
        match self.op:
            case "create":
                return world.create(self.resource, **self.fields)
            case "update" | "archive" | "unarchive" | "delete":
                return getattr(world, self.op)(self.resource, self.id, **self.fields)
            case "move_scores":
                return world.move_scores()
            case _:
                return getattr(world, self.op)(self.id, **self.fields)


def control_routes(sandbox: Sandbox) -> list[Route]:
    """Return the routes of the control interface of a sandbox."""
    control = Control(sandbox)
    handlers: tuple[tuple[str, str, Callable[[Request], Awaitable[Any]]], ...] = (
        ("GET", "/health", control.health),
        ("GET", "/truth/{stream}", control.expected_rows),
        ("GET", "/events", control.events),
        ("GET", "/requests", control.requests),
        ("DELETE", "/requests", control.forget_requests),
        ("POST", "/day", control.day),
        ("POST", "/change", control.change),
        ("POST", "/faults", control.add_faults),
        ("DELETE", "/faults", control.clear_faults),
        ("POST", "/refuse", control.refuse),
        ("POST", "/clock", control.clock),
        ("GET", "/writing", control.writing),
        ("POST", "/writing", control.turn),
    )
    return [
        Route(path, _answering(sandbox, handler), methods=[method])
        for method, path, handler in handlers
    ]


class Control:
    """What the control interface can do; each method answers a request with JSON."""

    def __init__(self, sandbox: Sandbox) -> None:
        """Answer a request below ``/control``."""
        self._sandbox = sandbox

    async def health(self, _request: Request) -> Any:
        """Return how large the world is, and which surveys there are."""
        sizes = {name: len(table) for name, table in self._sandbox.world.tables.items()}
        surveys = self._sandbox.world.ids("surveys")
        return {"ok": True, "rows": sizes, "surveys": surveys}

    async def expected_rows(self, request: Request) -> Any:
        """Answer what a tap should deliver for a stream; with ``rows=false`` only how much."""
        rows = self._sandbox.world.expected_rows(request.path_params["stream"])
        if request.query_params.get("rows") == "false":
            return {"count": len(rows)}
        return {"count": len(rows), "rows": list(rows.values())}

    async def events(self, request: Request) -> Any:
        """Answer what was tracked; with ``rows=false`` only how much."""
        self._sandbox.writer.catch_up()
        events = self._sandbox.writer.analytics.events
        count = {"count": len(events), "unknown": sum(not event["known"] for event in events)}
        return count if request.query_params.get("rows") == "false" else {**count, "rows": events}

    async def requests(self, _request: Request) -> Any:
        """Answer the log of requests."""
        log = self._sandbox.requests
        return {
            "count": len(log),
            "byStatus": log.by_status(),
            "byMethod": log.by_method(),
            "byPath": log.by_path(),
            "requests": list(log),
        }

    async def forget_requests(self, _request: Request) -> Any:
        """Start the log anew."""
        self._sandbox.requests.clear()
        return {"ok": True}

    async def day(self, request: Request) -> Any:
        """Live a day; ``{"deletes": n}`` adds deletions for good, ``{"scores": true}`` moves scores."""
        return self._sandbox.world.live_a_day(**await _document(request, dict))

    async def change(self, request: Request) -> Any:
        """Make one change, such as ``{"op": "churn", "id": "..."}``."""
        wanted = await _document(request, Change)
        return {"row": wanted.apply(self._sandbox.world)}

    async def add_faults(self, request: Request) -> Any:
        """Add a list of faults to those in store."""
        faults = [Fault(**fault) for fault in await _document(request, list[dict[str, Any]])]
        self._sandbox.faults.extend(faults)
        return {"faults": len(self._sandbox.faults)}

    async def clear_faults(self, _request: Request) -> Any:
        """Forget all faults, refusals and odd answers."""
        self._sandbox.faults.clear()
        return {"ok": True}

    async def refuse(self, request: Request) -> Any:
        """Refuse a resource: ``{"path": "customObjects", "status": 403}``."""
        self._sandbox.refuse(**await _document(request, dict))
        return {"ok": True}

    async def clock(self, request: Request) -> Any:
        """Set the clock's offset: ``{"offset": -300}``."""
        self._sandbox.world.clock.offset = float((await _document(request, dict))["offset"])
        return {"now": self._sandbox.world.clock.now().isoformat()}

    async def writing(self, _request: Request) -> Any:
        """Answer how the switches for writing stand."""
        return self._sandbox.writer.switches

    async def turn(self, request: Request) -> Any:
        """Turn switches: ``{"links": "add"}``; the others stay as they are."""
        writer = self._sandbox.writer
        writer.switches = writer.switches.but(await _document(request, dict))
        return writer.switches


async def _document(request: Request, kind: type[T]) -> T:
    """Read the body of a request; an empty one counts as an empty object."""
    return msgspec.json.decode(await request.body() or b"{}", type=kind)


def _answering(
    sandbox: Sandbox, handler: Callable[[Request], Awaitable[Any]]
) -> Callable[[Request], Awaitable[Response]]:
    """Turn what a handler returns, or refuses to do, into a response."""

    async def endpoint(request: Request) -> Response:
        try:
            status, payload = 200, await handler(request)
        except (ValueError, TypeError, KeyError) as error:
            status, payload = 400, {"error": str(error)}
        return Response(sandbox.encode(payload), status, media_type="application/json")

    return endpoint
