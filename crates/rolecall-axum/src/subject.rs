//! The subject of a request, which the application's authentication puts into its extensions.

use rolecall::moment::Moment;
use rolecall::records::{UserId, UserKey};
use rolecall::snapshot::AsPermission;
use rolecall::{Decision, Explanation};

/// The user who makes a request. The application's own authentication puts it into the extensions of a request.
///
/// ```
/// use axum::extract::Request;
/// use rolecall_axum::Subject;
///
/// fn authenticated(request: &mut Request) -> rolecall::Result<()> {
///     request.extensions_mut().insert(Subject::Key("alice@acme.com".parse()?));
///     Ok(())
/// }
/// # authenticated(&mut Request::default()).unwrap();
/// ```
///
/// # Security
/// A key names a user in each tenant that has the key. If an account belongs to one tenant alone, use the user's id,
/// which no other tenant has.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Subject {
    /// By the application's name for the user: an e-mail address or a row id.
    Key(UserKey),
    /// By the id, which is unique over all tenants.
    Id(UserId),
}

impl Subject {
    /// Decides whether the subject has a permission at a moment.
    ///
    /// ```
    /// use rolecall_axum::Subject;
    ///
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// let alice = Subject::Key("alice".parse()?);
    /// assert!(!alice.decide(&acme.now(), "posts:read").is_allowed());
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    pub fn decide(&self, moment: &Moment<'_>, permission: impl AsPermission) -> Decision {
        match self {
            Self::Key(key) => moment.decide(key, permission),
            Self::Id(id) => moment.decide(*id, permission),
        }
    }

    /// Explains the decision, with the paths that allow it, or with the roles and groups that would.
    ///
    /// ```
    /// use rolecall_axum::Subject;
    ///
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// # acme.update(|tx| tx.create_permission("posts:read")?.done())?;
    /// # acme.update(|tx| tx.create_user("alice")?.done())?;
    /// let alice = Subject::Key("alice".parse()?);
    /// let why = alice.explain(&acme.now(), "posts:read");
    /// assert_eq!(why.to_string(), "denied: nothing that `alice` holds grants `posts:read`");
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Security
    /// For the eyes of those who may see groups and roles, not for the body of a 403.
    pub fn explain(&self, moment: &Moment<'_>, permission: impl AsPermission) -> Explanation {
        match self {
            Self::Key(key) => moment.explain(key, permission),
            Self::Id(id) => moment.explain(*id, permission),
        }
    }
}
