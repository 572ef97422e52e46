//! The operations of an application. Every commit identifies its operation, so that its effect is recognised: an update
//! by its note, a creation by the name of the tenant.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;

use rolecall::assertions::Assertion;
use rolecall::records::{Granted, Record, Revision, RoleId, TenantId, TenantSlug};
use rolecall::store::{Store, StoreError};
use rolecall::{Authorizer, ErrorKind, Plan, Result, Tenant, Tx, authorizer::Updated};

use crate::network::Line;
use crate::server::{Records, tenant};

pub(crate) const SLUGS: [&str; 2] = ["acme", "globex"];
pub(crate) const USERS: [&str; 2] = ["alice", "bob"];
pub(crate) const ROLE: &str = "editor";
/// Nobody may have one of these together with the role: a separation and a binding assertion keep them apart.
const OTHER_ROLES: [&str; 2] = ["reviewer", "auditor"];
pub(crate) const PERMISSION: &str = "posts:write";

/// The edit of an update.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Edit {
    /// Gives a user the role.
    Assign(usize),
    /// Gives the role to a user if both exist, and fails otherwise.
    AssignExisting(usize),
    /// Gives a user the role and another one, which is refused if the roles exist.
    AssignTwo(usize, usize),
    /// Takes the role from a user: a revocation.
    Unassign(usize),
    /// Creates a user that no other operation creates, so it always has an effect.
    Unique,
    Nothing,
    Rename(usize),
    Delete,
}

/// The operation of a task.
pub(crate) enum Op {
    Create(usize),
    OpenOrCreate(usize),
    Open(usize),
    OpenTenant(TenantId),
    Update(Tenant, Edit),
    Commit(Tenant, Edit, Box<Plan>),
    /// Over this line the application commits its own transaction.
    Stage(Tenant, Edit, Ending, Line),
    Refresh(Tenant),
    Close(Tenant),
    /// Follows the other process for a while, over this line. The number of polls of its future decides how long.
    Follow(Line, usize),
}

/// The use of a stage by the application.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// Commits its transaction and finishes, whatever COMMIT answered.
    Finish,
    /// Commits its transaction, and rolls back if the store says that nothing happened.
    FinishOrRollBack,
    /// Writes the commit into its transaction, rolls back, and says so.
    RollBack,
    /// Rolls back and calls `finish` all the same.
    RollBackAndFinish,
    /// Rolls back by dropping everything.
    Drop,
    /// Commits its transaction and drops the stage.
    CommitAndDrop,
}

pub(crate) const ENDINGS: [Ending; 6] = [
    Ending::Finish,
    Ending::FinishOrRollBack,
    Ending::RollBack,
    Ending::RollBackAndFinish,
    Ending::Drop,
    Ending::CommitAndDrop,
];

/// The result of an operation.
pub(crate) enum Answer {
    Opened(Result<Tenant>),
    Updated(Result<Updated<()>>),
    Refreshed(Result<Revision>),
    Closed(Result<()>),
    Followed,
    /// A stage was ended without asking for its outcome.
    Unasked,
}

/// The kind of an operation, which is kept while it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OpKind {
    Create(usize),
    OpenOrCreate(usize),
    Open(usize),
    OpenTenant(TenantId),
    Update(Edit),
    Commit(Edit),
    Stage(Edit, Ending),
    Refresh,
    Close,
    Follow,
}

impl OpKind {
    pub(crate) fn edit(self) -> Option<Edit> {
        match self {
            Self::Update(edit) | Self::Commit(edit) | Self::Stage(edit, _) => Some(edit),
            _ => None,
        }
    }
}

pub(crate) type Running = Pin<Box<dyn Future<Output = Answer>>>;

pub(crate) fn name(op: usize) -> String {
    format!("op-{op}")
}

pub(crate) fn number(name: &str) -> Option<usize> {
    name.strip_prefix("op-")?.parse().ok()
}

impl Edit {
    pub(crate) fn apply(self, op: usize, tx: &Tx) -> Result<()> {
        tx.set_note(&name(op))?;
        match self {
            Self::Assign(user) => {
                if tx.role(ROLE).is_err() {
                    tx.create_permission(PERMISSION)?;
                    tx.create_role(ROLE)?.grant(PERMISSION)?;
                    OTHER_ROLES.iter().try_for_each(|role| tx.create_role(role)?.done())?;
                    tx.create_separation("four-eyes", 1, [ROLE, OTHER_ROLES[0]])?;
                    let apart = Assertion::separate([ROLE, OTHER_ROLES[1]]);
                    tx.create_assertion("apart", &apart)?.set_binding(true)?;
                }
                tx.ensure_user(USERS[user])?.assign(ROLE)?.done()
            }
            Self::AssignExisting(user) => tx.user(USERS[user])?.assign(ROLE)?.done(),
            Self::AssignTwo(user, other) => {
                tx.ensure_user(USERS[user])?.assign(ROLE)?.assign(OTHER_ROLES[other])?.done()
            }
            Self::Unassign(user) => match (tx.user(USERS[user]), tx.role(ROLE)) {
                (Ok(user), Ok(_)) => user.unassign(ROLE)?.done(),
                _ => Ok(()),
            },
            Self::Unique => tx.create_user(&name(op))?.done(),
            Self::Nothing => Ok(()),
            Self::Rename(slug) => tx.set_tenant_slug(SLUGS[slug])?.done(),
            Self::Delete => tx.delete_tenant(),
        }
    }

    /// Whether the intended effect holds in these records.
    pub(crate) fn is_true(self, op: usize, records: &Records) -> bool {
        match self {
            Self::Assign(user) | Self::AssignExisting(user) => holds_role(records, USERS[user]),
            Self::Unassign(user) => !holds_role(records, USERS[user]),
            Self::Unique => user_is_there(records, &name(op)),
            Self::AssignTwo(..) => false,
            Self::Nothing => true,
            Self::Rename(slug) => tenant(records).is_some_and(|tenant| tenant.slug.as_str() == SLUGS[slug]),
            Self::Delete => tenant(records).is_none(),
        }
    }
}

/// Why the other role is refused to those who have the role.
pub(crate) fn refusal(other: usize) -> ErrorKind {
    if other == 0 { ErrorKind::SeparationOfDuties } else { ErrorKind::AssertionFailed }
}

/// Whether this user or the role is missing.
pub(crate) fn is_missing(records: &Records, user: usize) -> bool {
    let role = |record: &Record| matches!(record, Record::Role(role) if role.slug.as_str() == ROLE);
    !user_is_there(records, USERS[user]) || !records.values().any(role)
}

fn user_is_there(records: &Records, key: &str) -> bool {
    records.values().any(|record| matches!(record, Record::User(user) if user.key.as_str() == key))
}

fn holds_role(records: &Records, key: &str) -> bool {
    let grants = |role: RoleId| {
        let is_grant =
            |r: &Record| matches!(r, Record::Grant(g) if g.role == role && matches!(g.granted, Granted::Permission(_)));
        records.values().any(is_grant)
    };
    let user = records.values().find_map(|record| match record {
        Record::User(user) if user.key.as_str() == key => Some(user.id),
        _ => None,
    });
    records.values().any(|record| match record {
        Record::Assignment(edge) => {
            Some(edge.holder) == user.map(rolecall::records::Holder::User) && grants(edge.role.id())
        }
        _ => false,
    })
}

/// The application's transaction has nothing in it but the staged commit.
async fn stage(op: usize, tenant: Tenant, edit: Edit, ending: Ending, line: Line) -> Answer {
    let staged = match tenant.stage(|tx| edit.apply(op, tx)).await {
        Ok(staged) => staged,
        Err(error) => return Answer::Updated(Err(error)),
    };
    let commit = staged.commit();
    match ending {
        Ending::RollBack => {
            staged.rolled_back();
            return Answer::Unasked;
        }
        Ending::Drop => return Answer::Unasked,
        Ending::RollBackAndFinish => return Answer::Updated(staged.finish().await),
        Ending::Finish | Ending::FinishOrRollBack | Ending::CommitAndDrop => {}
    }
    let answer = line.commit(commit).await;
    match (ending, answer) {
        (Ending::CommitAndDrop, _) => Answer::Unasked,
        // A driver that sends a commit twice reports a conflict with that commit itself.
        (Ending::FinishOrRollBack, Err(error))
            if !matches!(error, StoreError::InDoubt(_) | StoreError::Conflict { .. }) =>
        {
            staged.rolled_back();
            Answer::Unasked
        }
        _ => Answer::Updated(staged.finish().await),
    }
}

pub(crate) fn slug(index: usize) -> TenantSlug {
    TenantSlug::new(SLUGS[index]).unwrap()
}

impl Op {
    pub(crate) fn kind(&self) -> OpKind {
        match self {
            Self::Create(slug) => OpKind::Create(*slug),
            Self::OpenOrCreate(slug) => OpKind::OpenOrCreate(*slug),
            Self::Open(slug) => OpKind::Open(*slug),
            Self::OpenTenant(tenant_id) => OpKind::OpenTenant(*tenant_id),
            Self::Update(_, edit) => OpKind::Update(*edit),
            Self::Commit(_, edit, _) => OpKind::Commit(*edit),
            Self::Stage(_, edit, ending, _) => OpKind::Stage(*edit, *ending),
            Self::Refresh(_) => OpKind::Refresh,
            Self::Close(_) => OpKind::Close,
            Self::Follow(..) => OpKind::Follow,
        }
    }

    pub(crate) fn tenant(&self) -> Option<&Tenant> {
        match self {
            Self::Update(tenant, _)
            | Self::Commit(tenant, ..)
            | Self::Stage(tenant, ..)
            | Self::Refresh(tenant)
            | Self::Close(tenant) => Some(tenant),
            _ => None,
        }
    }

    pub(crate) fn begin(self, op: usize, authorizer: Authorizer) -> Running {
        match self {
            Self::Create(slug) => {
                Box::pin(async move { Answer::Opened(authorizer.create_tenant(SLUGS[slug], &name(op)).await) })
            }
            Self::OpenOrCreate(slug) => {
                Box::pin(async move { Answer::Opened(authorizer.open_or_create(SLUGS[slug], &name(op)).await) })
            }
            Self::Open(slug) => Box::pin(async move { Answer::Opened(authorizer.tenant(SLUGS[slug]).await) }),
            Self::OpenTenant(tenant_id) => {
                Box::pin(async move { Answer::Opened(authorizer.tenant_by_id(tenant_id).await) })
            }
            Self::Update(tenant, edit) => {
                Box::pin(async move { Answer::Updated(tenant.update(|tx| edit.apply(op, tx)).await) })
            }
            Self::Commit(tenant, _, plan) => Box::pin(async move { Answer::Updated(tenant.commit(*plan).await) }),
            Self::Stage(tenant, edit, ending, line) => Box::pin(stage(op, tenant, edit, ending, line)),
            Self::Refresh(tenant) => Box::pin(async move { Answer::Refreshed(tenant.refresh().await) }),
            Self::Close(tenant) => Box::pin(async move { Answer::Closed(tenant.close().await) }),
            Self::Follow(line, polls) => {
                let mut follower = Box::pin(authorizer.follow(line).run());
                drop(authorizer);
                let mut left = polls;
                Box::pin(poll_fn(move |cx| {
                    left = left.saturating_sub(1);
                    // Dropped wherever it is.
                    if left == 0 || follower.as_mut().poll(cx).is_ready() {
                        return Poll::Ready(Answer::Followed);
                    }
                    Poll::Pending
                }))
            }
        }
    }
}
