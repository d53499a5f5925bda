//! The tools that there are, and those that a turn may use.

use clawless_core::chat::ChatOptions;
use clawless_core::json::Json;
use clawless_core::time::Millis;
use clawless_core::tool::{FunctionTool, Tool};
use clawless_core::{Scope, Scopes, Tokens};
use clawless_llm::tokens;

use super::TOOLS;
use crate::caller::Caller;

/// A tool, as the registry knows it.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) name: &'static str,
    pub(super) description: &'static str,
    pub(super) schema: &'static str,
    pub(super) permission: Scope,
    pub(super) timeout: Millis,
}

/// Declares the tools: the module and the type of each.
macro_rules! registry {
    ($($(#[doc = $doc:literal])* $(#[cfg($($cfg:tt)*)])? $module:ident::$tool:ident,)*) => {
        $($(#[doc = $doc])* $(#[cfg($($cfg)*)])? mod $module;)*

        /// All tools.
        const TOOLS: &[registry::Entry] = &[$(
            $(#[cfg($($cfg)*)])?
            registry::Entry {
                name: <$module::$tool as Tool>::NAME,
                description: <$module::$tool as Tool>::DESCRIPTION,
                schema: include_str!(concat!(stringify!($module), ".schema.json")),
                permission: <$module::$tool as Tool>::PERMISSION,
                timeout: <$module::$tool as Tool>::TIMEOUT,
            },
        )*];

        /// Runs the tool of this name.
        async fn run<P: crate::platform::Platform>(
            context: &ToolContext<'_, P>,
            name: &str,
            arguments: &str,
        ) -> Result<String, Failure> {
            $(
                $(#[cfg($($cfg)*)])?
                if name == <$module::$tool as Tool>::NAME {
                    return execute::call::<$module::$tool, P>(context, arguments).await;
                }
            )*
            Err(Failure::Refused(format!("There is no tool `{name}`.")))
        }

        /// The schema of every tool's arguments, as their types have it.
        #[cfg(test)]
        fn derived() -> Vec<(&'static str, schemars::Schema)> {
            vec![$(
                (
                    stringify!($module),
                    schemars::schema_for!(<$module::$tool as Tool>::Arguments),
                ),
            )*]
        }
    };
}
pub(super) use registry;

/// The tools that a turn may use.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Toolbox(Vec<&'static str>);

impl Toolbox {
    /// The tools that a tenant has switched on and a key allows.
    pub fn open(tenant: &[String], scopes: &Scopes) -> Self {
        let may = |entry: &&Entry| scopes.allow(Scope::Tools) && scopes.allow(entry.permission);
        let tools = TOOLS.iter().filter(may).map(|entry| entry.name);
        Self(tools.filter(|name| is_in(tenant, name)).collect())
    }

    /// Leaves those that the session has switched on too, where it says anything.
    pub fn narrow(&mut self, session: Option<&[String]>) {
        self.0
            .retain(|name| session.is_none_or(|list| is_in(list, name)));
    }

    /// The tools that a caller may use, as far as its tenant says.
    pub fn of(caller: &Caller) -> Self {
        Self::open(&caller.tenant().settings.tools, &caller.key().scopes)
    }

    /// About how many tokens it takes to offer them.
    pub fn tokens(&self) -> Tokens {
        if self.0.is_empty() {
            return Tokens::ZERO;
        }
        let tools = self.offers().into_iter().map(Tool::from);
        let options = ChatOptions {
            tools: Some(tools.collect()),
            ..ChatOptions::default()
        };
        tokens::of_messages(&[], &options)
    }

    /// The tools as a model is offered them.
    pub fn offers(&self) -> Vec<FunctionTool> {
        let entries = TOOLS.iter().filter(|entry| self.0.contains(&entry.name));
        entries
            .map(|entry| FunctionTool {
                name: entry.name.to_owned(),
                description: Some(entry.description.to_owned()),
                parameters: Json::parse(entry.schema.to_owned()).ok(),
                strict: None,
            })
            .collect()
    }

    /// The tool of this name, if the turn may use it.
    pub(super) fn find(&self, name: &str) -> Option<&'static Entry> {
        let mut entries = TOOLS.iter();
        entries.find(|entry| entry.name == name && self.0.contains(&entry.name))
    }

    /// The names of the tools.
    pub fn names(&self) -> &[&'static str] {
        &self.0
    }
}

fn is_in(list: &[String], name: &str) -> bool {
    list.iter().any(|on| on == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(tools: &[&str]) -> Vec<String> {
        tools.iter().map(|&name| name.to_owned()).collect()
    }

    #[test]
    fn a_session_can_switch_off_what_its_tenant_has_on_and_nothing_more() {
        let (all, tenant) = (Scopes::all(), names(&["time_now", "no_such_tool"]));
        let open = |session: Option<&[String]>| {
            let mut tools = Toolbox::open(&tenant, &all);
            tools.narrow(session);
            tools.0
        };
        assert_eq!(open(None), ["time_now"]);
        assert_eq!(open(Some(&[])), Vec::<&str>::new());
        let wider = names(&["time_now", "sessions_history"]);
        assert_eq!(open(Some(&wider)), ["time_now"]);
    }

    #[test]
    fn a_key_without_the_scope_has_no_tools() {
        let tenant = names(&["time_now", "sessions_history"]);
        let open = |scopes: &[Scope]| {
            let scopes = scopes.iter().copied().collect();
            Toolbox::open(&tenant, &scopes).0
        };
        assert!(open(&[Scope::Chat, Scope::SessionsRead]).is_empty());
        assert_eq!(open(&[Scope::Chat, Scope::Tools]), ["time_now"]);
        let both = open(&[Scope::Chat, Scope::Tools, Scope::SessionsRead]);
        assert_eq!(both, ["sessions_history", "time_now"]);
    }

    #[test]
    fn every_tool_is_offered_with_a_schema_that_providers_take() {
        let all: Vec<String> = TOOLS.iter().map(|entry| entry.name.to_owned()).collect();
        let offers = Toolbox::open(&all, &Scopes::all()).offers();
        assert_eq!(offers.len(), TOOLS.len());
        for offer in offers {
            let schema = offer.parameters.expect("a schema");
            let schema: serde_json::Value = schema.read().expect("JSON");
            assert_eq!(schema["type"], "object", "{}", offer.name);
            assert_eq!(schema["additionalProperties"], false, "{}", offer.name);
        }
    }
}
