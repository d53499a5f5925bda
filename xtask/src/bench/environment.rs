//! The measured targets with one upstream: the gateway, a forwarding Worker, a Worker with the minimum of
//! runtime calls of our design, an earlier build of the gateway, and Portkey's gateway.

use std::{fs, net::SocketAddr, path::Path};

use anyhow::{Context, Result};
use serde::Deserialize;
use serde_json::json;

use super::{
    portkey::Portkey,
    runtime::Runtime,
    upstream::{MODEL, Upstream},
    worker_config::WorkerConfig,
};
use crate::{
    bundle::Bundle, layout::Layout, process::capture, progress::Progress, tools::rust::cargo,
};

/// The running processes of a benchmark.
pub(super) struct Environment {
    upstream: Upstream,
    pub(super) gateway: Runtime,
    forward: Runtime,
    floor: Runtime,
    /// An earlier build of the gateway, with the same tenant.
    earlier: Option<Runtime>,
    /// None if it can't be installed.
    portkey: Option<Portkey>,
    /// The key of the gateway's first tenant.
    key: String,
}

/// A compared target.
pub(super) struct Target {
    pub(super) name: &'static str,
    pub(super) address: SocketAddr,
    pub(super) pid: u32,
    /// Additional headers of its requests.
    pub(super) headers: String,
    /// Whether a failed request is an error. A failing third-party target is skipped.
    pub(super) is_ours: bool,
    /// Whether later targets are compared with it.
    pub(super) is_baseline: bool,
}

/// A tenant with a key, and the SQL that inserts it.
#[derive(Deserialize)]
pub(super) struct BenchTenant {
    sql: String,
    pub(super) tenant_id: String,
    pub(super) secret_key: String,
}

impl Environment {
    pub(super) fn start(
        layout: &Layout,
        gateway: &Bundle,
        earlier: Option<&Path>,
        progress: &Progress,
    ) -> Result<Self> {
        let portkey = Portkey::start(layout, progress);
        if let Err(error) = &portkey {
            eprintln!("Portkey's gateway is skipped: {error:#}");
        }
        let upstream = Upstream::start().context("can't start the upstream")?;
        let script = |file| {
            WorkerConfig::from_script(gateway.worker, layout, file)
                .with_variable("UPSTREAM", upstream.origin())
        };
        let forward = serve(layout, "forward", &script("forward.js"))?;
        let floor = serve(layout, "floor", &script("floor.js").with_objects())?;
        let serve_gateway = |name: &str, folder: &Path| {
            let worker = WorkerConfig::from_bundle(gateway.worker, folder)
                .with_variable("PROVIDERS", providers(&upstream).to_string())
                .with_variable("ALLOW_PRIVATE_PROVIDERS", "true");
            let runtime = serve(layout, name, &worker)?;
            migrate(layout, &runtime)?;
            Ok::<_, anyhow::Error>(runtime)
        };
        let current = serve_gateway("gateway", &gateway.folder)?;
        let tenant = generate_tenant(layout)?;
        insert(&current, &tenant)?;
        let earlier = earlier.map(|folder| {
            let runtime = serve_gateway("earlier", folder)?;
            insert(&runtime, &tenant)?;
            Ok::<_, anyhow::Error>(runtime)
        });
        Ok(Self {
            upstream,
            gateway: current,
            forward,
            floor,
            earlier: earlier
                .transpose()
                .context("can't start the earlier build")?,
            portkey: portkey.ok(),
            key: tenant.secret_key,
        })
    }

    /// The secret key of the gateway's first tenant.
    pub(super) fn key(&self) -> &str {
        &self.key
    }

    /// The targets, baselines first.
    pub(super) fn targets(&self) -> Vec<Target> {
        let ours = |name, runtime: &Runtime, is_baseline| Target {
            name,
            address: runtime.address,
            pid: runtime.pid(),
            headers: String::new(),
            is_ours: true,
            is_baseline,
        };
        let portkey = self.portkey.as_ref().map(|portkey| Target {
            name: "Portkey on Node",
            address: portkey.address,
            pid: portkey.pid(),
            headers: format!(
                "x-portkey-provider: openai\r\nx-portkey-custom-host: {}/v1",
                self.upstream.origin()
            ),
            is_ours: false,
            is_baseline: false,
        });
        let baselines = [
            ours("forward.js", &self.forward, true),
            ours("floor.js", &self.floor, true),
        ];
        let earlier = self.earlier.as_ref();
        baselines
            .into_iter()
            .chain(earlier.map(|runtime| ours("earlier build", runtime, true)))
            .chain([ours("gateway", &self.gateway, false)])
            .chain(portkey)
            .collect()
    }

    /// Adds a tenant with a key.
    pub(super) fn add_tenant(&self, layout: &Layout) -> Result<BenchTenant> {
        let tenant = generate_tenant(layout)?;
        insert(&self.gateway, &tenant)?;
        Ok(tenant)
    }
}

fn serve(layout: &Layout, name: &str, worker: &WorkerConfig<'_>) -> Result<Runtime> {
    let folder = layout.bench_folder().join(name);
    worker.write(layout, &folder)?;
    Runtime::start(layout, &folder)
}

fn providers(upstream: &Upstream) -> serde_json::Value {
    json!([{
        "name": "bench",
        "kind": "openai",
        "base_url": format!("{}/v1", upstream.origin()),
        "key": null,
        "models": [{ "id": MODEL, "context": 32768, "max_output": 4096 }],
    }])
}

fn generate_tenant(layout: &Layout) -> Result<BenchTenant> {
    let mut command = cargo();
    command
        .args(["run", "--quiet", "--package", "clawless-seed"])
        .current_dir(layout.root());
    serde_json::from_str(&capture(&mut command)?)
        .context("the output of clawless-seed is not valid")
}

/// Limits and quotas that are counted but never reached.
const LIMITS: &str = r#"{"limits":{"requests_per_minute":1000000000,"burst":1000000000,"concurrent":1000000000},"quotas":{"messages_per_month":1000000000000,"tokens_per_month":1000000000000,"micro_dollars_per_month":1000000000000}}"#;

fn insert(runtime: &Runtime, tenant: &BenchTenant) -> Result<()> {
    runtime.execute(&tenant.sql)?;
    runtime.execute(&format!("UPDATE tenants SET settings = '{LIMITS}'"))
}

fn migrate(layout: &Layout, runtime: &Runtime) -> Result<()> {
    let folder = layout.at("migrations");
    let mut files: Vec<_> = fs::read_dir(&folder)
        .with_context(|| format!("can't read {}", folder.display()))?
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<_>>()?;
    files.retain(|file| file.extension().is_some_and(|extension| extension == "sql"));
    files.sort();
    for file in files {
        let sql =
            fs::read_to_string(&file).with_context(|| format!("can't read {}", file.display()))?;
        runtime.execute(&sql)?;
    }
    Ok(())
}
