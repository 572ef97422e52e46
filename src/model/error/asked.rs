//! The caller's reference to an entity: a name, an id, an external id or a handle.

use std::fmt::{self, Display, Formatter};

use uuid::Uuid;

use super::{EntityKind, Quoted};

/// The name or id by which a caller asked for an entity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// Empty for a handle.
    pub(crate) text: String,
    pub(crate) by: AskedBy,
}

/// How a caller named an entity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum AskedBy {
    /// By its slug or key.
    Name,
    Id,
    /// By its external id in a directory.
    ExternalId {
        manager: String,
    },
    /// By a handle: of a deleted entity, of another tenant, or of another opening.
    Handle,
    /// By a variant of a catalog's enum that this authorizer was not built with.
    Variant,
}

impl Asked {
    pub(crate) fn by_id(id: impl Into<Uuid>) -> Self {
        Self { text: id.into().to_string(), by: AskedBy::Id }
    }

    pub(crate) fn by_external_id(manager: &str, id: &str) -> Self {
        Self { text: id.to_owned(), by: AskedBy::ExternalId { manager: manager.to_owned() } }
    }

    pub(crate) fn by_handle() -> Self {
        Self { text: String::new(), by: AskedBy::Handle }
    }

    pub(crate) fn by_variant(variant: impl fmt::Debug) -> Self {
        Self { text: format!("{variant:?}"), by: AskedBy::Variant }
    }

    /// Returns the name or id as data; `None` for a handle.
    pub(crate) fn data(&self) -> Option<&str> {
        Some(self.text.as_str()).filter(|text| !text.is_empty())
    }

    /// Returns the slug or key. Only a name can be misspelt.
    pub(crate) fn name(&self) -> Option<&str> {
        (self.by == AskedBy::Name).then_some(&self.text)
    }

    /// Describes the entity: ``user `alice` ``, ``user with the id `…` ``.
    pub(crate) fn of(&self, entity: EntityKind) -> impl Display + '_ {
        DescribedName { entity, asked: self }
    }

    /// Says that the entity does not exist: ``user `alice` not found``.
    pub(crate) fn missing(&self, entity: EntityKind) -> String {
        match self.by {
            AskedBy::Variant => {
                format!("{entity} {} belongs to a catalog that this authorizer was not built with", Quoted(&self.text))
            }
            _ => format!("{} not found", self.of(entity)),
        }
    }
}

impl<T: Into<String>> From<T> for Asked {
    fn from(name: T) -> Self {
        Self { text: name.into(), by: AskedBy::Name }
    }
}

struct DescribedName<'a> {
    entity: EntityKind,
    asked: &'a Asked,
}

impl Display for DescribedName<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let (entity, text) = (self.entity, Quoted(&self.asked.text));
        match &self.asked.by {
            AskedBy::Name => write!(f, "{entity} {text}"),
            AskedBy::Id => write!(f, "{entity} with the id {text}"),
            AskedBy::ExternalId { manager } => write!(f, "{entity} with the external id {text} of {}", Quoted(manager)),
            AskedBy::Handle => {
                write!(f, "{entity} with this handle (of a deleted {entity}, of another tenant, ")?;
                f.write_str("or from before this tenant was opened again)")
            }
            AskedBy::Variant => {
                write!(f, "{entity} {text} of a catalog that this authorizer was not built with")
            }
        }
    }
}
