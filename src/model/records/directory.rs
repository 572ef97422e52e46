//! What a user or group has from the directory that it is synchronised from: its external id, and who manages it.
//!
//! Most users and groups have neither, so both are behind one pointer, which costs the others eight bytes.

use super::{ExternalId, Manager};

/// What a directory knows about a user or group.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Directory {
    pub(super) external_id: Option<ExternalId>,
    pub(super) managed_by: Option<Manager>,
}

impl Directory {
    pub(super) fn is_empty(&self) -> bool {
        self.external_id.is_none() && self.managed_by.is_none()
    }
}

/// The accessors that users and groups share.
macro_rules! directory_accessors {
    ($($record:ident, $thing:literal;)*) => {$(
        impl $record {
            #[doc = concat!("The id of the ", $thing, " in the directory that manages it, if it has one.")]
            pub fn external_id(&self) -> Option<&ExternalId> {
                self.directory().and_then(|directory| directory.external_id.as_ref())
            }

            #[doc = concat!("The directory that manages the ", $thing, ". `None`: the tenant itself does (R16).")]
            pub fn managed_by(&self) -> Option<&Manager> {
                self.directory().and_then(|directory| directory.managed_by.as_ref())
            }

            /// Sets or clears the external id. A store refuses nothing here: that an external id needs a manager is a
            /// rule about states (I12), which every load and commit is held against.
            pub fn set_external_id(&mut self, id: Option<ExternalId>) {
                self.edit_directory(|directory| directory.external_id = id);
            }

            /// Sets or clears the directory that manages it.
            pub fn set_managed_by(&mut self, manager: Option<Manager>) {
                self.edit_directory(|directory| directory.managed_by = manager);
            }

            /// The name under which a directory knows it, if one does: the manager, and the id there.
            pub(crate) fn external(&self) -> Option<(&str, &str)> {
                let directory = self.directory()?;
                Some((directory.managed_by.as_ref()?.as_str(), directory.external_id.as_ref()?.as_str()))
            }
        }
    )*};
}

pub(super) use directory_accessors;

/// What few of a million users have.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Profile {
    pub(super) name: Option<super::Name>,
    pub(super) directory: Directory,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::records::{Name, UserId, UserKey, UserRecord};

    #[test]
    fn a_user_without_a_profile_costs_one_pointer_more() {
        assert_eq!(size_of::<UserRecord>(), 16 + 24 + 8 + 8, "id, key, status, the pointer");
    }

    #[test]
    fn what_was_set_and_cleared_leaves_an_equal_record() {
        let new = || UserRecord::new(UserId::from_uuid(uuid::Uuid::nil()), UserKey::new("alice").unwrap());
        let mut user = new();
        user.set_name(Some(Name::new("Alice").unwrap()));
        user.set_managed_by(Some(Manager::new("okta").unwrap()));
        user.set_external_id(Some(ExternalId::new("00u1").unwrap()));
        assert_eq!((user.name(), user.external()), ("Alice", Some(("okta", "00u1"))));
        assert!(user != new());
        user.set_name(None);
        user.set_managed_by(None);
        assert_eq!((user.name(), user.external()), ("alice", None));
        user.set_external_id(None);
        assert_eq!(user, new());
    }
}
