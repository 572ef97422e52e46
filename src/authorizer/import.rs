//! Whole tenants by document: created, or replaced. A birth and a plan like any other; what is special is in
//! `document.rs`.

use std::sync::Arc;

use uuid::Uuid;

use super::commit::Updated;
use super::{Authorizer, Tenant};
use crate::document::Document;
use crate::model::error::Result;
use crate::model::records::TenantSlug;
use crate::plan::{CommitContext, Plan};

impl Authorizer {
    /// Creates the tenant that a document describes, in one commit.
    ///
    /// Ids that the document states are kept, so a tenant can be moved or restored; what states none gets a new one.
    ///
    /// # Example
    /// ```
    /// use rolecall::{Document, ErrorKind, blocking::Authorizer};
    ///
    /// let authorizer = Authorizer::in_memory();
    /// let json = br#"{"format": 1, "tenant": {"slug": "acme"},
    ///     "groups": [{"slug": "staff", "members": ["alcie"]}], "users": ["alice"]}"#;
    /// let error = authorizer.import(&Document::from_json(json)?).unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::Document);
    /// let [mistake] = error.mistakes() else { panic!("one mistake") };
    /// assert_eq!((mistake.pointer.as_str(), mistake.code.code()), ("/groups/0/members/0", "not_found"));
    /// assert_eq!(mistake.message, "user `alcie` not found in the document; did you mean `alice`?");
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Complexity
    /// O(n log n) for n records.
    ///
    /// # Errors
    /// [`Document`](crate::ErrorKind::Document) with all mistakes, of which [`Error::mistakes`](crate::Error::mistakes)
    /// lists the first hundred; [`AlreadyExists`](crate::ErrorKind::AlreadyExists) if the slug is taken;
    /// otherwise those of [`Authorizer::create_tenant`].
    pub async fn import(&self, document: &Document) -> Result<Tenant> {
        let changes = document.additions(self.catalog(), Uuid::new_v4)?;
        self.create(TenantSlug::new(document.slug())?, changes).await
    }
}

impl Tenant {
    /// Makes the tenant what a document says: all of it, in one commit, and nothing else.
    ///
    /// An entry that states an id is the present thing with that id, whatever it was called; one that states none is
    /// the present thing of its slug or key, unless another entry states that thing's id. An entry that matches nothing
    /// is new. What no entry matched is deleted with all its edges (R8), also where a new thing gets its slug: nothing
    /// old sticks to that. A document that says what is there makes no revision.
    ///
    /// # Example
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// # acme.update(|tx| { tx.create_user("alice")?; Ok(()) })?;
    /// let yesterday = acme.snapshot().export()?;
    /// acme.update(|tx| tx.delete_user("alice"))?;
    /// acme.replace(&yesterday)?;
    /// assert!(acme.now().user("alice").is_some());
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Consistency
    /// Whatever others committed before is replaced too. To see first what that is, use [`Tenant::plan_replace`], whose
    /// plan is refused as stale if anybody comes in between.
    ///
    /// # Complexity
    /// O(n log n) for the records before and after.
    ///
    /// # Errors
    /// [`Document`](crate::ErrorKind::Document) with every broken rule, as for [`Authorizer::import`]: also if the
    /// document's slug is not the tenant's, or an id is that of a thing of another kind;
    /// [`Managed`](crate::ErrorKind::Managed) if it changes what a directory manages and does not act for that directory
    /// (R16, [`Document::act_for`]); otherwise those of [`Tenant::update`].
    pub async fn replace(&self, document: &Document) -> Result<Updated<()>> {
        let clock = Arc::clone(&self.0.shared.clock);
        self.0.run(|base| document.plan_on(base, CommitContext::new(&*clock)).map(|plan| ((), plan))).await
    }

    /// Plans what [`Tenant::replace`] would do on the newest snapshot, and commits nothing.
    ///
    /// ```
    /// # let authorizer = rolecall::blocking::Authorizer::in_memory();
    /// let acme = authorizer.create_tenant("acme", "Acme")?;
    /// let document = acme.snapshot().export()?;
    /// let plan = acme.plan_replace(&document)?;
    /// assert!(plan.is_empty(), "the document describes the current state");
    /// acme.commit(plan)?;
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Document`](crate::ErrorKind::Document), [`Closed`](crate::ErrorKind::Closed),
    /// [`Deleted`](crate::ErrorKind::Deleted).
    pub fn plan_replace(&self, document: &Document) -> Result<Plan> {
        self.0.writable()?;
        document.plan_on(self.0.current.load(), CommitContext::new(&*self.0.shared.clock))
    }
}
