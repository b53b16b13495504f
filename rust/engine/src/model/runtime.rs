//! ONNX Runtime itself: its library, loaded once per process by absolute path, and its one environment.
//!
//! Nothing here is ever dropped: the environment lives in a static, and tearing it down while a JVM exits has crashed
//! (ort issues 609 and 614). Telemetry is off. Start at [`init`].

use std::path::{Path, PathBuf};

use once_cell::sync::OnceCell;
use ort::environment::Environment;
use ort::logging::LogLevel;

use super::logging;
use crate::error::StageError;

/// The version that Firesteel ships, tests and promises bit-equality with.
pub const EXPECTED_VERSION: &str = "1.29.0";

struct Runtime {
    environment: Environment,
    library: PathBuf,
    version: String,
}

static RUNTIME: OnceCell<Runtime> = OnceCell::new();

/// Loads ONNX Runtime from `library` (an absolute path) and makes the environment. Later calls do nothing; one that
/// names another file logs which file is in use. May be called from any thread; a failed call may be repeated.
///
/// # Errors
/// A sentence with the path and the reason when the file is missing, is no ONNX Runtime, or is too old.
pub fn init(library: &Path) -> Result<(), StageError> {
    let runtime = RUNTIME.get_or_try_init(|| load(library))?;
    if runtime.library != library {
        log::debug!(
            "ONNX Runtime is already loaded from {}; {} is not used",
            runtime.library.display(),
            library.display()
        );
    }
    Ok(())
}

/// The file in use; `None` before [`init`].
pub fn library() -> Option<&'static Path> {
    RUNTIME.get().map(|runtime| runtime.library.as_path())
}

/// The version in use, such as `1.29.0`; `None` before [`init`].
pub fn version() -> Option<&'static str> {
    RUNTIME.get().map(|runtime| runtime.version.as_str())
}

/// The environment, once [`init`] has run.
pub(super) fn environment() -> Option<&'static Environment> {
    RUNTIME.get().map(|runtime| &runtime.environment)
}

fn load(library: &Path) -> Result<Runtime, StageError> {
    let fail =
        |why: String| StageError::Runtime(format!("could not load ONNX Runtime from {}: {why}", library.display()));
    // A relative path would be searched beside the executable, which is `java` in production.
    if !library.is_absolute() {
        return Err(fail("the path must be absolute".to_owned()));
    }
    if !library.is_file() {
        return Err(fail("there is no such file".to_owned()));
    }
    let builder = ort::init_from(library).map_err(|error| fail(error.to_string()))?;
    let version = version_in_file(library).map_err(|error| fail(error.to_string()))?;
    let environment = builder
        .with_name("firesteel")
        .with_telemetry(false)
        .with_logger(logging::forward())
        .build()
        .map_err(|error| fail(format!("its environment did not start: {error}")))?;
    // With a logger of its own, `ort` opens the environment at the most verbose level.
    environment.set_log_level(LogLevel::Warning);
    if version != EXPECTED_VERSION {
        log::warn!(
            "ONNX Runtime {version} is loaded from {}; Firesteel is tested with {EXPECTED_VERSION}, and scores may differ in their last bits",
            library.display()
        );
    }
    Ok(Runtime { environment, library: library.to_owned(), version })
}

/// The version that the library's own symbols carry (`VERS_1.29.0`), read from the file: ONNX Runtime's build text does
/// not say it, and its other way needs a raw pointer. `unknown` if there is none.
fn version_in_file(library: &Path) -> std::io::Result<String> {
    Ok(find_version(&std::fs::read(library)?).unwrap_or("unknown").to_owned())
}

fn find_version(bytes: &[u8]) -> Option<&str> {
    const PREFIX: &[u8] = b"\0VERS_";
    bytes.windows(PREFIX.len()).enumerate().filter(|(_, window)| *window == PREFIX).find_map(|(at, _)| {
        let rest = &bytes[at + PREFIX.len()..];
        let end = rest.iter().take(32).position(|&byte| !(byte.is_ascii_digit() || byte == b'.'))?;
        std::str::from_utf8(&rest[..end]).ok().filter(|version| version.contains('.'))
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn reads_the_version_out_of_the_symbols() {
        assert_eq!(find_version(b"..\0VERS_x\0VERS_1.29.0\0.."), Some("1.29.0"));
        assert_eq!(find_version(b"VERS_1.29.0"), None);
    }

    #[test]
    fn says_which_path_and_why() {
        let missing = load(Path::new("/nowhere/libonnxruntime.so")).err().unwrap().to_string();
        assert_eq!(
            missing,
            "ONNX_RUNTIME: could not load ONNX Runtime from /nowhere/libonnxruntime.so: there is no such file"
        );
        let relative = load(Path::new("libonnxruntime.so")).err().unwrap().to_string();
        assert!(relative.ends_with("the path must be absolute"), "{relative}");
        let other = std::env::current_exe().unwrap();
        let error = load(&other).err().unwrap().to_string();
        assert!(error.contains("could not load ONNX Runtime from"), "{error}");
    }
}
