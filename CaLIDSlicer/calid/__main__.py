"""``python -m calid`` is the command line."""

import sys

from calid.cli import main

sys.exit(main())
