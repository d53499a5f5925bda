//! Preparation of a stack: installs and builds its parts, in parallel where possible.

use std::{
    path::PathBuf,
    sync::Mutex,
    thread::{self, ScopedJoinHandle},
};

use anyhow::{Error, Result, anyhow};

use crate::{
    build_lock::BuildLock,
    bundle::{self, Bundle, Profile},
    doctor,
    layout::Layout,
    model::{self, Model},
    process::{run_logged, terminate_all},
    progress::Progress,
    stack::{
        database::{self, DemoKeys},
        provider::LocalModel,
        state::State,
    },
    tools::{BuildTools, bindgen, npm, rust, worker_build},
};

/// What to prepare.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    /// The build profile of the Workers.
    pub(crate) profile: Profile,
    /// The local model, if any.
    pub(crate) model: Option<&'static Model>,
    /// The gateway's port.
    pub(crate) port: u16,
}

/// The prepared parts.
pub(crate) struct Prepared {
    /// The Workers' bundles.
    pub(crate) bundles: Vec<Bundle>,
    /// The tools that built them.
    pub(crate) tools: BuildTools,
    /// The demo tenant.
    pub(crate) keys: DemoKeys,
    /// The local model, if any.
    pub(crate) model: Option<LocalModel>,
}

/// Prepares all parts, under the build lock.
pub(crate) fn prepare(
    layout: &Layout,
    state: &State,
    plan: Plan,
    progress: &Progress,
) -> Result<Prepared> {
    doctor::require(layout, plan.model.is_some())?;
    let _lock = BuildLock::acquire(layout, progress)?;
    rust::wasm_target_ready(progress)?;
    let parts = Parts::default();
    let prepared = thread::scope(|scope| {
        let packages = scope.spawn(|| parts.run(|| npm::ready(layout, progress)));
        let compilers = scope.spawn(|| {
            parts.run(|| {
                worker_build::ready(layout, progress)?;
                bindgen::ready(layout, progress)
            })
        });
        let model = plan
            .model
            .map(|model| scope.spawn(|| parts.run(|| local_model(layout, model, progress))));
        joined(packages)?;
        let keys = scope.spawn(|| {
            parts.run(|| {
                database::migrate(layout, state, progress)?;
                let origins = database::own_origins(plan.port);
                database::seed(layout, state, &origins, progress)
            })
        });
        joined(compilers)?;
        let (tools, bundles) = parts.run(|| {
            let tools = BuildTools::ready(layout, progress)?;
            let bundles = bundle::build_all(layout, &tools, plan.profile, progress)?;
            Ok((tools, bundles))
        })?;
        let model = match model {
            Some(model) => Some(joined(model)?),
            None => None,
        };
        Some(Prepared {
            bundles,
            tools,
            keys: joined(keys)?,
            model,
        })
    });
    parts.result(prepared)
}

/// Parallel parts of one preparation: the first failure cancels the others.
#[derive(Default)]
struct Parts {
    failure: Mutex<Option<Error>>,
}

impl Parts {
    /// Runs one part. The first failure is recorded, and the programs of the other parts are terminated, so
    /// that the error is reported at once.
    fn run<T>(&self, work: impl FnOnce() -> Result<T>) -> Option<T> {
        let error = match work() {
            Ok(value) => return Some(value),
            Err(error) => error,
        };
        if let Ok(mut failure) = self.failure.lock()
            && failure.is_none()
        {
            *failure = Some(error);
            terminate_all();
        }
        None
    }

    fn result<T>(self, value: Option<T>) -> Result<T> {
        let failure = self.failure.into_inner().ok().flatten();
        value.ok_or_else(|| {
            failure.unwrap_or_else(|| {
                anyhow!("a part of the preparation panicked: see the lines above")
            })
        })
    }
}

fn joined<T>(thread: ScopedJoinHandle<'_, Option<T>>) -> Option<T> {
    thread.join().ok().flatten()
}

/// Builds the model's server while its weights are downloaded.
pub(crate) fn local_model(
    layout: &Layout,
    model: &'static Model,
    progress: &Progress,
) -> Result<LocalModel> {
    thread::scope(|scope| {
        let weights = scope.spawn(|| model.weights(layout, progress));
        let server = build_server(layout, progress)?;
        weights
            .join()
            .unwrap_or_else(|_| Err(anyhow!("fetching the model panicked")))?;
        let weights = model.prepared(layout, &server, progress)?;
        Ok(LocalModel {
            server,
            weights,
            model,
        })
    })
}

fn build_server(layout: &Layout, progress: &Progress) -> Result<PathBuf> {
    let task = progress.task("the local model's server");
    let mut build = rust::cargo();
    build
        .args(["build", "--package", "clawless-local-model"])
        .args(model::CARGO_ARGUMENTS)
        .current_dir(layout.root());
    run_logged(
        &mut build,
        &layout.at(".clawless/logs/build-local-model.log"),
        Some(&task),
    )?;
    task.done();
    Ok(layout.target().join("local-model/clawless-local-model"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_failure_is_reported() {
        let parts = Parts::default();
        assert_eq!(parts.run(|| Ok(1)), Some(1));
        let failed = parts.run::<()>(|| Err(anyhow!("no npm")));
        assert!(
            parts
                .run::<()>(|| Err(anyhow!("ended by a signal")))
                .is_none()
        );
        assert_eq!(parts.result(failed).unwrap_err().to_string(), "no npm");
    }
}
