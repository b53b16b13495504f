#!/usr/bin/env bash
# Says in one line what is missing and how to get it; silent when all is there. Called first by every make target.
set -u
missing=0
need() { # name, how to get it
  echo "firesteel: missing $1. $2" >&2
  missing=1
}
# First "major.minor" found in a version text.
version() { grep -oE '[0-9]+\.[0-9]+' <<<"$1" | head -n 1; }
at_least() { [ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1)" = "$2" ]; }

[ "$(uname -sm)" = "Linux x86_64" ] || need "a Linux x86-64 machine (this is $(uname -sm))" "Build and test there; other platforms are not supported yet."

if command -v cargo >/dev/null; then
  have=$(version "$(cargo --version)")
  at_least "$have" 1.95 || need "Rust 1.95 or newer (found $have)" "Run: rustup update stable"
else
  need "Rust 1.95 (cargo)" "Install rustup from rustup.rs, then run: rustup toolchain install 1.95"
fi
if command -v java >/dev/null && command -v javac >/dev/null; then
  have=$(version "$(javac -version 2>&1)")
  at_least "$have" 17 || need "JDK 17 or newer (found $have)" "Debian/Ubuntu: apt-get install openjdk-17-jdk-headless"
else
  need "JDK 17 (java and javac)" "Debian/Ubuntu: apt-get install openjdk-17-jdk-headless"
fi
if command -v "${PYTHON:-python3}" >/dev/null; then
  have=$(version "$("${PYTHON:-python3}" --version 2>&1)")
  at_least "$have" 3.11 || need "Python 3.11 or newer (found $have)" "Install it, or name another one: make PYTHON=/path/to/python3.11"
  "${PYTHON:-python3}" -c 'import venv, ensurepip' 2>/dev/null || need "Python's venv module" "Debian/Ubuntu: apt-get install python3-venv"
else
  need "Python 3.11 (python3)" "Debian/Ubuntu: apt-get install python3 python3-venv"
fi
command -v cc >/dev/null && command -v c++ >/dev/null || need "a C and C++ compiler (cc, c++)" "Debian/Ubuntu: apt-get install gcc g++"
command -v mvn >/dev/null || need "Maven (mvn)" "Debian/Ubuntu: apt-get install maven"
command -v unzip >/dev/null || need "unzip" "Debian/Ubuntu: apt-get install unzip"
exit "$missing"
