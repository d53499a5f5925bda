//! The message of a ready stack: URLs, keys and two examples.

use crate::stack::{record::Access, state::State};

/// The message text. It contains keys: it is printed, and never written to a log.
pub(crate) fn text(access: &Access, state: &State, how_to_stop: &str) -> String {
    let Access {
        base_url, model, ..
    } = access;
    let origin = base_url.trim_end_matches("/v1");
    let key = access.secret_key.as_deref().unwrap_or("(no key yet)");
    let mut lines = vec![
        String::new(),
        "Clawless is ready.".to_owned(),
        format!("  API          {base_url}"),
        format!("  health       {origin}/health"),
        format!("  model        {model}"),
        format!("  secret key   {key}"),
    ];
    let others = [
        ("public key", &access.public_key),
        ("admin API", &access.admin_url),
        ("admin token", &access.admin_token),
        ("demo page", &access.demo_url),
    ];
    lines.extend(
        others
            .iter()
            .filter_map(|(name, value)| Some(format!("  {name:<12} {}", value.as_deref()?))),
    );
    lines.push(format!("  state, logs  {}", state.root().display()));
    lines.push(String::new());
    lines.push(curl(base_url, key, model));
    lines.push(String::new());
    lines.push(python(base_url, key, model));
    lines.push(String::new());
    lines.push(how_to_stop.to_owned());
    lines.join("\n")
}

fn curl(base_url: &str, key: &str, model: &str) -> String {
    format!(
        "curl -N {base_url}/chat/completions \\\n  \
           -H 'authorization: Bearer {key}' -H 'content-type: application/json' \\\n  \
           -d '{{\"model\": \"{model}\", \"stream\": true, \"messages\": [{{\"role\": \"user\", \"content\": \"Hello!\"}}]}}'"
    )
}

fn python(base_url: &str, key: &str, model: &str) -> String {
    format!(
        "# pip install openai\n\
         from openai import OpenAI\n\
         client = OpenAI(base_url=\"{base_url}\", api_key=\"{key}\")\n\
         messages = [{{\"role\": \"user\", \"content\": \"Hello!\"}}]\n\
         completion = client.chat.completions.create(model=\"{model}\", messages=messages)\n\
         print(completion.choices[0].message.content)"
    )
}
