package io.firesteel.spark.job

/** The known name that a mistyped one most likely meant. */
private[spark] object Nearest {

  /** The nearest by edit distance; none when even that one differs in more than a third of its letters. */
  def to(typed: String, known: Seq[String]): Option[String] =
    known.map(name => (distance(typed, name), name)).minByOption(_._1).collect {
      case (far, name) if far <= math.max(2, name.length / 3) => name
    }

  /** Levenshtein's distance: insertions, deletions and replacements of one letter. */
  private def distance(a: String, b: String): Int =
    a.foldLeft((0 to b.length).toVector) { (above, letter) =>
      b.zipWithIndex.scanLeft(above.head + 1) { case (left, (other, i)) =>
        val replaced = above(i) + (if (letter == other) 0 else 1)
        math.min(replaced, math.min(left, above(i + 1)) + 1)
      }.toVector
    }.last
}
