//! Deserialization that takes structs from objects only.
//!
//! Types that derive `Deserialize` also accept an array, whose items become their fields by position,
//! and an object `{"name": null}` for a plain enum. No API means that, so this deserializer refuses
//! both, at any depth. It also notes where an error occurred ([`Trail`]). It changes nothing else.

use std::fmt;

use serde::de::value::{MapAccessDeserializer, StrDeserializer};
use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error, MapAccess, SeqAccess, Unexpected,
    VariantAccess, Visitor,
};

use super::trail::Trail;

/// Wraps a deserializer or a seed, and everything that it passes on.
pub(super) struct Strict<'t, T>(pub(super) T, pub(super) &'t Trail);

macro_rules! forward {
    ($($method:ident($($argument:ident: $type:ty),*);)*) => {
        $(
            fn $method<V: Visitor<'de>>(
                self,
                $($argument: $type,)*
                visitor: V,
            ) -> Result<V::Value, Self::Error> {
                self.0.$method($($argument,)* Any(visitor, self.1))
            }
        )*
    };
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Strict<'_, D> {
    type Error = D::Error;

    forward! {
        deserialize_any();
        deserialize_bool();
        deserialize_i8();
        deserialize_i16();
        deserialize_i32();
        deserialize_i64();
        deserialize_i128();
        deserialize_u8();
        deserialize_u16();
        deserialize_u32();
        deserialize_u64();
        deserialize_u128();
        deserialize_f32();
        deserialize_f64();
        deserialize_char();
        deserialize_str();
        deserialize_string();
        deserialize_bytes();
        deserialize_byte_buf();
        deserialize_option();
        deserialize_unit();
        deserialize_unit_struct(name: &'static str);
        deserialize_newtype_struct(name: &'static str);
        deserialize_seq();
        deserialize_tuple(len: usize);
        deserialize_tuple_struct(name: &'static str, len: usize);
        deserialize_map();
        deserialize_identifier();
        deserialize_ignored_any();
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        let object = Object(visitor, self.1);
        self.0.deserialize_struct(name, fields, object)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        let trail = self.1;
        self.0.deserialize_any(Variant {
            variants,
            visitor,
            trail,
        })
    }

    fn is_human_readable(&self) -> bool {
        self.0.is_human_readable()
    }
}

/// A visitor of any value.
struct Any<'t, V>(V, &'t Trail);

macro_rules! visit {
    ($($method:ident: $type:ty;)*) => {
        $(
            fn $method<E: Error>(self, value: $type) -> Result<V::Value, E> {
                self.0.$method(value)
            }
        )*
    };
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Any<'_, V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.expecting(f)
    }

    visit! {
        visit_bool: bool;
        visit_i8: i8;
        visit_i16: i16;
        visit_i32: i32;
        visit_i64: i64;
        visit_i128: i128;
        visit_u8: u8;
        visit_u16: u16;
        visit_u32: u32;
        visit_u64: u64;
        visit_u128: u128;
        visit_f32: f32;
        visit_f64: f64;
        visit_char: char;
        visit_str: &str;
        visit_borrowed_str: &'de str;
        visit_string: String;
        visit_bytes: &[u8];
        visit_borrowed_bytes: &'de [u8];
        visit_byte_buf: Vec<u8>;
    }

    fn visit_none<E: Error>(self) -> Result<V::Value, E> {
        self.0.visit_none()
    }

    fn visit_unit<E: Error>(self) -> Result<V::Value, E> {
        self.0.visit_unit()
    }

    fn visit_some<D: Deserializer<'de>>(self, inner: D) -> Result<V::Value, D::Error> {
        self.0.visit_some(Strict(inner, self.1))
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, inner: D) -> Result<V::Value, D::Error> {
        self.0.visit_newtype_struct(Strict(inner, self.1))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<V::Value, A::Error> {
        self.0.visit_seq(Parts::new(items, self.1))
    }

    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<V::Value, A::Error> {
        self.0.visit_map(Parts::new(members, self.1))
    }

    fn visit_enum<A: EnumAccess<'de>>(self, variant: A) -> Result<V::Value, A::Error> {
        self.0.visit_enum(variant)
    }
}

/// A visitor of a struct.
struct Object<'t, V>(V, &'t Trail);

impl<'de, V: Visitor<'de>> Visitor<'de> for Object<'_, V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<V::Value, A::Error> {
        self.0.visit_map(Parts::new(members, self.1))
    }
}

/// A visitor of an enum: a text, or an object for a variant with data.
struct Variant<'t, V> {
    variants: &'static [&'static str],
    visitor: V,
    trail: &'t Trail,
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Variant<'_, V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("one of")?;
        for (position, name) in self.variants.iter().enumerate() {
            let separator = if position == 0 { "" } else { "," };
            write!(f, "{separator} `{name}`")?;
        }
        Ok(())
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<V::Value, E> {
        self.visitor.visit_enum(StrDeserializer::new(name))
    }

    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<V::Value, A::Error> {
        let members = MapAccessDeserializer::new(Parts::new(members, self.trail));
        self.visitor.visit_enum(Strict(members, self.trail))
    }
}

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Strict<'_, S> {
    type Value = S::Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<S::Value, D::Error> {
        self.0.deserialize(Strict(deserializer, self.1))
    }
}

/// The items of an array, or the members of an object.
struct Parts<'t, A> {
    access: A,
    trail: &'t Trail,
    /// The number of complete parts.
    complete: usize,
}

impl<'t, A> Parts<'t, A> {
    const fn new(access: A, trail: &'t Trail) -> Self {
        Self {
            access,
            trail,
            complete: 0,
        }
    }

    /// Notes the result of reading a part.
    fn note<T, E>(&mut self, result: Result<T, E>) -> Result<T, E> {
        match &result {
            Ok(_) => {
                self.complete += 1;
                self.trail.forget();
            }
            Err(_) => self.trail.add(self.complete),
        }
        result
    }
}

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for Parts<'_, A> {
    type Error = A::Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, A::Error> {
        let read = self.access.next_element_seed(Strict(seed, self.trail));
        self.note(read)
    }

    fn size_hint(&self) -> Option<usize> {
        self.access.size_hint()
    }
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Parts<'_, A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, A::Error> {
        let read = self.access.next_key_seed(seed);
        read.inspect_err(|_| self.trail.add(self.complete))
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, A::Error> {
        let read = self.access.next_value_seed(Strict(seed, self.trail));
        self.note(read)
    }

    fn size_hint(&self) -> Option<usize> {
        self.access.size_hint()
    }
}

/// An enum that is an object.
impl<'de, 't, A: EnumAccess<'de>> EnumAccess<'de> for Strict<'t, A> {
    type Error = A::Error;
    type Variant = Strict<'t, A::Variant>;

    fn variant_seed<S: DeserializeSeed<'de>>(
        self,
        seed: S,
    ) -> Result<(S::Value, Self::Variant), A::Error> {
        let (name, variant) = self.0.variant_seed(seed)?;
        Ok((name, Strict(variant, self.1)))
    }
}

impl<'de, A: VariantAccess<'de>> VariantAccess<'de> for Strict<'_, A> {
    type Error = A::Error;

    fn unit_variant(self) -> Result<(), A::Error> {
        Err(Error::invalid_type(Unexpected::Map, &"a string"))
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, A::Error> {
        self.0.newtype_variant_seed(Strict(seed, self.1))
    }

    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, A::Error> {
        self.0.tuple_variant(len, Any(visitor, self.1))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, A::Error> {
        self.0.struct_variant(fields, Object(visitor, self.1))
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use crate::json::{Json, read};

    #[derive(Debug, Deserialize, PartialEq)]
    struct Outer {
        kind: Kind,
        #[serde(default)]
        inner: Option<Inner>,
        #[serde(default)]
        list: Vec<Inner>,
        #[serde(default)]
        raw: Option<Json>,
        #[serde(default)]
        pair: (u8, u8),
    }

    #[derive(Debug, Deserialize, PartialEq)]
    struct Inner {
        count: u32,
    }

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(rename_all = "snake_case")]
    enum Kind {
        Plain,
        Counted(Inner),
        Named { name: String },
    }

    #[test]
    fn objects_arrays_and_enums_read_as_usual() {
        for text in [
            r#"{"kind":"plain","inner":{"count":1},"list":[{"count":2}],"pair":[1,2]}"#,
            r#"{"kind":{"counted":{"count":3}},"inner":null,"raw":[1.0, {"a":[]}]}"#,
            r#"{"kind":{"named":{"name":"n"}},"raw":"text"}"#,
        ] {
            let strict: Outer = read(text).expect(text);
            let usual: Outer = serde_json::from_str(text).expect(text);
            assert_eq!(strict, usual);
        }
    }

    #[test]
    fn arrays_are_no_objects_at_any_depth() {
        for (text, path) in [
            (r#"["plain"]"#, ""),
            (r#"{"kind":"plain","inner":[1]}"#, "inner"),
            (r#"{"kind":"plain","list":[[1]]}"#, "list[0]"),
            (r#"{"kind":{"counted":[1]}}"#, "kind.counted"),
            (r#"{"kind":{"named":["n"]}}"#, "kind.named"),
            (r#"{"kind":{"plain":null}}"#, "kind"),
            (r#"{"kind":["plain"]}"#, "kind"),
            (r#"{"kind":5}"#, "kind"),
            (r#"{"kind":null}"#, "kind"),
        ] {
            let error = read::<Outer>(text).expect_err(text);
            assert_eq!(error.path, path, "{text}: {}", error.reason());
            assert!(error.is_data(), "{text}: {}", error.reason());
        }
    }
}
