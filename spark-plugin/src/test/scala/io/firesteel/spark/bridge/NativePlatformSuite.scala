package io.firesteel.spark.bridge

class NativePlatformSuite extends munit.FunSuite {
  private def refusal(os: String, arch: String, maps: String): Option[String] = {
    val found = NativePlatform.refusal(os, arch, maps)
    if (found.isPresent) Some(found.get) else None
  }

  private val glibc = "7f0 r-xp /usr/lib/x86_64-linux-gnu/libc.so.6"

  test("Linux on x86-64 with a current glibc is taken") {
    assertEquals(refusal("Linux", "amd64", glibc), None)
    assertEquals(refusal("Linux", "x86_64", "/lib64/libc-2.28.so"), None)
    assertEquals(refusal("Linux", "amd64", ""), None)
  }

  test("every other platform is refused with one sentence that names it") {
    val cases = Seq(
      ("Linux", "aarch64", glibc, "aarch64"),
      ("Mac OS X", "x86_64", "", "Mac OS X"),
      ("Windows 11", "amd64", "", "Windows 11"),
      ("Linux", "amd64", "7f0 r-xp /lib/ld-musl-x86_64.so.1", "musl"),
      ("Linux", "amd64", "7f0 r-xp /lib64/libc-2.17.so", "glibc 2.17")
    )
    cases.foreach { case (os, arch, maps, named) =>
      val sentence = refusal(os, arch, maps).getOrElse(fail(s"$os $arch was taken"))
      assert(sentence.startsWith("UNSUPPORTED_PLATFORM: "), sentence)
      assert(sentence.contains(named) && sentence.endsWith(".") && !sentence.contains("\n"), sentence)
    }
  }
}
