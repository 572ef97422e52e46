//! Until when an answer is valid. A walk of its own, never part of a check.

use super::Moment;
use crate::model::records::Timestamp;
use crate::resolver::explain::paths;
use crate::resolver::snapshot::names::{AsPermission, AsUser};

impl Moment<'_> {
    /// Returns the instant until which the answer to this check is valid as long as nobody changes the tenant, or
    /// `None` if no window will change it.
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
    /// assert_eq!(acme.now().valid_until("alice", "posts:write"), None);
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    pub fn valid_until(&self, user: impl AsUser, permission: impl AsPermission) -> Option<Timestamp> {
        let snapshot = self.compiled();
        let state = &snapshot.state;
        let user = user.user(snapshot.scope()).and_then(|n| state.users.row(n)).filter(|row| !row.is_suspended())?;
        let permission = permission.permission(snapshot.scope()).filter(|n| state.permission_is_grantable(*n))?;
        // A group or role gives what its cached row contains at every instant (I7).
        let gives = |source| state.cached_row(source).is_some_and(|cached| cached.row.contains(permission));
        let for_good = user.sources().any(|(source, edge)| edge.window.is_always() && gives(source));
        if !self.answers() || for_good {
            return None;
        }
        let windows = paths::windows(state, user, permission);
        let at = (!windows.is_empty()).then(|| self.when.instant())?;
        windows.into_iter().filter_map(|window| window.next_edge(at)).min()
    }
}
