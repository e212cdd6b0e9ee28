"""`python -m identity prepare|serve|work|relay|create-account|create-importer|find-member`."""

import sys

from servicekit.starting import end_on_sigterm


def run() -> None:
    """Run what the command line says; settings that are missing are named, without values."""
    end_on_sigterm()
    from pydantic import ValidationError

    from identity.bootstrap import DEFINITION
    from identity.entrypoints.operator import NOT_SET, settings_complaint
    from servicekit.runtime import main

    try:
        main(DEFINITION)
    except ValidationError as failure:
        if failure.title != DEFINITION.settings.__name__:
            raise
        print(f"identity: {settings_complaint(failure)}", file=sys.stderr)
        sys.exit(NOT_SET)


if __name__ == "__main__":
    run()
