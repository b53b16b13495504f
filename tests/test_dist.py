"""What `make dist` gives away: opens the jar and the wheel and looks at the native library inside."""

from __future__ import annotations

import email
import hashlib
import re
import subprocess
import zipfile
from pathlib import Path

import pytest

from tests.support import places

LIBRARY = "libfiresteel.so"
RUNTIME = "libonnxruntime.so"
#: The glibc of the oldest systems that the jar is for.
OLDEST_GLIBC = (2, 28)


@pytest.fixture(scope="module")
def entries(jar: Path) -> list[str]:
    with zipfile.ZipFile(jar) as archive:
        assert archive.testzip() is None
        return archive.namelist()


@pytest.fixture(scope="module")
def library(jar: Path, entries: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    [name] = [entry for entry in entries if entry.endswith(f"/{LIBRARY}")]
    with zipfile.ZipFile(jar) as archive:
        return Path(archive.extract(name, tmp_path_factory.mktemp("jar")))


def text_of(jar: Path, entry: str) -> str:
    with zipfile.ZipFile(jar) as archive:
        return archive.read(entry).decode()


@pytest.mark.parametrize("name", ["FiresteelExtensions", "StreamJob", "Pipeline", "exec/FiresteelEvalExec"])
def test_jar_has_our_classes(entries: list[str], name: str) -> None:
    assert f"io/firesteel/spark/{name}.class" in entries


def test_jar_has_each_native_library_once_for_linux_x86_64(entries: list[str]) -> None:
    natives = [entry for entry in entries if entry.endswith((".so", ".dylib", ".dll", ".a"))]
    assert sorted(natives) == [f"native/linux-x86_64/{name}" for name in (LIBRARY, RUNTIME)]


def test_native_libraries_are_the_ones_that_their_sums_name(jar: Path) -> None:
    sums = [line.split() for line in text_of(jar, "native/linux-x86_64/SHA256SUMS").splitlines()]
    assert sorted(name for _, name in sums) == [LIBRARY, RUNTIME]
    with zipfile.ZipFile(jar) as archive:
        for wanted, name in sums:
            assert hashlib.sha256(archive.read(f"native/linux-x86_64/{name}")).hexdigest() == wanted


def test_jar_has_nothing_that_spark_brings(entries: list[str]) -> None:
    # Arrow above all: a second copy, shaded or not, would not take Spark's own vectors.
    strangers = [entry for entry in entries if entry.endswith(".class") and not entry.startswith("io/firesteel/")]
    assert strangers == []
    assert [entry for entry in entries if "arrow" in entry.split("/")[:-1]] == []


def test_jar_has_licence_notice_and_manifest(jar: Path, entries: list[str]) -> None:
    assert "Apache License" in text_of(jar, "META-INF/LICENSE")
    notice = text_of(jar, "META-INF/NOTICE")
    for bundled in ("Apache Arrow", "DataFusion", "ONNX Runtime"):
        assert bundled in notice
    manifest = email.message_from_string(text_of(jar, "META-INF/MANIFEST.MF"))
    assert manifest["Implementation-Version"] == "0.1.0"
    assert not [entry for entry in entries if entry.endswith((".SF", ".RSA", ".DSA"))], (
        "signatures of parts do not hold"
    )


def test_library_asks_for_no_newer_glibc_than_2_28(library: Path) -> None:
    symbols = run("objdump", "-T", str(library))
    versions = {tuple(map(int, found.split("."))) for found in re.findall(r"GLIBC_(\d+(?:\.\d+)+)", symbols)}
    assert versions, "no versioned symbol found: objdump's output was not understood"
    assert max(versions) <= OLDEST_GLIBC


def test_library_needs_only_what_every_linux_has(library: Path) -> None:
    needed = re.findall(r"\(NEEDED\).*\[(.+)\]", run("readelf", "-d", str(library)))
    known = {"libc.so.6", "libm.so.6", "libdl.so.2", "libpthread.so.0", "librt.so.1", "libgcc_s.so.1"}
    assert set(needed) <= known | {"ld-linux-x86-64.so.2"}, needed
    assert "libc.so.6" in needed


def test_library_exports_only_our_symbols(library: Path) -> None:
    lines = run("objdump", "-T", str(library)).splitlines()
    defined = [line.split()[-1] for line in lines if re.search(r"\sg\s|\sw\s", line) and "*UND*" not in line]
    strangers = [name for name in defined if not re.match(r"(Java_io_firesteel_|JNI_On(Un)?[Ll]oad$)", name)]
    assert any(name.startswith("Java_io_firesteel_") for name in defined) or "JNI_OnLoad" in defined
    assert strangers == []


def test_library_carries_no_path_of_the_machine_that_built_it(library: Path) -> None:
    found = run("readelf", "-d", str(library))
    assert "RPATH" not in found
    assert "RUNPATH" not in found


@pytest.fixture(scope="module")
def wheel() -> Path:
    wheels = sorted(places.DIST.glob("firesteel-*.whl"))
    if not wheels:
        pytest.fail(f"no wheel in {places.DIST}. Run: make wheel", pytrace=False)
    assert [path.name for path in wheels] == ["firesteel-0.1.0-py3-none-manylinux_2_28_x86_64.whl"]
    return wheels[0]


def test_wheel_carries_the_very_jar_and_the_typed_package(wheel: Path, jar: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        carried = archive.getinfo(f"firesteel/jars/{jar.name}")
        with zipfile.ZipFile(jar) as original, archive.open(carried) as copy, zipfile.ZipFile(copy) as inner:
            assert [(e.filename, e.CRC) for e in inner.infolist()] == [(e.filename, e.CRC) for e in original.infolist()]
        meta = email.message_from_bytes(archive.read("firesteel-0.1.0.dist-info/METADATA"))
        tags = email.message_from_bytes(archive.read("firesteel-0.1.0.dist-info/WHEEL"))
    assert {"firesteel/__init__.py", "firesteel/py.typed", "firesteel/notebook/__init__.py"} <= set(names)
    assert {Path(name).name for name in names if "licenses/" in name} == {"LICENSE", "NOTICE"}
    assert not [name for name in names if "__pycache__" in name]
    assert (meta["Name"], meta["Version"], meta["License-Expression"]) == ("firesteel", "0.1.0", "Apache-2.0")
    assert (tags["Tag"], tags["Root-Is-Purelib"]) == ("py3-none-manylinux_2_28_x86_64", "false")


def run(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout
