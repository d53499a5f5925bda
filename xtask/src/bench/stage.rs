//! Who is measured: the gateway, a Worker that only forwards, one that does the least that our design
//! asks of the runtime, and Portkey's gateway, all before the same upstream.

use std::{fs, net::SocketAddr};

use anyhow::{Context, Result};
use serde::Deserialize;
use serde_json::json;

use super::{
    portkey::Portkey,
    runtime::Runtime,
    surroundings::Surroundings,
    upstream::{MODEL, Upstream},
};
use crate::{
    bundle::Bundle, layout::Layout, process::capture, progress::Progress, tools::rust::cargo,
};

/// Everything that runs during a bench.
pub(super) struct Stage {
    upstream: Upstream,
    pub(super) gateway: Runtime,
    forward: Runtime,
    floor: Runtime,
    /// Absent where it cannot be installed.
    portkey: Option<Portkey>,
    /// The key of the gateway's first tenant.
    key: String,
}

/// One of those that are compared.
pub(super) struct Contestant {
    pub(super) name: &'static str,
    pub(super) address: SocketAddr,
    pub(super) pid: u32,
    /// What its requests need beside what all have.
    pub(super) headers: String,
    /// Whether a request that it cannot answer ends the bench: not where it is somebody else's.
    pub(super) is_ours: bool,
    /// Whether those after it are measured against it.
    pub(super) is_yardstick: bool,
}

/// A tenant with a key, and the SQL that made it known.
#[derive(Deserialize)]
pub(super) struct Seed {
    sql: String,
    pub(super) tenant_id: String,
    pub(super) secret_key: String,
}

impl Stage {
    pub(super) fn set(layout: &Layout, gateway: &Bundle, progress: &Progress) -> Result<Self> {
        let portkey = Portkey::start(layout, progress);
        if let Err(error) = &portkey {
            eprintln!("Portkey's gateway is left out: {error:#}");
        }
        let upstream = Upstream::start().context("can't start the bench's upstream")?;
        let script = |file| {
            Surroundings::of_script(gateway.worker, layout, file)
                .with("UPSTREAM", upstream.origin())
        };
        let forward = serve(layout, "forward", &script("forward.js"))?;
        let floor = serve(layout, "floor", &script("floor.js").with_objects())?;
        let gateway = serve(
            layout,
            "gateway",
            &Surroundings::of_bundle(gateway.worker, &gateway.folder)
                .with("PROVIDERS", providers(&upstream).to_string())
                .with("ALLOW_PRIVATE_PROVIDERS", "true"),
        )?;
        migrate(layout, &gateway)?;
        let seed = seed(layout)?;
        add(&gateway, &seed)?;
        Ok(Self {
            upstream,
            gateway,
            forward,
            floor,
            portkey: portkey.ok(),
            key: seed.secret_key,
        })
    }

    /// A chat request's headers and body are the same for all but for these.
    pub(super) fn key(&self) -> &str {
        &self.key
    }

    /// Who is compared; the yardsticks come first.
    pub(super) fn contestants(&self) -> Vec<Contestant> {
        let ours = |name, runtime: &Runtime, is_yardstick| Contestant {
            name,
            address: runtime.address,
            pid: runtime.pid(),
            headers: String::new(),
            is_ours: true,
            is_yardstick,
        };
        let portkey = self.portkey.as_ref().map(|portkey| Contestant {
            name: "Portkey on Node",
            address: portkey.address,
            pid: portkey.pid(),
            headers: format!(
                "x-portkey-provider: openai\r\nx-portkey-custom-host: {}/v1",
                self.upstream.origin()
            ),
            is_ours: false,
            is_yardstick: false,
        });
        let own = [
            ours("forward.js", &self.forward, true),
            ours("floor.js", &self.floor, true),
            ours("gateway", &self.gateway, false),
        ];
        own.into_iter().chain(portkey).collect()
    }

    /// Another tenant, with a key of its own.
    pub(super) fn another_tenant(&self, layout: &Layout) -> Result<Seed> {
        let seed = seed(layout)?;
        add(&self.gateway, &seed)?;
        Ok(seed)
    }
}

fn serve(layout: &Layout, name: &str, worker: &Surroundings<'_>) -> Result<Runtime> {
    let folder = super::scratch(layout).join(name);
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

fn seed(layout: &Layout) -> Result<Seed> {
    let mut command = cargo();
    command
        .args(["run", "--quiet", "--package", "clawless-seed"])
        .current_dir(layout.root());
    serde_json::from_str(&capture(&mut command)?)
        .context("clawless-seed printed something else than its JSON")
}

/// Limits and quotas that are counted with every request and never reached.
const LIMITS: &str = r#"{"limits":{"requests_per_minute":1000000000,"burst":1000000000,"concurrent":1000000000},"quotas":{"messages_per_month":1000000000000,"tokens_per_month":1000000000000,"micro_dollars_per_month":1000000000000}}"#;

fn add(runtime: &Runtime, seed: &Seed) -> Result<()> {
    runtime.execute(&seed.sql)?;
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
