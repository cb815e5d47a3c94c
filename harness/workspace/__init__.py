"""A workspace that takes writes, small enough to be read at one sitting: the tests' own opinion.

The sandbox knows more and is what hunts, benchmarks and the demo write into. This is the second judge, of
whom nothing is shared with the first: where both let a row through, it is not for a mistake of one. A
test says here what goes wrong as a function of a request, and what is not taken: ``poison``.
"""

from harness.workspace.rows import Switches, Workspace
from harness.workspace.server import workspace

__all__ = ["Switches", "Workspace", "workspace"]
