"""A small workspace that takes writes, as a second opinion beside the sandbox.

The sandbox can do more: fuzzers, benchmarks and the demo write into it. This one shares no code with
it, so that a mistake of one shows in the other. A test passes a function of the request that says what
goes wrong; a row that holds ``poison`` is refused.
"""

from harness.workspace.rows import Switches, Workspace
from harness.workspace.server import workspace

__all__ = ["Switches", "Workspace", "workspace"]
