//! wrangler's own dry run on each configuration and bundle.

use std::fs;

use anyhow::{Context, Result, bail};

use crate::{
    bundle::FILES,
    deploy::{
        configuration::Resources,
        environment::{Entry, Environments},
        plan::UNKNOWN,
        target::{Selection, Target},
    },
    layout::{Layout, WORKERS},
    process::run_logged,
    progress::Progress,
    tools::npm,
};

/// Checks the configurations of all environments with the bundles, as if their resources existed.
pub(crate) fn validate_all(layout: &Layout, progress: &Progress) -> Result<()> {
    let resources = Resources::read(layout)?;
    for env in Environments::read(layout)?.names() {
        let mut target = Target::open(layout, &Selection { env }, true, progress)?;
        for name in &resources.databases {
            target.record(Entry::Database(name), UNKNOWN)?;
        }
        for binding in &resources.namespaces {
            target.record(Entry::Namespace(binding), UNKNOWN)?;
        }
        for worker in WORKERS {
            target.write_config(worker, "unknown")?;
        }
        validate(layout, &target, progress)?;
    }
    Ok(())
}

/// Checks the generated configuration of each Worker with its bundle. Needs no account.
pub(crate) fn validate(layout: &Layout, target: &Target<'_>, progress: &Progress) -> Result<()> {
    for worker in WORKERS {
        let task = progress.task(format!("wrangler accepts {}", target.worker(worker)));
        let out = layout.at("build/dry-run").join(worker);
        if out.exists() {
            fs::remove_dir_all(&out).with_context(|| format!("can't empty {}", out.display()))?;
        }
        let mut command = npm::wrangler(layout, &layout.default_state())?;
        command.args(["deploy", "--dry-run", "--outdir"]).arg(&out);
        command.arg("--config").arg(target.config(worker));
        let log = layout.at(format!(".clawless/logs/dry-run-{worker}.log"));
        run_logged(&mut command, &log, Some(&task))?;
        // wrangler ignores modules that no rule of the configuration matches.
        if let Some(missing) = FILES.iter().find(|file| !out.join(file).is_file()) {
            bail!(
                "wrangler would not upload {missing} of {worker}: see `rules` in its configuration"
            );
        }
        task.done();
    }
    Ok(())
}
