//! Flaws in how texts and ids become values of a database and come back (S8, S14).

use super::prelude::*;

macro_rules! keys_that_come_back_as {
    ($($(#[$doc:meta])* $name:ident: $read:expr;)+) => {$(
        $(#[$doc])*
        #[derive(Clone, Default)]
        pub(crate) struct $name;

        impl Flaw for $name {
            async fn load(&self, store: &MemoryStore, tenant_id: TenantId, sink: &mut dyn Sink) -> Result<Option<Position>, StoreError> {
                let read: fn(&str) -> String = $read;
                let read = |record| match record {
                    Record::User(mut user) => {
                        user.key = UserKey::new(&read(user.key.as_str())).unwrap();
                        Record::User(user)
                    }
                    other => other,
                };
                load_altered(store, tenant_id, sink, |records| records.into_iter().map(read).collect()).await
            }
        }
    )+};
}

keys_that_come_back_as! {
    /// S8. A column without a type: `SQLite` keeps `007` as the number 7.
    ReadsTextsAsNumbers: |text| text.parse::<f64>().map_or(text.to_owned(), |number| number.to_string());
    /// S8. Texts are written into the statement, and two backslashes are one.
    ReadsEscapes: |text| text.replace(r"\\", r"\");
    /// S8. Escaped entities are decoded.
    DecodesEntities: |text| text.replace("&amp;", "&");
}

/// S8. Ids are kept in a `BIGINT`.
#[derive(Clone, Default)]
pub(crate) struct KeepsHalfOfAnId;

impl Flaw for KeepsHalfOfAnId {
    async fn load(
        &self,
        store: &MemoryStore,
        tenant_id: TenantId,
        sink: &mut dyn Sink,
    ) -> Result<Option<Position>, StoreError> {
        let half = |record| match record {
            Record::User(mut user) => {
                user.id = UserId::from_uuid(Uuid::from_u128(user.id.as_uuid().as_u128() & u128::from(u64::MAX)));
                Record::User(user)
            }
            other => other,
        };
        load_altered(store, tenant_id, sink, |records| records.into_iter().map(half).collect()).await
    }
}

/// S14. An empty text is read as a missing text.
#[derive(Clone, Default)]
pub(crate) struct ReadsEmptyNotesAsNone;

impl Flaw for ReadsEmptyNotesAsNone {
    async fn since(&self, store: &MemoryStore, at: Position) -> Result<Since, StoreError> {
        let Since::Commits(mut commits) = store.since(at).await? else { return store.since(at).await };
        for commit in &mut commits {
            commit.envelope.note = commit.envelope.note.take().filter(|note| !note.as_str().is_empty());
        }
        Ok(Since::Commits(commits))
    }
}
