//! The state that all requests share: the authorizer, the tokens and the sessions.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rolecall::records::{Manager, TenantId, UserId};
use rolecall::{Authorizer, Tenant};
use sha2::{Digest, Sha256};

use crate::history::Commits;
use crate::lint_runs::LintRuns;
use crate::operations::Operations;
use crate::stores::OpenStore;

/// A user of one tenant, identified by a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Principal {
    /// The tenant that the token belongs to.
    pub tenant: TenantId,
    /// The user that the token belongs to.
    pub user: UserId,
}

/// A directory of one tenant, identified by a token.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DirectoryAccount {
    /// The tenant that the token belongs to.
    pub tenant: TenantId,
    /// The name of the directory.
    pub name: Arc<str>,
}

/// How long a session of the page lasts.
pub const SESSION_LENGTH: Duration = Duration::from_secs(8 * 60 * 60);

/// So many sessions at most. Then the oldest one ends.
const MOST_SESSIONS: usize = 10_000;

/// So many sessions of one user at most. Then the user's oldest one ends, so nobody ends those of all others by signing in.
const MOST_SESSIONS_OF_ONE: usize = 20;

/// The state that all requests share. A clone refers to the same.
#[derive(Clone, Debug)]
pub struct PortalState(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    authorizer: Authorizer,
    history: Option<Commits>,
    lint_runs: LintRuns,
    operations: Operations,
    base_url: String,
    tokens: Mutex<HashMap<Hash, Principal>>,
    directories: Mutex<HashMap<Hash, DirectoryAccount>>,
    sessions: Mutex<HashMap<Hash, Session>>,
}

#[derive(Debug)]
struct Session {
    principal: Principal,
    ends: Instant,
}

/// Secrets are looked up by their hash. So the time of a look-up says nothing about a secret, and none is kept.
type Hash = [u8; 32];

fn hash(secret: &str) -> Hash {
    Sha256::digest(secret.as_bytes()).into()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Each critical section is one operation on a map, so the map is valid even after a panic.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Ends the oldest one of these sessions.
fn end_oldest(sessions: &mut HashMap<Hash, Session>, is_one: impl Fn(&Session) -> bool) {
    let these = sessions.iter().filter(|(_, session)| is_one(session));
    let oldest = these.min_by_key(|(_, session)| session.ends).map(|(key, _)| *key);
    oldest.and_then(|key| sessions.remove(&key));
}

/// A token without a visible character belongs to nobody, whatever was added: it is what an unset variable is.
fn is_blank(token: &str) -> bool {
    token.trim().is_empty()
}

/// Makes a secret of 244 random bits, as text.
pub fn random_secret() -> String {
    format!("{}{}", uuid::Uuid::new_v4().simple(), uuid::Uuid::new_v4().simple())
}

impl PortalState {
    /// Serves the tenants of this authorizer, without their history. The base URL is the one under which clients reach the
    /// portal, such as `https://portal.example.com`.
    pub fn new(authorizer: Authorizer, base_url: impl Into<String>) -> Self {
        Self::build(authorizer, None, base_url.into())
    }

    /// Serves the tenants of this store, and their history.
    pub fn over(store: OpenStore, base_url: impl Into<String>) -> Self {
        Self::build(store.authorizer, Some(store.history), base_url.into())
    }

    fn build(authorizer: Authorizer, history: Option<Commits>, base_url: String) -> Self {
        let base_url = base_url.trim_end_matches('/').to_owned();
        Self(Arc::new(Shared {
            authorizer,
            history,
            lint_runs: LintRuns::default(),
            operations: Operations::default(),
            base_url,
            tokens: Mutex::default(),
            directories: Mutex::default(),
            sessions: Mutex::default(),
        }))
    }

    /// Returns the last results of the lint.
    pub fn lint_runs(&self) -> &LintRuns {
        &self.0.lint_runs
    }

    /// Returns the deletions that take longer than an answer may.
    pub(crate) fn operations(&self) -> &Operations {
        &self.0.operations
    }

    /// Waits until all deletions have ended, and the large changes of directories. None can begin meanwhile. For the end of the
    /// server.
    pub async fn finish_operations(&self) {
        self.0.operations.finished().await;
    }

    /// Returns the history of the store, if it has one.
    pub fn history(&self) -> Option<&Commits> {
        self.0.history.as_ref()
    }

    /// Returns the authorizer.
    pub fn authorizer(&self) -> &Authorizer {
        &self.0.authorizer
    }

    /// Returns the URL under which clients reach the portal, without a slash at the end.
    pub fn base_url(&self) -> &str {
        &self.0.base_url
    }

    /// Whether clients reach the portal by HTTPS, so that cookies are only sent over it.
    pub fn is_https(&self) -> bool {
        self.0.base_url.starts_with("https://")
    }

    /// Lets this token act as a user of the tenant, unless it is blank.
    pub fn add_token(&self, token: &str, tenant: &Tenant, user: UserId) {
        lock(&self.0.tokens).insert(hash(token), Principal { tenant: tenant.tenant_id(), user });
    }

    /// Returns whose token this is.
    pub fn principal(&self, token: &str) -> Option<Principal> {
        lock(&self.0.tokens).get(&hash(token)).copied().filter(|_| !is_blank(token))
    }

    /// Lets this token act for a directory of the tenant, by SCIM, unless it is blank.
    ///
    /// # Errors
    /// [`Invalid`](rolecall::ErrorKind::Invalid) if the name is not one of a directory.
    pub fn add_scim_token(&self, token: &str, tenant: &Tenant, directory: &str) -> rolecall::Result<()> {
        let name = Manager::new(directory)?.as_str().into();
        lock(&self.0.directories).insert(hash(token), DirectoryAccount { tenant: tenant.tenant_id(), name });
        Ok(())
    }

    /// Returns which directory this token belongs to.
    pub fn directory(&self, token: &str) -> Option<DirectoryAccount> {
        lock(&self.0.directories).get(&hash(token)).cloned().filter(|_| !is_blank(token))
    }

    /// Whether a directory of the tenant with this name has a token.
    pub fn has_directory(&self, tenant: TenantId, name: &str) -> bool {
        lock(&self.0.directories).values().any(|account| account.tenant == tenant && &*account.name == name)
    }

    /// Begins a session, and returns its secret.
    pub fn begin_session(&self, principal: Principal) -> String {
        let (secret, now) = (random_secret(), Instant::now());
        let mut sessions = lock(&self.0.sessions);
        sessions.retain(|_, session| session.ends > now);
        let is_own = |session: &Session| session.principal == principal;
        if sessions.values().filter(|session| is_own(session)).count() >= MOST_SESSIONS_OF_ONE {
            end_oldest(&mut sessions, is_own);
        }
        if sessions.len() >= MOST_SESSIONS {
            end_oldest(&mut sessions, |_| true);
        }
        sessions.insert(hash(&secret), Session { principal, ends: now + SESSION_LENGTH });
        secret
    }

    /// Returns whose session this is.
    pub fn session(&self, secret: &str) -> Option<Principal> {
        let sessions = lock(&self.0.sessions);
        sessions.get(&hash(secret)).filter(|session| session.ends > Instant::now()).map(|session| session.principal)
    }

    /// Ends a session.
    pub fn end_session(&self, secret: &str) {
        lock(&self.0.sessions).remove(&hash(secret));
    }
}
