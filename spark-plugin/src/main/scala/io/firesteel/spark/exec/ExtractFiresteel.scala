package io.firesteel.spark.exec

import io.firesteel.spark.FiresteelConf
import org.apache.spark.sql.catalyst.expressions._
import org.apache.spark.sql.catalyst.expressions.aggregate.AggregateExpression
import org.apache.spark.sql.catalyst.optimizer.{CollapseProject, ColumnPruning, RemoveNoopOperators}
import org.apache.spark.sql.catalyst.plans.logical._
import org.apache.spark.sql.catalyst.rules.Rule

/**
 * Moves calls of the engine out of operators into [[FiresteelEval]] below them, each distinct call once.
 *
 * Runs when predicates have been pushed down, so that what this doubled (a call in a filter below the projection that
 * made it) is found and evaluated once again. Calls that it leaves alone evaluate row by row where they stand.
 */
object ExtractFiresteel extends Rule[LogicalPlan] with PredicateHelper {

  /** Cleaning up settles in two or three rounds; more would be a rule that does not. */
  private val MaxRounds = 5

  override def apply(plan: LogicalPlan): LogicalPlan =
    if (!plan.exists(_.expressions.exists(Calls.hasCall)) || !FiresteelConf.batchEnabled(conf)) {
      plan
    } else {
      val lifted = plan.transformUp {
        case eval: FiresteelEval => eval
        case filter: Filter => keepOutput(filter, liftFilter(filter))
        case join: Join => keepOutput(join, liftJoin(join))
        case aggregate: Aggregate => liftAggregate(aggregate)
        case node @ (_: Project | _: Sort | _: Window | _: Generate | _: Expand | _: RepartitionByExpression) =>
          keepOutput(node, liftUnary(node.asInstanceOf[UnaryNode]))
      }
      if (lifted.fastEquals(plan)) plan else cleanedUp(lifted.transformUp { case sort: Sort => evaluateOnce(sort) })
    }

  /**
   * To sort globally, Spark runs everything up to the last exchange twice: once for a sample of the keys, once for the
   * rows. An exchange of our own in between keeps the model, and a source behind it, to once a row.
   */
  private def evaluateOnce(sort: Sort): Sort = {
    def evaluates(plan: LogicalPlan): Boolean = plan match {
      case _: FiresteelEval => true
      case node @ (_: Project | _: Filter | _: Sample) => evaluates(node.children.head)
      case _ => false
    }
    val keys = sort.order.flatMap(_.references).distinctBy(_.exprId)
    if (sort.global && keys.nonEmpty && evaluates(sort.child)) {
      sort.copy(child = RebalancePartitions(keys, sort.child))
    } else {
      sort
    }
  }

  /** An operator that hands its child's columns on must not show the ones that were added for it. */
  private def keepOutput(before: LogicalPlan, after: LogicalPlan): LogicalPlan =
    if (after.output.map(_.exprId) == before.output.map(_.exprId)) after else Project(before.output, after)

  private def liftUnary(node: UnaryNode): LogicalPlan = {
    val calls = Calls.liftable(node.expressions, node.child.outputSet)
    if (calls.isEmpty) {
      node
    } else {
      val (child, results) = Evaluated.below(node.child, calls)
      val replaced = node.mapExpressions(Calls.replace(_, results)).withNewChildren(Seq(child))
      // Once more, for calls on the results of calls.
      liftUnary(replaced.asInstanceOf[UnaryNode])
    }
  }

  /** Predicates without a call go below the evaluation, so that it sees no row that they drop. */
  private def liftFilter(filter: Filter): LogicalPlan = {
    val conjuncts = splitConjunctivePredicates(filter.condition)
    val (early, late) = conjuncts.span(_.deterministic) match {
      case (deterministic, rest) =>
        val (costly, cheap) = deterministic.partition(Calls.hasCall)
        (cheap, costly ++ rest)
    }
    if (!late.exists(Calls.hasCall)) {
      filter
    } else {
      val child = early.reduceOption(And).map(Filter(_, filter.child)).getOrElse(filter.child)
      late.reduceOption(And).map(condition => liftUnary(Filter(condition, child))).getOrElse(child)
    }
  }

  /** Calls on one side's columns move to that side; one that needs both stays in the condition. */
  private def liftJoin(join: Join): LogicalPlan = {
    val left = Calls.liftable(join.condition.toSeq, join.left.outputSet)
    val right = Calls.liftable(join.condition.toSeq, join.right.outputSet).filterNot(left.contains)
    if (left.isEmpty && right.isEmpty) {
      join
    } else {
      val (newLeft, leftResults) = Evaluated.below(join.left, left)
      val (newRight, rightResults) = Evaluated.below(join.right, right)
      val condition = join.condition.map(Calls.replace(_, leftResults ++ rightResults))
      liftJoin(join.copy(left = newLeft, right = newRight, condition = condition)).asInstanceOf[LogicalPlan]
    }
  }

  /**
   * Calls in grouping keys and inside aggregate functions move. One on the aggregate's own results can't, and neither
   * can one on a grouping column outside of any function: its result would not be a grouping column.
   */
  private def liftAggregate(aggregate: Aggregate): LogicalPlan = {
    val functions = aggregate.aggregateExpressions.flatMap(_.collect { case f: AggregateExpression => f })
    val calls = Calls.liftable(aggregate.groupingExpressions ++ functions, aggregate.child.outputSet)
    if (calls.isEmpty) {
      aggregate
    } else {
      val (child, results) = Evaluated.below(aggregate.child, calls)
      def inResult(expression: Expression): Expression = expression match {
        case f: AggregateExpression => Calls.replace(f, results)
        case key if aggregate.groupingExpressions.exists(_.semanticEquals(key)) => Calls.replace(key, results)
        case other => other.mapChildren(inResult)
      }
      val lifted = aggregate.copy(
        groupingExpressions = aggregate.groupingExpressions.map(Calls.replace(_, results)),
        aggregateExpressions = aggregate.aggregateExpressions.map(inResult(_).asInstanceOf[NamedExpression]),
        child = child
      )
      liftAggregate(lifted)
    }
  }

  /** Drops the columns that nobody reads any more and the projections that do nothing. */
  private def cleanedUp(plan: LogicalPlan): LogicalPlan =
    Iterator
      .iterate((plan, false)) { case (before, _) =>
        val after = RemoveNoopOperators(CollapseProject(ColumnPruning(before)))
        (after, after.fastEquals(before))
      }
      .take(MaxRounds)
      .dropWhile(!_._2)
      .nextOption()
      .map(_._1)
      .getOrElse(RemoveNoopOperators(CollapseProject(ColumnPruning(plan))))
}
