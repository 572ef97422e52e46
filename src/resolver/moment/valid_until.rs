//! Until when an answer is valid, and when a user is allowed. Walks of their own, never part of a check.

use super::Moment;
use crate::model::records::{Timestamp, WindowSet};
use crate::resolver::explain::paths::{self, Access};
use crate::resolver::snapshot::names::{AsPermission, AsUser};

impl Moment<'_> {
    /// Returns the instant at which the answer to this check changes if nobody changes the tenant, or `None` if it never
    /// does.
    ///
    /// Until then an application can keep the answer. Several windows that follow each other without a gap are one: while
    /// one path or another allows the user, the answer is the same.
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// use rolecall::{Timestamp, Window};
    ///
    /// let noon: Timestamp = "2099-01-31T12:00:00Z".parse()?;
    /// acme.update(|tx| {
    ///     tx.create_permission("posts:write")?;
    ///     tx.create_role("editor")?.grant("posts:write")?;
    ///     tx.create_user("alice")?.assign_during("editor", Window::until(noon))?;
    ///     Ok(())
    /// })?;
    /// let morning = acme.snapshot().at("2099-01-31T08:00:00Z".parse()?);
    /// assert_eq!(morning.valid_until("alice", "posts:write"), Some(noon));
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Complexity
    /// O(relations that may lead there, times the windows that combine on them). If more than 100,000 windows combine, the
    /// work ends, and the instant is the next beginning or end of any of them. The answer does not change before, but may be
    /// the same afterwards. [`Moment::access_windows`] says whether that is so.
    pub fn valid_until(&self, user: impl AsUser, permission: impl AsPermission) -> Option<Timestamp> {
        match self.access(user, permission)? {
            Access::Never => None,
            Access::During(instants) if instants.is_always() => None,
            Access::During(instants) => instants.next_change(self.when.instant()),
            Access::Unknown(windows) => {
                let at = self.when.instant();
                windows.into_iter().filter_map(|window| window.next_edge(at)).min()
            }
        }
    }

    /// Returns the windows in which a user is allowed, past and future, if nobody changes the tenant. A page can show
    /// temporary access with them. Empty if the user is never allowed.
    ///
    /// `None` if so many windows combine that it was not worked out.
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// use rolecall::{Timestamp, Window};
    ///
    /// let [noon, two, four]: [Timestamp; 3] =
    ///     ["2099-01-31T12:00:00Z".parse()?, "2099-01-31T14:00:00Z".parse()?, "2099-01-31T16:00:00Z".parse()?];
    /// acme.update(|tx| {
    ///     tx.create_permission("deploy")?;
    ///     tx.create_role("operator")?.grant("deploy")?;
    ///     tx.create_group("on-call")?.assign("operator")?;
    ///     tx.create_user("alice")?
    ///         .join_during("on-call", Window::between(noon, two)?)?
    ///         .assign_during("operator", Window::between(two, four)?)?;
    ///     Ok(())
    /// })?;
    /// let access = acme.now().access_windows("alice", "deploy").unwrap_or_default();
    /// assert_eq!(access.windows(), [Window::between(noon, four)?]);
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Complexity
    /// As for [`Moment::valid_until`].
    pub fn access_windows(&self, user: impl AsUser, permission: impl AsPermission) -> Option<WindowSet> {
        match self.access(user, permission) {
            None | Some(Access::Never) => Some(WindowSet::default()),
            Some(Access::During(instants)) => Some(instants),
            Some(Access::Unknown(_)) => None,
        }
    }

    /// When a user is allowed. `None` for an unknown or suspended user, an unknown permission and an unavailable tenant.
    fn access(&self, user: impl AsUser, permission: impl AsPermission) -> Option<Access> {
        let snapshot = self.compiled();
        let state = &snapshot.state;
        let user = user.user(snapshot.scope()).and_then(|n| state.users.row(n)).filter(|row| !row.is_suspended())?;
        let permission = permission.permission(snapshot.scope()).filter(|n| state.permission_is_grantable(*n))?;
        if !self.answers() {
            return None;
        }
        // A group or role gives what its cached row contains at every instant (I7).
        let gives = |source| state.always_gives(source, permission);
        if user.sources().any(|(source, edge)| edge.window.is_always() && gives(source)) {
            return Some(Access::During(WindowSet::always()));
        }
        Some(paths::access(state, user, permission))
    }
}
