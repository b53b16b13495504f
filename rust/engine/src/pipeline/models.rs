//! A pipeline's models in file order, those that serve and those that challenge them.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;

use super::challenger::Challenger;
use super::describe::Plan;
use super::ledger::Ledger;
use super::runner::{StageTimes, check};
use crate::error::{SpecError, StageError};
use crate::model::{Outputs, Scorer, ScorerOptions, registry};
use crate::spec::{KernelChoice, PipelineSpec};

/// One of them.
#[derive(Debug)]
enum Role {
    /// Every row that goes on has its scores.
    Champion(Box<Scorer>),
    /// Compared with an earlier one; no row depends on it.
    Challenger(Box<Challenger>),
}

impl Role {
    fn scorer(&self) -> &Scorer {
        match self {
            Self::Champion(scorer) => scorer,
            Self::Challenger(challenger) => challenger.scorer(),
        }
    }

    fn scorer_mut(&mut self) -> &mut Scorer {
        match self {
            Self::Champion(scorer) => scorer,
            Self::Challenger(challenger) => challenger.scorer_mut(),
        }
    }
}

/// All of them; none for a pipeline without.
#[derive(Debug, Default)]
pub(super) struct Models(Vec<Role>);

impl Models {
    /// Binds each model to the columns before it; `schema` becomes those behind the last one. `features` are the names that a
    /// model takes its columns from by position.
    pub(super) fn try_new(spec: &PipelineSpec, features: &[String], schema: &mut SchemaRef) -> Result<Self, SpecError> {
        let mut roles = Vec::with_capacity(spec.models.len());
        for (position, model) in spec.models.iter().enumerate() {
            let scorer = scorer(spec, position, features, schema)?;
            if model.challenges.is_some() {
                let path = format!("models[{position}]");
                let challenger = Challenger::try_new(&model.name, &path, scorer, model.sample.as_ref(), schema)?;
                *schema = Arc::clone(challenger.output_schema());
                roles.push(Role::Challenger(Box::new(challenger)));
            } else {
                *schema = Arc::clone(scorer.output_schema());
                roles.push(Role::Champion(Box::new(scorer)));
            }
        }
        Ok(Self(roles))
    }

    /// Ready for another task, as if just made.
    pub(super) fn restart(&mut self) {
        for role in &mut self.0 {
            match role {
                Role::Champion(scorer) => scorer.restart(),
                Role::Challenger(challenger) => challenger.restart(),
            }
        }
    }

    /// Gets all of them ready, see [`Scorer::open`].
    ///
    /// # Errors
    /// As there.
    pub(super) fn open(&mut self) -> Result<(), SpecError> {
        self.0.iter_mut().try_for_each(|role| role.scorer_mut().open())
    }

    /// The batch with all scores.
    ///
    /// # Errors
    /// See [`StageError`].
    pub(super) fn process(
        &mut self,
        mut batch: RecordBatch,
        ledger: &mut Ledger,
        times: &mut StageTimes,
        cancelled: &AtomicBool,
    ) -> Result<RecordBatch, StageError> {
        for role in &mut self.0 {
            check(cancelled, "model")?;
            match role {
                Role::Champion(scorer) => {
                    let (staged, took) = StageTimes::timed(|| scorer.process(batch));
                    times.inference += took;
                    batch = ledger.enter("model", staged?)?;
                }
                Role::Challenger(challenger) => {
                    let (scored, took) = StageTimes::timed(|| challenger.process(batch));
                    times.challengers += took;
                    batch = scored?;
                }
            }
        }
        Ok(batch)
    }

    /// What each does, for the plan.
    pub(super) fn describe(&self, spec: &PipelineSpec, plan: &mut Plan) {
        for (model, role) in spec.models.iter().zip(&self.0) {
            let version = model.version.map_or_else(String::new, |version| format!("version {version}, "));
            plan.stage(
                "model",
                &format!("{} from {} ({version}sha256 {})", model.name, model.uri, role.scorer().short_sha256()),
            );
            if let (Some(champion), Role::Challenger(challenger)) = (&model.challenges, role) {
                plan.detail(&format!("challenges {champion}, {}", challenger.describe()));
            }
            let scorer = role.scorer();
            plan.detail(&format!("runs in {}", scorer.runs_in()));
            if let Some(rows) = scorer.rows_per_call() {
                plan.detail(&rows);
            }
            plan.detail(&format!("reads {}", scorer.input_columns().join(", ")));
            for field in scorer.added_fields() {
                plan.detail(&format!("gives {} {}", field.name(), crate::spec::spark_type_name(field.data_type())));
            }
            for note in scorer.casts().iter().chain(scorer.notes()) {
                plan.detail(note);
            }
        }
    }
}

fn scorer(spec: &PipelineSpec, position: usize, features: &[String], schema: &SchemaRef) -> Result<Scorer, SpecError> {
    let model = &spec.models[position];
    let path = format!("models[{position}]");
    let sha256 = model.sha256.as_deref().unwrap_or_default();
    let loaded = registry::get(sha256).ok_or_else(|| {
        SpecError::new(
            "MODEL_MISSING",
            format!("{path}.uri"),
            format!("model {} ({}) is not loaded", model.name, model.uri),
        )
    })?;
    let inputs: Vec<(String, Vec<String>)> = model.inputs.iter().map(|(k, v)| (k.clone(), v.clone())).collect();
    let outputs: Vec<(String, String)> = model.outputs.iter().map(|(k, v)| (k.clone(), v.clone())).collect();
    let options = ScorerOptions {
        name: &model.name,
        path: &path,
        inputs: &inputs,
        default_columns: features,
        by_position: false,
        outputs: if outputs.is_empty() { Outputs::All } else { Outputs::Columns(&outputs) },
        nulls: model.nulls.clone(),
        nan: model.nan,
        allow_lossy: model.allow_lossy,
        device: model.device,
        threads: model.threads,
        batch: model.batch_size,
    };
    let scorer = Scorer::try_new(&options, loaded, schema)?;
    Ok(match model.kernel {
        KernelChoice::Auto => scorer,
        KernelChoice::OnnxRuntime => scorer.without_kernel(),
    })
}
