//! The data of an error besides its kind.

use super::{
    Asked, AskedBy, AssertionViolation, DidYouMean, Error, InvariantViolation, MissingRight, Mistake, Relation,
    SeparationViolation,
};
use crate::model::ids::{CommitId, Revision};

impl Error {
    /// Returns the slug, key, id or external id of the entity, as the caller wrote it.
    ///
    /// # Example
    /// ```
    /// let error = rolecall::blocking::Authorizer::in_memory().tenant("acme").unwrap_err();
    /// assert_eq!(error.name(), Some("acme"));
    /// ```
    pub fn name(&self) -> Option<&str> {
        self.0.name.as_ref().and_then(Asked::data)
    }

    /// Returns the name that the slug was derived from, if a call derived it.
    ///
    /// # Example
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// acme.update(|tx| tx.create_group_with_name("Café")?.done())?;
    /// let error = acme.update(|tx| tx.create_group_with_name("Cafè")?.done()).unwrap_err();
    /// assert_eq!((error.name(), error.derived_from()), (Some("cafe"), Some("Cafè")));
    /// assert_eq!(error.to_string(), "group `cafe` already exists; the slug was derived from the name `Cafè`");
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    pub fn derived_from(&self) -> Option<&str> {
        self.0.derived_from.as_deref()
    }

    /// Returns the relation that the error is about. It exists with another window, or only a directory may remove it,
    /// or it does not exist although the entities at both of its ends do. `None` if the entity itself is the problem.
    ///
    /// So for [`NotFound`](crate::ErrorKind::NotFound), a relation means "not a member", and none means "no such user".
    ///
    /// ```
    /// assert!(rolecall::Error::rejected("no").relation().is_none());
    /// ```
    ///
    /// [`Relation`] has a longer example.
    pub fn relation(&self) -> Option<&Relation> {
        self.0.relation.as_ref()
    }

    /// Returns the kind of the invalid text: `slug`, `user key`, `window`, and so on.
    ///
    /// # Example
    /// ```
    /// assert_eq!(rolecall::records::UserKey::new("").unwrap_err().what(), Some("user key"));
    /// ```
    pub fn what(&self) -> Option<&str> {
        self.0.what
    }

    /// Returns the expected form of an invalid text, or the requested window.
    ///
    /// # Example
    /// ```
    /// let error = rolecall::records::Slug::new("a b").unwrap_err();
    /// assert_eq!(error.expected(), Some("1 to 255 visible ASCII characters other than `*`"));
    /// ```
    pub fn expected(&self) -> Option<&str> {
        self.0.expected.as_deref()
    }

    /// Returns the invalid text as the caller wrote it, or the window that the relation has. Of a text with more than 320
    /// characters, the first 290 and the last 30 are kept, with an ellipsis between them.
    ///
    /// # Example
    /// ```
    /// let error = rolecall::records::Slug::new("a\n").unwrap_err();
    /// assert_eq!(error.found(), Some("a\n"));
    /// assert!(error.to_string().starts_with(r"invalid slug `a\n`"));
    /// ```
    pub fn found(&self) -> Option<&str> {
        self.0.found.as_deref()
    }

    /// Returns existing names that are similar to the one that was not found, most similar first.
    ///
    /// # Example
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// acme.update(|tx| tx.create_group("staff")?.done())?;
    /// let error = acme.update(|tx| tx.group("stuff")?.done()).unwrap_err();
    /// assert_eq!(error.suggestions(), ["staff"]);
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// A slug that the catalog has renamed suggests its new slug.
    ///
    /// # Security
    /// For a user, these are the keys of other users. Show them only to people who may list users.
    ///
    /// # Complexity
    /// The first call searches; later calls return the same slice.
    pub fn suggestions(&self) -> &[String] {
        self.0.unknown_name().map_or(&[], |name| self.0.suggestions.names(name))
    }

    /// Returns [`Error::suggestions`] as a question. Where a name looks like the one that was not found, the question
    /// says which code points differ.
    ///
    /// # Example
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// acme.update(|tx| tx.create_user("j\u{fc}rgen")?.done())?;
    /// let error = acme.update(|tx| tx.user("ju\u{308}rgen")?.done()).unwrap_err();
    /// assert_eq!(
    ///     error.did_you_mean().unwrap(),
    ///     "did you mean `j\u{fc}rgen` (with U+00FC for U+0075 U+0308)?"
    /// );
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Security
    /// For a user, it has the keys of other users. The sentence of the error therefore leaves it out.
    pub fn did_you_mean(&self) -> Option<String> {
        let names = Some(self.suggestions()).filter(|names| !names.is_empty())?;
        Some(DidYouMean { asked: self.name().unwrap_or_default(), names }.to_string())
    }

    /// Returns advice for a developer, if the error has some: a call that helps, or the mistake in the name. The sentence
    /// ends with it.
    ///
    /// # Example
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// let id = rolecall::records::UserId::random().to_string();
    /// let error = acme.update(|tx| tx.user(&id)?.done()).unwrap_err();
    /// assert_eq!(error.advice(), Some("this text is a UUID and was looked up as a key; to look up an id, pass a `UserId`"));
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    pub fn advice(&self) -> Option<&str> {
        let inner = &self.0;
        let of_name = || inner.suggestions.advice(inner.unknown_name()?);
        inner.advice.or_else(of_name).or_else(|| inner.advice_of_kind())
    }

    /// Returns the names around a cycle, with the first one repeated at the end. Empty for other kinds. For a long cycle,
    /// the names in the middle are left out.
    ///
    /// # Example
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// acme.update(|tx| {
    ///     tx.create_group("staff")?;
    ///     tx.create_group("engineering")?.add_parent("staff")?.done()
    /// })?;
    /// let error = acme.update(|tx| tx.group("staff")?.add_parent("engineering")?.done()).unwrap_err();
    /// assert_eq!(error.cycle_names(), ["staff", "engineering", "staff"]);
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    pub fn cycle_names(&self) -> &[String] {
        &self.0.cycle.names
    }

    /// Returns the mistakes in a document, at most one hundred; empty for other kinds.
    ///
    /// # Example
    /// ```
    /// # #[cfg(feature = "json")] {
    /// use rolecall::{Document, error::MistakeCode};
    ///
    /// let error = Document::from_json(b"{").unwrap_err();
    /// assert_eq!(error.mistakes()[0].code, MistakeCode::Syntax);
    /// # }
    /// ```
    pub fn mistakes(&self) -> &[Mistake] {
        &self.0.mistakes
    }

    /// Returns the violations of invariants in the store's content, at most one hundred. Empty for other kinds.
    ///
    /// ```
    /// assert!(rolecall::Error::rejected("no").violations().is_empty());
    /// ```
    ///
    /// [`InvariantViolation`] has a longer example.
    pub fn violations(&self) -> &[InvariantViolation] {
        &self.0.violations
    }

    /// Returns the rights that a guarded transaction would give although its actor does not hold them (R13), and the
    /// separations of duties (R14) and binding assertions (R17) that it would loosen. At most one hundred. Empty for
    /// other kinds.
    ///
    /// ```
    /// assert!(rolecall::Error::rejected("no").missing_rights().is_empty());
    /// ```
    ///
    /// [`MissingRight`] has a longer example.
    pub fn missing_rights(&self) -> &[MissingRight] {
        &self.0.missing_rights
    }

    /// Returns the number of further mistakes, violations or rights, which the error does not list.
    ///
    /// # Example
    /// ```
    /// assert_eq!(rolecall::Error::rejected("no").unlisted(), 0);
    /// ```
    pub fn unlisted(&self) -> usize {
        self.0.unlisted
    }

    /// Returns the directory that manages the user or group, for [`Managed`](crate::ErrorKind::Managed) (R16), or the
    /// directory whose external id is [`Error::name`].
    ///
    /// A user or a group cannot be deleted while it is a direct member or a parent of a managed group. Then
    /// [`Error::relation`] is that membership or parent link, and the directory manages the group of the membership, or
    /// the subgroup of the link.
    ///
    /// # Example
    /// ```
    /// use rolecall::{ErrorKind, blocking::Authorizer};
    ///
    /// let acme = Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// acme.update(|tx| {
    ///     tx.set_manager("okta")?;
    ///     tx.create_user("alice")?.set_managed_by(Some("okta"))?;
    ///     Ok(())
    /// })?;
    /// let error = acme.update(|tx| tx.delete_user("alice")).unwrap_err();
    /// assert_eq!((error.kind(), error.manager()), (ErrorKind::Managed, Some("okta")));
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    pub fn manager(&self) -> Option<&str> {
        self.0.manager.as_deref().or_else(|| match &self.0.name.as_ref()?.by {
            AskedBy::ExternalId { manager } => Some(manager),
            _ => None,
        })
    }

    /// Returns whether the refused change would have given the user or group to the directory [`Error::manager`], which
    /// does not manage it. For other errors of the kind [`Managed`](crate::ErrorKind::Managed), the directory manages
    /// it already.
    ///
    /// # Example
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// acme.update(|tx| tx.create_user("alice")?.done())?;
    /// let error = acme.update(|tx| tx.user("alice")?.set_managed_by(Some("okta"))?.done()).unwrap_err();
    /// assert!(error.gives_to_manager());
    /// assert_eq!(
    ///     error.to_string(),
    ///     "user `alice` cannot be given to `okta`: the transaction does not act for it; \
    ///      use `set_manager` to act for that directory"
    /// );
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    pub fn gives_to_manager(&self) -> bool {
        self.0.is_given
    }

    /// Returns the user and the roles that break a separation of duties (R14).
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// # acme.update(|tx| {
    /// #     tx.create_role("clerk")?;
    /// #     tx.create_role("approver")?;
    /// #     tx.create_separation("payments", 1, ["clerk", "approver"])?;
    /// #     tx.create_user("alice")?.assign("clerk")?.done()
    /// # })?;
    /// let error = acme.update(|tx| tx.user("alice")?.assign("approver")?.done()).unwrap_err();
    /// let roles: Vec<&str> = error.separation().unwrap().roles.iter().map(|held| &*held.role).collect();
    /// assert_eq!(roles, ["approver", "clerk"]);
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    pub fn separation(&self) -> Option<&SeparationViolation> {
        self.0.separation.as_ref()
    }

    /// Returns the binding assertion that would fail, with a user for whom it would (R17).
    ///
    /// ```
    /// use rolecall::assertions::Assertion;
    ///
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// # acme.update(|tx| {
    /// #     tx.create_permission("billing:pay")?;
    /// #     tx.create_role("payer")?.grant("billing:pay")?;
    /// #     tx.create_user("mallory")?;
    /// #     let denied = Assertion::denied("billing:pay").with_users(["mallory"]);
    /// #     tx.create_assertion("never-mallory", &denied)?.set_binding(true)?.done()
    /// # })?;
    /// let error = acme.update(|tx| tx.user("mallory")?.assign("payer")?.done()).unwrap_err();
    /// assert_eq!(error.assertion().unwrap().assertion, "never-mallory");
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    pub fn assertion(&self) -> Option<&AssertionViolation> {
        self.0.assertion.as_ref()
    }

    /// Returns the prefix of the slug that the catalog reserves, for [`Reserved`](crate::ErrorKind::Reserved) (R9).
    ///
    /// # Example
    /// ```
    /// use rolecall::blocking::Authorizer;
    /// use rolecall::catalog::{Catalog, Definition};
    ///
    /// let catalog = Catalog::new(&Definition { reserved_role_prefixes: &["acme-"], ..Definition::default() })?;
    /// let tenant = Authorizer::builder().catalog(&catalog).build().create_tenant("globex", "Globex")?;
    /// let error = tenant.update(|tx| tx.create_role("acme-editor")?.done()).unwrap_err();
    /// assert_eq!(error.reserved_prefix(), Some("acme-"));
    /// assert_eq!(
    ///     error.to_string(),
    ///     "role `acme-editor` begins with `acme-`, which the catalog reserves; choose a slug that does not begin with it"
    /// );
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    pub fn reserved_prefix(&self) -> Option<&str> {
        self.0.reserved_prefix.as_deref()
    }

    /// Returns the revision at which the call looked for the entity.
    ///
    /// # Example
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// let error = acme.update(|tx| tx.user("alice")?.done()).unwrap_err();
    /// assert_eq!(error.revision(), Some(acme.revision()));
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    pub fn revision(&self) -> Option<Revision> {
        self.0.revision
    }

    /// Returns the id of the commit that is in doubt. For [`InDoubt`](crate::ErrorKind::InDoubt) it is the commit of the
    /// call, for [`Blocked`](crate::ErrorKind::Blocked) an earlier one. [`Tenant::outcome`](crate::Tenant::outcome) returns
    /// its outcome.
    ///
    /// # Example
    /// ```
    /// # async fn example(acme: rolecall::Tenant) {
    /// let result = acme.update(|tx| tx.create_user("alice")?.done()).await;
    /// if let Some(commit) = result.err().and_then(|error| error.commit()) {
    ///     println!("{:?}", acme.outcome(commit));
    /// }
    /// # }
    /// ```
    pub fn commit(&self) -> Option<CommitId> {
        self.0.commit
    }
}
