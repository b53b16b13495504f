package io.firesteel.spark.exec

import org.apache.spark.sql.catalyst.expressions._
import org.apache.spark.sql.catalyst.plans._
import org.apache.spark.sql.catalyst.plans.logical._

/** Puts calls below an operator: on a result that the plan has already, or on a new [[FiresteelEval]]. */
private[exec] object Evaluated extends AliasHelper {

  /** `plan` with a column for each call, and which column is whose. The old columns are all there, in front. */
  def below(plan: LogicalPlan, calls: Seq[NativeCall]): (LogicalPlan, Seq[(NativeCall, Attribute)]) = {
    val start = (plan, Seq.empty[(NativeCall, Attribute)], Seq.empty[NativeCall])
    val (found, reused, fresh) = calls.foldLeft(start) { case ((current, done, left), call) =>
      expose(current, call) match {
        case Some((next, result)) => (next, done :+ (call -> result), left)
        case None => (current, done, left :+ call)
      }
    }
    // A result from one side of a join stands between the old columns, and some operators count them.
    val exposed =
      if (found.output.map(_.exprId).startsWith(plan.output.map(_.exprId))) found
      else Project(plan.output ++ reused.map(_._2).distinctBy(_.exprId), found)
    if (fresh.isEmpty) {
      (exposed, reused)
    } else {
      val (inputs, onAttributes) = nameInputs(fresh)
      val child = if (inputs.isEmpty) exposed else Project(exposed.output ++ inputs, exposed)
      val aliases = onAttributes.map(call => Alias(call, call.prettyName)())
      (FiresteelEval(aliases, child), reused ++ fresh.zip(aliases.map(_.toAttribute)))
    }
  }

  /** Aliases for inputs that are more than an attribute, and the calls on these aliases. */
  private def nameInputs(calls: Seq[NativeCall]): (Seq[Alias], Seq[NativeCall]) = {
    var aliases = Seq.empty[Alias]
    val named = calls.map { call =>
      val attributes = call.children.map {
        case attribute: Attribute => attribute
        case input =>
          val known = aliases.find(alias => input.deterministic && alias.child.semanticEquals(input))
          val alias = known.getOrElse(Alias(input, "_input")())
          if (known.isEmpty) {
            aliases :+= alias
          }
          alias.toAttribute
      }
      call.withNewChildren(attributes).asInstanceOf[NativeCall]
    }
    (aliases, named)
  }

  /**
   * Looks for the call's result further down, through operators that keep rows and columns as they are, and brings
   * it up to `plan`'s output. `None` if it is not there.
   */
  private def expose(plan: LogicalPlan, call: NativeCall): Option[(LogicalPlan, Attribute)] = plan match {
    case _ if !call.deterministic => None
    case eval: FiresteelEval =>
      val matching = eval.calls.find(alias => sameBelow(alias.child, call, eval.child))
      matching.map(alias => (eval, alias.toAttribute)).orElse {
        through(eval.child, call)(child => eval.copy(child = child))
      }
    case project: Project =>
      val inside = replaceAlias(call, getAliasMap(project)).asInstanceOf[NativeCall]
      if (!inside.deterministic) {
        None
      } else {
        through(project.child, inside) { child => project.copy(child = child) }.map {
          case (p: Project, result) if !p.outputSet.contains(result) =>
            (p.copy(projectList = p.projectList :+ result), result)
          case other => other
        }
      }
    case node @ (_: Filter | _: Sort | _: GlobalLimit | _: LocalLimit | _: Offset | _: Repartition |
        _: RepartitionByExpression | _: RebalancePartitions | _: Sample | _: Window | _: EventTimeWatermark) =>
      val unary = node.asInstanceOf[UnaryNode]
      through(unary.child, call)(child => unary.withNewChildren(Seq(child)))
    case join: Join =>
      val left = if (keepsLeft(join.joinType)) {
        through(join.left, call)(child => join.copy(left = child))
      } else None
      left.orElse {
        if (keepsRight(join.joinType)) through(join.right, call)(child => join.copy(right = child)) else None
      }
    case _ => None
  }

  private def through(child: LogicalPlan, call: NativeCall)(
      rebuilt: LogicalPlan => LogicalPlan): Option[(LogicalPlan, Attribute)] =
    if (call.references.subsetOf(child.outputSet)) {
      expose(child, call).map { case (next, result) => (rebuilt(next), result) }
    } else None

  /** Compares in terms of what lies below the aliases that the evaluation's inputs were given. */
  private def sameBelow(evaluated: Expression, call: NativeCall, child: LogicalPlan): Boolean =
    evaluated.deterministic && (evaluated.semanticEquals(call) || (child match {
      case project: Project =>
        val aliases = getAliasMap(project)
        replaceAlias(evaluated, aliases).semanticEquals(replaceAlias(call, aliases))
      case _ => false
    }))

  // A side whose missing rows become nulls is no place to take a result from: the call on nulls is not null.
  private def keepsLeft(joinType: JoinType): Boolean = joinType match {
    case Inner | Cross | LeftOuter | LeftSemi | LeftAnti | _: ExistenceJoin => true
    case _ => false
  }

  private def keepsRight(joinType: JoinType): Boolean = joinType match {
    case Inner | Cross | RightOuter => true
    case _ => false
  }
}
