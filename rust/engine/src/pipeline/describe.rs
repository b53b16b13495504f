//! Words for planners and people: Spark DDL of a schema, and the plan as text.

use std::fmt::Write as _;

use arrow::datatypes::{DataType, Fields};

use crate::spec::spark_type_name;

/// Spark DDL of a list of fields, names in backticks where they need them.
pub(super) fn ddl(fields: &Fields) -> String {
    let columns: Vec<String> =
        fields.iter().map(|f| format!("{} {}", quoted(f.name()), type_ddl(f.data_type()))).collect();
    columns.join(", ")
}

fn type_ddl(data_type: &DataType) -> String {
    match data_type {
        DataType::Struct(fields) => {
            let children: Vec<String> =
                fields.iter().map(|f| format!("{}: {}", quoted(f.name()), type_ddl(f.data_type()))).collect();
            format!("STRUCT<{}>", children.join(", "))
        }
        DataType::List(item) => format!("ARRAY<{}>", type_ddl(item.data_type())),
        other => spark_type_name(other).into_owned(),
    }
}

fn quoted(name: &str) -> String {
    let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && !name.is_empty();
    if plain { name.to_owned() } else { format!("`{}`", name.replace('`', "``")) }
}

/// A plan as indented lines: one per stage, its details below.
#[derive(Debug, Default)]
pub(super) struct Plan(String);

impl Plan {
    /// Adds a stage.
    pub(super) fn stage(&mut self, name: &str, what: &str) {
        // Writing to a String can't fail.
        let _ = writeln!(self.0, "{name:<9} {what}");
    }

    /// Adds a detail of the last stage.
    pub(super) fn detail(&mut self, what: &str) {
        let _ = writeln!(self.0, "{:<9}   {what}", "");
    }

    pub(super) fn finish(self) -> String {
        self.0.trim_end().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::Field;
    use std::sync::Arc;

    use super::*;

    #[test]
    fn ddl_quotes_what_spark_would_not_read() {
        let fields = Fields::from(vec![
            Field::new("merchant.geo.lat", DataType::Float64, true),
            Field::new("id", DataType::Int64, true),
            Field::new("p", DataType::List(Arc::new(Field::new("element", DataType::Float32, false))), true),
        ]);
        assert_eq!(ddl(&fields), "`merchant.geo.lat` DOUBLE, id BIGINT, p ARRAY<FLOAT>");
    }
}
