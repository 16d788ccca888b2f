"""``python -m calid.worker JOBDIR``."""

import sys

from calid.worker.run import main

if __name__ == "__main__":
    sys.exit(main())
