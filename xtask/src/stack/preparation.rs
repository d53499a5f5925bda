//! Everything that must be there before a stack can start, made side by side as far as it goes.

use std::{
    path::PathBuf,
    sync::Mutex,
    thread::{self, ScopedJoinHandle},
};

use anyhow::{Error, Result, anyhow};

use crate::{
    bundle::{self, Bundle, Profile},
    doctor,
    layout::Layout,
    model::{self, Model},
    process::{abandon_all, run_logged},
    progress::Progress,
    stack::{
        database::{self, DemoKeys},
        provider::LocalModel,
        state::State,
    },
    tools::{BuildTools, bindgen, npm, rust, worker_build},
    turn::Turn,
};

/// What a stack is to be made of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    /// How the Workers are compiled.
    pub(crate) profile: Profile,
    /// The model that runs here, if one does.
    pub(crate) model: Option<&'static Model>,
}

/// What a stack starts from.
pub(crate) struct Prepared {
    /// The Workers.
    pub(crate) bundles: Vec<Bundle>,
    /// What they were built with.
    pub(crate) tools: BuildTools,
    /// The demo tenant.
    pub(crate) keys: DemoKeys,
    /// The local model, if one was asked for.
    pub(crate) model: Option<LocalModel>,
}

/// Makes what is missing. Commands of one checkout take turns.
pub(crate) fn prepare(
    layout: &Layout,
    state: &State,
    plan: Plan,
    progress: &Progress,
) -> Result<Prepared> {
    doctor::require(layout, plan.model.is_some())?;
    let _turn = Turn::take(layout, progress)?;
    rust::wasm_target_ready(progress)?;
    let parts = Parts::default();
    let prepared = thread::scope(|scope| {
        let packages = scope.spawn(|| parts.make(|| npm::ready(layout, progress)));
        let compilers = scope.spawn(|| {
            parts.make(|| {
                worker_build::ready(layout, progress)?;
                bindgen::ready(layout, progress)
            })
        });
        let model = plan
            .model
            .map(|model| scope.spawn(|| parts.make(|| local_model(layout, model, progress))));
        made(packages)?;
        let keys = scope.spawn(|| {
            parts.make(|| {
                database::migrate(layout, state, progress)?;
                database::seed(layout, state, progress)
            })
        });
        made(compilers)?;
        let (tools, bundles) = parts.make(|| {
            let tools = BuildTools::ready(layout, progress)?;
            let bundles = bundle::build_all(layout, &tools, plan.profile, progress)?;
            Ok((tools, bundles))
        })?;
        let model = match model {
            Some(model) => Some(made(model)?),
            None => None,
        };
        Some(Prepared {
            bundles,
            tools,
            keys: made(keys)?,
            model,
        })
    });
    parts.outcome(prepared)
}

/// Pieces of work of which one that fails makes the others useless.
#[derive(Default)]
struct Parts {
    failure: Mutex<Option<Error>>,
}

impl Parts {
    /// Does a piece of work. If it is the first to fail, it is kept as the reason and the others'
    /// programs are ended: nobody should wait for minutes to read what went wrong.
    fn make<T>(&self, work: impl FnOnce() -> Result<T>) -> Option<T> {
        let error = match work() {
            Ok(made) => return Some(made),
            Err(error) => error,
        };
        if let Ok(mut failure) = self.failure.lock()
            && failure.is_none()
        {
            *failure = Some(error);
            abandon_all();
        }
        None
    }

    fn outcome<T>(self, made: Option<T>) -> Result<T> {
        let failure = self.failure.into_inner().ok().flatten();
        made.ok_or_else(|| {
            failure.unwrap_or_else(|| {
                anyhow!("a part of the preparation broke down: see the lines above")
            })
        })
    }
}

fn made<T>(thread: ScopedJoinHandle<'_, Option<T>>) -> Option<T> {
    thread.join().ok().flatten()
}

/// The model's server, compiled while its weights are fetched.
pub(crate) fn local_model(
    layout: &Layout,
    model: &'static Model,
    progress: &Progress,
) -> Result<LocalModel> {
    thread::scope(|scope| {
        let weights = scope.spawn(|| model.fetched(layout, progress));
        let server = build_server(layout, progress)?;
        weights
            .join()
            .unwrap_or_else(|_| Err(anyhow!("fetching the model broke down")))?;
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
    fn first_failure_is_the_one_that_is_reported() {
        let parts = Parts::default();
        assert_eq!(parts.make(|| Ok(1)), Some(1));
        let failed = parts.make::<()>(|| Err(anyhow!("no npm")));
        assert!(
            parts
                .make::<()>(|| Err(anyhow!("ended by a signal")))
                .is_none()
        );
        assert_eq!(parts.outcome(failed).unwrap_err().to_string(), "no npm");
    }
}
