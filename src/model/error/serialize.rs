//! The members of the error as data: those of a problem description (RFC 9457), without those that have no value.
//! `plan/serialize_error.rs` writes the whole, because the layer of plans adds a member.

use serde::Serialize;
use serde::ser::SerializeMap;

use super::{EntityKind, Error};

impl Error {
    /// Writes the members into a map.
    pub(crate) fn serialize_into<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        let inner = &*self.0;
        map.serialize_entry("code", inner.kind.code())?;
        map.serialize_entry("title", inner.kind.title())?;
        map.serialize_entry("detail", &self.detail().to_string())?;
        value(map, "advice", self.advice().as_ref())?;
        value(map, "entity", inner.entity.as_ref())?;
        value(map, "name", self.name().as_ref())?;
        value(map, "derived_from", inner.derived_from.as_ref())?;
        value(map, "relation", inner.relation.as_ref())?;
        value(map, "what", inner.what.as_ref())?;
        value(map, "expected", inner.expected.as_ref())?;
        value(map, "found", inner.found.as_ref())?;
        if inner.entity != Some(EntityKind::User) {
            list(map, "suggestions", self.suggestions())?;
        }
        list(map, "cycle", &inner.cycle.names)?;
        list(map, "mistakes", &inner.mistakes)?;
        list(map, "violations", &inner.violations)?;
        list(map, "missing_rights", &inner.missing_rights)?;
        value(map, "unlisted", Some(&inner.unlisted).filter(|unlisted| **unlisted > 0))?;
        value(map, "reserved_prefix", inner.reserved_prefix.as_ref())?;
        value(map, "manager", self.manager().as_ref())?;
        value(map, "gives_to_manager", Some(&inner.is_given).filter(|is_given| **is_given))?;
        value(map, "separation", inner.separation.as_ref())?;
        value(map, "assertion", inner.assertion.as_ref())?;
        value(map, "revision", inner.revision.as_ref())?;
        value(map, "commit", inner.commit.as_ref())
    }
}

fn value<M: SerializeMap>(map: &mut M, name: &'static str, value: Option<&impl Serialize>) -> Result<(), M::Error> {
    value.map_or(Ok(()), |value| map.serialize_entry(name, value))
}

fn list<M: SerializeMap>(map: &mut M, name: &'static str, items: &[impl Serialize]) -> Result<(), M::Error> {
    if items.is_empty() { Ok(()) } else { map.serialize_entry(name, items) }
}
