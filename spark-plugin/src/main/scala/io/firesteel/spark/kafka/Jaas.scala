package io.firesteel.spark.kafka

/**
 * One entry of `sasl.jaas.config`: a login module's class and its options, as `javax.security.auth.login.Configuration`
 * writes them: `class flag name="value" …;`.
 */
private[kafka] final case class Jaas(module: String, options: Map[String, String]) {
  def required(name: String): String = options.getOrElse(
    name,
    throw new WrongSourceOption(s"kafka.sasl.jaas.config: ${module.split('.').last} needs $name=\"...\"")
  )

  override def toString: String = s"Jaas($module, options not shown)"
}

private[kafka] object Jaas {
  private val Token = """"((?:[^"\\]|\\.)*)"|([^\s=;"]+)|(=)|(;)""".r

  /** What is wrong is told without the text, which holds a password. */
  def parse(text: String): Jaas = {
    def wrong = throw new WrongSourceOption(
      "kafka.sasl.jaas.config can't be read. It looks like: org.apache.kafka.common.security.scram.ScramLoginModule " +
        "required username=\"...\" password=\"...\";"
    )
    val tokens = Token.findAllMatchIn(text).toList.map { found =>
      if (found.group(1) != null) found.group(1).replaceAll("""\\(.)""", "$1") else found.matched
    }
    tokens match {
      case module :: _ :: rest =>
        @annotation.tailrec
        def options(left: List[String], seen: Map[String, String]): Map[String, String] = left match {
          case Nil | ";" :: Nil => seen
          case name :: "=" :: value :: after => options(after, seen.updated(name, value))
          case _ => wrong
        }
        Jaas(module, options(rest, Map.empty))
      case _ => wrong
    }
  }
}
