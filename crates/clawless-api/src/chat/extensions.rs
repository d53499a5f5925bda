//! Parameters of a request that the surface does not define. They are kept as they came in: the
//! profile of the provider that answers decides which of them are sent.

use std::fmt;

use clawless_core::json::Json;
use serde::de::value::Error as FieldError;
use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, Visitor};
use serde::forward_to_deserialize_any;

/// The most unknown parameters of one request.
const MAX_EXTENSIONS: usize = 64;

/// The unknown parameters of a body, in their order.
#[derive(Debug, Default)]
pub(super) struct Extensions(pub(super) Vec<(String, Json)>);

/// The members that a type reads.
pub(super) fn fields<T: for<'de> Deserialize<'de>>() -> &'static [&'static str] {
    let mut fields: &'static [&'static str] = &[];
    // Deserialisation ends at the names of the fields.
    let _ = T::deserialize(FieldNames(&mut fields));
    fields
}

impl Extensions {
    /// Reads the members of a body that are in none of these lists.
    pub(super) fn read(
        text: &str,
        known: [&'static [&'static str]; 2],
    ) -> Result<Self, serde_json::Error> {
        let mut deserializer = serde_json::Deserializer::from_str(text);
        deserializer.deserialize_map(Unknown(known))
    }
}

struct Unknown([&'static [&'static str]; 2]);

impl<'de> Visitor<'de> for Unknown {
    type Value = Extensions;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Extensions, A::Error> {
        let mut unknown: Vec<(String, Json)> = Vec::new();
        while let Some(name) = map.next_key::<String>()? {
            if self.0.iter().any(|known| known.contains(&name.as_str())) {
                map.next_value::<IgnoredAny>()?;
                continue;
            }
            if unknown.iter().any(|(other, _)| *other == name) {
                return Err(A::Error::custom(format_args!("duplicate field `{name}`")));
            }
            let value = map.next_value()?;
            if unknown.len() < MAX_EXTENSIONS {
                unknown.push((name, value));
            }
        }
        Ok(Extensions(unknown))
    }
}

/// A deserializer that has the names of a struct's fields and no values.
struct FieldNames<'a>(&'a mut &'static [&'static str]);

impl<'de> Deserializer<'de> for FieldNames<'_> {
    type Error = FieldError;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, FieldError> {
        Err(FieldError::custom("only a struct has fields"))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, FieldError> {
        *self.0 = fields;
        Err(FieldError::custom("the fields are known"))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use crate::chat::parse;

    fn extensions(more: &str) -> Vec<(String, String)> {
        let body = format!(r#"{{"model":"m","messages":[{{"role":"user","content":"a"}}]{more}}}"#);
        let request = parse(body.as_bytes()).expect("valid");
        let extensions = request.options.extensions.into_iter();
        extensions
            .map(|(name, value)| (name, value.as_str().to_owned()))
            .collect()
    }

    #[test]
    fn unknown_parameters_are_kept_as_they_came_in_and_known_ones_are_not() {
        let kept = extensions(
            r#","top_k":40,"temperature":0.5,"stream":true,"stream_options":{},"session_id":"s",
               "chat_template_kwargs":{ "enable_thinking":false },"user":"u","n":1"#,
        );
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(
            kept,
            [
                pair("top_k", "40"),
                pair("chat_template_kwargs", r#"{ "enable_thinking":false }"#)
            ]
        );
    }

    #[test]
    fn unknown_parameters_are_bounded_and_each_is_given_once() {
        let many: String = (0..1000).map(|n| format!(r#","x{n}":1"#)).collect();
        assert_eq!(extensions(&many).len(), super::MAX_EXTENSIONS);
        for more in [
            r#","top_k":1,"top_k":2"#.to_owned(),
            format!(r#","x":"{}""#, "a".repeat(600 * 1024)),
            r#","x":1e400"#.to_owned(),
        ] {
            let body =
                format!(r#"{{"model":"m","messages":[{{"role":"user","content":"a"}}]{more}}}"#);
            assert!(parse(body.as_bytes()).is_err());
        }
    }
}
