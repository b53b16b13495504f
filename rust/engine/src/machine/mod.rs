//! What a person should know of this machine before a job runs on it: the part of `firesteel doctor` that the engine
//! can see. The JVM's and Spark's own part is the plugin's.

mod libc_version;
mod memory;

use std::fs;
use std::path::Path;
use std::thread::available_parallelism;

use serde::{Deserialize, Serialize};

use crate::model::runtime;

pub use libc_version::{GLIBC_NEEDED, glibc_of};
pub use memory::container_limit;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// As it should be.
    Ok,
    /// It works, but slower or nearer to an edge than it must.
    Warn,
    /// It does not work.
    Fail,
}

/// One look at one thing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// What was looked at, in a word or two.
    pub check: String,
    /// How bad it is.
    pub level: Level,
    /// What is there, in one sentence without a full stop.
    pub found: String,
    /// What to do about it; empty where there is nothing to do.
    pub fix: String,
}

impl Finding {
    /// Something that is as it should be.
    pub fn ok(check: &str, found: impl Into<String>) -> Self {
        Self { check: check.to_owned(), level: Level::Ok, found: found.into(), fix: String::new() }
    }

    /// Something to mend, and how.
    pub fn mend(check: &str, level: Level, found: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { check: check.to_owned(), level, found: found.into(), fix: fix.into() }
    }
}

/// The engine's findings.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Machine {
    /// In the order in which people should read them.
    pub findings: Vec<Finding>,
    /// Bytes that the container may use; `None` without a limit.
    pub memory_limit: Option<u64>,
}

/// Looks at the machine that this process runs on.
pub fn look() -> Machine {
    let memory_limit = container_limit(Path::new("/sys/fs/cgroup"));
    Machine { findings: vec![c_library(), processor(), cores(), memory(memory_limit), onnx_runtime()], memory_limit }
}

fn c_library() -> Finding {
    const CHECK: &str = "C library";
    let maps = fs::read_to_string("/proc/self/maps").unwrap_or_default();
    match glibc_of(&maps) {
        Some(minor) if minor >= GLIBC_NEEDED => Finding::ok(CHECK, format!("glibc 2.{minor}")),
        Some(minor) => Finding::mend(
            CHECK,
            Level::Fail,
            format!("glibc 2.{minor}, and 2.{GLIBC_NEEDED} is the oldest that works"),
            "use a system from 2019 or later (RHEL 8, Debian 10, Ubuntu 20.04, Amazon Linux 2023)",
        ),
        None => Finding::mend(
            CHECK,
            Level::Warn,
            "its version can't be told",
            format!("make sure that it is glibc 2.{GLIBC_NEEDED} or newer, not musl"),
        ),
    }
}

#[cfg(target_arch = "x86_64")]
fn processor() -> Finding {
    const CHECK: &str = "processor";
    let has = [
        ("AVX2", std::arch::is_x86_feature_detected!("avx2")),
        ("FMA", std::arch::is_x86_feature_detected!("fma")),
        ("AVX-512", std::arch::is_x86_feature_detected!("avx512f")),
    ];
    let names: Vec<&str> = has.iter().filter(|(_, there)| *there).map(|(name, _)| *name).collect();
    if has[0].1 {
        Finding::ok(CHECK, format!("x86-64 with {}", names.join(", ")))
    } else {
        Finding::mend(
            CHECK,
            Level::Warn,
            "x86-64 without AVX2: models run, at a fraction of the usual speed",
            "choose a machine type of 2013 or later, or let the hypervisor pass AVX2 on",
        )
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn processor() -> Finding {
    Finding::ok("processor", std::env::consts::ARCH)
}

fn cores() -> Finding {
    match available_parallelism() {
        Ok(cores) => Finding::ok("cores", format!("{cores} for this process")),
        Err(error) => {
            Finding::mend("cores", Level::Warn, format!("can't be counted: {error}"), "look at /proc/cpuinfo")
        }
    }
}

fn memory(limit: Option<u64>) -> Finding {
    let text = match limit {
        Some(bytes) => format!("the container may use {} MiB", bytes >> 20),
        None => "no container limit".to_owned(),
    };
    Finding::ok("memory", text)
}

fn onnx_runtime() -> Finding {
    const CHECK: &str = "ONNX Runtime";
    match runtime::version() {
        Some(version) if version == runtime::EXPECTED_VERSION => Finding::ok(CHECK, version),
        Some(version) => Finding::mend(
            CHECK,
            Level::Warn,
            format!("{version}, and Firesteel is tested with {}", runtime::EXPECTED_VERSION),
            "use the library that comes with Firesteel: with another one scores may differ in their last bits",
        ),
        None => Finding::mend(
            CHECK,
            Level::Warn,
            "not loaded in this process",
            "name its library with --onnxruntime or FIRESTEEL_ONNXRUNTIME; pipelines without models need none",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_is_fit_and_every_fault_has_a_cure() {
        let machine = look();
        let checks: Vec<&str> = machine.findings.iter().map(|finding| finding.check.as_str()).collect();
        assert_eq!(checks, ["C library", "processor", "cores", "memory", "ONNX Runtime"]);
        for finding in &machine.findings {
            assert!(finding.level < Level::Fail, "{finding:?}");
            assert_eq!(finding.level == Level::Ok, finding.fix.is_empty(), "{finding:?}");
        }
    }
}
