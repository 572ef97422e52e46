//! The metadata of a commit, and the points in a tenant's history: positions and fingerprints.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Actor, CommitId, Note, Revision, TenantId, Timestamp};
use crate::model::error::{Error, Result};
use crate::model::ids::uuid_traits;

/// A point in a tenant's history, and the token that processes exchange.
///
/// A process sends the position of its last write along, and the process that receives it knows how fresh its own
/// snapshot must be. The text form has three parts separated by dots. It consists of letters, digits, `-` and `.`, so it
/// fits into a header, a cookie or a URL without escaping.
///
/// ```
/// use rolecall::blocking::Authorizer;
/// use rolecall::records::Position;
///
/// let acme = Authorizer::in_memory().create_tenant("acme", "Acme")?;
/// let token: String = acme.snapshot().position().to_string();
///
/// let position: Position = token.parse()?;
/// assert_eq!(position.tenant_id, acme.tenant_id());
/// assert!(acme.revision() >= position.revision);
/// # Ok::<(), rolecall::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Position {
    /// The tenant.
    pub tenant_id: TenantId,
    /// The revision.
    pub revision: Revision,
    /// The commit that made the revision. A restored backup can reach the same revision with another commit.
    pub commit: CommitId,
}

/// Parses what `Display` writes: `<tenant id>.<revision>.<commit id>`.
impl FromStr for Position {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let parts = || {
            let (tenant_id, rest) = text.split_once('.')?;
            let (revision, commit) = rest.split_once('.')?;
            let (tenant_id, revision) = (tenant_id.parse().ok()?, revision.parse().ok()?);
            Some(Self { tenant_id, revision, commit: commit.parse().ok()? })
        };
        parts().ok_or_else(|| Error::invalid("position", text, "`<tenant id>.<revision>.<commit id>`"))
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.tenant_id, self.revision, self.commit)
    }
}

/// Identifies the content of a catalog. Catalogs with the same meaning have the same fingerprint.
///
/// ```
/// use rolecall::Authorizer;
/// use rolecall::records::Fingerprint;
///
/// let fingerprint = Authorizer::in_memory().catalog().fingerprint();
/// assert_eq!(fingerprint.to_string().parse::<Fingerprint>()?, fingerprint);
/// # Ok::<(), rolecall::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fingerprint(Uuid);

uuid_traits!(Fingerprint);

/// The metadata of a commit: everything but its changes.
///
/// ```
/// use rolecall::records::{Actor, CommitId, Envelope, Timestamp};
///
/// let envelope = Envelope {
///     id: CommitId::random(),
///     previous: None,
///     actor: Some(Actor::new("people-ops")?),
///     at: Timestamp::UNIX_EPOCH,
///     note: None,
///     catalog: rolecall::catalog::Catalog::empty().fingerprint(),
/// };
/// assert_eq!(envelope.actor.unwrap(), "people-ops");
/// # Ok::<(), rolecall::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Envelope {
    /// The commit's own id.
    pub id: CommitId,
    /// The previous commit, which is that of the base. `None` for a creation. A store need not check it.
    pub previous: Option<CommitId>,
    /// The actor of the commit, in the words of the application.
    pub actor: Option<Actor>,
    /// When the commit was made, by the clock of the writer.
    pub at: Timestamp,
    /// Why the commit was made.
    pub note: Option<Note>,
    /// The catalog of the writer.
    pub catalog: Fingerprint,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_is_parsed_from_its_own_text_only() {
        let position =
            Position { tenant_id: TenantId::random(), revision: Revision::new(7), commit: CommitId::random() };
        let text = position.to_string();
        assert_eq!(text.parse::<Position>().unwrap(), position);
        let (tenant_id, commit) = (position.tenant_id, position.commit);
        let bad = [
            String::new(),
            format!("{tenant_id}.7"),
            format!("{tenant_id}.7.{commit}.7"),
            format!("{tenant_id}.+7.{commit}"),
            format!("{tenant_id}..{commit}"),
            format!("{tenant_id}.7.x"),
            format!(" {text}"),
            format!("{tenant_id}.18446744073709551616.{commit}"),
        ];
        for bad in bad {
            assert!(bad.parse::<Position>().is_err(), "{bad:?}");
        }
        assert!(text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.'));
    }
}
