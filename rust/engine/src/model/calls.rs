//! How one scorer calls ONNX Runtime: where, with how many rows, for which outputs.

use std::sync::Arc;

use arrow::datatypes::Schema;

use super::bind::{Plan, RowsAtATime};
use super::onnx_model::OnnxModel;
use super::placement::{Asked, Device, unavailable};
use super::scorer::ScorerOptions;
use super::session::{SharedSession, Wanted};
use super::tuning::{self, RowsPerCall};
use crate::error::SpecError;
use crate::spec::{BatchBounds, DeviceChoice};

/// What the author asked for, and, once a task needs it, what there is.
#[derive(Debug)]
pub(super) struct Calls {
    path: String,
    asked: Asked,
    bounds: BatchBounds,
    wanted: Wanted,
    /// The session, and the most rows of one of its calls.
    ready: Option<(Arc<SharedSession>, usize)>,
}

impl Calls {
    pub(super) fn new(options: &ScorerOptions<'_>, wanted: Wanted) -> Self {
        Self {
            path: options.path.to_owned(),
            asked: Asked { device: options.device, threads: options.threads.max(1) },
            bounds: options.batch,
            wanted,
            ready: None,
        }
    }

    /// See [`super::Scorer::open`].
    pub(super) fn open(&mut self, model: &OnnxModel, plan: &Plan, input: &Schema, name: &str) -> Result<(), SpecError> {
        if self.ready.is_some() {
            return Ok(());
        }
        let placement = self.asked.here(&self.path)?;
        let session = match model.session_at(placement) {
            Ok(session) => session,
            Err(error) if placement.device == Device::Cuda => return Err(unavailable(&self.path, &error.to_string())),
            Err(error) => return Err(SpecError::new("MODEL_SESSION", &self.path, error.to_string())),
        };
        let rows = match plan.rows {
            RowsAtATime::Any => self.rows_per_call(model, plan, input, name, &session).rows,
            RowsAtATime::Exactly(rows) => rows,
            RowsAtATime::OneCall => 1,
        };
        self.ready = Some((session, rows));
        Ok(())
    }

    /// The session and the most rows of a call, once it is open.
    pub(super) fn ready(&self) -> Option<(Arc<SharedSession>, usize)> {
        self.ready.clone()
    }

    /// The outputs of a call.
    pub(super) fn wanted(&self) -> &Wanted {
        &self.wanted
    }

    /// What was found before for this use of the model, or is found now. Tasks that start together wait for the first.
    fn rows_per_call(
        &self,
        model: &OnnxModel,
        plan: &Plan,
        input: &Schema,
        name: &str,
        session: &SharedSession,
    ) -> RowsPerCall {
        let shapes = plan.bindings.iter().map(|binding| format!("{} {:?}", binding.input, binding.tail));
        let shapes = shapes.collect::<Vec<_>>().join(", ");
        let of = format!("{}, {} to {} rows, {shapes}", session.placement(), self.bounds.min, self.bounds.max);
        let mut tuned = model.tuned();
        if let Some((_, found)) = tuned.iter().find(|(known, _)| *known == of) {
            return found.clone();
        }
        let found = tuning::measure(session, plan, input, &self.wanted, self.bounds);
        log::info!(
            "model {name} (sha256 {}) on {}: {found}; weights of {} bytes",
            &model.sha256()[..12],
            session.placement(),
            session.memory().weights
        );
        tuned.push((of, found.clone()));
        found
    }

    /// Where, for the plan; empty for the default.
    pub(super) fn describe(&self) -> String {
        let device = match self.asked.device {
            DeviceChoice::Cpu => "",
            DeviceChoice::Cuda => ", on CUDA",
            DeviceChoice::Auto => ", on CUDA where it is",
        };
        match self.asked.threads {
            1 => device.to_owned(),
            threads => {
                format!("{device}, with {threads} threads that all tasks share; bits may differ from those of one")
            }
        }
    }

    /// How many rows, for the plan.
    pub(super) fn describe_rows(&self) -> String {
        match self.bounds {
            BatchBounds { min, max } if min >= max => format!("{max} rows a call"),
            BatchBounds { min, max } => format!("{min} to {max} rows a call, measured before the first batch"),
        }
    }
}
