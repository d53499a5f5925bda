//! What the commands send, and what they print with `--json`.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panics")]

mod support;

use std::{
    process::{Command, Output},
    sync::{Arc, Mutex},
};

use serde_json::{Value, json};

/// The requests that a server received: request line and body.
type Requests = Arc<Mutex<Vec<(String, String)>>>;

/// Starts a server that gives these answers, one after the other, and records the requests.
fn serve(answers: Vec<(u16, Value)>) -> (String, Requests) {
    let requests = Requests::default();
    let (seen, mut answers) = (requests.clone(), answers.into_iter());
    let url = support::serve(move |line, body| {
        let request = (line.to_owned(), body.to_owned());
        seen.lock().unwrap().push(request);
        let (status, body) = answers.next().unwrap_or((500, json!({})));
        (status, body.to_string())
    });
    (url, requests)
}

fn run(arguments: &str, url: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_clawless"))
        .args(arguments.split(' '))
        .args(["--url", url, "--token", "cl_at_x"])
        .output()
        .unwrap()
}

/// Runs a command that succeeds. Returns the only JSON value that it prints.
fn printed(arguments: &str, url: &str) -> Value {
    let output = run(arguments, url);
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{arguments}: {error}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The lines of requests, without the HTTP version.
fn lines(requests: &Requests) -> Vec<String> {
    let requests = requests.lock().unwrap();
    let lines = requests.iter().map(|(line, _)| line);
    lines
        .map(|line| line.trim_end_matches(" HTTP/1.1").to_owned())
        .collect()
}

#[test]
fn unlimited_is_sent_as_a_patch_of_an_existing_tenant() {
    let tenant = json!({"object": "tenant", "id": "ten_1", "limits": {"burst": null}});
    let (url, requests) = serve(vec![(200, tenant.clone())]);
    let settings =
        "limits.burst=unlimited quotas.tokens_per_month=unlimited limits.concurrent=null";
    let shown = printed(&format!("admin tenants set ten_1 {settings} --json"), &url);
    assert_eq!(shown, tenant);
    assert_eq!(lines(&requests), ["PATCH /admin/tenants/ten_1"]);
    let sent: Value = serde_json::from_str(&requests.lock().unwrap()[0].1).unwrap();
    assert_eq!(
        sent,
        json!({
            "limits": {"burst": "unlimited", "concurrent": null},
            "quotas": {"tokens_per_month": "unlimited"},
        })
    );
}

#[test]
fn json_of_a_list_is_one_array_of_all_pages() {
    let page = |id: &str, next: Value| {
        json!({"object": "list", "data": [{"id": id}], "has_more": !next.is_null(),
               "next_cursor": next})
    };
    let (url, requests) = serve(vec![
        (200, page("ten_1", json!("a/b"))),
        (429, json!({"error": {}})),
        (200, page("ten_2", Value::Null)),
    ]);
    let shown = printed("admin tenants --json list", &url);
    assert_eq!(shown, json!([{"id": "ten_1"}, {"id": "ten_2"}]));
    let path = "GET /admin/tenants?limit=100";
    let next = format!("{path}&cursor=a%2Fb");
    assert_eq!(lines(&requests), [path, &next, &next]);
}

#[test]
fn json_of_a_command_that_takes_several_requests_is_the_last_response() {
    let progress = |deleted| json!({"object": "tenant", "id": "ten_1", "deleted": deleted});
    let (url, requests) = serve(vec![(202, progress(false)), (200, progress(true))]);
    let shown = printed("admin --json tenants delete ten_1 --yes", &url);
    assert_eq!(shown, progress(true));
    assert_eq!(lines(&requests), ["DELETE /admin/tenants/ten_1"; 2]);

    let progress = |erased, next| json!({"object": "tenant", "id": "ten_1", "erased": erased, "next_cursor": next});
    let last = progress(true, Value::Null);
    let (url, requests) = serve(vec![
        (202, progress(false, json!("s"))),
        (200, last.clone()),
    ]);
    assert_eq!(printed("admin erase ten_1 --yes --json", &url), last);
    let path = "POST /admin/tenants/ten_1/erase";
    assert_eq!(
        lines(&requests),
        [path.to_owned(), format!("{path}?cursor=s")]
    );
}

#[test]
fn tokens_are_minted_and_changed_with_their_role() {
    let token = json!({"object": "admin_token", "id": "adm_1", "name": "Ada", "role": "tenant_admin",
                       "tenant_id": "ten_1", "expires_at": null});
    let (url, requests) = serve(vec![(201, token.clone()), (200, token.clone())]);
    let mint = "admin tokens mint Ada --role tenant_admin --tenant ten_1 --json";
    assert_eq!(printed(mint, &url), token);
    let set = run("admin tokens set adm_1 role=viewer expires_at=null", &url);
    let shown = String::from_utf8(set.stdout).unwrap();
    assert_eq!(shown, "adm_1 Ada: tenant_admin of ten_1, expires -\n");
    assert_eq!(
        lines(&requests),
        ["POST /admin/tokens", "PATCH /admin/tokens/adm_1"]
    );
    let bodies: Vec<Value> = requests
        .lock()
        .unwrap()
        .iter()
        .map(|(_, body)| serde_json::from_str(body).unwrap())
        .collect();
    let expected = [
        json!({"name": "Ada", "role": "tenant_admin", "tenant_id": "ten_1"}),
        json!({"role": "viewer", "expires_at": null}),
    ];
    assert_eq!(bodies, expected);
}

#[test]
fn json_of_an_export_is_its_summary() {
    let page = json!({"data": [{"object": "tenant"}, {"object": "turn"}], "next_cursor": null});
    let (url, _) = serve(vec![(200, page)]);
    let file = std::env::temp_dir().join(format!("clawless-summary-{}", std::process::id()));
    let shown = printed(
        &format!("admin export ten_1 --json --out {}", file.display()),
        &url,
    );
    std::fs::remove_file(&file).unwrap();
    let expected = json!({"object": "export", "id": "ten_1", "file": file, "lines": 2});
    assert_eq!(shown, expected);
}

#[test]
fn with_json_an_error_is_text_on_standard_error_and_nothing_else_is_printed() {
    let refusal =
        json!({"error": {"message": "There is no such tenant.", "code": "resource_not_found"}});
    let (url, _) = serve(vec![(404, refusal)]);
    let output = run("admin tenants show ten_1 --json", &url);
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.is_empty());
    let shown = String::from_utf8(output.stderr).unwrap();
    assert_eq!(shown.lines().count(), 1, "{shown}");
    assert!(shown.contains("There is no such tenant. (404"), "{shown}");
}
