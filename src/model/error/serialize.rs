//! The error as data: the members of a problem description (RFC 9457), without those that have no value.

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use super::{EntityKind, Error};

impl Serialize for Error {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let inner = &*self.0;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("code", inner.kind.code())?;
        map.serialize_entry("title", inner.kind.title())?;
        map.serialize_entry("detail", &self.detail().to_string())?;
        value(&mut map, "advice", self.advice().as_ref())?;
        value(&mut map, "entity", inner.entity.as_ref())?;
        value(&mut map, "name", self.name().as_ref())?;
        value(&mut map, "derived_from", inner.derived_from.as_ref())?;
        value(&mut map, "relation", inner.relation.as_ref())?;
        value(&mut map, "what", inner.what.as_ref())?;
        value(&mut map, "expected", inner.expected.as_ref())?;
        value(&mut map, "found", inner.found.as_ref())?;
        if inner.entity != Some(EntityKind::User) {
            list(&mut map, "suggestions", self.suggestions())?;
        }
        list(&mut map, "cycle", &inner.cycle.names)?;
        list(&mut map, "mistakes", &inner.mistakes)?;
        list(&mut map, "violations", &inner.violations)?;
        value(&mut map, "unlisted", Some(&inner.unlisted).filter(|unlisted| **unlisted > 0))?;
        value(&mut map, "reserved_prefix", inner.reserved_prefix.as_ref())?;
        value(&mut map, "manager", self.manager().as_ref())?;
        value(&mut map, "separation", inner.separation.as_ref())?;
        value(&mut map, "revision", inner.revision.as_ref())?;
        value(&mut map, "commit", inner.commit.as_ref())?;
        map.end()
    }
}

fn value<M: SerializeMap>(map: &mut M, name: &'static str, value: Option<&impl Serialize>) -> Result<(), M::Error> {
    value.map_or(Ok(()), |value| map.serialize_entry(name, value))
}

fn list<M: SerializeMap>(map: &mut M, name: &'static str, items: &[impl Serialize]) -> Result<(), M::Error> {
    if items.is_empty() { Ok(()) } else { map.serialize_entry(name, items) }
}
