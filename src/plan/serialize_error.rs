//! The error as data: its members, and the change that a rebased plan conflicts with.

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use super::rebase::RebaseConflict;
use crate::model::error::Error;

impl Serialize for Error {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        self.serialize_into(&mut map)?;
        if let Some(conflict) = RebaseConflict::of(self) {
            map.serialize_entry("conflict", conflict)?;
        }
        map.end()
    }
}
