//! Handles of users and permissions, for fast checks.

use super::Moment;
use crate::resolver::snapshot::names::{AsPermission, AsUser, PermissionHandle, UserHandle};

impl Moment<'_> {
    /// Returns a handle of a user for fast checks. It is valid while the tenant stays open.
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// # acme.update(|tx| {
    /// #     tx.create_permission("posts:write")?;
    /// #     tx.create_permission("posts:read")?;
    /// #     tx.create_role("reader")?.grant("posts:read")?;
    /// #     tx.create_role("editor")?.grant("posts:*")?.include("reader")?;
    /// #     tx.create_group("staff")?;
    /// #     tx.create_group("engineering")?.add_parent("staff")?.assign("editor")?;
    /// #     tx.create_user("alice")?.join("engineering")?;
    /// #     tx.create_user("bob")?.assign("reader")?;
    /// #     Ok(())
    /// # })?;
    /// let alice = acme.now().user_handle("alice").unwrap();
    /// assert!(acme.check(alice, "posts:write"));
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    pub fn user_handle(&self, user: impl AsUser) -> Option<UserHandle> {
        let snapshot = self.compiled();
        user.user(snapshot.scope()).map(|number| snapshot.user_handle(number))
    }

    /// Returns a handle of a permission for fast checks. It is valid while the tenant stays open.
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// # acme.update(|tx| {
    /// #     tx.create_permission("posts:write")?;
    /// #     tx.create_permission("posts:read")?;
    /// #     tx.create_role("reader")?.grant("posts:read")?;
    /// #     tx.create_role("editor")?.grant("posts:*")?.include("reader")?;
    /// #     tx.create_group("staff")?;
    /// #     tx.create_group("engineering")?.add_parent("staff")?.assign("editor")?;
    /// #     tx.create_user("alice")?.join("engineering")?;
    /// #     tx.create_user("bob")?.assign("reader")?;
    /// #     Ok(())
    /// # })?;
    /// let write = acme.now().permission_handle("posts:write").unwrap();
    /// assert!(acme.check("alice", write));
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    pub fn permission_handle(&self, permission: impl AsPermission) -> Option<PermissionHandle> {
        let snapshot = self.compiled();
        permission.permission(snapshot.scope()).and_then(|number| snapshot.permission_handle(number))
    }
}
