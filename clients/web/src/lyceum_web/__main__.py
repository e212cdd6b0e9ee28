"""`python -m lyceum_web`: serve until SIGTERM or SIGINT."""

from __future__ import annotations

import argparse
import asyncio
import sys

from pydantic import ValidationError

from lyceum_web.errors import KeyUnusable
from lyceum_web.serving import serve
from lyceum_web.settings import WebSettings
from lyceum_web.site import site_of


def main() -> int:
    """Exit status 0 after a clean end, 1 where the key is unusable, 2 where settings are."""
    argparse.ArgumentParser(prog="lyceum_web", description="Lyceum's pages for browsers.").parse_args()
    try:
        settings = WebSettings()
    except ValidationError as bad:
        for one in bad.errors():
            print(f"{'.'.join(map(str, one['loc'])).upper()}: {one['msg']}", file=sys.stderr)
        return 2
    try:
        asyncio.run(serve(site_of(settings)))
    except KeyUnusable as unusable:
        print(unusable, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
