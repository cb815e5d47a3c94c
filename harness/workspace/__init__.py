"""A workspace that takes writes, small enough to be read at one sitting: the tests' own opinion."""

from harness.workspace.rows import Switches, Workspace
from harness.workspace.server import workspace

__all__ = ["Switches", "Workspace", "workspace"]
