//! The tools that read the tenant's sessions.

use std::rc::Rc;

use clawless_core::Millis;
use clawless_core::session::Change;
use clawless_core::time::Timer;
use serde_json::{Value, json};

use crate::support::{Customer, Deployment, completion_reply};
use crate::{calls, customer, provider_requests, recorded, tool_results};

/// The result of one tool call.
fn result_of(
    deployment: &Rc<Deployment>,
    customer: &Customer,
    session: &str,
    tool: &str,
    arguments: &Value,
) -> String {
    let arguments = arguments.to_string();
    deployment
        .http
        .next(calls(None, &[("c", tool, &arguments)]));
    deployment.http.next(completion_reply("Done."));
    let response = deployment.chat_in_session(customer, session, "Do it.");
    assert_eq!(response.status, 200, "{}", response.body);
    tool_results(deployment).last().expect("a result").clone()
}

fn run_turn(deployment: &Rc<Deployment>, customer: &Customer, session: &str, text: &str) {
    deployment
        .http
        .next(completion_reply(&format!("re: {text}")));
    let response = deployment.chat_in_session(customer, session, text);
    assert_eq!(response.status, 200, "{}", response.body);
    deployment
        .time
        .run(deployment.time.sleep(Millis::from_secs(1)));
}

#[test]
fn sessions_list_returns_the_tenants_sessions_page_by_page() {
    let deployment = Deployment::new();
    let tools = &["sessions_list", "sessions_history"];
    let (ours, theirs) = (customer(&deployment, tools), customer(&deployment, tools));
    for number in 0..23 {
        run_turn(&deployment, &ours, &format!("ours-{number}"), "hello");
    }
    run_turn(&deployment, &theirs, "theirs", "a secret");
    let list = |arguments: Value| -> Value {
        let list = result_of(&deployment, &ours, "ours-0", "sessions_list", &arguments);
        serde_json::from_str(&list).expect("JSON")
    };
    let ids = |list: &Value| -> Vec<String> {
        let sessions = list["sessions"].as_array().expect("sessions").iter();
        sessions
            .map(|it| it["id"].as_str().expect("an id").to_owned())
            .collect()
    };
    let first = list(json!({}));
    assert_eq!(ids(&first).len(), 20);
    assert_eq!(ids(&first)[0], "ours-22");
    let second = list(json!({"after": first["next"]}));
    assert_eq!(ids(&second), ["ours-2", "ours-1", "ours-0"]);
    assert_eq!(second["sessions"][2]["this_session"], true);
    assert!(second.get("next").is_none());
    assert_eq!(ids(&list(json!({"limit": 200}))).len(), 23);
    let refused = result_of(
        &deployment,
        &ours,
        "ours-0",
        "sessions_list",
        &json!({"limit": 201}),
    );
    assert!(refused.contains("`limit`: greater than 200"), "{refused}");
}

#[test]
fn a_list_of_long_sessions_stays_below_64_kib_and_has_a_next_page() {
    let deployment = Deployment::new();
    let customer = customer(&deployment, &["sessions_list"]);
    for number in 0..70 {
        run_turn(&deployment, &customer, &format!("s-{number}"), "hello");
    }
    let label = "x".repeat(512);
    let labels: serde_json::Map<String, Value> = (0..3)
        .map(|number| (format!("label-{number}"), json!(label)))
        .collect();
    let labels = Value::Object(labels).to_string();
    deployment
        .sql
        .run_script(&format!("UPDATE sessions SET metadata = '{labels}'"));
    let arguments = json!({"limit": 200});
    let list = result_of(&deployment, &customer, "s-0", "sessions_list", &arguments);
    assert!(list.len() <= 64 * 1024, "{}", list.len());
    let list: Value = serde_json::from_str(&list).expect("whole JSON");
    let shown = list["sessions"].as_array().expect("sessions").len();
    assert!((20..70).contains(&shown), "{shown}");
    assert!(list["next"].is_string());
}

#[test]
fn sessions_history_returns_the_messages_of_the_own_tenant_only() {
    let deployment = Deployment::new();
    let tools = &["sessions_history"];
    let (ours, theirs) = (customer(&deployment, tools), customer(&deployment, tools));
    run_turn(&deployment, &ours, "plans", "one");
    run_turn(&deployment, &ours, "plans", &"long ".repeat(4096));
    run_turn(&deployment, &theirs, "theirs", "a secret");
    let history = |id: &str| {
        let arguments = json!({"session_id": id, "limit": 3});
        result_of(&deployment, &ours, "here", "sessions_history", &arguments)
    };
    let tool_results: Value = serde_json::from_str(&history("plans")).expect("JSON");
    let roles: Vec<&Value> = tool_results["messages"]
        .as_array()
        .expect("messages")
        .iter()
        .map(|message| &message["role"])
        .collect();
    assert_eq!(roles, ["assistant", "user", "assistant"]);
    assert_eq!(tool_results["messages"][0]["text"], "re: one");
    assert_eq!(tool_results["messages"][1]["cut"], true);
    assert_eq!(tool_results["has_earlier"], true);
    // The results for a foreign and for a missing session differ only in the name.
    let (foreign, random) = (history("theirs"), history("missing"));
    assert_eq!(foreign.replace("theirs", "missing"), random);
    assert!(foreign.contains("no session `theirs`"), "{foreign}");
    assert_eq!(
        recorded(&deployment),
        [
            "sessions_history succeeded",
            "sessions_history failed",
            "sessions_history failed"
        ]
    );
}

#[test]
fn a_session_can_switch_tools_off() {
    let deployment = Deployment::new();
    let customer = customer(&deployment, &["time_now", "sessions_list"]);
    run_turn(&deployment, &customer, "chat", "hello");
    let narrowed = Change {
        tools: Some(Some(vec!["time_now".to_owned(), "misbehave".to_owned()])),
        ..Change::default()
    };
    deployment.change_session(&customer, "chat", &narrowed);
    run_turn(&deployment, &customer, "chat", "hello");
    let provider_requests = provider_requests(&deployment);
    let names = |request: &Value| -> Vec<String> {
        let tools = request["tools"].as_array().expect("tools").iter();
        tools
            .map(|tool| {
                tool["function"]["name"]
                    .as_str()
                    .expect("a name")
                    .to_owned()
            })
            .collect()
    };
    assert_eq!(names(&provider_requests[0]), ["sessions_list", "time_now"]);
    assert_eq!(names(&provider_requests[1]), ["time_now"]);
}
