package io.firesteel.spark.kafka

import io.firesteel.spark.{Firesteel, FiresteelAnalysisException}
import io.firesteel.spark.bridge.{FiresteelException, NativeCalls}
import io.firesteel.spark.exec.ModelRef
import io.firesteel.spark.models.{MicroBatch, Swap}
import io.firesteel.spark.kafka.deadletter.DeadLetterOptions
import io.firesteel.spark.kafka.windows.StateKeys
import io.firesteel.spark.kafka.value.{Decoded, ValueFormat}
import io.firesteel.spark.resolve.{PipelineSource, Prepared, PreparedSwap}
import org.apache.spark.SparkContext
import org.apache.spark.sql.types._

/**
 * What comes out of a task's reader: the records' own columns, or those of a prepared call that every batch goes
 * through.
 *
 * @param records columns of the records that are made
 * @param call the prepared call, or empty
 * @param native the columns that native code gives, in its order
 * @param schema the columns that Spark sees, among them
 * @param rejected place of `_rejected` among the native ones, if rejected rows go to a topic and not to Spark
 * @param swap decides which models a micro-batch has, if that may change
 * @param windows whether the call keeps state beside the partitions, so that all records must go through it
 */
private[kafka] final case class ReadPlan(
    records: Seq[String],
    call: String,
    native: StructType,
    schema: StructType,
    models: Seq[ModelRef],
    description: String,
    rejected: Option[Int] = None,
    windows: Boolean = false,
    @transient swap: Option[Swap] = None) {

  /** The same with the models of the micro-batch that is planned. Driver side; `checkpoint` is the query's folder. */
  def inBatch(checkpoint: String): ReadPlan = swap.fold(this) { of =>
    val batch = MicroBatch.current.getOrElse {
      throw new WrongSourceOption(
        "pipeline: Spark does not say which micro-batch this is, so that the versions of its models could not be " +
          "recorded. Read the batch in the thread that foreachBatch is called in, or name versions instead of aliases"
      )
    }
    val chosen = of.chosen(batch.in(checkpoint))
    copy(call = chosen.call, models = chosen.models)
  }

  /** Places of Spark's columns among the native ones, and of `_rejected` if it is taken out on the way. */
  def fields: Array[Int] = schema.fieldNames.map(native.fieldIndex) ++ rejected
}

/** Where the columns come from, before it is known which are wanted. */
private[kafka] trait Content {
  def schema: StructType

  /** Whether the columns are those of Kafka's records, so that `offset` is the record's and no field of a value. */
  def isOfRecords: Boolean = false

  /** Some of the columns, in their order. */
  def only(names: Set[String]): StructType = StructType(schema.filter(field => names(field.name)))

  /** The plan for some of the columns; none at all are wanted by a count. */
  def plan(wanted: StructType): ReadPlan
}

private[kafka] object Content {
  private val RecordFields = Seq(
    StructField("key", BinaryType),
    StructField("value", BinaryType),
    StructField("topic", StringType),
    StructField("partition", IntegerType),
    StructField("offset", LongType),
    StructField("timestamp", TimestampType),
    StructField("timestampType", IntegerType)
  )
  private val Headers = StructField(
    "headers",
    ArrayType(StructType(Seq(StructField("key", StringType), StructField("value", BinaryType))))
  )

  /** What a pipeline is fed with: the value, and where it came from for rejected rows. */
  val Fed: Seq[String] = Seq("value", "topic", "partition", "offset")

  def of(text: SourceText, sc: => SparkContext): Content =
    // A writer's options: Spark asks a table for its columns before it writes to it.
    if (Subscription.options.forall(text.get(_).isEmpty)) new Records(false)
    else {
      val letters = DeadLetterOptions.of(text)
      val content = read(text, sc)
      letters.fold(content)(options => new Sieved(content, options.topic))
    }

  private def read(text: SourceText, sc: => SparkContext): Content =
    (text.get("schema"), text.get("pipeline")) match {
      case (Some(_), Some(_)) =>
        throw new WrongSourceOption("schema and pipeline: give only one of them; a pipeline file has its own schema")
      case (None, Some(file)) =>
        ValueFormat.firstOf(text).foreach { name =>
          throw new WrongSourceOption(s"$name and pipeline exclude each other: a pipeline file says its own input")
        }
        new Piped(file, sc)
      case (ddl, None) if ddl.isDefined || ValueFormat.saysColumns(text) =>
        new Decoded(ddl, ValueFormat.of(text), sc.hadoopConfiguration)
      case _ =>
        ValueFormat.firstOf(text).foreach { name =>
          val owner = if (name == ValueFormat.Name) "schema" else ValueFormat.Name
          throw new WrongSourceOption(s"$name belongs to $owner, which is missing")
        }
        new Records(text.boolean("includeHeaders").getOrElse(false))
    }

  /** Nothing but columns of the records. */
  def records(wanted: StructType): ReadPlan =
    ReadPlan(wanted.fieldNames.toSeq, "", wanted, wanted, Seq.empty, wanted.fieldNames.mkString(", "))

  /** The columns that Spark's own source has. */
  private final class Records(headers: Boolean) extends Content {
    override val schema: StructType = StructType(RecordFields ++ (if (headers) Seq(Headers) else Seq.empty))
    override val isOfRecords: Boolean = true
    override def plan(wanted: StructType): ReadPlan = records(wanted)
  }

  /** The value through a pipeline file. */
  private final class Piped(file: String, sc: => SparkContext) extends Content {
    private val source = checked(PipelineSource.of(file, sc))
    private def prepare(of: PipelineSource) = checked {
      Prepared.parse(NativeCalls.preparePipeline(of.yaml, file, of.found, false))
    }
    private val prepared = prepare(source)
    private val blocks = prepared.windows.map(_.key)
    StateKeys.check(file, blocks)
    private val swap = source.live.map(PreparedSwap(_, source, prepared, sc)(prepare))
    override val schema: StructType = prepared.output
    override def plan(wanted: StructType): ReadPlan =
      if (wanted.isEmpty && blocks.isEmpty) records(wanted)
      else ReadPlan(
        if (blocks.isEmpty) Fed else "key" +: Fed,
        prepared.call,
        prepared.output,
        wanted,
        source.models,
        s"pipeline ${source.name}\n${prepared.plan}",
        windows = blocks.nonEmpty,
        swap = swap
      )
  }

  /**
   * The good rows of another content, without `_rejected`. Everything is decoded, whatever is wanted: the rows that are
   * rejected must be the same in every read.
   */
  private final class Sieved(all: Content, topic: String) extends Content {
    override val schema: StructType = StructType(all.schema.filter(_.name != Firesteel.RejectedColumn))
    override def plan(wanted: StructType): ReadPlan = {
      val whole = all.plan(all.schema)
      whole.copy(
        schema = wanted,
        rejected = Some(whole.native.fieldIndex(Firesteel.RejectedColumn)),
        description = s"${whole.description}\nrejected rows go to topic $topic"
      )
    }
  }

  private def checked[T](work: => T): T =
    try work
    catch { case e: FiresteelException => throw new FiresteelAnalysisException(e.getMessage, Some(e)) }
}
