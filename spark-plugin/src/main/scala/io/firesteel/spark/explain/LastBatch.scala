package io.firesteel.spark.explain

import org.apache.spark.sql.catalyst.plans.logical.LogicalPlan
import org.apache.spark.sql.execution.QueryExecution
import org.apache.spark.sql.streaming.StreamingQuery

import scala.util.Try

/**
 * The plan of a streaming query's last micro-batch. Spark gives it as text only (`StreamingQuery.explain`), so it is
 * taken by name from Spark's own class, the package of which differs between lines of Spark. A public
 * `StreamingQuery.lastExecution` would replace this.
 */
private[explain] object LastBatch {
  def optimized(query: StreamingQuery): Option[LogicalPlan] = {
    def called(on: AnyRef, name: String): Option[AnyRef] =
      Try(on.getClass.getMethod(name).invoke(on)).toOption.flatMap(Option(_))
    called(query, "streamingQuery").flatMap(called(_, "lastExecution")).collect {
      case execution: QueryExecution => execution.optimizedPlan
    }
  }
}
