package io.firesteel.spark.models

import java.nio.charset.StandardCharsets.UTF_8
import java.nio.file.{Files, Path, Paths}

import org.apache.commons.io.FileUtils
import org.apache.hadoop.conf.Configuration

/** A store's rules, on the local file system through Hadoop's. */
class StoreFolderSuite extends munit.FunSuite {
  private val hadoop = new Configuration()
  private val models = Paths.get("tests/models").toAbsolutePath
  private val folder = FunFixture[Path](_ => Files.createTempDirectory("store"), f => FileUtils.deleteQuietly(f.toFile))

  private def run(arguments: String*): Seq[String] = StoreCommand.run(arguments, hadoop)

  private def refused(condition: String)(body: => Any): Unit = {
    val error = intercept[RuntimeException](body)
    assert(error.getMessage.startsWith(condition), error.getMessage)
  }

  test("a uri's form says what it names, as in the engine") {
    import ModelUri._
    assertEquals(parse("models/fraud@champion"), Alias("models/fraud", "champion"): ModelUri)
    assertEquals(parse("s3a://b/m/fraud@3"), Version("s3a://b/m/fraud", 3): ModelUri)
    Seq("m.onnx", "abfss://c@account/m.onnx", "a/me@home.onnx", "@champion", "a/@3", "fraud@0", "fraud@-1", "x@")
      .foreach(file => assertEquals(parse(file), File(file): ModelUri))
    Seq("models:/fraud@champion", "models:/fraud/3", "runs:/0123/model")
      .foreach(uri => assertEquals(parse(uri), Mlflow(uri): ModelUri))
  }

  folder.test("versions count, aliases move, and a rollback goes back where the alias came from") { at =>
    val store = at.resolve("fraud").toString
    Seq("gbdt", "lr", "mlp").foreach(name => run("add", store, s"$models/$name.onnx", "--note", name))
    val opened = FoundModel.opened(store, hadoop)
    assertEquals(
      opened.list().map(v => (v.version, v.about.path("note").asText)),
      Seq((1L, "gbdt"), (2L, "lr"), (3L, "mlp"))
    )
    refused("MODEL_ALIAS")(opened.current("champion"))
    run("move", store, "champion", "1")
    run("move", store, "challenger", "3")
    run("promote", store, "challenger", "champion")
    assertEquals(opened.current("champion"), 3L)
    run("move", store, "champion", "2")
    assertEquals(run("rollback", store, "champion"), Seq(s"$store@champion is version 3 (move 4)"))
    // The second goes further back, and does not return to what the first one took back.
    run("rollback", store, "champion")
    assertEquals(opened.current("champion"), 1L)
    refused("MODEL_ALIAS")(run("rollback", store, "champion"))
    assertEquals(opened.aliases(), Seq("challenger", "champion"))
    assertEquals(run("verify", store), Seq("3 versions are whole and load"))
    assert(run("list", store).head.contains("@champion"))
  }

  folder.test("a torn move or version is passed over, a changed model refused") { at =>
    val store = at.resolve("fraud").toString
    run("add", store, s"$models/lr.onnx", "--alias", "champion")
    run("add", store, s"$models/mlp.onnx")
    val opened = FoundModel.opened(store, hadoop)
    val moves = at.resolve("fraud/aliases/champion")
    Files.write(moves.resolve("000002.json"), "{\"version\": 2, \"mov".getBytes(UTF_8))
    Files.write(moves.resolve("000003.json"), Array.emptyByteArray)
    assertEquals(opened.current("champion"), 1L)
    Files.createDirectories(at.resolve("fraud/versions/000003"))
    Files.write(at.resolve("fraud/versions/000003/model.onnx"), Array[Byte](1, 2))
    assertEquals(opened.list().map(_.version), Seq(1L, 2L))
    refused("MODEL_VERSION")(run("move", store, "champion", "3"))
    // Numbers are not used twice.
    assert(run("add", store, s"$models/gbdt.onnx").head.startsWith(s"$store@4 added"))
    run("move", store, "champion", "4")
    assertEquals(opened.moves("champion").map(_.number), Seq(1L, 4L))
    val file = at.resolve("fraud/versions/000002/model.onnx")
    Files.delete(file.resolveSibling(".model.onnx.crc"))
    val bytes = Files.readAllBytes(file)
    bytes(100) = (bytes(100) ^ 1).toByte
    Files.write(file, bytes)
    refused("MODEL_CHECKSUM")(opened.read(2))
    refused("MODEL_CHECKSUM")(run("verify", store))
  }

  folder.test("what is no good model, no store or no command is refused with a reason") { at =>
    val store = at.resolve("fraud").toString
    refused("MODEL_EXTERNAL_DATA")(run("add", store, s"$models/external.onnx"))
    refused("MODEL_MEMORY_ADDRESS")(run("add", store, s"$models/memory_address.onnx"))
    refused("MODEL_REFUSED")(run("add", store, s"$models/custom_operator.onnx"))
    refused("MODEL_STORE")(run("list", store))
    refused("MODEL_STORE")(run("list"))
    refused("MODEL_ALIAS")(run("add", store, s"$models/lr.onnx", "--alias", "3rd"))
    assert(!Files.exists(at.resolve("fraud")), "nothing was written")
  }
}
