//! The external id of a user or group, and the directory that manages it.
//!
//! Most users and groups have neither, so both are behind one pointer, which costs the others eight bytes.

use super::{ExternalId, Manager};

/// The data of a user or group that comes from a directory.
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
            #[doc = concat!("Returns the id of the ", $thing, " in the directory that manages it, if it has one.")]
            ///
            /// ```
            /// use rolecall::records::{Description, ExternalId, GroupId, GroupRecord, Manager, Name, Slug};
            /// use rolecall::records::{UserId, UserKey, UserRecord};
            ///
            /// let (slug, name) = (Slug::new("eng")?, Name::new("Engineering")?);
            /// let mut group = GroupRecord::new(GroupId::random(), slug, name, Description::default());
            /// let mut user = UserRecord::new(UserId::random(), UserKey::new("alice")?);
            /// user.set_external_id(Some(ExternalId::new("00u1")?));
            /// group.set_external_id(Some(ExternalId::new("00g1")?));
            /// assert_eq!(user.external_id().unwrap(), "00u1");
            /// assert_eq!(group.external_id().unwrap(), "00g1");
            /// # Ok::<(), rolecall::Error>(())
            /// ```
            pub fn external_id(&self) -> Option<&ExternalId> {
                self.directory().and_then(|directory| directory.external_id.as_ref())
            }

            #[doc = concat!("Returns the directory that manages the ", $thing, ". `None` if it is local to the tenant (R16).")]
            ///
            /// ```
            /// use rolecall::records::{Description, ExternalId, GroupId, GroupRecord, Manager, Name, Slug};
            /// use rolecall::records::{UserId, UserKey, UserRecord};
            ///
            /// let (slug, name) = (Slug::new("eng")?, Name::new("Engineering")?);
            /// let mut group = GroupRecord::new(GroupId::random(), slug, name, Description::default());
            /// let mut user = UserRecord::new(UserId::random(), UserKey::new("alice")?);
            /// assert!(user.managed_by().is_none() && group.managed_by().is_none());
            /// user.set_managed_by(Some(Manager::new("okta")?));
            /// assert_eq!(user.managed_by().unwrap(), "okta");
            /// # Ok::<(), rolecall::Error>(())
            /// ```
            pub fn managed_by(&self) -> Option<&Manager> {
                self.directory().and_then(|directory| directory.managed_by.as_ref())
            }

            /// Sets or clears the external id.
            ///
            /// An external id needs a manager (I12 in [`docs::rules`](crate::docs::rules)). This call does not check
            /// that; every load and commit does.
            ///
            /// ```
            /// use rolecall::records::{Description, ExternalId, GroupId, GroupRecord, Manager, Name, Slug};
            /// use rolecall::records::{UserId, UserKey, UserRecord};
            ///
            /// let (slug, name) = (Slug::new("eng")?, Name::new("Engineering")?);
            /// let mut group = GroupRecord::new(GroupId::random(), slug, name, Description::default());
            /// let mut user = UserRecord::new(UserId::random(), UserKey::new("alice")?);
            /// user.set_external_id(Some(ExternalId::new("00u1")?));
            /// user.set_external_id(None);
            /// assert!(user.external_id().is_none() && group.external_id().is_none());
            /// # Ok::<(), rolecall::Error>(())
            /// ```
            pub fn set_external_id(&mut self, id: Option<ExternalId>) {
                self.edit_directory(|directory| directory.external_id = id);
            }

            /// Sets or clears the directory that manages it.
            ///
            /// ```
            /// use rolecall::records::{Description, ExternalId, GroupId, GroupRecord, Manager, Name, Slug};
            /// use rolecall::records::{UserId, UserKey, UserRecord};
            ///
            /// let (slug, name) = (Slug::new("eng")?, Name::new("Engineering")?);
            /// let mut group = GroupRecord::new(GroupId::random(), slug, name, Description::default());
            /// let mut user = UserRecord::new(UserId::random(), UserKey::new("alice")?);
            /// group.set_managed_by(Some(Manager::new("okta")?));
            /// assert_eq!(group.managed_by().unwrap(), "okta");
            /// assert!(user.managed_by().is_none());
            /// # Ok::<(), rolecall::Error>(())
            /// ```
            pub fn set_managed_by(&mut self, manager: Option<Manager>) {
                self.edit_directory(|directory| directory.managed_by = manager);
            }

            /// Changes the manager, and clears the external id, which belongs to the former manager.
            pub(crate) fn hand_over(&mut self, manager: Option<Manager>) {
                if self.managed_by() != manager.as_ref() {
                    self.edit_directory(|directory| {
                        directory.external_id = None;
                        directory.managed_by = manager;
                    });
                }
            }

            /// Returns the manager and the external id, if it has both.
            pub(crate) fn external(&self) -> Option<(&str, &str)> {
                let directory = self.directory()?;
                Some((directory.managed_by.as_ref()?.as_str(), directory.external_id.as_ref()?.as_str()))
            }
        }
    )*};
}

pub(super) use directory_accessors;

/// The optional data of a user, which few users have.
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
    fn setting_and_clearing_leaves_an_equal_record() {
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
