package io.firesteel.spark.job

import java.nio.file.{Files, Path}

import org.apache.hadoop.conf.Configuration

class OwnedFolderSuite extends munit.FunSuite {
  private val hadoop = new Configuration()
  private val place = FunFixture[Path](_ => Files.createTempDirectory("owned"), deleteAll)

  private def deleteAll(folder: Path): Unit = {
    val entries = Files.walk(folder)
    try entries.sorted(java.util.Comparator.reverseOrder[Path]).forEach(Files.delete(_))
    finally entries.close()
  }

  private def folder(at: Path, query: String) = new OwnedFolder(at.resolve("out").toString, hadoop, () => query)

  place.test("the first query owns the folder, and finds it its own after a restart") { at =>
    folder(at, "a").claim()
    folder(at, "a").claim()
    folder(at, "a").check(Some("a"))
  }

  place.test("another query is refused before the start and in the batch, with both ids") { at =>
    folder(at, "a").claim()
    val before = intercept[WrongOption](folder(at, "b").check(Some("b"))).getMessage
    val within = intercept[WrongOption](folder(at, "b").claim()).getMessage
    assert(before.contains("output of query a, this query is b"), before)
    assertEquals(within, before)
    assert(intercept[WrongOption](folder(at, "c").check(None)).getMessage.contains("a new one"))
  }

  place.test("a folder with content that is not ours is refused") { at =>
    Files.createDirectory(at.resolve("out"))
    folder(at, "a").check(None)
    val _ = Files.writeString(at.resolve("out").resolve("part-0.parquet"), "theirs")
    assert(intercept[WrongOption](folder(at, "a").check(None)).getMessage.contains("not empty"))
    assert(intercept[WrongOption](folder(at, "a").claim()).getMessage.contains("not empty"))
  }

  place.test("the query of a checkpoint is read from Spark's metadata") { at =>
    assertEquals(OwnedFolder.queryOf(at.toString, hadoop), None)
    val _ = Files.writeString(at.resolve("metadata"), """{"id":"36aab383-a695-4674-953f-187a0357212c"}""")
    assertEquals(OwnedFolder.queryOf(at.toString, hadoop), Some("36aab383-a695-4674-953f-187a0357212c"))
  }
}
