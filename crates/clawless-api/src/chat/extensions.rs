//! Parameters that the surface does not define, unparsed. The profile of the provider decides which
//! of them are sent.

use std::fmt;

use clawless_core::json::Json;
use serde::de::value::Error as FieldError;
use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, Visitor,
};
use serde::forward_to_deserialize_any;

/// The maximum number of unknown parameters of a request. Further ones are dropped.
const MAX_EXTENSIONS: usize = 64;

/// The unknown parameters of a body, in order.
pub(crate) type Extensions = Vec<(String, Json)>;

/// The names of the members that a struct deserializes.
pub(crate) fn fields<T: for<'de> Deserialize<'de>>() -> &'static [&'static str] {
    let mut fields: &'static [&'static str] = &[];
    // The deserializer returns an error after it has recorded the names.
    let _ = T::deserialize(FieldNames(&mut fields));
    fields
}

/// Deserializes the members of an object that are in neither list.
pub(crate) struct Unknown(pub(crate) [&'static [&'static str]; 2]);

impl<'de> DeserializeSeed<'de> for Unknown {
    type Value = Extensions;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Extensions, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Unknown {
    type Value = Extensions;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Extensions, A::Error> {
        let mut unknown = Extensions::new();
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
        Ok(unknown)
    }
}

/// A deserializer that records the field names of a struct and has no values.
struct FieldNames<'a>(&'a mut &'static [&'static str]);

impl<'de> Deserializer<'de> for FieldNames<'_> {
    type Error = FieldError;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, FieldError> {
        Err(FieldError::custom("not a struct"))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, FieldError> {
        *self.0 = fields;
        Err(FieldError::custom("field names only"))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}
