#!/bin/bash
# The bridge's tests under AddressSanitizer, inside the JVM, on stable Rust.
#
# Our own crates are compiled with the sanitizer; the others are those of the daily build, so this takes a minute and
# not a quarter of an hour. Every allocation goes through the sanitizer all the same: Rust's, the JVM's
# `Unsafe.allocateMemory` (the input batches) and ONNX Runtime's. `-Xcheck:jni` watches the JNI calls beside it.
# First a read behind a batch's end must be caught: without that a clean run would prove nothing.
set -euo pipefail
cd "$(dirname "$0")/../.."
target=x86_64-unknown-linux-gnu
out=$PWD/build/asan
mkdir -p "$out"

runtime=$(readlink -f "$(gcc -print-file-name=libasan.so 2>/dev/null || echo none)")
[ -f "$runtime" ] || {
    echo "asan: libasan is missing. Install gcc (Debian and Ubuntu: apt-get install gcc)." >&2
    exit 1
}

cat > "$out/rustc" <<'WRAPPER'
#!/bin/sh
# Cargo calls this for the crates of the workspace only. RUSTC_BOOTSTRAP, which lets stable Rust take the flag, is set
# here and not for Cargo: build scripts of many crates watch it, and all of them would be built anew.
rustc=$1
shift
RUSTC_BOOTSTRAP=1 exec "$rustc" "$@" -Zsanitizer=address -Cforce-frame-pointers=yes --cfg sanitized
WRAPPER
chmod +x "$out/rustc"

echo "asan: building the library with the sanitizer"
RUSTC_WORKSPACE_WRAPPER="$out/rustc" cargo build --quiet --release -p firesteel-jni
install -m 755 "target/$target/release/libfiresteel.so" "$out/libfiresteel.so"
cp -f build/native/libonnxruntime.so "$out/"
# The daily library back to where the daily build expects it.
cargo build --quiet --release -p firesteel-jni
if [ "$(nm -D "$out/libfiresteel.so" | grep -c '__asan_')" -eq 0 ]; then
    echo "asan: the library is not instrumented" >&2
    exit 1
fi

./sbt --error plugin/Test/compile writeClasspaths
opens=()
for package in java.lang java.lang.invoke java.lang.reflect java.io java.net java.nio java.util \
    java.util.concurrent java.util.concurrent.atomic sun.nio.ch sun.nio.cs sun.security.action sun.util.calendar; do
    opens+=("--add-opens=java.base/$package=ALL-UNNAMED")
done

# The JVM handles SIGSEGV itself and never frees all it has; both are no errors.
in_jvm() {
    LD_PRELOAD=$runtime ASAN_OPTIONS=handle_segv=0:detect_leaks=0:alloc_dealloc_mismatch=0 \
        timeout 900 java -Xmx1536m -XX:+UseSerialGC -Xcheck:jni "${opens[@]}" \
        -Djdk.reflect.useDirectMethodHandle=false -Dio.netty.tryReflectionSetAccessible=true -Duser.timezone=UTC \
        -Dfiresteel.native.path="$out" -cp "$(cat build/classpath/plugin-test.txt)" "$@"
}

echo "asan: a read behind a batch's end must be caught"
if in_jvm io.firesteel.spark.bridge.OverflowProbe > "$out/probe.log" 2>&1 ||
    ! grep -q 'AddressSanitizer: heap-buffer-overflow' "$out/probe.log"; then
    echo "asan: the sanitizer did not see it ($out/probe.log)" >&2
    exit 1
fi

suites=(bridge.BridgeSuite PipelineSuite exec.FailureSuite exec.OffHeapSuite)
echo "asan: running ${suites[*]}"
if ! in_jvm org.junit.runner.JUnitCore "${suites[@]/#/io.firesteel.spark.}" > "$out/tests.log" 2>&1; then
    grep -m 40 -E 'AddressSanitizer|^[0-9]+\)|FailException|FATAL ERROR in native' "$out/tests.log" >&2 || true
    echo "asan: failed ($out/tests.log)" >&2
    exit 1
fi
if grep -q -E 'AddressSanitizer|FATAL ERROR in native method|WARNING in native method' "$out/tests.log"; then
    grep -m 20 -A 12 -E 'AddressSanitizer|FATAL ERROR in native method|WARNING in native method' "$out/tests.log" >&2
    exit 1
fi
grep -E '^OK \(' "$out/tests.log"
