//! One graph in ONNX Runtime, which any number of threads may run at once.
//!
//! A process holds one session for a model, not one for each task: weights, also those that ONNX Runtime rearranges when
//! it loads them, are there once, and so is the arena that calls take their memory from. On the CPU ONNX Runtime's `Run`
//! may be called from several threads, as its makers say (onnxruntime issues 114, 13571, 22967) and as its Java binding
//! does. `ort` asks for `&mut` all the same, because that does not hold for every device; so we call `Run` ourselves,
//! and on other devices one call waits for the other.
//!
//! A session has `threads` threads: with one, the default, it owns none, and a call runs in the task's own.

use std::ffi::{CStr, CString, c_char};
use std::marker::PhantomData;
use std::ptr::{self, NonNull};
use std::sync::{Mutex, PoisonError};

use ort::ep;
use ort::memory::{AllocationDevice, Allocator, AllocatorType, MemoryInfo, MemoryType};
use ort::session::builder::{AutoDevicePolicy, GraphOptimizationLevel, SessionBuilder};
use ort::session::{Session, SessionInputValue};
use ort::value::{DynValue, Outlet};
use ort::{AsPointer, sys};
use serde::Serialize;

use super::placement::{Device, Placement};
use super::runtime;

/// Bytes of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Memory {
    /// The graph with its weights, as large as the file that it came from.
    pub weights: u64,
    /// The arena, as ONNX Runtime counts it: weights that it has rearranged, and room for intermediate results, which it
    /// keeps for later calls.
    pub arena: u64,
    /// The most that one moment's calls have used of the arena for intermediate results.
    pub working: u64,
}

impl Memory {
    /// All of it.
    pub fn total(&self) -> u64 {
        self.weights + self.arena
    }
}

/// A graph that is ready to run.
#[derive(Debug)]
pub(super) struct SharedSession {
    session: Session,
    placement: Placement,
    weights: u64,
    /// What the arena held when the session was opened.
    rearranged: u64,
    inputs: Vec<(String, CString)>,
    /// Held during a call, where calls must not overlap.
    turn: Option<Mutex<()>>,
}

/// Names of the outputs that a call computes.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    names: Vec<String>,
    c_names: Vec<CString>,
}

impl Wanted {
    /// Each name counts once.
    pub(super) fn new<'n>(names: impl IntoIterator<Item = &'n str>) -> Result<Self, ort::Error> {
        let mut names: Vec<String> = names.into_iter().map(str::to_owned).collect();
        names.sort();
        names.dedup();
        let c_names = names.iter().map(|name| c_string(name)).collect::<Result<_, _>>()?;
        Ok(Self { names, c_names })
    }
}

/// What one call computed. Must be gone before its session, whose memory it is.
#[derive(Debug)]
pub(super) struct Computed<'s> {
    names: &'s [String],
    values: Vec<DynValue>,
    session: PhantomData<&'s SharedSession>,
}

impl Computed<'_> {
    /// An output by its name.
    pub(super) fn get(&self, name: &str) -> Option<&DynValue> {
        self.values.get(self.names.iter().position(|other| other == name)?)
    }
}

impl SharedSession {
    /// Loads a graph from the bytes of its file.
    ///
    /// # Errors
    /// ONNX Runtime's own, about the graph or the device.
    pub(super) fn open(bytes: &[u8], placement: Placement) -> Result<Self, ort::Error> {
        let environment = runtime::environment().ok_or_else(|| ort::Error::new("ONNX Runtime is not loaded"))?;
        let session = options(Session::builder(environment)?, placement)?.commit_from_memory(bytes)?;
        let inputs = session
            .inputs()
            .iter()
            .map(|input| Ok((input.name().to_owned(), c_string(input.name())?)))
            .collect::<Result<_, ort::Error>>()?;
        let turn = (placement.device != Device::Cpu).then(Mutex::default);
        let weights = bytes.len() as u64;
        let mut opened = Self { session, placement, weights, rearranged: 0, inputs, turn };
        opened.rearranged = opened.statistic(c"InUse").unwrap_or(0);
        Ok(opened)
    }

    /// Where it runs.
    pub(super) fn placement(&self) -> Placement {
        self.placement
    }

    /// In the graph's order.
    pub(super) fn inputs(&self) -> &[Outlet] {
        self.session.inputs()
    }

    /// In the graph's order.
    pub(super) fn outputs(&self) -> &[Outlet] {
        self.session.outputs()
    }

    /// What it takes now.
    pub(super) fn memory(&self) -> Memory {
        let of = |key| self.statistic(key).unwrap_or(0);
        let working = of(c"MaxInUse").saturating_sub(self.rearranged);
        Memory { weights: self.weights, arena: of(c"TotalAllocated"), working }
    }

    /// Computes the wanted outputs. From any thread, also while others call it.
    ///
    /// # Errors
    /// ONNX Runtime's, about the inputs.
    pub(super) fn run<'s>(
        &'s self,
        inputs: &[(&str, SessionInputValue<'_>)],
        wanted: &'s Wanted,
    ) -> Result<Computed<'s>, ort::Error> {
        let mut input_names: Vec<*const c_char> = Vec::with_capacity(inputs.len());
        let mut input_values: Vec<*const sys::OrtValue> = Vec::with_capacity(inputs.len());
        for (name, value) in inputs {
            let (_, name) = self
                .inputs
                .iter()
                .find(|(known, _)| known == name)
                .ok_or_else(|| ort::Error::new(format!("the model has no input {name}")))?;
            input_names.push(name.as_ptr());
            input_values.push(value.ptr());
        }
        let output_names: Vec<*const c_char> = wanted.c_names.iter().map(|name| name.as_ptr()).collect();
        let mut output_values: Vec<*mut sys::OrtValue> = vec![ptr::null_mut(); output_names.len()];
        let _turn = self.turn.as_ref().map(|turn| turn.lock().unwrap_or_else(PoisonError::into_inner));
        // SAFETY: the session lives as long as `self`; it is not changed by a run, and ONNX Runtime allows runs of one
        // session on the CPU from several threads (`turn` is held on other devices). Names and values are arrays of the
        // lengths given, each entry alive until the call returns; the outputs are null, so that ONNX Runtime makes them.
        unsafe {
            let status = (ort::api().Run)(
                self.session.ptr().cast_mut(),
                ptr::null(),
                input_names.as_ptr(),
                input_values.as_ptr(),
                input_values.len(),
                output_names.as_ptr(),
                output_names.len(),
                output_values.as_mut_ptr(),
            );
            ort::Error::result_from_status(status)?;
        }
        let values: Vec<DynValue> = output_values
            .into_iter()
            .filter_map(NonNull::new)
            // SAFETY: made by the run above for us to own; of the session's allocator, which outlives it.
            .map(|value| unsafe { DynValue::from_ptr(value, Some(self.session.allocator())) })
            .collect();
        if values.len() != wanted.names.len() {
            return Err(ort::Error::new("ONNX Runtime left an output out"));
        }
        Ok(Computed { names: &wanted.names, values, session: PhantomData })
    }

    /// One of the arena's numbers; `None` if this build of ONNX Runtime does not tell.
    fn statistic(&self, key: &CStr) -> Option<u64> {
        let device = match self.placement.device {
            Device::Cpu => AllocationDevice::CPU,
            Device::Cuda => AllocationDevice::CUDA,
        };
        let info = MemoryInfo::new(device, 0, AllocatorType::Arena, MemoryType::Default).ok()?;
        let arena = Allocator::new(&self.session, info).ok()?;
        let mut pairs = ptr::null_mut();
        // SAFETY: the allocator lives to the end of this function. The pairs are ours until they are released, and so is the text
        // that is found in them, which is read before that.
        unsafe {
            ort::Error::result_from_status((ort::api().AllocatorGetStats)(arena.ptr(), &mut pairs)).ok()?;
            let pairs = NonNull::new(pairs)?;
            let found = NonNull::new((ort::api().GetKeyValue)(pairs.as_ptr(), key.as_ptr()).cast_mut())
                .and_then(|text| CStr::from_ptr(text.as_ptr()).to_str().ok()?.parse().ok());
            (ort::api().ReleaseKeyValuePairs)(pairs.as_ptr());
            found
        }
    }
}

fn c_string(name: &str) -> Result<CString, ort::Error> {
    CString::new(name).map_err(|_| ort::Error::new(format!("the name {name:?} has a null byte")))
}

fn options(builder: SessionBuilder, placement: Placement) -> Result<SessionBuilder, ort::Error> {
    let builder = builder
        .with_auto_device(AutoDevicePolicy::PreferCPU)?
        // Python's default level.
        .with_optimization_level(GraphOptimizationLevel::All)?
        .with_intra_threads(placement.threads)?
        .with_inter_threads(1)?
        .with_parallel_execution(false)?
        .with_intra_op_spinning(false)?
        .with_inter_op_spinning(false)?
        .with_deterministic_compute(true)?
        // Plans memory per input shape; batches have many sizes, and the plans would pile up.
        .with_memory_pattern(false)?
        // Bytes in ONNX Runtime's own format would not be those that we inspected.
        .with_config_entry("session.load_model_format", "ONNX")?;
    Ok(match placement.device {
        Device::Cpu => builder,
        Device::Cuda => builder.with_execution_providers([ep::CUDA::default().build().error_on_failure()])?,
    })
}
