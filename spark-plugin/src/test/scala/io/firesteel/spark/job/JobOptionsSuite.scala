package io.firesteel.spark.job

class JobOptionsSuite extends munit.FunSuite {
  private val enough = Seq(
    "--pipeline",
    "fraud.yaml",
    "--bootstrap-servers",
    "localhost:9092",
    "--topic",
    "in",
    "--checkpoint",
    "cp",
    "--output-parquet",
    "scores",
    "--rejected-topic",
    "refused"
  )

  private def refusal(arguments: String*): String = intercept[WrongOption](JobOptions.parse(arguments)).getMessage

  /** The needed options with one of them changed or removed. */
  private def enoughBut(name: String, value: Option[String]): Seq[String] =
    enough.grouped(2).toSeq.filter(_.head != name).flatten ++ value.toSeq.flatMap(Seq(name, _))

  test("the needed options are enough, and the defaults are those of the help") {
    val options = JobOptions.parse(enough)
    assertEquals(options.startingOffsets, "earliest")
    assertEquals(options.trigger, TriggerChoice.AvailableNow: TriggerChoice)
    assertEquals(options.maxOffsetsPerTrigger, None)
    assert(options.failOnDataLoss)
    assert(!options.dryRun)
  }

  test("a value may follow its option or an equals sign, and hold one itself") {
    val options =
      JobOptions.parse(enough ++ Seq("--kafka.sasl.jaas.config=a b=\"c\"", "--kafka.security.protocol", "SSL"))
    assertEquals(options.kafka, Map("kafka.sasl.jaas.config" -> "a b=\"c\"", "kafka.security.protocol" -> "SSL"))
  }

  test("topics are written natively unless Spark's sink is asked for") {
    assertEquals(JobOptions.parse(enough).sink, SinkChoice.Native: SinkChoice)
    assertEquals(JobOptions.parse(enough ++ Seq("--sink", "spark")).sink, SinkChoice.Spark: SinkChoice)
    assertEquals(JobOptions.parse(enough ++ Seq("--sink=native")).sink, SinkChoice.Native: SinkChoice)
    assertEquals(refusal(enough ++ Seq("--sink", "kafka"): _*), "--sink kafka: wanted native or spark")
  }

  test("both triggers are understood, with a space or an equals sign") {
    for (text <- Seq("processing-time 5 seconds", "processing-time=5 seconds"))
      assertEquals(
        JobOptions.parse(enough ++ Seq("--trigger", text)).trigger,
        TriggerChoice.ProcessingTime("5 seconds"): TriggerChoice
      )
    assert(refusal(enough ++ Seq("--trigger", "once"): _*).contains("available-now"))
  }

  test("an unknown option names the nearest known one") {
    assertEquals(refusal("--piplene", "x"), "--piplene is unknown (did you mean --pipeline?)")
    assertEquals(
      refusal("--max-offset-per-trigger", "5"),
      "--max-offset-per-trigger is unknown (did you mean --max-offsets-per-trigger?)"
    )
    assertEquals(refusal("--colour", "x"), "--colour is unknown")
    assert(refusal("--kafka.", "x").contains("is unknown"))
  }

  test("an option without its value, twice, or without dashes is refused") {
    assertEquals(refusal("--pipeline"), "--pipeline needs a value")
    assertEquals(refusal("--pipeline", "--topic", "t"), "--pipeline needs a value")
    assertEquals(refusal("--topic", "a", "--topic=b"), "--topic is given twice")
    assertEquals(refusal("fraud.yaml"), "`fraud.yaml` is no option: options start with --")
    assertEquals(refusal("--dry-run=yes"), "--dry-run takes no value, not `yes`")
  }

  test("numbers and booleans are strict") {
    for (text <- Seq("0", "-5", "many", "1e3"))
      assert(refusal(enough ++ Seq(s"--max-offsets-per-trigger=$text"): _*).contains("a whole number above 0"))
    assert(refusal(enough ++ Seq("--fail-on-data-loss", "yes"): _*).contains("wanted true or false"))
  }

  test("every needed option is missed by name") {
    for (name <- Seq("--pipeline", "--bootstrap-servers", "--topic", "--checkpoint"))
      assertEquals(refusal(enoughBut(name, None): _*), s"$name is required")
    assert(refusal(enoughBut("--output-parquet", None): _*).startsWith("nowhere to write the scores to"))
    assert(refusal(enoughBut("--rejected-topic", None): _*).startsWith("nowhere to write rejected rows to"))
  }

  test("a dry run needs the pipeline only") {
    assert(JobOptions.parse(Seq("--dry-run", "--pipeline", "fraud.yaml")).dryRun)
    assertEquals(refusal("--dry-run"), "--pipeline is required")
  }

  test("outputs do not run into each other or into the input") {
    assert(refusal(enoughBut("--rejected-topic", Some("in")): _*).contains("topic in is given twice"))
    assert(refusal(enough ++ Seq("--rejected-parquet", "scores"): _*).contains("scores is given twice"))
    assert(refusal(enoughBut("--checkpoint", Some("scores")): _*).contains("scores is given twice"))
    assert(refusal(enough ++ Seq("--output-key", "id"): _*).contains("--output-topic"))
  }

  test("the help names every option once") {
    val named = "(?m)^  --([a-z-]+)".r.findAllMatchIn(JobOptions.help).map(_.group(1)).toSeq
    assertEquals(named.diff(named.distinct), Nil)
    for (option <- enough.grouped(2)) assert(named.contains(option.head.drop(2)), option.head)
  }

  test("the reference page has a row for every option of the help, and for no other") {
    val page = java.nio.file.Files.readString(java.nio.file.Path.of("docs", "reference", "stream-job.md"))
    val onPage = "(?m)^\\| `--([a-z-]+)` ".r.findAllMatchIn(page).map(_.group(1)).toSet
    val inHelp = "(?m)^  --([a-z-]+) ".r.findAllMatchIn(JobOptions.help).map(_.group(1)).toSet
    assertEquals(onPage, inHelp)
  }

  test("settings of the Kafka clients come from a file, and those that were typed win") {
    val file = java.nio.file.Files.createTempFile("client", ".properties")
    val lines = "# who we are\nsasl.jaas.config=a b=\"c\"\nclient.id = from the file\nkafka.client.rack=r1\n"
    java.nio.file.Files.writeString(file, lines)
    val options = JobOptions.parse(enough ++ Seq("--kafka-config", file.toString, "--kafka.client.id", "typed"))
    assertEquals(
      options.kafka,
      Map("kafka.sasl.jaas.config" -> "a b=\"c\"", "kafka.client.id" -> "typed", "kafka.client.rack" -> "r1")
    )
    java.nio.file.Files.delete(file)
    assert(refusal((enough ++ Seq("--kafka-config", file.toString)): _*).contains("can't be read: NoSuchFile"))
  }
}
