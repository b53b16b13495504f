#!/usr/bin/env bash
# Builds build/dist/firesteel-<version>-py3-none-manylinux_2_28_x86_64.whl, which carries the jar that lies beside it.
# Run after the jar is built (`make wheel` does both). Needs no network: the build tools are in .venv.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd -P)
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT

# hatchling takes licence files only from the project's own folder; they lie once, at the root of the repository.
mkdir -p "$stage/python"
cp -r "$root"/python/{firesteel,pyproject.toml,hatch_build.py,README.md} "$root/LICENSE" "$root/NOTICE" "$stage/python/"
ln -s "$root/build" "$stage/build"
"$root/.venv/bin/python" -m build --wheel --no-isolation --outdir "$stage/out" "$stage/python" >"$stage/log" 2>&1 || {
  tail -n 30 "$stage/log" >&2
  exit 1
}
rm -f "$root"/build/dist/firesteel-*.whl
mv "$stage"/out/firesteel-*.whl "$root/build/dist/"
