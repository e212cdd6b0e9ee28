"""`python -m lyceum_gateway [FOLDER]`: print the Envoy configuration that the environment describes.

With a folder, write it there, with the files that it refers to.
"""

import os
import sys
from pathlib import Path

from lyceum_gateway import render
from lyceum_gateway.environment import SettingMissing, SettingUnusable, gateway_of
from lyceum_gateway.writing import write

try:
    if len(sys.argv) == 1:
        sys.stdout.write(render(gateway_of(os.environ)))
    else:
        write(os.environ, Path(sys.argv[1]) / "envoy.yaml")
except (SettingMissing, SettingUnusable) as refusal:
    sys.exit(str(refusal))
