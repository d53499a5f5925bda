//! Session names in paths: each accepted one is addressed by the path that a client builds from it.

use clawless_core::SessionId;
use clawless_gateway::routes::ROUTES;
use worker::Url;

/// Characters that URLs treat in some special way, and plain ones.
const CHARACTERS: [&str; 24] = [
    ".", "-", "_", ":", "a", "Z", "0", "2", "e", "%", "/", "\\", "?", "#", "&", "=", ";", "@", "+",
    " ", "\t", "\n", "\0", "é",
];

/// As JavaScript's `encodeURIComponent`.
fn encoded(name: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.!~*'()".contains(&byte);
    let text = name.bytes().map(|byte| match byte {
        byte if is_plain(byte) => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    });
    text.collect()
}

/// Every name of up to three of the characters, and some longer ones.
fn names() -> impl Iterator<Item = String> {
    let one = CHARACTERS.map(str::to_owned).into_iter();
    let join = |names: Vec<String>| {
        names.into_iter().flat_map(|name| {
            let extended = CHARACTERS.iter().map(move |it| format!("{name}{it}"));
            extended.collect::<Vec<_>>()
        })
    };
    let two: Vec<_> = join(one.clone().collect()).collect();
    let three: Vec<_> = join(two.clone()).collect();
    let long = [
        "%2e", "%2E%2e", ".%2e", "....", "a/../b", "..:..", "ses_..", "%252e",
    ];
    let longest = ["a".repeat(128), ".".repeat(128), ":".repeat(129)];
    one.chain(two)
        .chain(three)
        .chain(long.map(str::to_owned))
        .chain(longest)
}

#[test]
fn attack_62_each_accepted_session_name_is_addressed_by_its_encoded_path() {
    let mut accepted = 0;
    for name in names() {
        if name.parse::<SessionId>().is_err() {
            continue;
        }
        accepted += 1;
        for (tail, pattern) in [
            ("", "/v1/sessions/{id}"),
            ("/messages", "/v1/sessions/{id}/messages"),
            ("/turns/x", "/v1/sessions/{id}/turns/{request_id}"),
        ] {
            let text = format!("https://host/v1/sessions/{}{tail}", encoded(&name));
            let url = Url::parse(&text).expect(&text);
            let path = url.path();
            let found = ROUTES.find("GET", path).expect(path);
            assert_eq!(found.route.pattern, pattern, "{name:?}");
            assert_eq!(found.params.get("id"), name);
        }
    }
    assert!(accepted > 500, "{accepted} names");
}

#[test]
fn attack_62_a_name_that_a_url_folds_is_no_session() {
    for name in [".", ".."] {
        let url = Url::parse(&format!("https://host/v1/sessions/{name}/messages")).expect("a URL");
        assert!(!url.path().contains(&format!("/{name}/")), "{}", url.path());
        assert!(name.parse::<SessionId>().is_err());
    }
}
