//! Batches over the border by the Arrow C Data Interface, one struct array each way.
//!
//! In: Java fills an `ArrowArray` with its own memory and [`release_borrowed`] as its release callback; dropping the
//! imported batch sets Java's flag, which lets it use the memory again. The schema does not cross: both sides agreed
//! on it when the session was opened. Out: the struct that Java passed is filled, with whatever the result owns
//! behind its release callback.

use std::ffi::c_void;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow::array::{
    Array, ArrayData, ArrayRef, AsArray, RecordBatch, RecordBatchOptions, StringArray, StructArray, make_array,
};
use arrow::datatypes::{DataType, Schema, SchemaRef};
use arrow::ffi::{FFI_ArrowArray, from_ffi_and_data_type};

use crate::counts::Lent;
use crate::error::{BridgeError, internal};

/// Release callback of the structs that Java fills: gives the memory back by setting a flag, frees nothing.
///
/// # Safety
/// `array` is null or a struct filled by `BatchWriter`, whose `private_data` is null or its 8-byte flag.
pub(crate) unsafe extern "C" fn release_borrowed(array: *mut FFI_ArrowArray) {
    if array.is_null() {
        return;
    }
    // SAFETY: by contract `array` points to a live struct that nobody else uses now.
    let array = unsafe { &mut *array };
    if !array.private_data.is_null() {
        // SAFETY: by contract this is the writer's aligned flag; the writer keeps it as long as the batch is lent.
        unsafe { AtomicU64::from_ptr(array.private_data.cast()) }.store(1, Ordering::Release);
    }
    array.release = None;
}

/// Address of [`release_borrowed`].
pub(crate) fn borrowed_release() -> *const c_void {
    release_borrowed as *const c_void
}

/// Takes over the batch at `address`.
///
/// # Safety
/// `address` is that of a struct array with the fields of `schema`, filled by `BatchWriter`; its memory stays
/// untouched until its flag is set.
pub(crate) unsafe fn import(address: i64, schema: &SchemaRef) -> Result<RecordBatch, BridgeError> {
    let pointer = address as *mut FFI_ArrowArray;
    if pointer.is_null() {
        return Err(internal("null input batch"));
    }
    // SAFETY: by contract the struct is there and ours to move out of.
    let array = unsafe { FFI_ArrowArray::from_raw(pointer) };
    let rows = array.len();
    if array.num_children() != schema.fields().len() {
        return Err(internal(format!(
            "{} columns came where {} were agreed",
            array.num_children(),
            schema.fields().len()
        )));
    }
    // SAFETY: by contract the memory has this type's layout.
    let data = unsafe { from_ffi_and_data_type(array, DataType::Struct(schema.fields().clone()))? };
    if cfg!(debug_assertions) {
        data.validate_full()?;
    }
    let columns = data.child_data().iter().map(column).collect::<Result<Vec<_>, _>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    Ok(RecordBatch::try_new_with_options(schema.clone(), columns, &options)?)
}

/// Spark's strings may hold any bytes (`CAST(binary AS STRING)` does not look); Rust's may not.
fn column(data: &ArrayData) -> Result<ArrayRef, BridgeError> {
    if *data.data_type() == DataType::Utf8 && data.validate_full().is_err() {
        let bytes = data.clone().into_builder().data_type(DataType::Binary).build()?;
        let bytes = make_array(bytes);
        let text: StringArray =
            bytes.as_binary::<i32>().iter().map(|value| value.map(String::from_utf8_lossy)).collect();
        return Ok(Arc::new(text));
    }
    Ok(make_array(data.clone()))
}

/// Keeps a result and its count alive together, behind the release callback of the struct that Java holds.
struct Exported {
    inner: FFI_ArrowArray,
    _lent: Lent,
}

/// Fills the struct at `address` with `batch`; gives the bytes behind it. The agreed fields are `schema`'s.
///
/// # Safety
/// `address` is that of an `ArrowArray` that Java owns, zeroed or released.
pub(crate) unsafe fn export(batch: RecordBatch, schema: &Schema, address: i64) -> Result<usize, BridgeError> {
    let pointer = address as *mut FFI_ArrowArray;
    if pointer.is_null() {
        return Err(internal("null output struct"));
    }
    for (have, want) in batch.schema_ref().fields().iter().zip(schema.fields()) {
        if have.name() != want.name() || have.data_type() != want.data_type() {
            return Err(internal(format!(
                "column {} of type {} came out where {} of type {} was agreed",
                have.name(),
                have.data_type(),
                want.name(),
                want.data_type()
            )));
        }
    }
    if batch.num_columns() != schema.fields().len() {
        return Err(internal(format!("{} columns came out, not {}", batch.num_columns(), schema.fields().len())));
    }
    let bytes = batch.get_array_memory_size();
    let struct_array = StructArray::from(batch);
    let inner = FFI_ArrowArray::new(&struct_array.to_data());
    let exported = Box::new(Exported { inner, _lent: Lent::new(bytes) });
    let shown = FFI_ArrowArray {
        length: exported.inner.length,
        null_count: exported.inner.null_count,
        offset: exported.inner.offset,
        n_buffers: exported.inner.n_buffers,
        n_children: exported.inner.n_children,
        buffers: exported.inner.buffers,
        children: exported.inner.children,
        dictionary: exported.inner.dictionary,
        release: Some(release_exported),
        private_data: Box::into_raw(exported).cast(),
    };
    // SAFETY: by contract the place is Java's own and holds nothing that would need a drop.
    unsafe { pointer.write(shown) };
    Ok(bytes)
}

/// # Safety
/// `array` was filled by [`export`].
unsafe extern "C" fn release_exported(array: *mut FFI_ArrowArray) {
    // SAFETY: by contract the struct is live and its private data is the box that `export` leaked.
    unsafe {
        drop(Box::from_raw((*array).private_data.cast::<Exported>()));
        (*array).release = None;
    }
}

/// Releases what the struct at `address` holds, if anything.
///
/// # Safety
/// `address` is that of an `ArrowArray` that Java owns: zeroed, released, or filled by [`export`].
pub(crate) unsafe fn release(address: i64) {
    let pointer = address as *mut FFI_ArrowArray;
    if !pointer.is_null() {
        // SAFETY: by contract; moving the struct out leaves an empty one behind, and dropping it releases.
        drop(unsafe { FFI_ArrowArray::from_raw(pointer) });
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::ptr;

    use arrow::array::{Float32Array, Int32Array};
    use arrow::datatypes::Field;

    use super::*;
    use crate::counts;

    /// What `BatchWriter` fills, for one text column.
    struct Lending {
        validity: Vec<u8>,
        offsets: Vec<i32>,
        bytes: Vec<u8>,
        buffers: Vec<*const c_void>,
        no_buffers: Vec<*const c_void>,
        child: FFI_ArrowArray,
        children: Vec<*mut FFI_ArrowArray>,
        flag: Box<u64>,
    }

    impl Lending {
        fn new(values: &[Option<&[u8]>]) -> Box<Self> {
            let mut validity = vec![0_u8; values.len().div_ceil(8)];
            let (mut offsets, mut bytes) = (vec![0], Vec::new());
            for (i, value) in values.iter().enumerate() {
                if let Some(value) = value {
                    validity[i / 8] |= 1 << (i % 8);
                    bytes.extend_from_slice(value);
                }
                offsets.push(bytes.len() as i32);
            }
            let mut lending = Box::new(Self {
                validity,
                offsets,
                bytes,
                buffers: Vec::new(),
                no_buffers: vec![ptr::null()],
                child: FFI_ArrowArray::empty(),
                children: Vec::new(),
                flag: Box::new(0),
            });
            lending.buffers =
                vec![lending.validity.as_ptr().cast(), lending.offsets.as_ptr().cast(), lending.bytes.as_ptr().cast()];
            lending.child = FFI_ArrowArray {
                length: values.len() as i64,
                null_count: values.iter().filter(|v| v.is_none()).count() as i64,
                n_buffers: 3,
                buffers: lending.buffers.as_mut_ptr(),
                release: Some(release_borrowed),
                ..FFI_ArrowArray::empty()
            };
            lending.children = vec![&raw mut lending.child];
            lending
        }

        fn parent(&mut self) -> FFI_ArrowArray {
            FFI_ArrowArray {
                length: self.child.length,
                null_count: 0,
                n_buffers: 1,
                n_children: 1,
                buffers: self.no_buffers.as_mut_ptr(),
                children: self.children.as_mut_ptr(),
                release: Some(release_borrowed),
                private_data: (&raw mut *self.flag).cast(),
                ..FFI_ArrowArray::empty()
            }
        }
    }

    fn text_schema() -> SchemaRef {
        Arc::new(Schema::new(vec![Field::new("s", DataType::Utf8, true)]))
    }

    #[test]
    fn borrowed_memory_is_given_back_when_the_batch_is_dropped() {
        let mut lending = Lending::new(&[Some(b"a"), None, Some("ü".as_bytes())]);
        let mut parent = lending.parent();
        // SAFETY: the struct is filled as the contract wants, and `lending` outlives the batch.
        let batch = unsafe { import(&raw mut parent as i64, &text_schema()) }.unwrap();
        let text: Vec<_> = batch.column(0).as_string::<i32>().iter().collect();
        assert_eq!(text, [Some("a"), None, Some("ü")]);
        let slice = batch.slice(2, 1);
        drop(batch);
        assert_eq!(*lending.flag, 0, "a slice still reads the memory");
        drop(slice);
        assert_eq!(*lending.flag, 1);
        assert!(parent.release.is_none(), "the struct was moved out of");
    }

    #[test]
    fn text_that_is_no_utf8_is_repaired_and_not_trusted() {
        let mut lending = Lending::new(&[Some(b"good"), Some(&[0xff, b'x']), None]);
        let mut parent = lending.parent();
        // SAFETY: as above.
        let batch = unsafe { import(&raw mut parent as i64, &text_schema()) }.unwrap();
        let text: Vec<_> = batch.column(0).as_string::<i32>().iter().collect();
        assert_eq!(text, [Some("good"), Some("\u{fffd}x"), None]);
        drop(batch);
        assert_eq!(*lending.flag, 1);
    }

    #[test]
    fn another_number_of_columns_is_an_error_that_gives_the_memory_back() {
        let mut lending = Lending::new(&[Some(b"a")]);
        let mut parent = lending.parent();
        // SAFETY: as above.
        let error = unsafe { import(&raw mut parent as i64, &Arc::new(Schema::empty())) }.unwrap_err();
        assert!(error.to_string().contains("1 columns came where 0 were agreed"), "{error}");
        assert_eq!(*lending.flag, 1);
    }

    #[test]
    fn a_result_lives_until_it_is_released_and_only_then() {
        let before = counts::lent().0;
        let schema = Schema::new(vec![Field::new("x", DataType::Float32, true)]);
        let column = Arc::new(Float32Array::from(vec![1.0, 2.0]));

        let batch = RecordBatch::try_new(Arc::new(schema.clone()), vec![column]).unwrap();
        let mut place = FFI_ArrowArray::empty();
        let address = &raw mut place as i64;
        // SAFETY: `place` is empty and outlives its use.
        let bytes = unsafe { export(batch, &schema, address) }.unwrap();
        assert!(bytes >= 8);
        assert_eq!((place.length, place.n_children), (2, 1));
        assert_eq!(counts::lent().0, before + 1);

        // SAFETY: filled by `export`; the second time it is empty.
        unsafe {
            release(address);
            release(address);
        }
        assert_eq!(counts::lent().0, before);
    }

    #[test]
    fn a_result_of_another_type_is_refused() {
        let agreed = Schema::new(vec![Field::new("x", DataType::Float32, true)]);
        let given = Arc::new(Schema::new(vec![Field::new("x", DataType::Int32, true)]));
        let batch = RecordBatch::try_new(given, vec![Arc::new(Int32Array::from(vec![1]))]).unwrap();
        let mut place = FFI_ArrowArray::empty();
        // SAFETY: `place` is empty and outlives its use.
        let error = unsafe { export(batch, &agreed, &raw mut place as i64) }.unwrap_err();
        assert!(error.to_string().contains("was agreed"), "{error}");
        assert!(place.release.is_none());
    }
}
