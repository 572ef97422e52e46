//! Mistakes in a document, each with its place as a JSON pointer (RFC 6901), a code and a message.
//!
//! A pointer consists of field names of the format and of numbers, so nothing in it needs escaping. After the first
//! hundred, mistakes are only counted.

use std::fmt;

use crate::model::error::{Error, Mistake, MistakeCode, Result};

/// The number of mistakes that are listed. Further ones are only counted.
const MAX_LISTED: usize = 100;

/// A place in a document: `/groups/3/members/0/user`, or a prefix of such a path.
#[derive(Clone, Copy, Debug)]
pub(super) struct JsonPointer {
    list: &'static str,
    entry: Option<usize>,
    part: Option<(&'static str, usize)>,
    leaf: Option<&'static str>,
}

impl JsonPointer {
    /// A field of the tenant.
    pub(super) const fn tenant(leaf: &'static str) -> Self {
        Self { list: "tenant", entry: None, part: None, leaf: Some(leaf) }
    }

    /// An entry of a list.
    pub(super) const fn entry(list: &'static str, entry: usize) -> Self {
        Self { list, entry: Some(entry), part: None, leaf: None }
    }

    /// An entry of a list inside this entry.
    pub(super) const fn part(self, list: &'static str, at: usize) -> Self {
        Self { part: Some((list, at)), ..self }
    }

    /// A field of this place.
    pub(super) const fn field(self, leaf: &'static str) -> Self {
        Self { leaf: Some(leaf), ..self }
    }

    /// The field with the name of the entry. A plain string is its own name.
    pub(super) const fn name(self, plain: bool, leaf: &'static str) -> Self {
        if plain { self } else { self.field(leaf) }
    }
}

impl fmt::Display for JsonPointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "/{}", self.list)?;
        if let Some(entry) = self.entry {
            write!(f, "/{entry}")?;
        }
        if let Some((list, at)) = self.part {
            write!(f, "/{list}/{at}")?;
        }
        if let Some(leaf) = self.leaf {
            write!(f, "/{leaf}")?;
        }
        Ok(())
    }
}

/// The mistakes found so far.
#[derive(Debug, Default)]
pub(super) struct Mistakes {
    listed: Vec<Mistake>,
    unlisted: usize,
}

impl Mistakes {
    /// Adds a mistake. The message is created only if it is listed, because similar names cost a search.
    pub(super) fn add(&mut self, place: JsonPointer, code: MistakeCode, message: impl FnOnce() -> String) {
        if self.listed.len() < MAX_LISTED {
            self.listed.push(Mistake::new(place.to_string(), code, message()));
        } else {
            self.unlisted += 1;
        }
    }

    /// Returns the text that was parsed, or adds a mistake if it is invalid.
    pub(super) fn check<T>(&mut self, place: JsonPointer, parsed: Result<T>) -> Option<T> {
        parsed.map_err(|error| self.add(place, MistakeCode::Invalid, || error.to_string())).ok()
    }

    /// Returns `Ok` if the document has no mistakes, otherwise the error that lists them.
    pub(super) fn finish(self) -> Result<()> {
        if self.listed.is_empty() { Ok(()) } else { Err(Error::document(self.listed, self.unlisted)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_written_as_a_json_pointer() {
        let entry = JsonPointer::entry("groups", 3);
        let table = [
            (JsonPointer::tenant("slug"), "/tenant/slug"),
            (entry, "/groups/3"),
            (entry.name(true, "slug"), "/groups/3"),
            (entry.name(false, "slug"), "/groups/3/slug"),
            (entry.part("members", 0), "/groups/3/members/0"),
            (entry.part("members", 0).field("until"), "/groups/3/members/0/until"),
        ];
        for (place, pointer) in table {
            assert_eq!(place.to_string(), pointer);
        }
    }

    #[test]
    fn after_a_hundred_mistakes_the_rest_is_counted() {
        let mut mistakes = Mistakes::default();
        (0..150)
            .for_each(|n| mistakes.add(JsonPointer::entry("roles", n), MistakeCode::Invalid, || "wrong".to_owned()));
        let error = mistakes.finish().unwrap_err();
        assert_eq!((error.mistakes().len(), error.unlisted()), (100, 50));
        assert_eq!(error.mistakes()[99].to_string(), "/roles/99: wrong");
        assert!(error.to_string().ends_with("; and 142 more"));
    }
}
