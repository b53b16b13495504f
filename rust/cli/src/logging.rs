//! The engine's warnings, and ONNX Runtime's, on standard error.

struct ToStandardError;

impl log::Log for ToStandardError {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        metadata.level() <= log::max_level()
    }

    fn log(&self, record: &log::Record<'_>) {
        if self.enabled(record.metadata()) {
            eprintln!("{}: {}", record.level().as_str().to_lowercase(), record.args());
        }
    }

    fn flush(&self) {}
}

/// Shows warnings and errors from here on.
pub(crate) fn start() {
    if log::set_logger(&ToStandardError).is_ok() {
        log::set_max_level(log::LevelFilter::Warn);
    }
}
