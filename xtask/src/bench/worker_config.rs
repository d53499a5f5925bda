//! Converts a Worker's wrangler configuration for plain `workerd serve`.
//!
//! wrangler's D1 and KV simulators only run inside wrangler, so the benchmark emulates them behind the
//! runtime's real bindings: `SQLite` in a Durable Object for D1, a map in
//! memory for KV (`bench/workers/*.js`). Durable Objects are workerd's own. There is no rate-limit
//! binding: it only counts invalid keys, and the gateway works without it.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::{bundle::FILES, layout::Layout};

/// The name of the configuration file in a Worker's folder.
pub(super) const CONFIG: &str = "workerd.capnp";

/// The relevant part of a wrangler configuration.
#[derive(Debug, Deserialize)]
struct Wrangler {
    compatibility_date: String,
    #[serde(default)]
    compatibility_flags: Vec<String>,
    #[serde(default)]
    vars: Map<String, Value>,
    #[serde(default)]
    d1_databases: Vec<Bound>,
    #[serde(default)]
    kv_namespaces: Vec<Bound>,
    #[serde(default)]
    services: Vec<Bound>,
    #[serde(default)]
    durable_objects: DurableObjects,
}

#[derive(Debug, Default, Deserialize)]
struct DurableObjects {
    bindings: Vec<BoundObject>,
}

/// A namespace of Durable Objects.
#[derive(Debug, Deserialize)]
struct BoundObject {
    name: String,
    class_name: String,
    /// The Worker that exports the class, by default this one.
    script_name: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Bound {
    binding: String,
}

/// A Worker to serve.
pub(super) struct WorkerConfig<'a> {
    /// The Worker with the wrangler configuration.
    pub(super) worker: &'a str,
    /// Its main module, then the imported modules.
    pub(super) modules: Vec<PathBuf>,
    /// Whether the main module exports the classes of the Worker's Durable Objects.
    exports_objects: bool,
    /// Additional or overridden variables.
    pub(super) vars: Vec<(&'a str, String)>,
}

impl<'a> WorkerConfig<'a> {
    /// A built bundle.
    pub(super) fn from_bundle(worker: &'a str, folder: &Path) -> Self {
        Self {
            worker,
            modules: FILES.iter().map(|file| folder.join(file)).collect(),
            exports_objects: true,
            vars: Vec::new(),
        }
    }

    /// A script of the benchmark with the bindings of `worker`, without Durable Objects unless it
    /// [exports them](Self::with_objects).
    pub(super) fn from_script(worker: &'a str, layout: &Layout, script: &str) -> Self {
        Self {
            worker,
            modules: vec![layout.at("bench/workers").join(script)],
            exports_objects: false,
            vars: Vec::new(),
        }
    }

    /// The script exports the classes of the Worker's Durable Objects.
    pub(super) fn with_objects(mut self) -> Self {
        self.exports_objects = true;
        self
    }

    /// Sets a variable.
    pub(super) fn with_variable(mut self, name: &'a str, value: impl Into<String>) -> Self {
        self.vars.push((name, value.into()));
        self
    }

    /// Writes the files for workerd to `folder`. Deletes its previous content.
    pub(super) fn write(&self, layout: &Layout, folder: &Path) -> Result<()> {
        if folder.exists() {
            fs::remove_dir_all(folder)
                .with_context(|| format!("can't empty {}", folder.display()))?;
        }
        for disk in ["database", "objects"] {
            fs::create_dir_all(folder.join(disk))
                .with_context(|| format!("can't create {}", folder.display()))?;
        }
        let emulations = ["empty.js", "cache.js", "database.js", "ledger.js"]
            .map(|file| layout.at("bench/workers").join(file));
        for file in self.modules.iter().chain(&emulations) {
            let name = file.file_name().context("a module has a file name")?;
            fs::copy(file, folder.join(name))
                .with_context(|| format!("can't read {}", file.display()))?;
        }
        let wrangler = read_wrangler(layout, self.worker)?;
        let config = folder.join(CONFIG);
        fs::write(&config, self.config(&wrangler)?)
            .with_context(|| format!("can't write {}", config.display()))
    }

    fn config(&self, wrangler: &Wrangler) -> Result<String> {
        let date = quoted(&wrangler.compatibility_date);
        let flags: Vec<_> = wrangler
            .compatibility_flags
            .iter()
            .map(|flag| quoted(flag))
            .collect();
        let mut modules = String::new();
        for file in &self.modules {
            let name = quoted(&file.file_name().unwrap_or_default().to_string_lossy());
            let kind = if file
                .extension()
                .is_some_and(|extension| extension == "wasm")
            {
                "wasm"
            } else {
                "esModule"
            };
            write!(modules, "(name = {name}, {kind} = embed {name}), ")?;
        }
        Ok(format!(
            r#"using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [
    (name = "main", worker = (
      modules = [{modules}],
      compatibilityDate = {date},
      compatibilityFlags = [{flags}],
      bindings = [{bindings}],
      durableObjectNamespaces = [{namespaces}],
      durableObjectStorage = (localDisk = "objects"),
    )),
    (name = "empty", worker = (modules = [(name = "empty.js", esModule = embed "empty.js")], compatibilityDate = {date})),
    (name = "cache", worker = (modules = [(name = "cache.js", esModule = embed "cache.js")], compatibilityDate = {date})),
    (name = "database", worker = (
      modules = [(name = "database.js", esModule = embed "database.js")],
      compatibilityDate = {date},
      durableObjectNamespaces = [(className = "Database", uniqueKey = "bench", enableSql = true)],
      durableObjectStorage = (localDisk = "disk"),
      bindings = [(name = "DATABASE", durableObjectNamespace = "Database")],
    )),
    (name = "ledgers", worker = (
      modules = [(name = "ledger.js", esModule = embed "ledger.js")],
      compatibilityDate = {date},
      bindings = [{ledgers}],
    )),
    (name = "disk", disk = (path = "database", writable = true)),
    (name = "objects", disk = (path = "objects", writable = true)),
    (name = "internet", network = (allow = ["private", "local"])),
  ],
  sockets = [
    (name = "main", address = "127.0.0.1:0", http = (), service = "main"),
    (name = "database", address = "127.0.0.1:0", http = (), service = "database"),
    (name = "ledgers", address = "127.0.0.1:0", http = (), service = "ledgers"),
  ],
);
"#,
            flags = flags.join(", "),
            bindings = self.bindings(wrangler)?,
            namespaces = self.namespaces(wrangler)?,
            ledgers = self.ledgers(wrangler)?,
        ))
    }

    /// The Durable Objects of the main module, without those of other Workers.
    fn objects<'w>(&self, wrangler: &'w Wrangler) -> impl Iterator<Item = &'w BoundObject> {
        let bound = wrangler.durable_objects.bindings.iter();
        let exports = self.exports_objects;
        bound.filter(move |object| exports && object.script_name.is_none())
    }

    fn namespaces(&self, wrangler: &Wrangler) -> Result<String> {
        let mut namespaces = String::new();
        for BoundObject { class_name, .. } in self.objects(wrangler) {
            let class = quoted(class_name);
            write!(
                namespaces,
                "(className = {class}, uniqueKey = {class}, enableSql = true), "
            )?;
        }
        Ok(namespaces)
    }

    /// Bindings of another Worker to the same namespaces.
    fn ledgers(&self, wrangler: &Wrangler) -> Result<String> {
        let mut bindings = String::new();
        for BoundObject {
            name, class_name, ..
        } in self.objects(wrangler)
        {
            let (name, class) = (quoted(name), quoted(class_name));
            write!(
                bindings,
                r#"(name = {name}, durableObjectNamespace = (className = {class}, serviceName = "main")), "#
            )?;
        }
        Ok(bindings)
    }

    fn bindings(&self, wrangler: &Wrangler) -> Result<String> {
        let mut vars = wrangler.vars.clone();
        for (name, value) in &self.vars {
            vars.insert((*name).to_owned(), Value::String(value.clone()));
        }
        let mut bindings = String::new();
        for (name, value) in &vars {
            let (kind, text) = match value {
                Value::String(text) => ("text", text.clone()),
                other => ("json", other.to_string()),
            };
            write!(
                bindings,
                "(name = {}, {kind} = {}), ",
                quoted(name),
                quoted(&text)
            )?;
        }
        for Bound { binding } in &wrangler.d1_databases {
            write!(
                bindings,
                r#"(name = {}, wrapped = (moduleName = "cloudflare-internal:d1-api", innerBindings = [(name = "fetcher", service = "database")])), "#,
                quoted(binding)
            )?;
        }
        for Bound { binding } in &wrangler.kv_namespaces {
            write!(
                bindings,
                r#"(name = {}, kvNamespace = "cache"), "#,
                quoted(binding)
            )?;
        }
        for Bound { binding } in &wrangler.services {
            write!(
                bindings,
                r#"(name = {}, service = "empty"), "#,
                quoted(binding)
            )?;
        }
        for BoundObject {
            name, class_name, ..
        } in self.objects(wrangler)
        {
            write!(
                bindings,
                "(name = {}, durableObjectNamespace = {}), ",
                quoted(name),
                quoted(class_name)
            )?;
        }
        Ok(bindings)
    }
}

fn read_wrangler(layout: &Layout, worker: &str) -> Result<Wrangler> {
    let path = layout.at(format!("wrangler/{worker}.jsonc"));
    let text =
        fs::read_to_string(&path).with_context(|| format!("can't read {}", path.display()))?;
    jsonc_parser::parse_to_serde_value(&text, &jsonc_parser::ParseOptions::default())
        .with_context(|| format!("{} is not JSON with comments", path.display()))
}

/// A string literal of the configuration language.
fn quoted(text: &str) -> String {
    let mut literal = String::from('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => literal.extend(['\\', character]),
            '\n' => literal.push_str("\\n"),
            other => literal.push(other),
        }
    }
    literal.push('"');
    literal
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn json_is_escaped_as_a_string_literal() {
        assert_eq!(quoted("[{\"a\":\"b\\c\"}]\n"), r#""[{\"a\":\"b\\c\"}]\n""#);
    }
}
