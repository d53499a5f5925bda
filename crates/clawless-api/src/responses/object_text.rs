//! JSON objects that are written member by member. Events and items have many shapes; a type for
//! each of them would cost the Workers more code than their members are worth. For the same reason
//! nothing here is inlined: it is called from many places.

use clawless_core::json::Json;
use clawless_core::members::Members;

/// A JSON object that is being written.
#[derive(Debug)]
pub(super) struct ObjectText(String);

impl ObjectText {
    /// An object without members.
    pub(super) fn new() -> Self {
        Self("{".to_owned())
    }

    /// An object whose first member is `type`.
    #[inline(never)]
    pub(super) fn of_type(name: &str) -> Self {
        Self::new().text("type", name)
    }

    /// Adds a text.
    #[must_use]
    #[inline(never)]
    pub(super) fn text(self, name: &str, value: &str) -> Self {
        self.raw(name, &quoted(value))
    }

    /// Adds a text, or `null`.
    #[must_use]
    #[inline(never)]
    pub(super) fn text_or_null(self, name: &str, value: Option<&str>) -> Self {
        match value {
            Some(value) => self.text(name, value),
            None => self.raw(name, "null"),
        }
    }

    /// Adds a number.
    #[must_use]
    pub(super) fn number(self, name: &str, value: impl Into<u64>) -> Self {
        let value: u64 = value.into();
        self.raw(name, &value.to_string())
    }

    /// Adds a value that is JSON.
    #[must_use]
    #[inline(never)]
    pub(super) fn raw(mut self, name: &str, json: &str) -> Self {
        if self.0.len() > 1 {
            self.0.push(',');
        }
        self.0.push_str(&quoted(name));
        self.0.push(':');
        self.0.push_str(json);
        self
    }

    /// Adds an array of values that are JSON.
    #[must_use]
    #[inline(never)]
    pub(super) fn list<T: AsRef<str>>(self, name: &str, values: &[T]) -> Self {
        self.raw(name, &list(values))
    }

    /// Adds members as they are.
    #[must_use]
    #[inline(never)]
    pub(super) fn members(self, members: &Members) -> Self {
        let members = members.0.iter();
        members.fold(self, |object, (name, value)| {
            object.raw(name, value.as_str())
        })
    }

    /// Adds the members of another object.
    #[must_use]
    #[inline(never)]
    pub(super) fn and(mut self, other: &Self) -> Self {
        if let Some(members) = other.0.get(1..).filter(|it| !it.is_empty()) {
            if self.0.len() > 1 {
                self.0.push(',');
            }
            self.0.push_str(members);
        }
        self
    }

    /// The object as text.
    #[inline(never)]
    pub(super) fn end(mut self) -> String {
        self.0.push('}');
        self.0
    }

    /// The object as JSON. `None` cannot occur: every value is JSON.
    #[inline(never)]
    pub(super) fn into_json(self) -> Option<Json> {
        Json::parse(self.end()).ok()
    }
}

/// An array of values that are JSON.
#[inline(never)]
pub(super) fn list<T: AsRef<str>>(values: &[T]) -> String {
    let mut text = "[".to_owned();
    for (position, value) in values.iter().enumerate() {
        if position > 0 {
            text.push(',');
        }
        text.push_str(value.as_ref());
    }
    text.push(']');
    text
}

/// A text as JSON.
#[inline(never)]
pub(super) fn quoted(text: &str) -> String {
    // Serializing a text cannot fail.
    serde_json::to_string(text).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_are_json_whatever_their_texts_contain() {
        let members = Members(vec![("x".to_owned(), Json::from_value(&1).expect("JSON"))]);
        let object = ObjectText::of_type("a\"\n")
            .text_or_null("none", None)
            .number("n", 3_u32)
            .list("list", &["{}", "1"])
            .members(&members)
            .end();
        assert_eq!(
            object,
            r#"{"type":"a\"\n","none":null,"n":3,"list":[{},1],"x":1}"#
        );
    }
}
