//! A window block, compiled against the columns that are there when it runs.

use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, Field, SchemaRef, TimeUnit};

use super::acc::Needs;
use super::aggregate::{Aggregate, AggregateCall};
use super::log::{MOST_COLUMNS, Row, Width};
use super::slide::Reach;
use super::tail::Bound;
use super::words::Kind;
use crate::clean;
use crate::error::{SpecError, SpecErrors};
use crate::features::CompiledExpr;
use crate::spec::{Current, Duration, Late, Span, WindowSpec, spark_type_name};

/// Steps that a key with a bound can have.
const MOST_STEPS: i64 = 10_000;

/// A value that events carry into the state.
#[derive(Debug)]
pub(crate) struct Column {
    pub(crate) expr: CompiledExpr,
    pub(crate) kind: Kind,
}

/// What aggregates look at: a column (`None`: the events themselves), and which events count.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Input {
    pub(crate) value: Option<u8>,
    pub(crate) filter: Option<u8>,
    pub(crate) needs: Needs,
    /// Which of a window's accumulators is its own; none for all events, which windows count anyway.
    pub(crate) slot: Option<usize>,
}

/// A mean with weights that halve.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct DecaySpec {
    pub(crate) value: u8,
    pub(crate) filter: Option<u8>,
    /// Microseconds.
    pub(crate) half_life: i64,
}

/// One result column.
#[derive(Debug)]
pub(crate) struct Output {
    pub(crate) field: Field,
    pub(crate) aggregate: Aggregate,
    /// Index in [`Block::inputs`].
    pub(crate) input: usize,
    /// Index in [`Block::reaches`]; `None` for an aggregate without a window.
    pub(crate) window: Option<usize>,
    /// Index in [`Block::decays`].
    pub(crate) decay: Option<usize>,
    /// Takes the place of null; one element.
    pub(crate) default: Option<ArrayRef>,
}

/// What a stage has to know to work on the events of one kind of key.
#[derive(Debug)]
pub(crate) struct Block {
    /// Positions of the key's columns in the batch.
    pub(crate) key: Vec<usize>,
    pub(crate) key_types: Vec<DataType>,
    pub(crate) key_names: Vec<String>,
    /// Position of the events' time.
    pub(crate) time: usize,
    pub(crate) time_name: String,
    pub(crate) columns: Vec<Column>,
    pub(crate) filters: Vec<CompiledExpr>,
    pub(crate) inputs: Vec<Input>,
    /// Accumulators of a window.
    pub(crate) slots: usize,
    pub(crate) reaches: Vec<Reach>,
    pub(crate) decays: Vec<DecaySpec>,
    pub(crate) outputs: Vec<Output>,
    /// Microseconds that windows end before the event.
    pub(crate) delay: i64,
    pub(crate) include_current: bool,
    /// Microseconds that an event may be older than its key's newest.
    pub(crate) allow: i64,
    pub(crate) late: Late,
    /// Microseconds that events are kept: longest window, delay and lateness, or more.
    pub(crate) horizon: i64,
    pub(crate) width: Width,
    /// Some accumulator cares about the order in which rows came in.
    pub(crate) ordered: bool,
    /// How much of a key is kept, if that has a bound.
    pub(crate) bound: Option<Bound>,
}

impl Input {
    /// Whether it counts an event of this row.
    #[inline]
    pub(crate) fn counts(&self, row: Row<'_>) -> bool {
        self.filter.is_none_or(|filter| row.passes(filter))
    }

    /// How its values are written; those of the events themselves as whole numbers.
    pub(crate) fn kind(&self, block: &Block) -> Kind {
        self.value.map_or(Kind::Int, |column| block.columns[usize::from(column)].kind)
    }
}

impl Block {
    /// Compiles `windows[position]` against the columns before the windows.
    ///
    /// # Errors
    /// Every fault of the block.
    pub(crate) fn compile(spec: &WindowSpec, position: usize, schema: &SchemaRef) -> Result<Self, SpecErrors> {
        Compiling { spec, path: format!("windows[{position}]"), schema, faults: Vec::new() }.block()
    }
}

struct Compiling<'a> {
    spec: &'a WindowSpec,
    path: String,
    schema: &'a SchemaRef,
    faults: Vec<SpecError>,
}

impl Compiling<'_> {
    fn block(mut self) -> Result<Block, SpecErrors> {
        let spec = self.spec;
        let key: Vec<usize> = spec.key.iter().filter_map(|name| self.key(name)).collect();
        let time = self.time();
        self.order();
        let reaches: Vec<Reach> = spec.over.iter().map(reach).collect();
        let mut block = Block {
            key_types: key.iter().map(|i| self.schema.field(*i).data_type().clone()).collect(),
            key_names: key.iter().map(|i| self.schema.field(*i).name().clone()).collect(),
            key,
            time: time.unwrap_or_default(),
            time_name: spec.time.clone(),
            columns: Vec::new(),
            filters: Vec::new(),
            inputs: Vec::new(),
            slots: 0,
            reaches,
            decays: Vec::new(),
            outputs: Vec::new(),
            delay: spec.delay.micros(),
            include_current: spec.current == Current::Include,
            allow: spec.late.allow.micros(),
            late: spec.late.then,
            horizon: self.horizon(),
            width: Width::of(0, 0),
            ordered: false,
            bound: None,
        };
        for (name, sql) in &spec.compute {
            if let Err(mut fault) = self.aggregate(name, sql, &mut block) {
                fault.path = format!("{}.compute.{name}", self.path);
                self.faults.push(fault);
            }
        }
        block.width = Width::of(block.columns.len(), block.filters.len());
        let needs = |input: &Input| input.needs.lowest || input.needs.highest || input.needs.counts;
        block.ordered = block.inputs.iter().any(needs);
        block.bound = self.bound(&block);
        if self.faults.is_empty() { Ok(block) } else { Err(SpecErrors(self.faults)) }
    }

    fn position(&mut self, name: &str, path: String) -> Option<usize> {
        clean::column(name, self.schema, &path).map_err(|fault| self.faults.push(fault)).ok()
    }

    fn key(&mut self, name: &str) -> Option<usize> {
        let path = format!("{}.key", self.path);
        let position = self.position(name, path.clone())?;
        let data_type = self.schema.field(position).data_type();
        if Kind::of(data_type).is_some_and(|kind| kind != Kind::Float) || *data_type == DataType::Binary {
            return Some(position);
        }
        let message = format!("{name} is {}, which can't be a key", spark_type_name(data_type));
        let hint = "keys are BOOLEAN, whole numbers, STRING, BINARY, DATE and TIMESTAMP: make a feature with CAST";
        self.faults.push(SpecError::new("TYPE_MISMATCH", path, message).with_hint(hint));
        None
    }

    fn time(&mut self) -> Option<usize> {
        let path = format!("{}.time", self.path);
        let position = self.position(&self.spec.time, path.clone())?;
        let data_type = self.schema.field(position).data_type();
        if matches!(data_type, DataType::Timestamp(TimeUnit::Microsecond, _)) {
            return Some(position);
        }
        let message = format!("{} is {}, not TIMESTAMP", self.spec.time, spark_type_name(data_type));
        let hint = "make a feature with timestamp_seconds, timestamp_millis or CAST and name that";
        self.faults.push(SpecError::new("TYPE_MISMATCH", path, message).with_hint(hint));
        None
    }

    fn order(&mut self) {
        let Some(name) = &self.spec.order else { return };
        let path = format!("{}.order", self.path);
        let Some(position) = self.position(name, path.clone()) else { return };
        let data_type = self.schema.field(position).data_type();
        if !data_type.is_integer() && !matches!(data_type, DataType::Timestamp(_, _)) {
            let message = format!("{name} is {}, not a whole number or TIMESTAMP", spark_type_name(data_type));
            self.faults.push(SpecError::new("TYPE_MISMATCH", path, message));
        }
    }

    /// How long events are kept, in microseconds.
    fn horizon(&mut self) -> i64 {
        let spec = self.spec;
        let longest = spec.over.iter().filter_map(|span| match span {
            Span::Time(length) => Some(length.micros()),
            Span::Last(_) | Span::Session(_) => None,
        });
        let longest = longest.max().map(|length| length + spec.delay.micros());
        let gap = spec.over.iter().filter_map(|span| match span {
            Span::Session(gap) => Some(gap.micros()),
            Span::Time(_) | Span::Last(_) => None,
        });
        let least = longest.unwrap_or_default().max(gap.max().unwrap_or_default() + spec.delay.micros());
        let kept = match (&spec.keep, longest) {
            (Some(keep), _) if keep.micros() < least => {
                let message = format!("{keep} is shorter than the longest window and the delay");
                self.faults.push(SpecError::new("BAD_VALUE", format!("{}.keep", self.path), message));
                least
            }
            (Some(keep), _) => keep.micros(),
            (None, Some(longest)) => longest.max(least),
            (None, None) => {
                let message = "no window is a length of time, so nothing says how long events are kept";
                let fault = SpecError::new("MISSING_KEY", format!("{}.keep", self.path), message);
                self.faults.push(fault.with_hint("write keep: 90 days"));
                least
            }
        };
        kept + spec.late.allow.micros()
    }

    /// What a key may keep; faults where windows could not be had from that.
    fn bound(&mut self, block: &Block) -> Option<Bound> {
        let spec = self.spec.bound.as_ref()?;
        let path = format!("{}.bound", self.path);
        let (events, step) = (spec.events as usize, spec.step.micros());
        let mut fault = |key: &str, message: String, hint: String| {
            self.faults.push(SpecError::new("BAD_VALUE", format!("{path}.{key}"), message).with_hint(hint));
        };
        let gap = block.reaches.iter().filter_map(|reach| match reach {
            Reach::Session(gap) => Some(*gap),
            Reach::Time(_) | Reach::Last(_) => None,
        });
        let bound = Bound { events, step, gap: gap.min().unwrap_or(i64::MAX) };
        let last = block.reaches.iter().filter_map(|reach| match reach {
            Reach::Last(events) => Some(*events as usize),
            Reach::Time(_) | Reach::Session(_) => None,
        });
        if let Some(last) = last.max() {
            if last > events {
                let message = format!("the window last {last} wants more than {events} events");
                fault("events", message, format!("write events: {last}, or a shorter window"));
            }
            if block.delay > 0 {
                let message = "windows of so many events, which end before now, may want any event there was";
                fault("events", message.to_owned(), "put them into a block without delay, or without bound".to_owned());
            }
        }
        let lag = block.outputs.iter().filter_map(|output| match output.aggregate {
            Aggregate::Lag(back) => Some(back as usize),
            _ => None,
        });
        if let Some(lag) = lag.max().filter(|lag| *lag >= events) {
            fault("events", format!("lag {lag} wants more than {events} events"), format!("write events: {}", lag + 1));
        }
        let steps = (block.horizon / step.min(bound.gap).max(1)).saturating_add(2);
        if steps > MOST_STEPS {
            let message = format!("a key could have {steps} steps; {MOST_STEPS} are allowed");
            let least = Duration::at_least(block.horizon / (MOST_STEPS - 2) + 1);
            fault("step", message, format!("write step: {least}, or longer"));
        }
        Some(bound)
    }

    fn aggregate(&mut self, name: &str, sql: &str, block: &mut Block) -> Result<(), SpecError> {
        let call = AggregateCall::parse(sql)?;
        let aggregate = call.aggregate;
        let value = match &call.argument {
            None => None,
            Some(argument) if aggregate == Aggregate::Share => {
                let truth = sqlparser::ast::Expr::IsTrue(Box::new(argument.clone()));
                CompiledExpr::of_tree(argument, &argument.to_string(), self.schema)?.condition()?;
                Some(self.column(CompiledExpr::of_tree(&truth, &truth.to_string(), self.schema)?, block)?)
            }
            Some(argument) => {
                Some(self.column(CompiledExpr::of_tree(argument, &argument.to_string(), self.schema)?, block)?)
            }
        };
        let filter = match &call.filter {
            None => None,
            Some(filter) => {
                Some(self.filter(CompiledExpr::of_tree(filter, &filter.to_string(), self.schema)?.condition()?, block)?)
            }
        };
        let input_type = value.map(|column| block.columns[usize::from(column)].expr.data_type().clone());
        let data_type = result_type(aggregate, input_type.as_ref())?;
        let input = input_of(block, value, filter, needs(aggregate));
        let default = self.default(name, &data_type);
        let mut output = |window: Option<usize>, span: Option<&Span>, decay: Option<usize>| {
            let field = Field::new(self.spec.column(name, span), data_type.clone(), true);
            block.outputs.push(Output { field, aggregate, input, window, decay, default: default.clone() });
        };
        if let (Aggregate::Ewma(half_life), Some(value)) = (aggregate, value) {
            block.decays.push(DecaySpec { value, filter, half_life });
            output(None, None, Some(block.decays.len() - 1));
        } else if aggregate.is_windowless() {
            output(None, None, None);
        } else if self.spec.over.is_empty() {
            let fault = SpecError::new("MISSING_KEY", "", "the block names no windows");
            return Err(fault.with_hint("write over: [1 day, 7 days]"));
        } else {
            for (window, span) in self.spec.over.iter().enumerate() {
                if aggregate == Aggregate::Rate && !matches!(span, Span::Time(_)) {
                    let message = format!("rate has no meaning over {span}: it wants a length of time");
                    return Err(
                        SpecError::new("BAD_EXPRESSION", "", message).with_hint("put it into a block of its own")
                    );
                }
                output(Some(window), Some(span), None);
            }
        }
        Ok(())
    }

    fn column(&self, expr: CompiledExpr, block: &mut Block) -> Result<u8, SpecError> {
        let Some(kind) = Kind::of(expr.data_type()) else {
            let message = format!("{} is {}, which windows don't hold", expr.sql(), spark_type_name(expr.data_type()));
            return Err(
                SpecError::new("TYPE_MISMATCH", "", message).with_hint("write CAST(… AS DOUBLE) or CAST(… AS STRING)")
            );
        };
        let found = block.columns.iter().position(|column| column.expr.sql() == expr.sql());
        let position = found.unwrap_or_else(|| {
            block.columns.push(Column { expr, kind });
            block.columns.len() - 1
        });
        within(position, "values")
    }

    fn filter(&self, expr: CompiledExpr, block: &mut Block) -> Result<u8, SpecError> {
        let found = block.filters.iter().position(|filter| filter.sql() == expr.sql());
        let position = found.unwrap_or_else(|| {
            block.filters.push(expr);
            block.filters.len() - 1
        });
        within(position, "filters")
    }

    fn default(&mut self, name: &str, data_type: &DataType) -> Option<ArrayRef> {
        let value = self.spec.default.get(name)?;
        let path = format!("{}.default.{name}", self.path);
        let field = Field::new(name, data_type.clone(), true);
        clean::constant(value, &field, &path).map_err(|fault| self.faults.push(fault)).ok()
    }
}

fn within(position: usize, what: &str) -> Result<u8, SpecError> {
    if position < MOST_COLUMNS {
        return Ok(position as u8);
    }
    let message = format!("a block can have {MOST_COLUMNS} different {what}");
    Err(SpecError::new("BAD_VALUE", "", message).with_hint("make a second block with the same key"))
}

fn reach(span: &Span) -> Reach {
    match span {
        Span::Time(length) => Reach::Time(length.micros()),
        Span::Last(events) => Reach::Last(u64::from(*events)),
        Span::Session(gap) => Reach::Session(gap.micros()),
    }
}

fn input_of(block: &mut Block, value: Option<u8>, filter: Option<u8>, needs: Needs) -> usize {
    if let Some(found) = block.inputs.iter().position(|input| (input.value, input.filter) == (value, filter)) {
        let input = &mut block.inputs[found];
        input.needs = input.needs.and(needs);
        return found;
    }
    let slot = (value.is_some() || filter.is_some()).then_some(block.slots);
    block.slots += usize::from(slot.is_some());
    block.inputs.push(Input { value, filter, needs, slot });
    block.inputs.len() - 1
}

fn needs(aggregate: Aggregate) -> Needs {
    let none = Needs::default();
    match aggregate {
        Aggregate::Sum | Aggregate::Avg | Aggregate::Share => Needs { sum: true, ..none },
        Aggregate::Var { .. } | Aggregate::Stddev { .. } | Aggregate::ZScore => {
            Needs { sum: true, squares: true, ..none }
        }
        Aggregate::Min => Needs { lowest: true, ..none },
        Aggregate::Max => Needs { highest: true, ..none },
        Aggregate::Distinct => Needs { counts: true, distinct: true, ..none },
        Aggregate::Mode => Needs { counts: true, mode: true, ..none },
        Aggregate::First | Aggregate::Last => Needs { ends: true, ..none },
        Aggregate::Slope => Needs { trend: true, ..none },
        Aggregate::Quantile(_) => Needs { sorted: true, ..none },
        _ => none,
    }
}

fn result_type(aggregate: Aggregate, input: Option<&DataType>) -> Result<DataType, SpecError> {
    let numbers = |result: DataType| match input {
        Some(data_type) if data_type.is_numeric() || *data_type == DataType::Boolean => Ok(result),
        other => {
            let found = other.map_or("*".into(), spark_type_name);
            Err(SpecError::new("TYPE_MISMATCH", "", format!("a number is expected, not {found}"))
                .with_hint("write CAST(… AS DOUBLE)"))
        }
    };
    let floating = input.is_some_and(DataType::is_floating);
    let whole_or_double = if floating { DataType::Float64 } else { DataType::Int64 };
    match aggregate {
        Aggregate::Count | Aggregate::Distinct => Ok(DataType::Int64),
        Aggregate::Rate | Aggregate::SinceLast | Aggregate::Share => Ok(DataType::Float64),
        Aggregate::Sum | Aggregate::Delta => numbers(whole_or_double),
        Aggregate::Avg
        | Aggregate::Var { .. }
        | Aggregate::Stddev { .. }
        | Aggregate::Quantile(_)
        | Aggregate::ZScore
        | Aggregate::Slope
        | Aggregate::Ewma(_) => numbers(DataType::Float64),
        Aggregate::Min | Aggregate::Max | Aggregate::First | Aggregate::Last | Aggregate::Mode | Aggregate::Lag(_) => {
            input.cloned().ok_or_else(|| SpecError::new("BAD_EXPRESSION", "", "an argument is missing"))
        }
    }
}

/// What the author sees of a block in a plan: each column and what it is.
pub(crate) fn describe(spec: &WindowSpec) -> Vec<String> {
    let over: Vec<String> = spec.over.iter().map(ToString::to_string).collect();
    let mut lines = Vec::new();
    for (name, sql) in &spec.compute {
        let columns = spec.columns_of(name, sql);
        let over = if columns.len() == 1 && spec.over.len() != 1 {
            String::new()
        } else {
            format!(" over {}", over.join(", "))
        };
        lines.push(format!("{sql}{over}: {}", columns.join(", ")));
    }
    lines
}

/// The columns that a block appends.
pub(crate) fn fields(block: &Block) -> Vec<Arc<Field>> {
    block.outputs.iter().map(|output| Arc::new(output.field.clone())).collect()
}
