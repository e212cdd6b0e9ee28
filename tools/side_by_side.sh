#!/usr/bin/env bash
# Runs make targets side by side: what each says follows once it has ended, with how long it took. The exit code is 1 if
# one of them failed; the others are seen to their ends.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

folder=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null; rm -rf "$folder"' EXIT

run() {
  local target=$1 begun=$SECONDS status=0
  make --no-print-directory "$target" >"$folder/$target" 2>&1 || status=$?
  {
    flock 9
    echo "== $target: $([[ $status == 0 ]] && echo "held" || echo "FAILED (status $status)") after $((SECONDS - begun)) s"
    cat "$folder/$target"
  } 9>"$folder/turn"
  return "$status"
}

declare -A running
for target in "$@"; do
  run "$target" &
  running[$target]=$!
done

failed=()
for target in "$@"; do
  wait "${running[$target]}" || failed+=("$target")
done
if ((${#failed[@]})); then
  echo "failed: ${failed[*]}; each alone: make ${failed[*]}" >&2
  exit 1
fi
