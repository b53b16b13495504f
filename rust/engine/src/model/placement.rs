//! Where a model runs: on which device, with how many threads of its own.

use std::fmt;
use std::path::Path;

use serde::Serialize;

use super::runtime;
use crate::error::SpecError;
use crate::spec::DeviceChoice;

/// The part of ONNX Runtime that drives an NVIDIA GPU; a build for the CPU comes without.
const PROVIDER: &str = "libonnxruntime_providers_cuda.so";
/// There where a container or machine has a GPU of NVIDIA's and its driver.
const CONTROL: &str = "/dev/nvidiactl";

/// What computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Device {
    /// The processor.
    Cpu,
    /// The first NVIDIA GPU that the process sees.
    Cuda,
}

/// One way to open a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
pub struct Placement {
    /// Where it computes.
    pub device: Device,
    /// Threads that work on one call, the caller's included.
    pub threads: usize,
}

impl Default for Placement {
    /// The processor, and no thread but the caller's: the placement of which bit-equality is promised.
    fn default() -> Self {
        Self { device: Device::Cpu, threads: 1 }
    }
}

impl fmt::Display for Placement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let device = match self.device {
            Device::Cpu => "the CPU",
            Device::Cuda => "CUDA",
        };
        match self.threads {
            1 => write!(f, "{device}"),
            threads => write!(f, "{device} with {threads} threads"),
        }
    }
}

/// What the author asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) device: DeviceChoice,
    pub(super) threads: usize,
}

impl Asked {
    /// Where that is in this process. `auto` takes the GPU if there is one that ONNX Runtime can use.
    ///
    /// # Errors
    /// `CUDA_UNAVAILABLE` with what is missing, if CUDA was asked for by name.
    pub(super) fn here(self, path: &str) -> Result<Placement, SpecError> {
        let at = |device| Placement { device, threads: self.threads };
        if self.device == DeviceChoice::Cpu {
            return Ok(at(Device::Cpu));
        }
        match missing_for_cuda() {
            None => Ok(at(Device::Cuda)),
            Some(what) if self.device == DeviceChoice::Cuda => Err(unavailable(path, &what)),
            Some(what) => {
                log::debug!("{path}.device is auto, and the model runs on the CPU: {what}");
                Ok(at(Device::Cpu))
            }
        }
    }
}

/// CUDA was asked for by name, and can't be had.
pub(super) fn unavailable(path: &str, what: &str) -> SpecError {
    SpecError::new("CUDA_UNAVAILABLE", format!("{path}.device"), what)
        .with_hint("device: auto uses the CPU where there is no GPU, device: cpu everywhere")
}

/// What CUDA lacks in this process, as far as files show it; `None` if nothing.
fn missing_for_cuda() -> Option<String> {
    let library = runtime::library()?;
    lacking(library.parent().unwrap_or(Path::new("/")), Path::new(CONTROL))
}

fn lacking(folder: &Path, control: &Path) -> Option<String> {
    if !folder.join(PROVIDER).is_file() {
        return Some(format!(
            "ONNX Runtime in {} is a build for the CPU: {PROVIDER} is not beside it. \
             Take libonnxruntime.so and its providers from a build for CUDA, version {}",
            folder.display(),
            runtime::EXPECTED_VERSION
        ));
    }
    if !control.exists() {
        return Some(format!("there is no NVIDIA GPU for this process: {} is not there", control.display()));
    }
    None
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn says_what_a_gpu_lacks() {
        let folder = tempfile::tempdir().unwrap();
        let control = folder.path().join("nvidiactl");
        let lacks = || lacking(folder.path(), &control);
        assert!(lacks().unwrap().contains("is a build for the CPU"), "{:?}", lacks());
        std::fs::write(folder.path().join(PROVIDER), b"").unwrap();
        assert!(lacks().unwrap().contains("there is no NVIDIA GPU"), "{:?}", lacks());
        std::fs::write(&control, b"").unwrap();
        assert_eq!(lacks(), None);
    }

    #[test]
    fn is_shown_in_words() {
        assert_eq!(Placement::default().to_string(), "the CPU");
        assert_eq!(Placement { device: Device::Cuda, threads: 4 }.to_string(), "CUDA with 4 threads");
    }
}
