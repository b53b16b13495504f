package io.firesteel.spark.job

class NearestSuite extends munit.FunSuite {
  private val names = Seq("topic", "trigger", "checkpoint", "output-topic")

  test("a slip of a letter or two finds its name") {
    for (
      (typed, meant) <-
        Seq("topc" -> "topic", "tirgger" -> "trigger", "chekpoint" -> "checkpoint", "outputtopic" -> "output-topic")
    )
      assertEquals(Nearest.to(typed, names), Some(meant))
  }

  test("another word finds nothing") {
    assertEquals(Nearest.to("encryption", names), None)
    assertEquals(Nearest.to("x", Nil), None)
  }
}
