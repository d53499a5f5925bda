//! `docs/providers.md` is generated from the profiles. The test fails if they differ;
//! `CLAWLESS_WRITE_DOCS=1 cargo test -p clawless-llm --test providers` writes the page.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "test code: what is not as expected must stop the test"
)]

use std::fmt::Write as _;
use std::path::Path;

use clawless_core::llm::ProviderKind;
use clawless_llm::profile::{
    CallIdRule, Media, OutputLimit, PROFILES, Profile, Replay, SEEN, SOURCES, StreamUsage,
    TimeoutFactors, ToolRules,
};

const START: &str = "# Providers

How the wire of each provider differs, as the gateway knows it. This page is written from the table
of profiles (`crates/clawless-llm/src/profile/table.rs`) by
`CLAWLESS_WRITE_DOCS=1 cargo test -p clawless-llm --test providers`.

The host of an entry's `base_url` selects its profile; an entry of `PROVIDERS` may name one with
`profile`, which a server on a host of its own needs. An unknown name is an error. Every other server
gets `default`: what the client sends goes out as it came.
";

const END: &str = "
What the columns mean:

- **Output limit**: the parameter that holds the longest answer. `as sent` keeps the client's own name.
  None is added that the client did not ask for, except where a quota or the model's own limit needs one.
- **Stream usage**: `requested` sends `stream_options.include_usage`, and a provider that rejects the parameter gets
  the request again without it: the usage is then estimated. `always` does not send it.
- **System**: `one` merges all system messages into one at the front. **Developer**: whether that role
  is known; else it is sent as `system`.
- **Sent back**: members of assistant messages and tool calls that go back to the provider: within the
  chain of tool calls since the last user message (a user message directly after results does not end
  it), in this chain and all earlier turns with tool calls, or always. All other providers never see
  them. `required`: a message with tool calls that lacks its reasoning gets an empty one, unless the
  request turns thinking off. `strict` providers get no other member that the wire does not define.
  Reasoning goes back under the listed names. `unsigned`: reasoning that the model has not signed goes back, too. `no cache marks`: `cache_control` of messages, parts and
  tools is removed.
- **Media**: `documents` are parts of type `document_url`. Providers with `video` also get parts of types that are
  not known here; others refuse them with a 400 that names the type.
- **Call ids**: ids that a provider would refuse are replaced, in the calls and in their results.
- **Tools**: more tools, or other names, are refused with a 400 that names `tools`.
- **TimeoutFactors**: how many times longer than the deployment's timeouts a provider may be silent before its
  first event and between two events. A model that thinks is waited for longer: 2 times at `low`, 4 at
  `medium` or by default, 10 at `high`, 20 at `xhigh`; never beyond `TOTAL_TIMEOUT_MS`.
- **Passed through**: parameters beyond OpenAI's that are sent. **Dropped**: parameters of OpenAI's that
  the provider refuses. Everything dropped, and every other unknown parameter, is named in
  `x-clawless-dropped`: `models`, `plugins`, `best_of`, `api_base`, `service_tier`, `route`, `provider`
  and their like would bypass prices and limits.
";

fn page() -> String {
    let mut page = START.to_owned();
    let table = |page: &mut String, head: &[&str], row: &dyn Fn(&Profile) -> Vec<String>| {
        let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
        let head: Vec<String> = head.iter().map(|cell| (*cell).to_owned()).collect();
        page.push('\n');
        page.push_str(&line(&head));
        page.push_str(&line(&vec!["---".to_owned(); head.len()]));
        for profile in PROFILES {
            page.push_str(&line(&row(profile)));
        }
    };
    page.push_str("\n## Selection\n");
    table(
        &mut page,
        &["Profile", "Provider", "`kind`", "Hosts"],
        &|it| {
            vec![
                code(it.name),
                it.title.to_owned(),
                kind(it.kind),
                list(it.hosts),
            ]
        },
    );
    page.push_str("\n## Requests\n");
    table(
        &mut page,
        &[
            "Profile",
            "Output limit",
            "Stream usage",
            "System",
            "Developer",
            "Media",
            "TimeoutFactors",
        ],
        &|it| {
            vec![
                code(it.name),
                output_limit(it.output_limit),
                stream_usage(it.stream_usage),
                if it.messages.one_system { "one" } else { "any" }.to_owned(),
                yes(it.messages.developer),
                media(it.messages.media),
                timeout_factors(it.timeout_factors),
            ]
        },
    );
    page.push_str("\n## Conversations and tools\n");
    table(
        &mut page,
        &[
            "Profile",
            "Sent back",
            "Call ids",
            "Tools",
            "Hidden reasoning",
        ],
        &|it| {
            vec![
                code(it.name),
                replay(it),
                call_ids(it.messages.call_ids),
                tools(it.tools),
                yes(it.hidden_reasoning),
            ]
        },
    );
    page.push_str("\n## Parameters\n");
    table(
        &mut page,
        &["Profile", "Passed through", "Renamed", "Dropped"],
        &|it| {
            vec![
                code(it.name),
                list(it.passes),
                renames(it.renames),
                list(it.drops),
            ]
        },
    );
    sources(&mut page);
    page.push_str(END);
    page
}

fn sources(page: &mut String) {
    write!(
        page,
        "\n## Sources\n\nThe documents that the rows were compared with, read on {SEEN}, many of them as excerpts or stored\n\
         copies. Facts that no document confirms follow bug reports and what is generally known: check them\n\
         before you rely on them.\n\n\
         | Profile | Documents and what they confirm | Unverified |\n| --- | --- | --- |\n"
    )
    .expect("a text");
    for row in &SOURCES {
        let documents = row.documents.iter();
        let documents: Vec<String> = documents
            .map(|(document, facts)| format!("{document}: {facts}"))
            .collect();
        let documents = if documents.is_empty() {
            "–".to_owned()
        } else {
            documents.join("<br>")
        };
        let (name, unverified) = (code(row.profile), row.unverified);
        writeln!(page, "| {name} | {documents} | {unverified} |").expect("a text");
    }
}

fn renames(names: &[(&str, &str)]) -> String {
    let names = names.iter();
    let names: Vec<String> = names
        .map(|(name, renamed)| format!("{} → {}", code(name), code(renamed)))
        .collect();
    if names.is_empty() {
        "–".to_owned()
    } else {
        names.join(", ")
    }
}

fn code(text: &str) -> String {
    format!("`{text}`")
}

fn yes(is_so: bool) -> String {
    if is_so { "yes" } else { "no" }.to_owned()
}

fn list(names: &[&str]) -> String {
    if names.is_empty() {
        return "–".to_owned();
    }
    let names: Vec<String> = names.iter().map(|name| code(name)).collect();
    names.join(", ")
}

fn kind(kind: ProviderKind) -> String {
    code(match kind {
        ProviderKind::OpenAi => "openai",
        ProviderKind::Anthropic => "anthropic",
        ProviderKind::WorkersAi => "workers_ai",
    })
}

fn output_limit(limit: OutputLimit) -> String {
    match limit {
        OutputLimit::AsSent => "as sent".to_owned(),
        OutputLimit::MaxTokens => code("max_tokens"),
        OutputLimit::MaxCompletionTokens => code("max_completion_tokens"),
    }
}

fn stream_usage(usage: StreamUsage) -> String {
    match usage {
        StreamUsage::Requested => "requested",
        StreamUsage::Always => "always",
    }
    .to_owned()
}

fn media(media: Media) -> String {
    let all = [
        (media.images, "images"),
        (media.audio, "audio"),
        (media.files, "files"),
        (media.documents, "documents"),
        (media.video, "video"),
    ];
    let taken: Vec<&str> = all.into_iter().filter(|it| it.0).map(|it| it.1).collect();
    if taken.is_empty() {
        return "text".to_owned();
    }
    taken.join(", ")
}

fn timeout_factors(timeout_factors: TimeoutFactors) -> String {
    format!("{} / {}", timeout_factors.first_byte, timeout_factors.idle)
}

fn replay(profile: &Profile) -> String {
    let mut text = list(profile.messages.replay);
    if !profile.messages.replay.is_empty() {
        text.push_str(match profile.messages.replay_when {
            Replay::InChain => " in a chain",
            Replay::WithCalls => " with calls",
            Replay::Always => " always",
        });
    }
    if profile.messages.requires_reasoning {
        text.push_str("; required");
    }
    if profile.messages.strict {
        text.push_str("; strict");
    }
    if profile.messages.unsigned_thinking {
        text.push_str("; unsigned");
    }
    if !profile.messages.cache_marks {
        text.push_str("; no cache marks");
    }
    text
}

fn call_ids(rule: CallIdRule) -> String {
    if rule == CallIdRule::ANY {
        return "any".to_owned();
    }
    let mut text = match rule.length {
        None => "any length".to_owned(),
        Some((min, max)) if min == max => format!("{max} characters"),
        Some((_, max)) => format!("≤ {max} characters"),
    };
    match rule.beside_alphanumeric {
        None => {}
        Some("") => text.push_str(" of `a-z A-Z 0-9`"),
        Some(others) => write!(text, " of `a-z A-Z 0-9 {others}`").expect("a text"),
    }
    if rule.unique {
        text.push_str(", each once");
    }
    text
}

fn tools(rules: ToolRules) -> String {
    let max = rules.max.map(|max| format!("≤ {max}"));
    let names = rules.names.map(|names| {
        let (max, others) = (names.max, names.beside_alphanumeric);
        format!("names ≤ {max} of `a-z A-Z 0-9 {others}`")
    });
    let rules: Vec<String> = max.into_iter().chain(names).collect();
    if rules.is_empty() {
        return "any".to_owned();
    }
    rules.join("; ")
}

#[test]
fn the_providers_page_matches_the_profiles() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/providers.md");
    let page = page();
    if std::env::var_os("CLAWLESS_WRITE_DOCS").is_some() {
        std::fs::write(&path, &page).expect("the page is writable");
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == page,
        "docs/providers.md differs from the table of profiles: run\n\
         CLAWLESS_WRITE_DOCS=1 cargo test -p clawless-llm --test providers"
    );
}
