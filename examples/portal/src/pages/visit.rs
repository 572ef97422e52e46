//! The user who visits a page: the signed-in user, what the request requires, and what the user may do besides.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use rolecall::records::UserId;
use rolecall::{Decision, Moment};
use rolecall_axum::{Permitted, Problem, RequiredPermission, Subject};

use crate::catalog::Permission;
use crate::state::Principal;

/// A request for a page by a user who has the required permission.
pub(super) struct Visit<R> {
    pub(super) asking: Permitted<R>,
    pub(super) frame: Frame,
}

/// The frame around the content of every page.
#[derive(Clone)]
pub(super) struct Frame {
    /// `/t/acme/portal`
    pub(super) root: String,
    pub(super) tenant: String,
    pub(super) user: UserId,
    pub(super) user_name: String,
    pub(super) rights: Rights,
}

/// The permissions of the user, so that a page shows only links and forms that work. Each page and each form decides again.
#[derive(Clone, Copy)]
#[expect(clippy::struct_excessive_bools, reason = "one for each permission")]
pub(super) struct Rights {
    pub(super) read_groups: bool,
    pub(super) manage_groups: bool,
    pub(super) read_users: bool,
    pub(super) manage_users: bool,
    pub(super) read_roles: bool,
    pub(super) manage_roles: bool,
    pub(super) read_permissions: bool,
    pub(super) manage_permissions: bool,
    pub(super) read_access: bool,
    pub(super) read_history: bool,
    pub(super) manage_directories: bool,
}

impl Rights {
    /// Who may do what, and why: as a list of users with their permissions.
    pub(super) fn list_access(self) -> bool {
        self.read_access && self.read_users
    }

    /// The findings of the lint are about groups, users and roles.
    pub(super) fn lint(self) -> bool {
        self.read_access && self.read_groups && self.read_users && self.read_roles
    }
}

impl Frame {
    /// The path of a page: `path("groups")`.
    pub(super) fn path(&self, rest: &str) -> String {
        format!("{}/access-management/{rest}", self.root)
    }
}

impl<R> Visit<R> {
    pub(super) fn moment(&self) -> Moment<'static> {
        self.asking.moment()
    }

    /// For a page that also shows what other permissions are for.
    pub(super) fn require(&self, permissions: &[Permission]) -> Result<(), Problem> {
        for permission in permissions {
            if let Decision::Denied(reason) = self.asking.subject().decide(&self.asking.moment(), *permission) {
                return Err(Problem::denied(reason, *permission));
            }
        }
        Ok(())
    }
}

impl<R: RequiredPermission, S: Send + Sync> FromRequestParts<S> for Visit<R> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let asking = Permitted::<R>::from_request_parts(parts, state).await?;
        let principal = parts.extensions.get::<Principal>().copied();
        let principal = principal.ok_or_else(|| Problem::unauthenticated(crate::auth::CHALLENGE))?;
        let frame = Frame::of(&asking.moment(), principal.user);
        Ok(Self { asking, frame })
    }
}

impl Frame {
    /// The permissions of this user at this moment.
    pub(super) fn of(moment: &Moment<'_>, user: UserId) -> Self {
        let may = |permission| Subject::Id(user).decide(moment, permission).is_allowed();
        let rights = Rights {
            read_groups: may(Permission::GroupsRead),
            manage_groups: may(Permission::GroupsManage),
            read_users: may(Permission::UsersRead),
            manage_users: may(Permission::UsersManage),
            read_roles: may(Permission::RolesRead),
            manage_roles: may(Permission::RolesManage),
            read_permissions: may(Permission::PermissionsRead),
            manage_permissions: may(Permission::PermissionsManage),
            read_access: may(Permission::AccessRead),
            read_history: may(Permission::HistoryRead),
            manage_directories: may(Permission::DirectoriesManage),
        };
        let snapshot = moment.snapshot();
        let slug = snapshot.slug().map(ToString::to_string).unwrap_or_default();
        Self {
            root: format!("/t/{slug}/portal"),
            tenant: snapshot.name().map(ToString::to_string).unwrap_or_default(),
            user,
            user_name: moment.user(user).map(|user| user.name().to_owned()).unwrap_or_default(),
            rights,
        }
    }
}
