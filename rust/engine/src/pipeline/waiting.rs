//! Events of several partitions in one order, whatever the batches in which they come.
//!
//! A partition *stands* where the newest of its events so far is. Rows go by where their partition stood when they came,
//! then by topic, partition and offset: an order that is a function of the log alone, keeps that of each partition, and is
//! that of time as far as partitions are. A row waits until every partition stands behind it, because only then is it sure
//! that nothing comes that belongs before it.
//!
//! ```text
//! front: rows with where their partition stands within the batch, and marks for every bucket
//! bucket: marks of all batches ──► where partitions stood before each ──► rows in their order; those not sure yet are held
//! ```

use std::collections::{BTreeMap, HashMap};
use std::io::Cursor;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Int32Array, Int64Array, RecordBatch, StringArray, UInt32Array,
    new_null_array,
};
use arrow::compute::{concat_batches, filter_record_batch, take_record_batch};
use arrow::datatypes::{DataType, Field, Int32Type, Int64Type, Schema, SchemaRef, TimestampMicrosecondType};
use arrow_ipc::reader::StreamReader;
use arrow_ipc::writer::StreamWriter;
use serde::{Deserialize, Serialize};

use super::rejected::{OFFSET, PARTITION, REJECTED, TOPIC};
use crate::error::StageError;
use crate::spec::OrderSpec;

/// Where a row's partition stood when it came: microseconds since 1970.
pub(super) const STANDS: &str = "_stands";
/// Key of a schema's metadata: the marks of a piece, as JSON.
const MARKS: &str = "firesteel.marks";
/// Key of a schema's metadata: where partitions stand, beside the rows that are held.
const STANDING: &str = "firesteel.standing";

/// The field of [`STANDS`].
pub(super) fn stands_field() -> Field {
    Field::new(STANDS, DataType::Int64, true)
}

/// How far a batch brought a partition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Mark {
    topic: String,
    partition: i32,
    /// Its last offset in the batch.
    offset: i64,
    /// Where it stands after it, by the batch's rows alone.
    stands: i64,
}

/// Kafka's columns of some rows.
struct Origin<'a> {
    topics: &'a StringArray,
    partitions: &'a Int32Array,
    offsets: &'a Int64Array,
}

impl<'a> Origin<'a> {
    fn of(batch: &'a RecordBatch) -> Result<Self, StageError> {
        let missing = || StageError::WrongInput {
            message: format!("`order` needs Kafka's columns {TOPIC}, {PARTITION} and {OFFSET} beside each record"),
        };
        let column = |name| batch.column_by_name(name).ok_or_else(missing);
        Ok(Self {
            topics: column(TOPIC)?.as_string_opt().ok_or_else(missing)?,
            partitions: column(PARTITION)?.as_primitive_opt::<Int32Type>().ok_or_else(missing)?,
            offsets: column(OFFSET)?.as_primitive_opt::<Int64Type>().ok_or_else(missing)?,
        })
    }

    fn place(&self, row: usize) -> (&'a str, i32) {
        (self.topics.value(row), self.partitions.value(row))
    }
}

/// The batch with [`STANDS`], and in its schema the marks. Rows of a partition come in the order of their offsets.
///
/// # Errors
/// [`StageError::WrongInput`] without Kafka's columns.
pub(super) fn marked(batch: &RecordBatch, order: &OrderSpec) -> Result<RecordBatch, StageError> {
    let origin = Origin::of(batch)?;
    let times =
        batch.column_by_name(&order.by).and_then(|column| column.as_primitive_opt::<TimestampMicrosecondType>());
    let times = times.ok_or_else(|| StageError::internal("windows", format!("rows without the time {}", order.by)))?;
    let mut marks: BTreeMap<(&str, i32), (i64, i64)> = BTreeMap::new();
    let mut stands = Vec::with_capacity(batch.num_rows());
    for row in 0..batch.num_rows() {
        let mark = marks.entry(origin.place(row)).or_insert((i64::MIN, i64::MIN));
        mark.0 = mark.0.max(origin.offsets.value(row));
        if times.is_valid(row) {
            mark.1 = mark.1.max(times.value(row));
        }
        stands.push(mark.1);
    }
    let marks: Vec<Mark> = marks
        .into_iter()
        .map(|((topic, partition), (offset, stands))| Mark { topic: topic.to_owned(), partition, offset, stands })
        .collect();
    let mut fields = batch.schema().fields().to_vec();
    fields.push(Arc::new(stands_field()));
    let schema = Schema::new_with_metadata(fields, HashMap::from([(MARKS.to_owned(), json(&marks)?)]));
    let columns = batch.columns().iter().cloned().chain([Arc::new(Int64Array::from(stands)) as ArrayRef]).collect();
    Ok(RecordBatch::try_new(Arc::new(schema), columns)?)
}

/// Whether pieces of these rows tell every bucket something.
pub(super) fn has_marks(batch: &RecordBatch) -> bool {
    batch.schema().metadata().contains_key(MARKS)
}

/// Where partitions stand: topic, partition, microseconds.
type Standing = BTreeMap<(String, i32), i64>;

/// Rows that may go on, and what is to be kept until more come.
pub(super) struct Released {
    /// In their order.
    pub(super) rows: RecordBatch,
    /// The others, and where partitions stand, as bytes.
    pub(super) held: Vec<u8>,
}

/// Takes the rows that came and those that were held. Rejected rows wait for nobody.
///
/// # Errors
/// [`StageError`] if `held` or the rows are not what [`marked`] and this function made.
pub(super) fn release(
    came: &[RecordBatch],
    held: Option<&[u8]>,
    partitions: u32,
) -> Result<Option<Released>, StageError> {
    let (mut standing, mut batches) = match held {
        Some(held) => read_held(held)?,
        None => (Standing::new(), Vec::new()),
    };
    let Some(first) = came.first() else { return Ok(None) };
    let schema: SchemaRef = Arc::new(first.schema().as_ref().clone().with_metadata(HashMap::new()));
    batches = batches.iter().map(|batch| as_schema(batch, &schema)).collect::<Result<_, _>>()?;
    batches.extend(settled(came, &mut standing, &schema)?);
    let rows = in_order(&concat_batches(&schema, &batches)?)?;
    let known = standing.len() >= partitions as usize;
    let until = standing.values().min().copied().filter(|_| known).unwrap_or(i64::MIN);
    let stands = rows.column_by_name(STANDS).and_then(|column| column.as_primitive_opt::<Int64Type>());
    let stands = stands.ok_or_else(|| StageError::internal("windows", "rows that stand nowhere".to_owned()))?;
    let rejected = rows.column_by_name(REJECTED);
    let goes = |row: usize| stands.value(row) < until || rejected.is_some_and(|column| column.is_valid(row));
    let goes: Vec<bool> = (0..rows.num_rows()).map(goes).collect();
    let waits: BooleanArray = goes.iter().map(|goes| Some(!goes)).collect();
    let held = write_held(&standing, &filter_record_batch(&rows, &waits)?)?;
    Ok(Some(Released { rows: filter_record_batch(&rows, &BooleanArray::from(goes))?, held }))
}

/// Rows by where their partition stood, then topic, partition, offset.
///
/// # Errors
/// [`StageError`] without these columns.
pub(super) fn in_order(rows: &RecordBatch) -> Result<RecordBatch, StageError> {
    let origin = Origin::of(rows)?;
    let stands = rows.column_by_name(STANDS).and_then(|column| column.as_primitive_opt::<Int64Type>());
    let stands = stands.ok_or_else(|| StageError::internal("windows", "rows that stand nowhere".to_owned()))?;
    let mut order: Vec<u32> = (0..rows.num_rows() as u32).collect();
    order.sort_by_key(|row| {
        let row = *row as usize;
        (stands.value(row), origin.topics.value(row), origin.partitions.value(row), origin.offsets.value(row))
    });
    Ok(take_record_batch(rows, &UInt32Array::from(order))?)
}

/// The batches with [`STANDS`] counting what came before each of them; `standing` goes on to behind them.
fn settled(came: &[RecordBatch], standing: &mut Standing, schema: &SchemaRef) -> Result<Vec<RecordBatch>, StageError> {
    let mut marks: Vec<(Mark, usize)> = Vec::new();
    for (i, batch) in came.iter().enumerate() {
        if let Some(text) = batch.schema().metadata().get(MARKS) {
            let found: Vec<Mark> =
                serde_json::from_str(text).map_err(|e| StageError::internal("windows", e.to_string()))?;
            marks.extend(found.into_iter().map(|mark| (mark, i)));
        }
    }
    marks.sort_by(|(a, _), (b, _)| (&a.topic, a.partition, a.offset).cmp(&(&b.topic, b.partition, b.offset)));
    let mut before: HashMap<(usize, String, i32), i64> = HashMap::new();
    for (mark, batch) in marks {
        let stood = standing.entry((mark.topic.clone(), mark.partition)).or_insert(i64::MIN);
        before.insert((batch, mark.topic, mark.partition), *stood);
        *stood = (*stood).max(mark.stands);
    }
    came.iter()
        .enumerate()
        .map(|(i, batch)| {
            let origin = Origin::of(batch)?;
            let own = batch.column_by_name(STANDS).and_then(|column| column.as_primitive_opt::<Int64Type>());
            let own = own.ok_or_else(|| StageError::internal("windows", "rows that stand nowhere".to_owned()))?;
            let stood = |row: usize| {
                let (topic, partition) = origin.place(row);
                let before = before.get(&(i, topic.to_owned(), partition)).copied().unwrap_or(i64::MIN);
                own.value(row).max(before)
            };
            let stands: ArrayRef = Arc::new(Int64Array::from_iter_values((0..batch.num_rows()).map(stood)));
            let columns =
                schema.fields().iter().zip(batch.columns()).map(|(field, column)| {
                    if field.name() == STANDS { Arc::clone(&stands) } else { Arc::clone(column) }
                });
            Ok(RecordBatch::try_new(Arc::clone(schema), columns.collect())?)
        })
        .collect()
}

/// The columns of another schema by name, null where there are none: the pipeline may have changed since rows were held.
fn as_schema(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, StageError> {
    let column = |field: &Arc<Field>| {
        let found = batch.column_by_name(field.name()).filter(|column| column.data_type() == field.data_type());
        found.map_or_else(|| new_null_array(field.data_type(), batch.num_rows()), Arc::clone)
    };
    Ok(RecordBatch::try_new(Arc::clone(schema), schema.fields().iter().map(column).collect())?)
}

fn write_held(standing: &Standing, rows: &RecordBatch) -> Result<Vec<u8>, StageError> {
    let listed: Vec<(&String, i32, i64)> =
        standing.iter().map(|((topic, partition), at)| (topic, *partition, *at)).collect();
    let metadata = HashMap::from([(STANDING.to_owned(), json(&listed)?)]);
    let schema = Arc::new(rows.schema().as_ref().clone().with_metadata(metadata));
    let mut writer = StreamWriter::try_new(Vec::new(), &schema)?;
    if rows.num_rows() > 0 {
        writer.write(&RecordBatch::try_new(schema, rows.columns().to_vec())?)?;
    }
    Ok(writer.into_inner()?)
}

fn read_held(held: &[u8]) -> Result<(Standing, Vec<RecordBatch>), StageError> {
    let reader = StreamReader::try_new(Cursor::new(held), None)?;
    let text = reader.schema().metadata().get(STANDING).cloned().unwrap_or_default();
    let listed: Vec<(String, i32, i64)> =
        serde_json::from_str(&text).map_err(|e| StageError::internal("windows", e.to_string()))?;
    let standing = listed.into_iter().map(|(topic, partition, at)| ((topic, partition), at)).collect();
    Ok((standing, reader.collect::<Result<_, _>>()?))
}

fn json(value: &impl Serialize) -> Result<String, StageError> {
    serde_json::to_string(value).map_err(|error| StageError::internal("windows", error.to_string()))
}
