//! A Worker's configuration for one environment, derived from `wrangler/`, and the resources that it names.

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use serde_json::{Map, Value, json};

use crate::{
    deploy::environment::Environment,
    layout::{Layout, WORKERS},
    stack::config,
};

/// The variable with the commit of a deployed Worker.
pub(crate) const BUILD_COMMIT: &str = "BUILD_COMMIT";

/// A configuration that wrangler reads.
pub(crate) type Config = Map<String, Value>;

/// The names of the resources of all Workers, without the environment's suffix.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Resources {
    /// D1 databases.
    pub(crate) databases: BTreeSet<String>,
    /// KV namespaces, by binding.
    pub(crate) namespaces: BTreeSet<String>,
    /// Queues, with the dead-letter queues.
    pub(crate) queues: BTreeSet<String>,
    /// R2 buckets.
    pub(crate) buckets: BTreeSet<String>,
}

impl Resources {
    /// The resources of the committed configurations.
    pub(crate) fn read(layout: &Layout) -> Result<Self> {
        let mut resources = Self::default();
        for worker in WORKERS {
            resources.add(&mut config::read(layout, worker)?);
        }
        Ok(resources)
    }

    fn add(&mut self, config: &mut Config) {
        for (kind, name) in named_resources(config) {
            let name = name.as_str().unwrap_or_default().to_owned();
            match kind {
                Kind::Database => self.databases.insert(name),
                Kind::Namespace => self.namespaces.insert(name),
                Kind::Queue => self.queues.insert(name),
                Kind::Bucket => self.buckets.insert(name),
                Kind::Worker => false,
            };
        }
    }
}

/// The title of the namespace behind a binding, without suffix.
pub(crate) fn title_of(binding: &str) -> String {
    format!("clawless-{}", binding.to_lowercase().replace('_', "-"))
}

/// The name of a Worker in an environment.
pub(crate) fn name_of(worker: &str, environment: &Environment) -> String {
    format!("clawless-{worker}{}", environment.suffix)
}

/// The configuration of one Worker in an environment. `commit` becomes the build stamp.
pub(crate) fn derive(
    layout: &Layout,
    worker: &str,
    name: &str,
    environment: &Environment,
    commit: &str,
) -> Result<Config> {
    let mut config = with_variables(layout, worker, environment)?;
    config.remove("$schema");
    let main = layout.at(format!("build/release/{worker}/index.js"));
    config.insert("main".to_owned(), json!(main));
    if let Some(account) = &environment.account_id {
        config.insert("account_id".to_owned(), json!(account));
    }
    set_ids(&mut config, layout, environment)?;
    for (kind, value) in named_resources(&mut config) {
        // Namespaces have an id, and the name of their binding stays.
        if let (Some(text), false) = (value.as_str(), matches!(kind, Kind::Namespace)) {
            *value = json!(format!("{text}{}", environment.suffix));
        }
    }
    offset_rate_limits(&mut config, environment)?;
    if worker == "gateway" {
        set_routes(&mut config, environment);
    }
    let stamp = [("ENVIRONMENT", name), (BUILD_COMMIT, commit)];
    let stamp = stamp.map(|(variable, value)| (variable.to_owned(), json!(value)));
    config::set_variables(&mut config, Config::from_iter(stamp));
    Ok(config)
}

/// A committed configuration with the variables of an environment.
pub(crate) fn with_variables(
    layout: &Layout,
    worker: &str,
    environment: &Environment,
) -> Result<Config> {
    let mut config = config::read(layout, worker)?;
    let variables = environment.vars.get(worker).cloned().unwrap_or_default();
    config::set_variables(&mut config, variables);
    Ok(config)
}

/// Removes the bindings to Workers that do not exist before the first deployment.
pub(crate) fn without_services(mut config: Config) -> Config {
    config.remove("services");
    config
}

/// What a name refers to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Worker,
    Database,
    Namespace,
    Queue,
    Bucket,
}

/// Where configurations have names: a path of members, where `*` means each element of a list.
const NAMES: [(Kind, &[&str]); 9] = [
    (Kind::Worker, &["name"]),
    (Kind::Worker, &["services", "*", "service"]),
    (
        Kind::Worker,
        &["durable_objects", "bindings", "*", "script_name"],
    ),
    (Kind::Database, &["d1_databases", "*", "database_name"]),
    (Kind::Namespace, &["kv_namespaces", "*", "binding"]),
    (Kind::Queue, &["queues", "producers", "*", "queue"]),
    (Kind::Queue, &["queues", "consumers", "*", "queue"]),
    (
        Kind::Queue,
        &["queues", "consumers", "*", "dead_letter_queue"],
    ),
    (Kind::Bucket, &["r2_buckets", "*", "bucket_name"]),
];

/// The names in a configuration with what they refer to.
fn named_resources(config: &mut Config) -> Vec<(Kind, &mut Value)> {
    // Each path is looked up in its own top-level member, which no other path may borrow meanwhile.
    let mut found = Vec::new();
    for (member, value) in config.iter_mut() {
        let paths = NAMES
            .iter()
            .filter(|(_, path)| path.first() == Some(&member.as_str()));
        let paths: Vec<_> = paths
            .map(|(kind, path)| (*kind, path.get(1..).unwrap_or_default()))
            .collect();
        collect(value, &paths, &mut found);
    }
    found
}

fn collect<'a>(
    value: &'a mut Value,
    paths: &[(Kind, &[&str])],
    found: &mut Vec<(Kind, &'a mut Value)>,
) {
    if let Some((kind, _)) = paths.iter().find(|(_, path)| path.is_empty()) {
        found.push((*kind, value));
        return;
    }
    let below = |step: &str| -> Vec<(Kind, &[&str])> {
        let matching = paths.iter().filter_map(|(kind, path)| {
            let (first, rest) = path.split_first()?;
            (*first == step).then_some((*kind, rest))
        });
        matching.collect()
    };
    match value {
        Value::Array(elements) => {
            let paths = below("*");
            for element in elements.iter_mut().filter(|_| !paths.is_empty()) {
                collect(element, &paths, found);
            }
        }
        Value::Object(members) => {
            for (member, value) in members.iter_mut() {
                let paths = below(member);
                if !paths.is_empty() {
                    collect(value, &paths, found);
                }
            }
        }
        _ => {}
    }
}

/// Sets the ids of databases and namespaces.
fn set_ids(config: &mut Config, layout: &Layout, environment: &Environment) -> Result<()> {
    for database in elements(config, "d1_databases") {
        let name = text(database, "database_name")?;
        let id = environment.databases.get(&name);
        let id = id.with_context(|| format!("the database {name} has no id yet"))?;
        database.insert("database_id".to_owned(), json!(id));
        database.insert("migrations_dir".to_owned(), json!(layout.at("migrations")));
    }
    for namespace in elements(config, "kv_namespaces") {
        let binding = text(namespace, "binding")?;
        let id = environment.namespaces.get(&binding);
        let id = id.with_context(|| format!("the namespace {binding} has no id yet"))?;
        namespace.insert("id".to_owned(), json!(id));
    }
    Ok(())
}

fn offset_rate_limits(config: &mut Config, environment: &Environment) -> Result<()> {
    for limit in elements(config, "ratelimits") {
        let id = text(limit, "namespace_id")?;
        let id: u32 = id
            .parse()
            .with_context(|| format!("the namespace_id {id} is not a number"))?;
        let id = id.saturating_add(environment.rate_limit_offset);
        limit.insert("namespace_id".to_owned(), json!(id.to_string()));
    }
    Ok(())
}

/// Sets the addresses of the gateway. With its own domain or routes it leaves the platform's domain.
fn set_routes(config: &mut Config, environment: &Environment) {
    let domain = environment.domain.iter();
    let domain = domain.map(|domain| json!({"pattern": domain, "custom_domain": true}));
    let routes: Vec<Value> = domain.chain(environment.routes.iter().cloned()).collect();
    if !routes.is_empty() {
        config.insert("workers_dev".to_owned(), json!(false));
        config.insert("routes".to_owned(), Value::Array(routes));
    }
}

fn elements<'a>(config: &'a mut Config, list: &str) -> impl Iterator<Item = &'a mut Config> {
    let list = config.get_mut(list).and_then(Value::as_array_mut);
    list.into_iter().flatten().filter_map(Value::as_object_mut)
}

fn text(object: &Config, member: &str) -> Result<String> {
    let value = object.get(member).and_then(Value::as_str);
    Ok(value
        .with_context(|| format!("a binding has no {member}"))?
        .to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deploy::environment::Environments;

    fn environment(name: &str) -> Environment {
        let layout = Layout::find().unwrap();
        let mut environment = Environments::read(&layout)
            .unwrap()
            .get(name)
            .unwrap()
            .clone();
        environment
            .databases
            .insert("clawless".to_owned(), format!("d1-{name}"));
        environment
            .namespaces
            .insert("CACHE".to_owned(), format!("kv-{name}"));
        environment
    }

    fn derived(worker: &str, name: &str) -> Value {
        let layout = Layout::find().unwrap();
        Value::Object(derive(&layout, worker, name, &environment(name), "abc").unwrap())
    }

    #[test]
    fn resources_are_those_of_the_committed_configurations() {
        let resources = Resources::read(&Layout::find().unwrap()).unwrap();
        let names = |set: &BTreeSet<String>| set.iter().cloned().collect::<Vec<_>>();
        assert_eq!(names(&resources.databases), ["clawless"]);
        assert_eq!(names(&resources.namespaces), ["CACHE"]);
        assert_eq!(title_of("CACHE"), "clawless-cache");
        assert_eq!(
            names(&resources.queues),
            ["clawless-sends", "clawless-sends-dead"]
        );
    }

    /// All names and ids in a configuration that other Workers of the account could also use.
    fn shareable(config: &Value) -> BTreeSet<String> {
        let mut config = config.as_object().unwrap().clone();
        let mut all: BTreeSet<String> = named_resources(&mut config)
            .into_iter()
            .filter(|(kind, _)| *kind != Kind::Namespace)
            .map(|(_, name)| name.as_str().unwrap().to_owned())
            .collect();
        for (list, member) in [
            ("d1_databases", "database_id"),
            ("kv_namespaces", "id"),
            ("ratelimits", "namespace_id"),
        ] {
            all.extend(elements(&mut config, list).map(|it| text(it, member).unwrap()));
        }
        all
    }

    #[test]
    fn environments_share_no_resource() {
        for worker in WORKERS {
            let (production, staging) = (
                shareable(&derived(worker, "production")),
                shareable(&derived(worker, "staging")),
            );
            assert_eq!(production.len(), staging.len());
            assert_eq!(
                production.intersection(&staging).count(),
                0,
                "{production:?} {staging:?}"
            );
        }
        assert_eq!(shareable(&derived("gateway", "staging")).len(), 12);
    }

    #[test]
    fn a_configuration_has_the_names_ids_and_variables_of_its_environment() {
        let config = derived("gateway", "staging");
        for (path, expected) in [
            ("/name", json!("clawless-gateway-staging")),
            ("/services/0/service", json!("clawless-admin-staging")),
            ("/d1_databases/0/database_name", json!("clawless-staging")),
            ("/d1_databases/0/database_id", json!("d1-staging")),
            ("/kv_namespaces/0/id", json!("kv-staging")),
            ("/kv_namespaces/0/binding", json!("CACHE")),
            (
                "/queues/consumers/0/dead_letter_queue",
                json!("clawless-sends-dead-staging"),
            ),
            ("/ratelimits/0/namespace_id", json!("2001")),
            ("/vars/ENVIRONMENT", json!("staging")),
            ("/vars/BUILD_COMMIT", json!("abc")),
            ("/vars/LOG_LEVEL", json!("info")),
            ("/workers_dev", json!(true)),
        ] {
            assert_eq!(config.pointer(path), Some(&expected), "{path}");
        }
        for worker in WORKERS {
            let database = derived(worker, "staging");
            let database = database.pointer("/d1_databases/0/database_id");
            assert_eq!(database, Some(&json!("d1-staging")), "{worker}");
        }
        let admin = derived("admin", "staging");
        let script = admin.pointer("/durable_objects/bindings/0/script_name");
        assert_eq!(script, Some(&json!("clawless-gateway-staging")));
    }

    #[test]
    fn only_the_gateway_gets_the_domain() {
        let layout = Layout::find().unwrap();
        let mut production = environment("production");
        production.domain = Some("api.example.com".to_owned());
        production.routes =
            vec![json!({"pattern": "example.com/v1/*", "zone_name": "example.com"})];
        let config = |worker| {
            Value::Object(derive(&layout, worker, "production", &production, "abc").unwrap())
        };
        let gateway = config("gateway");
        assert_eq!(
            gateway.pointer("/routes/0"),
            Some(&json!({"pattern": "api.example.com", "custom_domain": true}))
        );
        assert_eq!(
            gateway.pointer("/routes/1/zone_name"),
            Some(&json!("example.com"))
        );
        assert_eq!(gateway.pointer("/workers_dev"), Some(&json!(false)));
        for worker in ["admin", "widget-server"] {
            assert_eq!(
                (
                    config(worker).get("routes"),
                    config(worker).pointer("/workers_dev")
                ),
                (None, Some(&json!(false)))
            );
        }
    }

    #[test]
    fn a_missing_id_is_named() {
        let layout = Layout::find().unwrap();
        let mut staging = environment("staging");
        staging.namespaces.clear();
        let error = derive(&layout, "gateway", "staging", &staging, "abc").unwrap_err();
        assert!(error.to_string().contains("CACHE"), "{error}");
    }
}
