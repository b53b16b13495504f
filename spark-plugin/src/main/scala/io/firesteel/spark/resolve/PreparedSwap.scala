package io.firesteel.spark.resolve

import io.firesteel.spark.{FiresteelAnalysisException, FiresteelConf}
import io.firesteel.spark.exec.ModelRef
import io.firesteel.spark.models.{Chosen, LiveModels, Swap}
import org.apache.spark.SparkContext
import org.apache.spark.sql.internal.SQLConf
import org.apache.spark.sql.types.{DataType, StructType}

/** A [[Swap]] of a prepared call: with other models it must take and give the same columns. */
private[spark] object PreparedSwap {

  def apply(live: LiveModels, source: PipelineSource, first: Prepared, sc: SparkContext)(
      prepare: PipelineSource => Prepared): Swap =
    of(live, source.models, first, sc)(models => prepare(source.copy(models = models)))

  def of(live: LiveModels, models: Seq[ModelRef], first: Prepared, sc: SparkContext)(
      prepare: Seq[ModelRef] => Prepared): Swap =
    new Swap(
      live,
      Chosen(first.call, models, first.plan),
      sc.hadoopConfiguration,
      FiresteelConf.modelsRefresh(SQLConf.get)
    )({ models =>
      val fresh = prepare(models)
      check("gives", first.output, fresh.output)
      check("takes", first.input, fresh.input)
      Chosen(fresh.call, models, fresh.plan)
    })

  private def check(what: String, before: StructType, now: StructType): Unit =
    if (!DataType.equalsIgnoreNullability(before, now)) {
      throw new FiresteelAnalysisException(
        s"MODEL_COLUMNS: with this model the pipeline $what ${now.toDDL}, but the query began with ${before.toDDL}. A " +
          "running query can't change its columns: start it anew with this model"
      )
    }
}
