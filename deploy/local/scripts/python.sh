#!/usr/bin/env bash
# Prints which Python 3.11 of PATH to make .venv with: the first that was built with profile-guided optimisation, as the
# images' is, or else the first that can make one; nothing where there is none. Without it, as version managers build by
# default, services need a tenth more CPU for a command, and plain Python code half as much again.
set -euo pipefail

# build PYTHON : "optimised" or "plain"; fails where it is not 3.11 or cannot make a venv. A distribution's own does not
# record its flags, but Debian, Fedora, SUSE and Arch all build with profiles.
build() {
    "$1" - 2>/dev/null <<'END'
import ensurepip, sys, sysconfig, venv
if sys.version_info[:2] != (3, 11): sys.exit(1)
optimised = sys.base_prefix == "/usr" or "--enable-optimizations" in (sysconfig.get_config_var("CONFIG_ARGS") or "")
print("optimised" if optimised else "plain")
END
}

first=
while read -r each; do
    how=$(build "$each") || continue
    [[ $how == optimised ]] && echo "$each" && exit
    first=${first:-$each}
done < <(type -ap python3.11 python3)

[[ -n $first ]] || exit 0
echo "setup: $first was built without --enable-optimizations and is slower for it; another: make clean setup PYTHON=/path/to/python3.11" >&2
echo "$first"
