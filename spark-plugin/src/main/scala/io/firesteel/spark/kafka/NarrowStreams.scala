package io.firesteel.spark.kafka

import org.apache.spark.sql.catalyst.expressions.{And, AttributeSet}
import org.apache.spark.sql.catalyst.planning.PhysicalOperation
import org.apache.spark.sql.catalyst.plans.logical.LogicalPlan
import org.apache.spark.sql.execution.datasources.v2.{MicroBatchScanExec, StreamingDataSourceV2ScanRelation}
import org.apache.spark.sql.execution.{FilterExec, ProjectExec, SparkPlan, SparkStrategy}

/**
 * Streams read only the columns that the query uses.
 *
 * Spark asks a batch source which columns to read (`SupportsPushDownRequiredColumns`), but a stream never: it plans a
 * scan of all of them. So the scan is planned here, over the same stream, with fewer columns. If Spark learns to prune
 * streams, this object goes; without it, as in a session that knows nothing of it, all columns are read.
 */
private[spark] object NarrowStreams extends SparkStrategy {
  override def apply(plan: LogicalPlan): Seq[SparkPlan] = plan match {
    case PhysicalOperation(list, filters, Scanned(relation, scan, stream)) =>
      val used = AttributeSet.fromAttributeSets((list ++ filters).map(_.references))
      val output = relation.output.filter(used.contains)
      if (output.size == relation.output.size) Nil
      else {
        val narrow = scan.narrowed(output.map(_.name).toSet)
        val (start, end) = (relation.startOffset.get, relation.endOffset.get)
        val exec = MicroBatchScanExec(output, narrow, stream.narrowed(narrow.plan), start, end)
        ProjectExec(list, filters.reduceLeftOption(And).fold[SparkPlan](exec)(FilterExec(_, exec))) :: Nil
      }
    case _ => Nil
  }

  private object Scanned {
    def unapply(
        plan: LogicalPlan): Option[(StreamingDataSourceV2ScanRelation, FiresteelScan, FiresteelMicroBatchStream)] =
      plan match {
        case relation: StreamingDataSourceV2ScanRelation
            if relation.startOffset.isDefined && relation.endOffset.isDefined =>
          (relation.scan, relation.stream) match {
            case (scan: FiresteelScan, stream: FiresteelMicroBatchStream) => Some((relation, scan, stream))
            case _ => None
          }
        case _ => None
      }
  }
}
