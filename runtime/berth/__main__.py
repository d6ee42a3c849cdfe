"""`python -m berth`, where the command `berth` is not installed."""

import sys

from berth.cli import main

sys.exit(main())
