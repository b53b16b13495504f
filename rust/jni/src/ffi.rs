//! Batches over the border by the Arrow C Data Interface, one struct array each way.
//!
//! In: Java fills an `ArrowArray` with its own memory and [`release_borrowed`] as its release callback; dropping the
//! imported batch sets Java's flag, which lets it use the memory again. The schema does not cross: both sides agreed
//! on it when the session was opened. Out: the struct that Java passed is filled, with whatever the result owns
//! behind its release callback.

use std::ffi::c_void;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow::array::{Array, ArrayData, ArrayRef, AsArray, RecordBatch, RecordBatchOptions, StringArray, StructArray, make_array};
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
        return Err(internal(format!("{} columns came where {} were agreed", array.num_children(), schema.fields().len())));
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
