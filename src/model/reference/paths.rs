//! The reference model's paths: every way from a user to a permission (R1 to R5).

use std::collections::BTreeSet;

use super::Model;
use crate::model::catalog::RoleEntry;
use crate::model::records::{Granted, GroupId, Holder, Record, RoleId, UserId, Window};

/// A path from a user to a permission, as the reference model finds it.
///
/// ```
/// use rolecall::catalog::Catalog;
/// use rolecall::records::*;
/// use rolecall::reference::{Model, ModelStep};
///
/// let (user, role, id) = (UserId::random(), RoleId::random(), PermissionId::random());
/// let (slug, name) = (Slug::new("posts:read")?, Name::new("Read posts")?);
/// let records = [
///     Record::Permission(PermissionRecord { id, slug, name, description: Description::default(), category: None }),
///     Record::Grant(Grant { role, granted: Granted::Permission(PermissionRef::Own(id)) }),
///     Record::Assignment(Assignment { role: RoleRef::Own(role), holder: Holder::User(user), window: Window::ALWAYS }),
/// ];
/// let catalog = Catalog::empty();
/// let paths = Model::new(&records, &catalog).paths(user, "posts:read");
/// assert_eq!((paths.len(), &paths[0].steps[..]), (1, &[ModelStep::Role(role)][..]));
/// # Ok::<(), rolecall::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ModelPath {
    /// The steps, from the user to the role that grants.
    pub steps: Vec<ModelStep>,
    /// When all windows along the path are active.
    pub window: Window,
    /// The grant of the last role: the permission's slug or a pattern.
    pub grant: String,
}

/// A step of a path of the reference model.
///
/// ```
/// use rolecall::records::GroupId;
/// use rolecall::reference::ModelStep;
///
/// let group = GroupId::random();
/// assert_ne!(ModelStep::Member(group), ModelStep::Parent(group));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ModelStep {
    /// The user is a member of a group.
    Member(GroupId),
    /// The group of the step before has this parent.
    Parent(GroupId),
    /// The user or group of the step before has this role.
    Role(RoleId),
    /// The role of the step before includes this role.
    Included(RoleId),
}

impl Model<'_> {
    /// Returns every path from a user to the permission with this slug, active or not, suspended or not. A path whose
    /// windows have no common instant does not count (R3).
    ///
    /// ```
    /// # use rolecall::catalog::Catalog;
    /// # use rolecall::reference::Model;
    /// # use rolecall::records::{Record, Timestamp, UserId, UserKey, UserRecord};
    /// #
    /// # let alice = UserId::random();
    /// # let records = [Record::User(UserRecord::new(alice, UserKey::new("alice")?))];
    /// # let catalog = Catalog::empty();
    /// # let model = Model::new(&records, &catalog);
    /// assert!(model.paths(alice, "posts:read").is_empty());
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Complexity
    /// There may be exponentially many paths: only for small sets of records.
    pub fn paths(&self, user: UserId, permission: &str) -> Vec<ModelPath> {
        let mut todo: Vec<(Vec<ModelStep>, Window)> =
            self.held_by_user(user).map(|(step, window)| (vec![step], window)).collect();
        let mut paths = Vec::new();
        while let Some((steps, window)) = todo.pop() {
            let next = match steps.last() {
                Some(ModelStep::Member(group) | ModelStep::Parent(group)) => self.held_by_group(*group),
                Some(ModelStep::Role(role) | ModelStep::Included(role)) => {
                    let grants = self.granting(*role, permission).into_iter();
                    paths.extend(grants.map(|grant| ModelPath { steps: steps.clone(), window, grant }));
                    self.included(*role).map(|included| (ModelStep::Included(included), Window::ALWAYS)).collect()
                }
                None => Vec::new(),
            };
            let longer = next.into_iter().filter_map(|(step, of_step)| {
                Some(([steps.as_slice(), &[step]].concat(), window.intersection(of_step)?))
            });
            todo.extend(longer);
        }
        paths
    }

    /// The groups and roles that a user has directly.
    fn held_by_user(&self, user: UserId) -> impl Iterator<Item = (ModelStep, Window)> {
        self.records.iter().filter_map(move |record| match record {
            Record::Membership(m) if m.user == user => Some((ModelStep::Member(m.group), m.window)),
            Record::Assignment(a) if a.holder == Holder::User(user) => Some((ModelStep::Role(a.role.id()), a.window)),
            _ => None,
        })
    }

    /// The parents and roles of a group.
    fn held_by_group(&self, group: GroupId) -> Vec<(ModelStep, Window)> {
        let next = self.records.iter().filter_map(|record| match record {
            Record::Parent(edge) if edge.group == group => Some((ModelStep::Parent(edge.parent), edge.window)),
            Record::Assignment(a) if a.holder == Holder::Group(group) => Some((ModelStep::Role(a.role.id()), a.window)),
            _ => None,
        });
        next.collect()
    }

    /// The slug and the patterns by which a role itself grants a permission.
    fn granting(&self, role: RoleId, permission: &str) -> BTreeSet<String> {
        let Some((id, slug)) = self.permissions().find(|(_, slug)| slug.as_str() == permission) else {
            return BTreeSet::new();
        };
        let own = self.records.iter().filter_map(|record| match record {
            Record::Grant(grant) if grant.role == role => Some(&grant.granted),
            _ => None,
        });
        let own = own.filter_map(|granted| match granted {
            Granted::Permission(reference) => (reference.id() == id).then(|| slug.to_string()),
            Granted::Pattern(pattern) => pattern.matches(permission).then(|| pattern.to_string()),
        });
        let system = self.catalog.granted(role).filter(|entry| entry.id() == id).map(|_| slug.to_string());
        let entry = self.catalog.roles().iter().filter(|entry| entry.id() == role);
        let patterns = entry.flat_map(RoleEntry::patterns).filter(|pattern| pattern.matches(permission));
        own.chain(system).chain(patterns.map(ToString::to_string)).collect()
    }
}
