//! Creates or replaces a whole tenant from a document. `document.rs` computes the changes; the commit is like any
//! other.

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
    /// Ids in the document are kept, so a tenant can be moved or restored. An entry without an id gets a new one.
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
    /// lists the first hundred. [`AlreadyExists`](crate::ErrorKind::AlreadyExists) if the slug is taken.
    /// [`Escalation`](crate::ErrorKind::Escalation) if the document has a [guard](Document::set_guard) and gives anybody
    /// anything (R13). [`SeparationOfDuties`](crate::ErrorKind::SeparationOfDuties) if a user breaks a separation of the
    /// document (R14), and [`AssertionFailed`](crate::ErrorKind::AssertionFailed) if one of its binding assertions fails
    /// (R17). Otherwise those of [`Authorizer::create_tenant`].
    pub async fn import(&self, document: &Document) -> Result<Tenant> {
        let changes = document.additions(self.catalog(), Uuid::new_v4)?;
        document.check_guard(&changes, &self.shared.catalog, self.shared.clock.now())?;
        self.create(TenantSlug::new(document.slug())?, changes).await
    }
}

impl Tenant {
    /// Replaces the whole content of the tenant with a document, in one commit.
    ///
    /// An entry with an id matches the existing entity with that id, even under another slug or key. An entry without an id
    /// matches the existing entity with its slug or key, unless another entry has that entity's id. An entry without a match
    /// creates an entity. Existing entities that no entry matches are deleted with all their relations (R8), even if a new
    /// entity takes their slug. A document that equals the current content makes no revision.
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
    /// Earlier commits of other writers are replaced too. Use [`Tenant::plan_replace`] to see the changes first: its
    /// plan is rejected as stale if another writer commits in between.
    ///
    /// # Complexity
    /// O(n) for the records before and after, and O(m log m) for m changes.
    ///
    /// # Errors
    /// - [`Document`](crate::ErrorKind::Document) with every mistake, as for [`Authorizer::import`]. It is also a mistake
    ///   if the document's slug is not the tenant's, or if an id belongs to an entity of another kind.
    /// - [`Managed`](crate::ErrorKind::Managed) if it changes an entity that a directory manages and does not act for
    ///   that directory (R16, [`Document::act_for`]).
    /// - [`Escalation`](crate::ErrorKind::Escalation) if it gives somebody a right that the actor of its guard lacks
    ///   (R13, [`Document::set_guard`]).
    /// - Otherwise those of [`Tenant::update`].
    pub async fn replace(&self, document: &Document) -> Result<Updated<()>> {
        let clock = Arc::clone(&self.0.shared.clock);
        self.0.run(|base| document.plan_on(base, CommitContext::new(&*clock)).map(|plan| ((), plan))).await
    }

    /// Plans a replacement on the newest snapshot, as [`Tenant::replace`] would make it, and commits nothing.
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
    /// [`Deleted`](crate::ErrorKind::Deleted), [`Managed`](crate::ErrorKind::Managed),
    /// [`SeparationOfDuties`](crate::ErrorKind::SeparationOfDuties), [`AssertionFailed`](crate::ErrorKind::AssertionFailed),
    /// [`Escalation`](crate::ErrorKind::Escalation) if the document has a guard, and [`Internal`](crate::ErrorKind::Internal)
    /// if the tenant is out of service.
    pub fn plan_replace(&self, document: &Document) -> Result<Plan> {
        self.0.writable()?;
        document.plan_on(self.0.current.load(), CommitContext::new(&*self.0.shared.clock))
    }
}
