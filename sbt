#!/bin/sh
# Starts sbt. The launcher comes as a Maven artifact into .tools/, once, with Maven's own client and settings
# (mirrors and proxies are honoured); sbt itself and every library come through the launcher's resolver.
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd -P)
version=1.11.7
launcher="$root/.tools/sbt/sbt-launch-$version.jar"

java_bin="${JAVA_HOME:+$JAVA_HOME/bin/}java"
command -v "$java_bin" >/dev/null 2>&1 || {
    echo "sbt: Java is missing. Install JDK 17 (Debian and Ubuntu: apt-get install openjdk-17-jdk-headless)." >&2
    exit 1
}

if [ ! -f "$launcher" ]; then
    command -v mvn >/dev/null 2>&1 || {
        echo "sbt: Maven is missing. Install it (Debian and Ubuntu: apt-get install maven)." >&2
        exit 1
    }
    mkdir -p "$root/.tools/sbt"
    # Two shells may start at once: one downloads, the other waits; the final name appears complete or not at all.
    (
        flock 9
        [ -f "$launcher" ] && exit 0
        part=$(mktemp -d "$root/.tools/sbt/part.XXXXXX")
        trap 'rm -rf "$part"' EXIT
        mvn -q -B dependency:get -Dartifact="org.scala-sbt:sbt-launch:$version" -Dtransitive=false >&2
        mvn -q -B dependency:copy -Dartifact="org.scala-sbt:sbt-launch:$version" -DoutputDirectory="$part" >&2
        mv "$part/sbt-launch-$version.jar" "$launcher"
    ) 9>"$root/.tools/sbt/lock"
fi

cd "$root"
# shellcheck disable=SC2086 # SBT_OPTS is a list of options
exec "$java_bin" -Xms256m -Xmx1536m -Xss4m -XX:+UseSerialGC -Dfile.encoding=UTF-8 -Dsbt.supershell=false -Dsbt.color=false \
    ${SBT_OPTS:-} -jar "$launcher" "$@"
