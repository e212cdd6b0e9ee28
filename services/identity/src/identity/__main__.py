"""`python -m identity prepare|serve|work|relay|create-importer`."""

from identity.bootstrap import DEFINITION
from servicekit.runtime import main

main(DEFINITION)
