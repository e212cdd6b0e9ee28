"""`python -m lyceum_gateway [FOLDER]`: print the Envoy configuration that the environment describes.

With a folder, write it there, with the files that it refers to.
"""

import os
import sys
from pathlib import Path

from lyceum_gateway import render
from lyceum_gateway.environment import SettingMissing, SettingUnusable, gateway_of
from lyceum_gateway.upstream import secret_files

try:
    gateway = gateway_of(os.environ)
except (SettingMissing, SettingUnusable) as refusal:
    sys.exit(str(refusal))
if len(sys.argv) == 1:
    sys.stdout.write(render(gateway))
else:
    files = {"envoy.yaml": render(gateway), **(secret_files(gateway.upstream_tls) if gateway.upstream_tls else {})}
    for name, text in files.items():
        (Path(sys.argv[1]) / name).write_text(text, encoding="utf-8")
