//! A row of the access report, and the iterator that makes rows: from user to user, from permission to permission.

use std::vec;

use serde::Serialize;

use crate::model::clock::When;
use crate::model::error::Quoted;
use crate::model::records::{PermissionId, Slug, Timestamp, UserId, UserKey, Window};
use crate::resolver::bits::Bits;
use crate::resolver::explain::Path;
use crate::resolver::explain::first::{FirstPaths, find_all};
use crate::resolver::explain::paths::{self, Access, FoundPaths};
use crate::resolver::snapshot::entity_rows::UserRow;
use crate::resolver::snapshot::state::State;

/// A user who is allowed something, and one path by which.
///
/// Its JSON is an object with the same members. [`to_csv`](Self::to_csv) makes a line for a spreadsheet.
///
/// ```
/// # use rolecall::blocking::Authorizer;
/// # let acme = Authorizer::in_memory().create_tenant("acme", "Acme")?;
/// # acme.update(|tx| {
/// #     tx.create_permission("posts:write")?;
/// #     tx.create_role("editor")?.grant("posts:*")?;
/// #     tx.create_user("alice")?.assign("editor")?.done()
/// # })?;
/// let now = acme.now();
/// let row = now.access_report().rows().next().unwrap();
/// assert_eq!((row.user.as_str(), row.permission.as_str()), ("alice", "posts:write"));
/// assert_eq!(row.path.to_string(), "has the role `editor`, which grants `posts:*`");
/// assert!(row.window.is_always());
/// # Ok::<(), rolecall::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct AccessRow {
    /// The key of the user.
    pub user: UserKey,
    /// The id of the user.
    pub user_id: UserId,
    /// The slug of the permission.
    pub permission: Slug,
    /// The id of the permission.
    pub permission_id: PermissionId,
    /// Since when and until when the user is allowed without a break, by all paths together. If too many windows combine to
    /// tell, it is the window of this path.
    pub window: Window,
    /// The path: groups, roles, included roles and the grant. [`Path::window`] is when this one is active.
    pub path: Path,
    /// Whether rows of this user and permission were left out, because there are more than 64 paths. Always `false` unless
    /// [`every_path`](super::AccessReport::every_path) was asked for.
    pub more_paths: bool,
}

impl AccessRow {
    /// The first line of a CSV file, which names the fields of [`to_csv`](Self::to_csv).
    ///
    /// ```
    /// assert_eq!(rolecall::review::AccessRow::CSV_HEADER, "user,permission,from,until,path");
    /// ```
    pub const CSV_HEADER: &'static str = "user,permission,from,until,path";

    /// Returns the row as a line of CSV (RFC 4180), without a line break. A missing `from` or `until` is empty.
    ///
    /// ```
    /// # use rolecall::blocking::Authorizer;
    /// # let acme = Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// # acme.update(|tx| {
    /// #     tx.create_permission("posts:write")?;
    /// #     tx.create_role("editor")?.grant("posts:*")?;
    /// #     tx.create_user("alice")?.assign("editor")?.done()
    /// # })?;
    /// let now = acme.now();
    /// let row = now.access_report().rows().next().unwrap();
    /// assert_eq!(row.to_csv(), r#"alice,posts:write,,,"has the role `editor`, which grants `posts:*`""#);
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Security
    /// A spreadsheet takes a field that begins with `=`, `+`, `-` or `@` for a formula. Such a field gets a `'` in front,
    /// so a key that a user has chosen cannot run anything. Names are written as
    /// [`Quoted::as_field`](crate::error::Quoted::as_field) writes them, so a reader sees what is hidden in one. For
    /// programs, use the fields or the JSON form.
    pub fn to_csv(&self) -> String {
        let end = |end: Option<Timestamp>| end.map_or_else(String::new, |end| end.to_string());
        let window = self.window;
        let path = self.path.to_string();
        let fields = [
            field(&Quoted(self.user.as_str()).as_field()),
            field(&Quoted(self.permission.as_str()).as_field()),
            end(window.start()),
            end(window.end()),
            field(&path),
        ];
        fields.join(",")
    }
}

fn field(text: &str) -> String {
    let guard = if text.starts_with(['=', '+', '-', '@']) { "'" } else { "" };
    if text.contains(['"', ',', '\n', '\r']) {
        format!("\"{guard}{}\"", text.replace('"', "\"\""))
    } else {
        format!("{guard}{text}")
    }
}

pub(super) type Users<'m> = Box<dyn Iterator<Item = u32> + Send + 'm>;

/// The users after this key, in the order of keys. A small set is sorted. If it is large, all users are read in order.
pub(super) fn users_from<'m>(state: &'m State, only: Option<Bits>, after: &str) -> Users<'m> {
    let users = &state.users;
    match only {
        Some(only) if only.len() < users.len() / 16 => {
            let mut numbers: Vec<u32> = only.iter().filter(|n| users.name_at(*n) > after).collect();
            numbers.sort_unstable_by(|a, b| users.name_at(*a).cmp(users.name_at(*b)));
            Box::new(numbers.into_iter())
        }
        Some(only) => Box::new(users.sorted_after(after).filter(move |number| only.contains(*number))),
        None => Box::new(users.sorted_after(after)),
    }
}

/// The rows of an [`AccessReport`](super::AccessReport).
///
/// ```
/// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
/// let now = acme.now();
/// let mut rows = now.access_report().rows();
/// assert!(rows.next().is_none());
/// # Ok::<(), rolecall::Error>(())
/// ```
#[must_use = "iterators do nothing unless they are read"]
pub struct AccessRows<'m> {
    pub(super) state: &'m State,
    pub(super) when: When<'static>,
    pub(super) users: Users<'m>,
    pub(super) permissions: Option<Bits>,
    /// The permission, if it is one.
    pub(super) only: Option<u32>,
    /// The place of each permission in the order of slugs.
    pub(super) ranks: Vec<u32>,
    pub(super) every_path: bool,
    pub(super) current: Option<Current<'m>>,
}

/// The present user.
pub(super) struct Current<'m> {
    user: &'m UserRow,
    first: FirstPaths,
    /// Its remaining permissions, by slug.
    permissions: vec::IntoIter<(u32, usize)>,
    /// The remaining rows of one of them.
    paths: vec::IntoIter<AccessRow>,
}

impl<'m> AccessRows<'m> {
    fn next_user(&mut self) -> Option<Current<'m>> {
        loop {
            let number = self.users.next()?;
            let Some(user) = self.state.users.row(number).filter(|user| !user.is_suspended()) else { continue };
            let first = find_all(self.state, user, self.only, &self.when);
            let is_wanted = |n: u32| self.permissions.as_ref().is_none_or(|wanted| wanted.contains(n));
            let mut permissions: Vec<(u32, usize)> =
                first.found().iter().copied().filter(|(permission, _)| is_wanted(*permission)).collect();
            if permissions.is_empty() {
                continue;
            }
            permissions.sort_unstable_by_key(|(permission, _)| self.ranks.get(*permission as usize));
            let (permissions, paths) = (permissions.into_iter(), Vec::new().into_iter());
            return Some(Current { user, first, permissions, paths });
        }
    }
}

impl Current<'_> {
    fn next(&mut self, state: &State, when: &When<'_>, every_path: bool) -> Option<AccessRow> {
        loop {
            if let Some(row) = self.paths.next() {
                return Some(row);
            }
            let found = self.permissions.next()?;
            let Some(record) = state.permissions.row(found.0).map(|row| &row.record) else { continue };
            let FoundPaths { paths, more } = if every_path {
                paths::active(state, self.user, found.0, when)
            } else {
                FoundPaths { paths: self.first.path(state, found).into_iter().collect(), more: false }
            };
            let Some(first) = paths.first() else { continue };
            let window = access_window(state, self.user, found.0, first, when.instant());
            let row = |path: Path| AccessRow {
                user: self.user.key().clone(),
                user_id: self.user.id(),
                permission: record.slug.clone(),
                permission_id: record.id,
                window,
                path,
                more_paths: more,
            };
            if !every_path {
                return paths.into_iter().next().map(row);
            }
            self.paths = paths.into_iter().map(row).collect::<Vec<_>>().into_iter();
        }
    }
}

/// The window around an instant within which a user is allowed something without a break. A path without windows decides.
fn access_window(state: &State, user: &UserRow, permission: u32, path: &Path, at: Timestamp) -> Window {
    let of_path = path.window();
    if of_path.is_always() {
        return of_path;
    }
    match paths::access(state, user, permission) {
        Access::During(windows) => {
            windows.windows().iter().copied().find(|window| window.contains(at)).unwrap_or(of_path)
        }
        Access::Never | Access::Unknown(_) => of_path,
    }
}

impl Iterator for AccessRows<'_> {
    type Item = AccessRow;

    fn next(&mut self) -> Option<AccessRow> {
        loop {
            if let Some(current) = &mut self.current {
                if let Some(row) = current.next(self.state, &self.when, self.every_path) {
                    return Some(row);
                }
            }
            self.current = Some(self.next_user()?);
        }
    }
}

impl std::fmt::Debug for AccessRows<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AccessRows").field("at", &self.when.instant()).finish_non_exhaustive()
    }
}
