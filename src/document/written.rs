//! How the parts of a document are read and written: entries as plain strings or objects, lists in bytewise order.
//!
//! Reading is strict where serde is lenient: an array is no object, and `null` is nothing that a field may be. No call
//! here recurses over what is read; how deep brackets may nest is the parser's bound.

use std::fmt;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};

use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use smol_str::SmolStr;

/// An entry of a list, and whether it stood as a plain string: then its name has the place of the whole entry.
#[derive(Clone)]
pub(super) struct Entry<T> {
    full: T,
    pub(super) plain: bool,
}

/// What an entry says.
pub(super) trait Full: Sized {
    const EXPECTED: &'static str;

    /// The entry that a plain string stands for, if one may.
    fn of_text(text: &str) -> Option<Self>;
    /// The plain string that says all that there is to say, if one does.
    fn text(&self) -> Option<&str>;
    /// Leaves out what need not be said.
    fn tidy(&mut self);
    /// What the entry is sorted by: its slug or key.
    fn order(&self) -> (&str, &str);
}

impl<T> Entry<T> {
    pub(super) fn new(full: T) -> Self {
        Self { full, plain: false }
    }
}

impl<T> Deref for Entry<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.full
    }
}

impl<T> DerefMut for Entry<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.full
    }
}

impl<'de, T: Full + Deserialize<'de>> Deserialize<'de> for Entry<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read<T>(PhantomData<T>);

        impl<'de, T: Full + Deserialize<'de>> Visitor<'de> for Read<T> {
            type Value = Entry<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(T::EXPECTED)
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Entry<T>, E> {
                let full = T::of_text(text).ok_or_else(|| E::invalid_type(Unexpected::Str(text), &self))?;
                Ok(Entry { full, plain: true })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Entry<T>, A::Error> {
                let mut full = T::deserialize(MapAccessDeserializer::new(map))?;
                full.tidy();
                Ok(Entry { full, plain: false })
            }
        }

        deserializer.deserialize_any(Read(PhantomData))
    }
}

impl<T: Full + Serialize> Serialize for Entry<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.full.text() {
            Some(text) => serializer.serialize_str(text),
            None => self.full.serialize(serializer),
        }
    }
}

/// An object, whatever else the type would be read from.
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

/// A field that is there: `null` is not.
pub(super) fn given<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// Whether there is nothing to read.
#[expect(clippy::ref_option, reason = "serde's attribute passes a reference")]
pub(super) fn is_empty(text: &Option<SmolStr>) -> bool {
    text.as_ref().is_none_or(SmolStr::is_empty)
}

/// What has a place in a sorted list.
pub(super) trait Sorted {
    fn order(&self) -> (&str, &str);
}

impl Sorted for SmolStr {
    fn order(&self) -> (&str, &str) {
        (self, "")
    }
}

impl<T: Full> Sorted for Entry<T> {
    fn order(&self) -> (&str, &str) {
        self.full.order()
    }
}

/// A list in bytewise order of slugs or keys, whatever order it has in memory.
pub(super) fn sorted<T: Sorted + Serialize, S: Serializer>(list: &[T], serializer: S) -> Result<S::Ok, S::Error> {
    let mut list: Vec<&T> = list.iter().collect();
    // With keys of one type, the sort is compiled once and not for each type of list.
    list.sort_by_cached_key(|item| T::order(item));
    serializer.collect_seq(list)
}
