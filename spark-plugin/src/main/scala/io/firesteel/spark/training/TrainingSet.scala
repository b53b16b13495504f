package io.firesteel.spark.training

import java.sql.Timestamp
import java.time.temporal.ChronoUnit
import java.time.{Instant, LocalDateTime, ZoneOffset}

import io.firesteel.spark.{Firesteel, FiresteelAnalysisException, Pipeline}
import org.apache.spark.sql.classic.{SparkSession => ClassicSession}
import org.apache.spark.sql.functions.{col, count, lit, max, when}
import org.apache.spark.sql.types.{TimestampNTZType, TimestampType}
import org.apache.spark.sql.{Column, DataFrame}

/**
 * What a model is trained on: events with the pipeline's features and the labels that were known at `asOf`.
 *
 * Nothing is computed before an action. Each action computes the features anew: cache `rows` to use them twice.
 *
 * @param rows
 *   key columns, event time, features, labels; one row for each event whose label is known
 * @param rejected
 *   the events that the pipeline did not take, as [[Firesteel.rejected]] shows them
 * @param on
 *   the key columns, by which labels found their events
 * @param time
 *   the column of event times
 * @param features
 *   the models' inputs in their order, or all columns of the output that are neither key nor time
 * @param labels
 *   the label columns
 * @param asOf
 *   labels that were not known by then are left out
 */
final class TrainingSet private[training] (
    val rows: DataFrame,
    val rejected: DataFrame,
    val on: Seq[String],
    val time: String,
    val features: Seq[String],
    val labels: Seq[String],
    val asOf: Instant,
    outcomes: DataFrame) {

  /** `asOf` in microseconds since 1970. */
  def asOfMicros: Long = ChronoUnit.MICROS.between(Instant.EPOCH, asOf)

  /**
   * What became of each event, by one run over them: `rows`; and what is left out: `rejected`, `undated` (no event
   * time), `too_recent` (the label could not be known at `asOf`), `unlabelled`.
   */
  def counts(): Map[String, Long] = {
    val found = outcomes.groupBy(TrainingSet.Outcome).agg(count(lit(1))).collect()
    TrainingSet.Outcomes.map(_ -> 0L).toMap ++ found.map(row => row.getString(0) -> row.getLong(1))
  }
}

private[spark] object TrainingSet {
  private[training] val Outcome = "_firesteel_outcome"
  private[training] val Outcomes = Seq("rows", "rejected", "undated", "too_recent", "unlabelled")

  /** What Python calls. */
  def of(path: String, records: DataFrame, labels: DataFrame, options: String): TrainingSet =
    of(path, records, labels, TrainingOptions.fromJson(options))

  def of(path: String, records: DataFrame, labels: DataFrame, options: TrainingOptions): TrainingSet = {
    val file = fileFor(path, records, labels, options)
    val time = options.time.orElse(file.windowTime).getOrElse {
      throw new FiresteelAnalysisException(
        s"BAD_TRAINING_SET: $path ${if (file.windows.isEmpty) "has no windows" else "has windows over different times"}" +
          ": say with `time` which column has the time of an event"
      )
    }
    val on = if (options.on.isEmpty) Labels.shared(labels, columnsIn(file, records)) else options.on
    val known = new Labels(labels, on, options.default)
    val columns = columnsOf(file, options, on, time, known)
    LabelLeak.check(file, inputsOf(file, known), options.delay, columns.features.map(columns.source))
    columns.output.map(_._1).find(name => known.names.exists(_.equalsIgnoreCase(name))).foreach { name =>
      throw new FiresteelAnalysisException(
        s"DUPLICATE_COLUMN: $name is a label and a column of the training set: rename it in labels"
      )
    }
    known.refuseDuplicates()

    val fed = feed(file, records, known)
    val asOf = options.asOf.getOrElse(newest(file, fed, time))
    val transformed = Pipeline(file.withOutput(columns.output)).transform(fed)
    val joined = known.join(transformed)
    val outcomes = joined.withColumn(Outcome, outcome(joined, time, asOf.minus(options.delay), known, options))
    new TrainingSet(
      outcomes.where(col(Outcome) === "rows").drop(Outcome, Firesteel.RejectedColumn),
      Firesteel.rejected(transformed),
      on,
      time,
      columns.features,
      known.names,
      asOf,
      outcomes
    )
  }

  private def fileFor(path: String, records: DataFrame, labels: DataFrame, options: TrainingOptions): FeatureFile = {
    def refuse(why: String) = throw new FiresteelAnalysisException(s"BAD_TRAINING_SET: $why")
    if (records.isStreaming || labels.isStreaming) {
      refuse("a training set is made of what has happened: read events and labels as a batch (spark.read)")
    }
    if (options.delay.isNegative) refuse(s"delay is ${options.delay}: a label can't be known before its event")
    records.sparkSession match {
      case classic: ClassicSession =>
        Firesteel.register(classic)
        FeatureFile.read(path, classic.sparkContext)
      case _ => refuse("Spark Connect is not supported: use a classic session")
    }
  }

  /** The output of the pipeline: name and column. */
  private final case class Columns(output: Seq[(String, String)], features: Seq[String]) {
    def source(name: String): String = output.collectFirst { case (n, column) if n == name => column }.getOrElse(name)
  }

  private def columnsOf(
      file: FeatureFile,
      options: TrainingOptions,
      on: Seq[String],
      time: String,
      labels: Labels): Columns = {
    // A label that is handed through is the label itself.
    def isLabel(name: String) = inputsOf(file, labels).exists(_.equalsIgnoreCase(name))
    val first = FeatureFile.distinct(on :+ time)
    def isFirst(name: String) = first.exists(_.equalsIgnoreCase(name))
    val written = file.outputs.filterNot { case (name, column) => isFirst(name) || (isLabel(name) && isLabel(column)) }
    val wanted = if (options.features.nonEmpty) Some(FeatureFile.distinct(options.features)) else file.modelInputs
    val features = wanted.getOrElse(written.map(_._1))
    val named = first.map(name => file.outputs.find(_._1.equalsIgnoreCase(name)).getOrElse(name -> name)) ++ written
    val more = wanted.toSeq.flatten.filterNot(name => named.exists(_._1.equalsIgnoreCase(name)))
    val output = named ++ more.map(name => name -> name)
    Columns(output, features)
  }

  /** The pipeline's input as far as it is in the records; all of it for records of bytes. */
  private def columnsIn(file: FeatureFile, records: DataFrame): Seq[String] = {
    val there = file.inputs.filter(name => records.columns.exists(_.equalsIgnoreCase(name)))
    if (there.isEmpty) file.inputs else there
  }

  /** The labels that events carry into the pipeline. */
  private def inputsOf(file: FeatureFile, labels: Labels): Set[String] =
    labels.names.filter(name => file.inputs.exists(_.equalsIgnoreCase(name))).toSet

  /** Records with the labels that the pipeline wants and they lack. */
  private def feed(file: FeatureFile, records: DataFrame, labels: Labels): DataFrame = {
    def has(name: String) = records.columns.exists(_.equalsIgnoreCase(name))
    val lacking = file.inputs.filterNot(has)
    val fed = labels.names.filter(name => lacking.exists(_.equalsIgnoreCase(name)))
    // Records of bytes bring their own.
    if (fed.isEmpty || lacking.size > fed.size || !labels.on.forall(has)) records else labels.join(records, fed)
  }

  /** The time of the newest event that passes the pipeline's rules. */
  private def newest(file: FeatureFile, records: DataFrame, time: String): Instant = {
    val isInput = file.inputs.exists(_.equalsIgnoreCase(time))
    val path = if (isInput) file.onlyTime(time) else file.withOutput(Seq(time -> time))
    val times = Pipeline(path).transform(records)
    checkTime(times, time)
    val row = times.agg(max(Labels.named(time))).collect().head
    row.get(0) match {
      case instant: Instant => instant
      case stamp: Timestamp => stamp.toInstant
      case clock: LocalDateTime => clock.toInstant(ZoneOffset.UTC)
      case _ =>
        throw new FiresteelAnalysisException(
          s"BAD_TRAINING_SET: no event has a $time, so there is no newest one to look back from. See Firesteel.rejected " +
            "of Pipeline.transform for what was refused"
        )
    }
  }

  private def checkTime(frame: DataFrame, time: String): Unit = {
    val found = frame.select(Labels.named(time)).schema.head.dataType
    if (found != TimestampType && found != TimestampNTZType) {
      throw new FiresteelAnalysisException(
        s"WRONG_TYPE: the time of an event, $time, is ${found.sql}; it must be TIMESTAMP or TIMESTAMP_NTZ"
      )
    }
  }

  private def outcome(
      joined: DataFrame,
      time: String,
      newest: Instant,
      labels: Labels,
      options: TrainingOptions): Column = {
    checkTime(joined, time)
    val isZoned = joined.select(Labels.named(time)).schema.head.dataType == TimestampType
    val last = if (isZoned) lit(newest) else lit(LocalDateTime.ofInstant(newest, ZoneOffset.UTC))
    val dated = when(col(Firesteel.RejectedColumn).isNotNull, "rejected")
      .when(Labels.named(time).isNull, "undated")
      .when(Labels.named(time) > last, "too_recent")
    (if (options.keepUnlabelled) dated else dated.when(labels.missing, "unlabelled")).otherwise("rows")
  }
}
