"""Runs the demo: ``python -m demo``."""

from demo import main

raise SystemExit(main())
