"""`python -m catalog prepare|serve|work|relay`."""

from catalog.bootstrap import DEFINITION
from servicekit.runtime import main

if __name__ == "__main__":
    main(DEFINITION)
