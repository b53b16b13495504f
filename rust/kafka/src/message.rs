//! One record as librdkafka holds it, read in place.

use std::ffi::CStr;
use std::ptr::{self, NonNull};
use std::slice;

use rdkafka_sys as sys;

/// A message that librdkafka gave away; freed when dropped.
#[derive(Debug)]
pub(crate) struct RawMessage(NonNull<sys::rd_kafka_message_t>);

// SAFETY: a message belongs to whoever received it; librdkafka lets any thread read and free it.
unsafe impl Send for RawMessage {}

/// Where a record's time comes from, as Spark and Kafka's Java client number it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i32)]
pub(crate) enum TimestampType {
    None = -1,
    Create = 0,
    LogAppend = 1,
}

impl RawMessage {
    /// # Safety
    /// `pointer` is null or a message that librdkafka gave to the caller, who passes it on.
    pub(crate) unsafe fn from_raw(pointer: *mut sys::rd_kafka_message_t) -> Option<Self> {
        NonNull::new(pointer).map(Self)
    }

    #[inline]
    fn message(&self) -> &sys::rd_kafka_message_t {
        // SAFETY: ours until dropped.
        unsafe { self.0.as_ref() }
    }

    #[inline]
    pub(crate) fn error(&self) -> sys::rd_kafka_resp_err_t {
        self.message().err
    }

    /// librdkafka's words about an error.
    pub(crate) fn error_text(&self) -> String {
        // SAFETY: the text lives as long as the message, and is copied.
        unsafe {
            let text = sys::rd_kafka_message_errstr(self.0.as_ptr());
            if text.is_null() { String::new() } else { CStr::from_ptr(text).to_string_lossy().into_owned() }
        }
    }

    /// Of a record; or of the end of the partition, where the next one will be.
    #[inline]
    pub(crate) fn offset(&self) -> i64 {
        self.message().offset
    }

    /// The record's value; `None` is Kafka's null.
    #[inline]
    pub(crate) fn value(&self) -> Option<&[u8]> {
        let message = self.message();
        // SAFETY: librdkafka keeps the bytes as long as the message.
        (!message.payload.is_null()).then(|| unsafe { slice::from_raw_parts(message.payload.cast(), message.len) })
    }

    #[inline]
    pub(crate) fn key(&self) -> Option<&[u8]> {
        let message = self.message();
        // SAFETY: as above.
        (!message.key.is_null()).then(|| unsafe { slice::from_raw_parts(message.key.cast(), message.key_len) })
    }

    /// Bytes of key and value.
    #[inline]
    pub(crate) fn size(&self) -> usize {
        self.message().len + self.message().key_len
    }

    /// Milliseconds since 1970, and what they mean.
    pub(crate) fn timestamp(&self) -> (i64, TimestampType) {
        let mut kind = sys::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
        // SAFETY: a live message and a place for the answer.
        let millis = unsafe { sys::rd_kafka_message_timestamp(self.0.as_ptr(), &raw mut kind) };
        match kind {
            sys::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_CREATE_TIME => (millis, TimestampType::Create),
            sys::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_LOG_APPEND_TIME => (millis, TimestampType::LogAppend),
            _ => (-1, TimestampType::None),
        }
    }

    /// Calls `each` with name and value of every header; gives whether there is any.
    pub(crate) fn headers(&self, mut each: impl FnMut(&[u8], Option<&[u8]>)) -> bool {
        let mut headers = ptr::null_mut();
        // SAFETY: a live message; the headers stay its own.
        let code = unsafe { sys::rd_kafka_message_headers(self.0.as_ptr(), &raw mut headers) };
        if code != sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
            return false;
        }
        for index in 0.. {
            let (mut name, mut value, mut size) = (ptr::null(), ptr::null(), 0);
            // SAFETY: as above; the answers point into the message.
            let code =
                unsafe { sys::rd_kafka_header_get_all(headers, index, &raw mut name, &raw mut value, &raw mut size) };
            if code != sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
                return index > 0;
            }
            // SAFETY: a name is always there and ends with zero; a value has `size` bytes or is null.
            let (name, value) = unsafe {
                let value = (!value.is_null()).then(|| slice::from_raw_parts(value.cast(), size));
                (CStr::from_ptr(name).to_bytes(), value)
            };
            each(name, value);
        }
        true
    }
}

impl Drop for RawMessage {
    fn drop(&mut self) {
        // SAFETY: ours, and freed once.
        unsafe { sys::rd_kafka_message_destroy(self.0.as_ptr()) };
    }
}
