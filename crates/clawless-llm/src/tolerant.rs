//! Tolerant deserializers: servers use different JSON types for the same member. A member of an
//! unusable type counts as absent; the rest of the response is still parsed.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// Visitor methods for the types that count as `$nothing`.
macro_rules! treat_as_nothing {
    ($value:ty, $nothing:expr; $($visit:ident($type:ty)),*) => {
        fn visit_unit<E>(self) -> Result<$value, E> {
            Ok($nothing)
        }
        $(fn $visit<E>(self, _: $type) -> Result<$value, E> {
            Ok($nothing)
        })*
    };
}

/// The largest float that represents integers exactly.
const MAX_EXACT: f64 = 9_007_199_254_740_992.0;

/// A scalar of any type. Arrays and objects are skipped.
pub(crate) enum Scalar {
    Nothing,
    Integer(i128),
    Float(f64),
    Text(String),
}

/// A text, or the digits of a number: some servers send ids and codes as numbers. An empty text
/// counts as absent.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct LooseText(pub(crate) Option<String>);

/// An integer: a JSON integer, a float without a fraction, or the digits of either in a text.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LooseInt(pub(crate) Option<i64>);

/// A value of the expected type; empty if the JSON has another type. Boxed, because the parser passes
/// values through many hands, and those of answers are large.
#[derive(Debug, Clone)]
pub(crate) struct Maybe<T>(pub(crate) Option<Box<T>>);

impl<T> Default for Maybe<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl Scalar {
    /// The value as an integer, if it is one.
    fn integer(&self) -> Option<i128> {
        match self {
            Self::Integer(number) => Some(*number),
            Self::Float(number) => whole(*number),
            Self::Text(text) => {
                let text = text.trim();
                text.parse().ok().or_else(|| whole(text.parse().ok()?))
            }
            Self::Nothing => None,
        }
    }
}

#[allow(
    clippy::cast_possible_truncation,
    reason = "checked to be whole and small"
)]
fn whole(number: f64) -> Option<i128> {
    let is_whole = number.fract() == 0.0 && number.abs() <= MAX_EXACT;
    is_whole.then_some(number as i128)
}

impl From<Scalar> for LooseText {
    fn from(scalar: Scalar) -> Self {
        Self(match scalar {
            Scalar::Text(text) => (!text.is_empty()).then_some(text),
            Scalar::Integer(number) => Some(number.to_string()),
            Scalar::Float(number) => Some(number.to_string()),
            Scalar::Nothing => None,
        })
    }
}

impl From<Scalar> for LooseInt {
    fn from(scalar: Scalar) -> Self {
        Self(scalar.integer().and_then(|it| i64::try_from(it).ok()))
    }
}

impl LooseInt {
    /// The number as a token count; `None` if it is negative.
    pub(crate) fn count(self) -> Option<u64> {
        self.0.and_then(|it| u64::try_from(it).ok())
    }
}

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Scalars;

        impl<'de> Visitor<'de> for Scalars {
            type Value = Scalar;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("any JSON")
            }

            fn visit_str<E>(self, text: &str) -> Result<Scalar, E> {
                Ok(Scalar::Text(text.to_owned()))
            }

            fn visit_i64<E>(self, number: i64) -> Result<Scalar, E> {
                Ok(Scalar::Integer(number.into()))
            }

            fn visit_u64<E>(self, number: u64) -> Result<Scalar, E> {
                Ok(Scalar::Integer(number.into()))
            }

            fn visit_f64<E>(self, number: f64) -> Result<Scalar, E> {
                Ok(Scalar::Float(number))
            }

            treat_as_nothing!(Scalar, Scalar::Nothing; visit_bool(bool));

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Scalar, A::Error> {
                skip_map(map).map(|()| Scalar::Nothing)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Scalar, A::Error> {
                skip_seq(seq).map(|()| Scalar::Nothing)
            }
        }

        deserializer.deserialize_any(Scalars)
    }
}

macro_rules! from_scalar {
    ($($type:ident),*) => {$(
        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Scalar::deserialize(deserializer).map(Self::from)
            }
        }
    )*};
}

from_scalar!(LooseText, LooseInt);

impl<'de, T: FromMap> Deserialize<'de> for Maybe<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Objects<T>(std::marker::PhantomData<T>);

        impl<'de, T: FromMap> Visitor<'de> for Objects<T> {
            type Value = Maybe<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            treat_as_nothing!(Maybe<T>, Maybe(None); visit_bool(bool), visit_i64(i64), visit_u64(u64), visit_f64(f64), visit_str(&str));

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Maybe<T>, A::Error> {
                let mut value = Box::<T>::default();
                while let Some(Key(name)) = map.next_key()? {
                    value.take_member(&name, &mut map)?;
                }
                Ok(Maybe(Some(value)))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Maybe<T>, A::Error> {
                skip_seq(seq).map(|()| Maybe(None))
            }
        }

        deserializer.deserialize_any(Objects(std::marker::PhantomData))
    }
}

/// A list. Some servers send a single object without brackets. Elements of a wrong type are
/// skipped.
#[derive(Debug)]
#[allow(
    clippy::vec_box,
    reason = "elements are moved several times; see Maybe"
)]
pub(crate) struct OneOrMany<T>(pub(crate) Vec<Box<T>>);

impl<T> Default for OneOrMany<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: FromMap> Deserialize<'de> for OneOrMany<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Lists<T>(std::marker::PhantomData<T>);

        impl<'de, T: FromMap> Visitor<'de> for Lists<T> {
            type Value = OneOrMany<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of objects")
            }

            treat_as_nothing!(OneOrMany<T>, OneOrMany::default(); visit_bool(bool), visit_i64(i64), visit_u64(u64), visit_f64(f64), visit_str(&str));

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<OneOrMany<T>, A::Error> {
                let mut list = Vec::new();
                while let Some(Maybe(item)) = seq.next_element()? {
                    list.extend(item);
                }
                Ok(OneOrMany(list))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<OneOrMany<T>, A::Error> {
                let mut value = Box::<T>::default();
                while let Some(Key(name)) = map.next_key()? {
                    value.take_member(&name, &mut map)?;
                }
                Ok(OneOrMany(vec![value]))
            }
        }

        deserializer.deserialize_any(Lists(std::marker::PhantomData))
    }
}

/// An object that is parsed member by member, so that unknown members can be kept.
pub(crate) trait FromMap: Default {
    /// Parses the value of the member of this name from `map`.
    fn take_member<'de, A: MapAccess<'de>>(
        &mut self,
        name: &str,
        map: &mut A,
    ) -> Result<(), A::Error>;
}

/// A member's name, borrowed from the input if it has no escapes.
struct Key<'de>(Cow<'de, str>);

impl<'de> Deserialize<'de> for Key<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Keys;

        impl<'de> Visitor<'de> for Keys {
            type Value = Key<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name")
            }

            fn visit_borrowed_str<E: Error>(self, name: &'de str) -> Result<Key<'de>, E> {
                Ok(Key(Cow::Borrowed(name)))
            }

            fn visit_str<E: Error>(self, name: &str) -> Result<Key<'de>, E> {
                Ok(Key(Cow::Owned(name.to_owned())))
            }
        }

        deserializer.deserialize_str(Keys)
    }
}

/// Skips the rest of an object.
fn skip_map<'de, A: MapAccess<'de>>(mut map: A) -> Result<(), A::Error> {
    while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
    Ok(())
}

/// Skips the rest of an array.
fn skip_seq<'de, A: SeqAccess<'de>>(mut seq: A) -> Result<(), A::Error> {
    while seq.next_element::<IgnoredAny>()?.is_some() {}
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(json: &str) -> Option<String> {
        serde_json::from_str::<LooseText>(json).expect("JSON").0
    }

    fn int(json: &str) -> Option<i64> {
        serde_json::from_str::<LooseInt>(json).expect("JSON").0
    }

    #[test]
    fn texts_and_numbers_are_converted_from_other_types() {
        for (json, expected) in [
            (r#""a""#, Some("a")),
            (r#""""#, None),
            ("7", Some("7")),
            ("-7", Some("-7")),
            ("18446744073709551615", Some("18446744073709551615")),
            ("1.5", Some("1.5")),
            ("null", None),
            ("true", None),
            (r#"{"a":[1]}"#, None),
            ("[[],{}]", None),
        ] {
            assert_eq!(text(json).as_deref(), expected, "{json}");
        }
        for (json, expected) in [
            ("7", Some(7)),
            ("7.0", Some(7)),
            ("7e2", Some(700)),
            (r#""7""#, Some(7)),
            (r#"" 7.0 ""#, Some(7)),
            ("-1", Some(-1)),
            ("1.5", None),
            ("1e300", None),
            ("18446744073709551615", None),
            (r#""NaN""#, None),
            (r#""inf""#, None),
            (r#""seven""#, None),
            ("null", None),
            ("false", None),
            ("[7]", None),
        ] {
            assert_eq!(int(json), expected, "{json}");
        }
    }
}
