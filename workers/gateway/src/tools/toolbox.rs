//! The tools that a turn may use.

use clawless_core::chat::ChatOptions;
use clawless_core::json::Json;
use clawless_core::tool::{FunctionTool, Tool};
use clawless_core::{Scope, Scopes, Tokens};
use clawless_llm::tokens;

use super::registry::{Entry, TOOLS};
use crate::caller::Caller;

/// The tools that a turn may use.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Toolbox(Vec<&'static str>);

impl Toolbox {
    /// The tools that a tenant has enabled and a key allows.
    pub fn new(tenant: &[String], scopes: &Scopes) -> Self {
        let may = |entry: &&Entry| scopes.allow(Scope::Tools) && scopes.allow(entry.permission);
        let tools = TOOLS.iter().filter(may).map(|entry| entry.name);
        Self(tools.filter(|name| is_in(tenant, name)).collect())
    }

    /// Keeps only the tools that the session has enabled, too, if it has a list of its own.
    pub fn narrow(&mut self, session: Option<&[String]>) {
        self.0
            .retain(|name| session.is_none_or(|list| is_in(list, name)));
    }

    /// The tools that a caller may use.
    pub fn for_caller(caller: &Caller) -> Self {
        Self::new(&caller.tenant().settings.tools, &caller.key().scopes)
    }

    /// The estimated tokens of their definitions.
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

    /// The definitions for the model.
    pub fn offers(&self) -> Vec<FunctionTool> {
        let entries = TOOLS.iter().filter(|entry| self.0.contains(&entry.name));
        entries
            .map(|entry| FunctionTool {
                name: entry.name.to_owned(),
                description: Some(entry.description.to_owned()),
                parameters: Json::parse(entry.schema.to_owned()).ok(),
                ..FunctionTool::default()
            })
            .collect()
    }

    /// The tool with this name, if the turn may use it.
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
    fn a_session_can_only_disable_tools_of_its_tenant() {
        let (all, tenant) = (Scopes::all(), names(&["time_now", "no_such_tool"]));
        let names_of = |session: Option<&[String]>| {
            let mut tools = Toolbox::new(&tenant, &all);
            tools.narrow(session);
            tools.0
        };
        assert_eq!(names_of(None), ["time_now"]);
        assert_eq!(names_of(Some(&[])), Vec::<&str>::new());
        let wider = names(&["time_now", "sessions_history"]);
        assert_eq!(names_of(Some(&wider)), ["time_now"]);
    }

    #[test]
    fn a_key_without_the_scope_has_no_tools() {
        let tenant = names(&["time_now", "sessions_history"]);
        let names_of = |scopes: &[Scope]| {
            let scopes = scopes.iter().copied().collect();
            Toolbox::new(&tenant, &scopes).0
        };
        assert!(names_of(&[Scope::Chat, Scope::SessionsRead]).is_empty());
        assert_eq!(names_of(&[Scope::Chat, Scope::Tools]), ["time_now"]);
        let both = names_of(&[Scope::Chat, Scope::Tools, Scope::SessionsRead]);
        assert_eq!(both, ["sessions_history", "time_now"]);
    }

    #[test]
    fn every_tool_is_offered_with_a_schema_that_providers_accept() {
        let all: Vec<String> = TOOLS.iter().map(|entry| entry.name.to_owned()).collect();
        let offers = Toolbox::new(&all, &Scopes::all()).offers();
        assert_eq!(offers.len(), TOOLS.len());
        for offer in offers {
            let schema = offer.parameters.expect("a schema");
            let schema: serde_json::Value = schema.read().expect("JSON");
            assert_eq!(schema["type"], "object", "{}", offer.name);
            assert_eq!(schema["additionalProperties"], false, "{}", offer.name);
        }
    }
}
