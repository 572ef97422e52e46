//! The lint finds everything that is unused, covered, expired or easy to mistake for something else.
//!
//! This file has the findings, and the order of the rules. The rules are in `lint/usage.rs` (unused and expired entries),
//! `lint/grants.rs` (grants, inclusions and patterns), `lint/names.rs` (names) and `lint/grown.rs`, which compares two
//! states. `lint/accepted.rs` has the list of accepted findings.
//!
//! A rule reports only what an administrator of the tenant can mend. So the catalog's own roles are not judged.

mod accepted;
mod grown;
mod grants;
mod names;
mod usage;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

pub use self::accepted::Accepted;
pub(super) use self::grown::list;
pub(super) use self::usage::conflict;
use super::EntityRef;
use crate::model::error::{Error, Quoted, Result};
use crate::resolver::explain::Reason;
use crate::resolver::moment::Moment;
use crate::resolver::snapshot::Snapshot;

/// An entry or relation of a tenant that is probably a mistake, or that another catalog would change.
///
/// Its JSON is an object with the same members. `Display` writes one line with the code first.
///
/// ```
/// use rolecall::review::{Code, Severity};
///
/// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
/// acme.update(|tx| {
///     tx.create_permission("guests:invite")?;
///     tx.create_role("host")?.grant("gests:*")?;
///     tx.create_user("alice")?.assign("host")?.done()
/// })?;
/// let now = acme.now();
/// let finding = now.lint().next().unwrap();
/// assert_eq!((finding.code, finding.severity), (Code::PatternMatchesNothing, Severity::Warning));
/// assert_eq!(finding.to_string(), "pattern_matches_nothing: role `host` grants `gests:*`, which matches no permission");
/// # Ok::<(), rolecall::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Finding {
    /// The kind of the finding.
    pub code: Code,
    /// How much it matters.
    pub severity: Severity,
    /// Where: the entity to change. The member of a membership, the holder of an assignment, the role of a grant.
    pub place: EntityRef,
    /// The other entity, if there are two: the group of a membership, the role that is equal.
    pub other: Option<EntityRef>,
    /// The grant that it is about, if it is about one: the slug of a permission, or a pattern.
    pub grant: Option<String>,
    /// The problem, in a sentence.
    pub message: String,
    /// The advice for an administrator.
    pub advice: &'static str,
}

impl Finding {
    pub(super) fn new(code: Code, place: EntityRef, message: String) -> Self {
        Self { code, severity: code.severity(), place, other: None, grant: None, message, advice: code.advice() }
    }

    pub(super) fn with(mut self, other: EntityRef) -> Self {
        self.other = Some(other);
        self
    }

    pub(super) fn about_grant(mut self, grant: &str) -> Self {
        self.grant = Some(grant.to_owned());
        self
    }

    /// Returns a key that distinguishes this finding from others: the code, the place, the other entity and the grant, with
    /// tabs between them. It is a line of [`Accepted`]. Names are written as
    /// [`Quoted::as_field`](crate::error::Quoted::as_field) writes them.
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// # acme.update(|tx| { tx.create_user("alice")?; tx.create_group("staff")?.done() })?;
    /// assert_eq!(acme.now().lint().next().unwrap().key(), "empty_group\tgroup\tstaff");
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    pub fn key(&self) -> String {
        let mut key = self.code.code().to_owned();
        for EntityRef { entity, name, .. } in [Some(&self.place), self.other.as_ref()].into_iter().flatten() {
            key = format!("{key}\t{entity}\t{}", Quoted(name).as_field());
        }
        match &self.grant {
            Some(grant) => format!("{key}\t{GRANT}\t{}", Quoted(grant).as_field()),
            None => key,
        }
    }
}

/// The word before a grant in a key.
const GRANT: &str = "grant";

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

/// How much a finding matters.
///
/// ```
/// use rolecall::review::Severity;
///
/// assert!(Severity::Info < Severity::Warning && Severity::Warning < Severity::Error);
/// assert_eq!(Severity::Warning.to_string(), "warning");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// It can be tidied up. Nobody has more or less access because of it.
    Info,
    /// Somebody should look at it: access may be other than was meant.
    Warning,
    /// Somebody is denied something because of it, or would be.
    Error,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
        })
    }
}

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident = $code:literal, $severity:ident, $advice:literal;)*) => {
        /// The kind of a finding, with a stable code.
        ///
        /// ```
        /// use rolecall::review::Code;
        ///
        /// assert_eq!(Code::EmptyGroup.code(), "empty_group");
        /// assert_eq!("empty_group".parse::<Code>()?, Code::EmptyGroup);
        /// # Ok::<(), rolecall::Error>(())
        /// ```
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        #[non_exhaustive]
        pub enum Code {
            $($(#[$doc])* $variant,)*
        }

        impl Code {
            /// Every code: those of [`Moment::lint`], in the order in which it returns their findings, and then those of
            /// [`Reconciliation::findings`](super::Reconciliation::findings), in its order.
            ///
            /// ```
            /// assert!(rolecall::review::Code::ALL.len() > 10);
            /// ```
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// Returns the stable code. It never changes for a value.
            ///
            /// ```
            /// assert_eq!(rolecall::review::Code::UnusedRole.code(), "unused_role");
            /// ```
            pub fn code(self) -> &'static str {
                match self {
                    $(Self::$variant => $code,)*
                }
            }

            /// Returns how much a finding with this code matters. A conflict of roles is only a warning; see
            /// [`Finding::severity`].
            ///
            /// ```
            /// use rolecall::review::{Code, Severity};
            ///
            /// assert_eq!(Code::EqualRoles.severity(), Severity::Info);
            /// ```
            pub fn severity(self) -> Severity {
                match self {
                    $(Self::$variant => Severity::$severity,)*
                }
            }

            /// Returns the advice for a finding with this code.
            ///
            /// ```
            /// assert!(rolecall::review::Code::EqualRoles.advice().contains("one of them"));
            /// ```
            pub fn advice(self) -> &'static str {
                match self {
                    $(Self::$variant => $advice,)*
                }
            }
        }
    };
}

codes! {
    /// A slug belongs to the tenant and to the catalog (R9). For a permission it is an error: every check of it is denied.
    CatalogConflict = "catalog_conflict", Error, "rename or delete the tenant's own by its id";
    /// A role or permission was removed from the catalog, and something still refers to it. It gives nothing (R9).
    RemovedFromCatalog = "removed_from_catalog", Warning,
        "remove the assignments, grants and inclusions that name it, or define it again";
    /// A user holds every permission that there is.
    AllPermissions = "all_permissions", Warning, "accept it for those who are meant to have everything, or take roles away";
    /// A granted pattern matches no permission, not even one whose slug is in conflict (R9).
    PatternMatchesNothing = "pattern_matches_nothing", Warning,
        "correct the pattern, revoke it, or create the permissions that it is meant for";
    /// A granted pattern matches at least a hundred permissions, or at least half of ten or more.
    PatternMatchesMuch = "pattern_matches_much", Info, "accept it, or grant narrower patterns";
    /// A grant of a role is covered by another grant of the same role, or by a role that it includes.
    CoveredGrant = "covered_grant", Info, "revoke it, unless it must stay when the other one is revoked";
    /// A role includes another one that adds no permission to it.
    RedundantInclusion = "redundant_inclusion", Info, "exclude the role, unless somebody is to have the role itself";
    /// Two roles give the same permissions, and neither includes the other.
    EqualRoles = "equal_roles", Info, "keep one of them, or let one include the other";
    /// No user has the role, now or later. Not reported in a tenant without users.
    UnusedRole = "unused_role", Info, "assign it or delete it";
    /// The group has no members, now or later: neither direct ones nor inherited ones. Not reported in a tenant
    /// without users.
    EmptyGroup = "empty_group", Info, "add members or delete it";
    /// A membership has ended.
    ExpiredMembership = "expired_membership", Info, "remove it, or renew it";
    /// An assignment has ended.
    ExpiredAssignment = "expired_assignment", Info, "remove it, or renew it";
    /// A parent link has ended.
    ExpiredParentLink = "expired_parent_link", Info, "remove it, or renew it";
    /// A name contains invisible characters or unusual spaces.
    HiddenCharacters = "hidden_characters", Warning, "rename it";
    /// Two names differ only in the case of letters. Both are different names (R10).
    CaseVariants = "case_variants", Warning, "rename one of them; two keys of one person can be merged";
    /// Two names look alike.
    ConfusableNames = "confusable_names", Warning, "rename one of them; two keys of one person can be merged";
    /// A granted pattern matches a permission that it did not match in an earlier state. See [`Lint::since`].
    PatternHasGrown = "pattern_has_grown", Warning, "accept it, or grant a narrower pattern";
    /// The slug of an entry that is removed or renamed would name another entry.
    SlugReused = "slug_reused", Error, "give the new entry another slug";
    /// A permission would be removed from the catalog. If another one is added, the advice of the finding asks whether it is a
    /// rename.
    PermissionRemoved = "permission_removed", Warning, "keep it until nothing refers to it; then list its slug as retired";
    /// A role would be removed from the catalog.
    RoleRemoved = "role_removed", Warning, "keep it until nothing refers to it; then list its slug as retired";
    /// A permission of the catalog would have another slug. Grants by name follow it, patterns do not.
    PermissionRenamed = "permission_renamed", Info, "ask for it by the variant or by the new slug";
    /// A role of the catalog would have another slug. Assignments and inclusions follow it.
    RoleRenamed = "role_renamed", Info, "name it by the variant or by the new slug";
    /// A permission would be new in the catalog.
    PermissionAdded = "permission_added", Info, "look at the roles whose patterns match it";
    /// A role would be new in the catalog.
    RoleAdded = "role_added", Info, "assign it where it is needed";
    /// A slug of the tenant's own would begin with a prefix that the catalog reserves. It keeps working.
    SlugReserved = "slug_reserved", Info, "rename it before a later release defines the same slug";
    /// A role of the catalog would give other permissions in this tenant.
    RoleChanged = "role_changed", Warning, "accept it if the release means to change what its holders may do";
    /// A permission that a role grants by name would no longer be given.
    LostGrant = "lost_grant", Error, "keep or rename the permission, or revoke the grant first";
    /// A role of the catalog that a role includes would no longer give anything.
    LostInclusion = "lost_inclusion", Error, "keep or rename the role, or exclude it first";
    /// A role of the catalog that a user or group has would no longer give anything.
    LostAssignment = "lost_assignment", Error, "keep or rename the role, or unassign it first";
    /// A permission that a role grants by name, and that gives nothing now, would be given again.
    RegainedGrant = "regained_grant", Warning, "revoke the grant first, unless it is to be given";
    /// A role that a role includes, and that gives nothing now, would give something again.
    RegainedInclusion = "regained_inclusion", Warning, "exclude the role first, unless it is to give something";
    /// A role that a user or group has, and that gives nothing now, would give something again.
    RegainedAssignment = "regained_assignment", Warning, "unassign the role first, unless it is to give something";
    /// A granted pattern would no longer match a permission.
    PatternMatchesLess = "pattern_matches_less", Error, "grant the permission by name first, or another pattern";
    /// A granted pattern would match a permission that it does not match now.
    PatternMatchesMore = "pattern_matches_more", Warning, "accept it, or grant a narrower pattern first";
    /// An assertion of the tenant would fail for a user for whom it holds now.
    AssertionFails = "assertion_fails", Error, "change the release, or what the assertion expects";
    /// A user would hold more of the roles of a separation than now, and too many (R14).
    SeparationExceeded = "separation_exceeded", Error, "take one of the roles from the user first";
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl FromStr for Code {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let code = Self::ALL.iter().copied().find(|code| code.code() == text);
        code.ok_or_else(|| Error::invalid("code of a finding", text, "a code such as `unused_role`"))
    }
}

/// The findings of one rule, lazily.
type Findings<'m> = Box<dyn Iterator<Item = Finding> + 'm>;

type Rule = for<'m, 'a> fn(&'m Moment<'a>) -> Findings<'m>;

impl Moment<'_> {
    /// Returns probable mistakes in the tenant, code by code in the order of [`Code::ALL`], and by name. Nothing, if the
    /// tenant is unavailable.
    ///
    /// Leave out what somebody has accepted with [`Accepted`].
    ///
    /// Names that look alike are compared as ASCII sees them: `1` and `l`, `0` and `O`, `rn` and `m`. With the feature
    /// `confusables`, letters of all scripts are compared, by the table of Unicode (UTS 39). So are the two forms of a
    /// letter with a mark: `\u{fc}` and `u\u{308}`.
    ///
    /// ```
    /// use rolecall::review::{Accepted, Code};
    ///
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// acme.update(|tx| {
    ///     tx.create_permission("posts:read")?;
    ///     tx.create_role("reader")?.grant("posts:read")?.grant("posts:*")?;
    ///     tx.create_role("admin")?;
    ///     tx.create_user("alice")?.assign("reader")?.done()
    /// })?;
    /// let now = acme.now();
    /// let codes: Vec<Code> = now.lint().map(|finding| finding.code).collect();
    /// assert_eq!(codes, [Code::CoveredGrant, Code::UnusedRole]);
    ///
    /// let accepted: Accepted = "covered_grant".parse()?;
    /// let left: Vec<String> = now.lint().filter(|finding| !accepted.accepts(finding)).map(|f| f.to_string()).collect();
    /// assert_eq!(left, ["unused_role: nothing assigns or includes role `admin`"]);
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Complexity
    /// O(roles, groups and their relations) for roles and groups. One match for each pattern and each permission that begins
    /// with its literal prefix. One hash of each name. Of users, the names are read, and the permissions of those who have
    /// the rarest permission. Inclusions are compared with at most 100 roles above each; beyond that they are not judged.
    /// Findings are not collected. Memory: a few bits for each role, group and user, and at most 12 bytes for each name of
    /// one kind while these are compared.
    pub fn lint(&self) -> Lint<'_> {
        let rules: &'static [Rule] = if self.unavailable().is_none() { RULES } else { &[] };
        Lint { moment: self, findings: Box::new(rules.iter().flat_map(|rule| rule(self))) }
    }
}

/// One rule for each code, in the order of the codes.
const RULES: &[Rule] = &[
    usage::catalog_conflicts,
    usage::removed_from_catalog,
    grants::all_permissions,
    grants::pattern_matches_nothing,
    grants::pattern_matches_much,
    grants::covered_grants,
    grants::redundant_inclusions,
    grants::equal_roles,
    usage::unused_roles,
    usage::empty_groups,
    usage::expired_memberships,
    usage::expired_assignments,
    usage::expired_parent_links,
    names::hidden_characters,
    names::case_variants,
    names::confusable_names,
];

/// The findings of a lint. [`Moment::lint`] returns them.
///
/// ```
/// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
/// let now = acme.now();
/// let mut findings: rolecall::review::Lint<'_> = now.lint();
/// assert!(findings.next().is_none());
/// # Ok::<(), rolecall::Error>(())
/// ```
#[must_use = "iterators do nothing unless they are read"]
pub struct Lint<'m> {
    moment: &'m Moment<'m>,
    findings: Findings<'m>,
}

impl<'m> Lint<'m> {
    /// Returns why the tenant is unavailable. The lint then has no findings.
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// assert!(acme.now().lint().unavailable().is_none());
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    pub fn unavailable(&self) -> Option<Reason> {
        self.moment.unavailable()
    }

    /// Adds the granted patterns that match a permission which they did not match in an earlier state of the tenant. A new
    /// permission is given to all who have such a pattern, and nobody has granted it to them.
    ///
    /// The state is that of the last review: a snapshot that was kept, [`Tenant::as_of`](crate::Tenant::as_of), or an
    /// imported document with the ids of the tenant. Roles and permissions are matched by id. A pattern that the role
    /// did not grant then is not reported.
    ///
    /// ```
    /// use rolecall::review::Code;
    ///
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// # acme.update(|tx| {
    /// #     tx.create_permission("posts:read")?;
    /// #     tx.create_role("editor")?.grant("posts:*")?;
    /// #     tx.create_user("alice")?.assign("editor")?.done()
    /// # })?;
    /// let reviewed = acme.snapshot();
    /// acme.update(|tx| tx.create_permission("posts:delete")?.done())?;
    ///
    /// let now = acme.now();
    /// let grown = now.lint().since(&reviewed).find(|finding| finding.code == Code::PatternHasGrown);
    /// let expected = "pattern_has_grown: role `editor` grants `posts:*`, which now also matches `posts:delete`";
    /// assert_eq!(grown.unwrap().to_string(), expected);
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Complexity
    /// Two matches for each different pattern and each permission that begins with its literal prefix. The list is kept for
    /// each different pattern, with ten permissions at most.
    pub fn since(mut self, earlier: &'m Snapshot) -> Self {
        if self.moment.unavailable().is_none() {
            self.findings = Box::new(self.findings.chain(grown::patterns_that_have_grown(self.moment, earlier)));
        }
        self
    }
}

impl Iterator for Lint<'_> {
    type Item = Finding;

    fn next(&mut self) -> Option<Finding> {
        self.findings.next()
    }
}

impl fmt::Debug for Lint<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lint").finish_non_exhaustive()
    }
}
