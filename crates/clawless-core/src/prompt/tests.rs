use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::time::Timestamp;
use crate::time_zone::TimeZone;

/// 2025-12-31T23:30:00Z
const NOW: Timestamp = Timestamp::from_millis(1_767_223_800_000);

fn values<'a>(title: &'a str, metadata: &'a BTreeMap<String, String>) -> PromptValues<'a> {
    PromptValues {
        now: NOW,
        time_zone: TimeZone::default(),
        tenant_name: "Example",
        session: Some(SessionValues {
            title: Some(title),
            metadata,
            time_zone: None,
        }),
        user: Some("ada"),
    }
}

fn rendered(template: &str) -> String {
    let metadata = BTreeMap::from([
        ("plan".to_owned(), "gold".to_owned()),
        ("a.b c".to_owned(), "{{user}}".to_owned()),
    ]);
    let values = values("{{date}} \\{{", &metadata);
    render(template, &values).expect(template).into_owned()
}

/// Escapes every pair of braces of a text.
fn escaped(text: &str) -> String {
    let (mut escaped, mut rest) = (String::new(), text);
    while let Some(opening) = Opening::find(rest) {
        escaped.push_str(opening.text);
        escaped.push_str(&opening.backslashes.repeat(2));
        escaped.push('\\');
        escaped.push_str(opening.braces);
        rest = opening.after;
    }
    escaped + rest
}

#[test]
fn variables_have_values() {
    for (template, text) in [
        ("", ""),
        ("Be brief.", "Be brief."),
        ("{{date}}", "2025-12-31"),
        ("{{time_zone}}", "UTC"),
        ("{{ tenant.name }}: {{user}}", "Example: ada"),
        ("{{session.metadata.plan}}", "gold"),
        ("{{session.metadata.none}}|", "|"),
    ] {
        assert_eq!(check(template), Ok(()), "{template}");
        assert_eq!(rendered(template), text, "{template}");
    }
}

#[test]
fn values_are_text_and_never_templates() {
    assert_eq!(rendered("<{{session.title}}>"), "<{{date}} \\{{>");
    assert_eq!(rendered("{{session.metadata.a.b c}}"), "{{user}}");
}

#[test]
fn time_zone_of_the_session_precedes_that_of_the_tenant() {
    let metadata = BTreeMap::new();
    let mut values = values("", &metadata);
    values.time_zone = "+05:30".parse().expect("a zone");
    let template = "{{date}} {{time_zone}}";
    assert_eq!(
        render(template, &values).as_deref(),
        Ok("2026-01-01 UTC+05:30")
    );
    let session = values.session.as_mut().expect("a session");
    session.time_zone = Some("-03:00".parse().expect("a zone"));
    assert_eq!(
        render(template, &values).as_deref(),
        Ok("2025-12-31 UTC-03:00")
    );
}

#[test]
fn absent_values_are_empty() {
    let values = PromptValues {
        now: NOW,
        time_zone: TimeZone::default(),
        tenant_name: "",
        session: None,
        user: None,
    };
    let template = "[{{tenant.name}}{{session.title}}{{session.metadata.a}}{{user}}]";
    assert_eq!(render(template, &values).as_deref(), Ok("[]"));
}

#[test]
fn backslash_makes_braces_literal() {
    for (template, text) in [
        (r"\{{date}}", "{{date}}"),
        (r"\{{ anything", "{{ anything"),
        (r"\\{{date}}", r"\2025-12-31"),
        (r"\\\{{date}}", r"\{{date}}"),
        (r"{{{date}}}", "{2025-12-31}"),
        (r"\{{{date}}}", "{{{date}}}"),
        (r"{ {a} } }} \ \n", r"{ {a} } }} \ \n"),
    ] {
        assert_eq!(check(template), Ok(()), "{template}");
        assert_eq!(rendered(template), text, "{template}");
    }
}

#[test]
fn unknown_variable_is_refused_by_name_and_stays_literal_in_older_prompts() {
    for (template, name) in [
        ("{{foo}}", "foo"),
        ("a {{ Date }} b", "Date"),
        ("{{date}} {{dates}}", "dates"),
        ("{{}}", ""),
        ("{{session.metadata.}}", "session.metadata."),
        ("{{a {{date}}", "a {{date"),
        ("{{#if user}}{{/if}}", "#if user"),
    ] {
        let error = check(template).expect_err(template);
        let expected = InvalidTemplate::UnknownVariable {
            name: name.to_owned(),
        };
        assert_eq!(error, expected);
        let literal = template.replace("{{date}}", "2025-12-31");
        assert_eq!(rendered(template), literal, "{template}");
    }
    let message = check("{{foo}}").expect_err("unknown").to_string();
    assert_eq!(
        message,
        "`{{foo}}` is not a variable. The variables are `date`, `time_zone`, `tenant.name`, \
         `session.title`, `session.metadata.KEY` and `user`; write `\\{{` for literal braces"
    );
    let unclosed = check("a {{date").expect_err("unclosed");
    assert!(
        unclosed
            .to_string()
            .starts_with("`{{date` has no closing `}}`.")
    );
    assert_eq!(rendered("a {{date"), "a {{date");
    let long = format!("{{{{{}}}}}", "é".repeat(1000));
    assert!(check(&long).expect_err("unknown").to_string().len() < 400);
}

#[test]
fn length_with_values_is_bounded() {
    let title = "x".repeat(200);
    let metadata = BTreeMap::new();
    let template = "{{session.title}}".repeat(MAX_RENDERED_BYTES / 200);
    let result = render(&template, &values(&title, &metadata));
    assert_eq!(result.map(|text| text.len()), Ok(262_000));
    for longer in [
        format!("{template}{{{{session.title}}}}"),
        template + &title,
    ] {
        assert_eq!(
            render(&longer, &values(&title, &metadata)),
            Err(PromptTooLong)
        );
    }
}

/// Texts with many braces and backslashes.
fn text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("{".to_owned()),
        Just("{{".to_owned()),
        Just("}}".to_owned()),
        Just("\\".to_owned()),
        Just("{{date}}".to_owned()),
        Just("{{foo}}".to_owned()),
        "[ a-z.é]{0,6}",
    ];
    proptest::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn escaped_text_is_rendered_as_it_is(text in text()) {
        let template = escaped(&text);
        prop_assert_eq!(check(&template), Ok(()));
        prop_assert_eq!(rendered(&template), text);
    }

    #[test]
    fn value_is_inserted_unchanged_between_any_texts(before in text(), after in text(), title in text()) {
        let metadata = BTreeMap::new();
        let template = format!("{} {{{{session.title}}}} {}", escaped(&before), escaped(&after));
        prop_assert_eq!(check(&template), Ok(()));
        let rendered = render(&template, &values(&title, &metadata));
        prop_assert_eq!(rendered, Ok(format!("{before} {title} {after}").into()));
    }

    #[test]
    fn text_without_double_braces_stays_as_it_is(text in "[^{]*([{][^{]+)*") {
        prop_assert_eq!(check(&text), Ok(()));
        prop_assert_eq!(rendered(&text), text);
    }

    #[test]
    fn any_text_is_rendered_or_refused(text in ".*") {
        let _ = check(&text);
        let _ = rendered(&text);
    }
}
