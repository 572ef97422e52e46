//! Ids chosen by the application, handles of entities, and the slugs in the memory store.

use pollster::block_on;
use rolecall::blocking::Authorizer;
use rolecall::records::{
    Change, CommitId, Envelope, Name, Position, Record, Revision, TenantId, TenantRecord, TenantSlug, UserId,
};
use rolecall::store::{Base, Commit, MemoryStore, Store};

/// Exporting and importing gives an equal tenant, for every tenant that the API can create.
#[cfg(feature = "json")]
#[test]
fn an_id_chosen_by_the_application_can_be_exported_and_imported() {
    let acme = Authorizer::in_memory().create_tenant("acme", "Acme").unwrap();
    let group = acme.update(|tx| tx.create_group("staff")?.id()).unwrap().value;
    let made = acme.update(|tx| tx.create_user_with_id(UserId::from_uuid(group.as_uuid()), "alice")?.done());
    if made.is_ok() {
        let document = acme.snapshot().export().unwrap();
        let plan = acme.plan_replace(&document).map(|plan| plan.is_empty());
        assert_eq!(plan.map_err(|e| e.to_string()), Ok(true));
    }
}

/// An id has one number while the tenant is open, whether a plan, a resolution or a refresh saw it first.
#[test]
fn one_id_has_one_number_across_concurrent_plans() {
    let acme = Authorizer::in_memory().create_tenant("acme", "Acme").unwrap();
    let id = UserId::random();
    let ((), plan) = acme
        .plan(|tx| {
            std::thread::scope(|scope| {
                scope
                    .spawn(|| acme.update(|tx| tx.create_user_with_id(id, "alice")?.done()).unwrap())
                    .join()
                    .map(drop)
                    .unwrap();
            });
            tx.create_user_with_id(id, "alice")?.done()
        })
        .unwrap();
    let at = rolecall::Timestamp::from_secs(0).unwrap();
    let previewed = plan.preview().at(at).user_handle(id);
    assert_eq!(previewed, acme.user_handle(id), "one user has one handle while the tenant is open");
}

/// `MemoryStore` returns *corrupt* for a change whose `before` differs from the stored record.
#[test]
fn a_commit_of_one_tenant_does_not_take_the_slug_of_another() {
    let store = MemoryStore::default();
    let record = |slug: &str| {
        Record::Tenant(TenantRecord { slug: TenantSlug::new(slug).unwrap(), name: Name::new("x").unwrap() })
    };
    let catalog = Authorizer::in_memory().catalog().fingerprint();
    let envelope = |previous| Envelope {
        id: CommitId::random(),
        previous,
        actor: None,
        at: rolecall::Timestamp::from_secs(0).unwrap(),
        note: None,
        catalog,
    };
    let created = |slug: &str| {
        let (tenant_id, envelope) = (TenantId::random(), envelope(None));
        let changes = [Change::added(record(slug))];
        let commit = Commit { base: Base::Create(tenant_id), envelope: &envelope, changes: &changes };
        block_on(store.commit(commit)).unwrap();
        Position { tenant_id, revision: Revision::FIRST, commit: envelope.id }
    };
    let (mine, theirs) = (created("mine"), created("theirs"));
    let changes = [Change::new(Some(record("theirs")), Some(record("mine"))).unwrap()];
    let envelope = envelope(Some(mine.commit));
    let answer = block_on(store.commit(Commit { base: Base::At(mine), envelope: &envelope, changes: &changes }));
    let found = block_on(store.find(&TenantSlug::new("theirs").unwrap())).unwrap();
    assert_eq!(found, Some(theirs.tenant_id), "after {answer:?}");
}

/// A positional format reads back the same value: both ends of a window are always written.
#[test]
fn every_window_serialises_both_ends() {
    use rolecall::{Timestamp, Window};
    let at = Timestamp::from_secs(5).unwrap();
    for window in [Window::ALWAYS, Window::from(at), Window::until(at)] {
        let json = serde_json::to_value(window).unwrap();
        assert_eq!(json.as_object().map(serde_json::Map::len), Some(2));
        assert_eq!(serde_json::from_value::<Window>(json).unwrap(), window);
    }
}
