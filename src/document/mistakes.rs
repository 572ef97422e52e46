//! Broken rules, each with its place in the document as a JSON pointer (RFC 6901).
//!
//! A pointer here is made of the format's own field names and of numbers alone, so there is nothing to escape in it. All
//! mistakes are counted; past the first hundred only that.

use std::fmt;

use crate::model::error::{Error, ErrorKind, Result};

/// Past this many, mistakes are only counted.
const MOST_TOLD: usize = 100;

/// A place in a document: `/groups/3/members/0/user`, or as much of it as there is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    list: &'static str,
    entry: Option<usize>,
    part: Option<(&'static str, usize)>,
    leaf: Option<&'static str>,
}

impl Place {
    /// A field of the tenant.
    pub(super) const fn tenant(leaf: &'static str) -> Self {
        Self { list: "tenant", entry: None, part: None, leaf: Some(leaf) }
    }

    /// An entry of a list.
    pub(super) const fn entry(list: &'static str, entry: usize) -> Self {
        Self { list, entry: Some(entry), part: None, leaf: None }
    }

    /// An entry of a list of that entry's.
    pub(super) const fn part(self, list: &'static str, at: usize) -> Self {
        Self { part: Some((list, at)), ..self }
    }

    /// A field of that.
    pub(super) const fn field(self, leaf: &'static str) -> Self {
        Self { leaf: Some(leaf), ..self }
    }

    /// The field that has the entry's name, which is the entry itself where that is a plain string.
    pub(super) const fn name(self, plain: bool, leaf: &'static str) -> Self {
        if plain { self } else { self.field(leaf) }
    }
}

impl fmt::Display for Place {
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

/// The mistakes so far.
#[derive(Debug, Default)]
pub(super) struct Mistakes {
    lines: Vec<String>,
    more: usize,
}

impl Mistakes {
    /// Adds one. What it says is made only if it is told: near names cost a search.
    pub(super) fn add(&mut self, place: Place, says: impl FnOnce() -> String) {
        if self.lines.len() < MOST_TOLD {
            self.lines.push(format!("{place}: {}", says()));
        } else {
            self.more += 1;
        }
    }

    /// What was read, unless that failed: then that is a mistake.
    pub(super) fn judge<T>(&mut self, place: Place, read: Result<T>) -> Option<T> {
        read.map_err(|error| self.add(place, || error.to_string())).ok()
    }

    /// Nothing, or the error that lists them all.
    pub(super) fn finish(mut self) -> Result<()> {
        if self.lines.is_empty() {
            return Ok(());
        }
        if self.more > 0 {
            self.lines.push(format!("and {} more", self.more));
        }
        Err(Error::new(ErrorKind::Document).details_of(self.lines))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_json_pointer() {
        let entry = Place::entry("groups", 3);
        let table = [
            (Place::tenant("slug"), "/tenant/slug"),
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
    fn past_a_hundred_mistakes_are_counted() {
        let mut mistakes = Mistakes::default();
        (0..150).for_each(|n| mistakes.add(Place::entry("roles", n), || "wrong".to_owned()));
        let error = mistakes.finish().unwrap_err();
        assert_eq!((error.kind(), error.details().len()), (ErrorKind::Document, 101));
        assert_eq!(error.details()[99], "/roles/99: wrong");
        assert_eq!(error.details()[100], "and 50 more");
    }
}
