"""`python -m eventfold_ops`: the same as the console script `eventfold`."""

import sys

from eventfold_ops.cli import main

if __name__ == "__main__":
    sys.exit(main())
