#!/usr/bin/env bash
# Puts ONNX Runtime's library at build/native/libonnxruntime.so, out of the Maven artifact that Firesteel ships.
# Does nothing when it is there. Safe to run twice at the same time: the file appears whole or not at all.
set -euo pipefail

version=1.29.0
root=$(cd "$(dirname "$0")/../.." && pwd)
target=$root/build/native/libonnxruntime.so
jar=$root/build/jars/onnxruntime-$version.jar
stamp=$root/build/native/onnxruntime.version
entry=ai/onnxruntime/native/linux-x64/libonnxruntime.so

if [[ -f $target && -f $stamp && $(<"$stamp") == "$version" ]]; then
    exit 0
fi
if [[ $(uname -sm) != "Linux x86_64" ]]; then
    echo "fetch_onnxruntime: this machine is $(uname -sm); Firesteel runs on Linux x86_64 for now" >&2
    exit 1
fi
for tool in mvn unzip; do
    if ! command -v "$tool" >/dev/null; then
        echo "fetch_onnxruntime: $tool is missing; install it with the system's package manager" >&2
        exit 1
    fi
done

mkdir -p "$root/build/jars" "$root/build/native"
if [[ ! -f $jar ]]; then
    # From a folder without a pom.xml, so that no project's settings have a say.
    (cd "$root/build/jars" && mvn --batch-mode --quiet dependency:copy \
        -Dartifact="com.microsoft.onnxruntime:onnxruntime:$version" -DoutputDirectory="$root/build/jars")
fi
scratch=$(mktemp -d "$root/build/native/.unpack.XXXXXX")
trap 'rm -rf "$scratch"' EXIT
unzip -q -j "$jar" "$entry" -d "$scratch"
printf '%s\n' "$version" >"$scratch/version"
mv -f "$scratch/libonnxruntime.so" "$target"
mv -f "$scratch/version" "$stamp"
