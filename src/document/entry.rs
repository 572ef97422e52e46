//! Reads and writes the parts of a document: entries as plain strings or objects, and lists in bytewise order.
//!
//! Reading is stricter than serde: an array is not accepted as an object, nor `null` as a field. Nothing here recurses
//! over the input; the parser limits how deep brackets may nest.

use std::fmt;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};

use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use smol_str::SmolStr;

/// An entry of a list, and whether it was a plain string. The place of a plain entry is also the place of its name.
#[derive(Clone)]
pub(super) struct Entry<T> {
    value: T,
    pub(super) plain: bool,
}

/// The content of a list entry.
pub(super) trait ListEntry: Sized {
    const EXPECTED: &'static str;

    /// Returns the entry for a plain string. `None` if a plain string is not allowed.
    fn from_text(text: &str) -> Option<Self>;
    /// Returns the plain string that represents the whole entry, if it has no other data.
    fn text(&self) -> Option<&str>;
    /// Removes default values.
    fn normalize(&mut self);
    /// Returns the sort key: the slug or key of the entry.
    fn order(&self) -> (&str, &str);
}

impl<T> Entry<T> {
    pub(super) fn new(value: T) -> Self {
        Self { value, plain: false }
    }
}

impl<T> Deref for Entry<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> DerefMut for Entry<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.value
    }
}

impl<'de, T: ListEntry + Deserialize<'de>> Deserialize<'de> for Entry<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read<T>(PhantomData<T>);

        impl<'de, T: ListEntry + Deserialize<'de>> Visitor<'de> for Read<T> {
            type Value = Entry<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(T::EXPECTED)
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Entry<T>, E> {
                let value = T::from_text(text).ok_or_else(|| E::invalid_type(Unexpected::Str(text), &self))?;
                Ok(Entry { value, plain: true })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Entry<T>, A::Error> {
                let mut value = T::deserialize(MapAccessDeserializer::new(map))?;
                value.normalize();
                Ok(Entry { value, plain: false })
            }
        }

        deserializer.deserialize_any(Read(PhantomData))
    }
}

impl<T: ListEntry + Serialize> Serialize for Entry<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.value.text() {
            Some(text) => serializer.serialize_str(text),
            None => self.value.serialize(serializer),
        }
    }
}

/// Reads an object, even if the type could be read from other forms.
pub(super) fn object<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
    expected: &'static str,
) -> Result<T, D::Error> {
    struct Read<T>(&'static str, PhantomData<T>);

    impl<'de, T: Deserialize<'de>> Visitor<'de> for Read<T> {
        type Value = T;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }

        fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
            T::deserialize(MapAccessDeserializer::new(map))
        }
    }

    deserializer.deserialize_map(Read(expected, PhantomData))
}

/// Reads an optional field that may be missing but not `null`.
pub(super) fn non_null<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// Returns whether a text is missing or empty.
#[expect(clippy::ref_option, reason = "serde's attribute passes a reference")]
pub(super) fn is_empty(text: &Option<SmolStr>) -> bool {
    text.as_ref().is_none_or(SmolStr::is_empty)
}

/// An item of a sorted list.
pub(super) trait Sorted {
    fn order(&self) -> (&str, &str);
}

impl Sorted for SmolStr {
    fn order(&self) -> (&str, &str) {
        (self, "")
    }
}

impl<T: ListEntry> Sorted for Entry<T> {
    fn order(&self) -> (&str, &str) {
        self.value.order()
    }
}

/// Serialises a list in bytewise order of slugs or keys.
pub(super) fn sorted<T: Sorted + Serialize, S: Serializer>(list: &[T], serializer: S) -> Result<S::Ok, S::Error> {
    let mut list: Vec<&T> = list.iter().collect();
    // All lists have sort keys of one type, so the sort is compiled only once.
    list.sort_by_cached_key(|item| T::order(item));
    serializer.collect_seq(list)
}
