//! The tables as people see them: the rows of a commit, rows that somebody edits, and the history.

use rolecall::records::{Change, Record, TenantId, Timestamp};
use rolecall::store::{Base, Since, Store, StoreError};
use rolecall::{Authorizer, ErrorKind, Window};
use rolecall_postgres::{PostgresError, PostgresErrorKind, PostgresStore};

use crate::fixtures::{create, load, send, user, users};
use crate::server::{self, quoted};

/// A tenant with some of everything.
async fn acme(store: &PostgresStore) -> rolecall::Tenant {
    let acme = Authorizer::builder().store(store.clone()).build().create_tenant("acme", "Acme").await.unwrap();
    acme.update(|tx| {
        tx.set_actor("root")?;
        tx.set_note("first steps")?;
        tx.create_role("editor")?.grant("posts:*")?;
        tx.create_group("staff")?;
        tx.create_group("editors")?.add_parent("staff")?;
        tx.create_user("alice")?.join("editors")?.done()
    })
    .await
    .unwrap();
    acme
}

#[tokio::test]
async fn people_can_ask_the_tables() {
    let (store, admin) = (server::store().await, server::admin().await);
    let acme = acme(&store).await;
    acme.update(|tx| tx.create_user("bob")?.join("staff")?.done()).await.unwrap();
    admin.batch_execute(&format!("SET search_path TO {}", quoted(store.schema()))).await.unwrap();
    // Every query of the README works.
    let readme = include_str!("../../README.md");
    let blocks = readme.split("```sql\n").skip(1).map(|block| block.split("```").next().unwrap());
    let queries: Vec<_> = blocks.filter(|block| !block.starts_with("GRANT")).collect();
    assert!(queries.len() >= 3);
    for query in queries {
        let sql = query.replace("rolecall.", "");
        let rows = admin.query(sql.as_str(), &[]).await.unwrap_or_else(|error| panic!("{query}: {error:?}"));
        assert!(!rows.is_empty(), "{query} returned no row");
    }
    let who = "SELECT u.key FROM memberships m JOIN users u ON u.tenant_id = m.tenant_id AND u.id = m.user_id \
        JOIN groups g ON g.tenant_id = m.tenant_id AND g.id = m.group_id WHERE g.slug = 'editors'";
    assert_eq!(admin.query_one(who, &[]).await.unwrap().get::<_, String>(0), "alice");
    let what = "SELECT c.actor, c.note, h.after->'user'->>'key' FROM commits c JOIN changes h USING (tenant_id, revision) \
        WHERE h.kind = 'user' ORDER BY c.revision LIMIT 1";
    let row = admin.query_one(what, &[]).await.unwrap();
    let found: Vec<String> = (0..3).map(|at| row.get(at)).collect();
    assert_eq!(found, ["root", "first steps", "alice"]);
    server::drop_schema(store.schema()).await;
}

#[tokio::test]
async fn rows_that_break_an_invariant_are_refused_at_load_with_the_list() {
    let (store, admin) = (server::store().await, server::admin().await);
    let tenant_id = acme(&store).await.tenant_id();
    let schema = quoted(store.schema());
    let open = async || {
        let error = Authorizer::builder().store(store.clone()).build().tenant_by_id(tenant_id).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
        error.to_string()
    };
    // Members that do not exist.
    let dangling =
        format!("INSERT INTO {schema}.memberships SELECT tenant_id, gen_random_uuid(), id FROM {schema}.groups");
    admin.batch_execute(&dangling).await.unwrap();
    let text = open().await;
    assert_eq!(text.matches("refers to a user that does not exist").count(), 2, "{text}");
    let repair = format!("DELETE FROM {schema}.memberships WHERE user_id NOT IN (SELECT id FROM {schema}.users)");
    admin.batch_execute(&repair).await.unwrap();
    let cycle = format!("INSERT INTO {schema}.parents SELECT tenant_id, parent_id, group_id FROM {schema}.parents");
    admin.batch_execute(&cycle).await.unwrap();
    let text = open().await;
    assert!(text.contains("cycle"), "{text}");
    admin.batch_execute(&format!("DELETE FROM {schema}.parents")).await.unwrap();
    let authorizer = Authorizer::builder().store(store.clone()).build();
    assert!(authorizer.tenant_by_id(tenant_id).await.is_ok());
    server::drop_schema(store.schema()).await;
}

#[tokio::test]
async fn rows_that_are_no_records_are_named_at_load() {
    let (store, admin) = (server::store().await, server::admin().await);
    let acme = acme(&store).await;
    let schema = quoted(store.schema());
    admin.batch_execute(&format!("UPDATE {schema}.groups SET slug = 'two words'")).await.unwrap();
    admin.batch_execute(&format!("UPDATE {schema}.users SET status = 'gone', name = ''")).await.unwrap();
    let error = load(&store, acme.tenant_id()).await.unwrap_err();
    let StoreError::Corrupt(cause) = &error else { panic!("{error}") };
    assert_eq!(cause.downcast_ref::<PostgresError>().unwrap().kind(), PostgresErrorKind::Damaged);
    let text = error.to_string();
    let (groups, users) = (text.matches("table groups, row with id").count(), text.matches("table users").count());
    assert!(groups == 2 && users == 1 && text.contains("expected active or suspended, found \"gone\""), "{text}");
    // The other tenants are not disturbed, and the connection is.
    let other = create(&store, "other").await;
    assert_eq!(load(&store, other.tenant_id).await.unwrap().unwrap().1, other);
    assert!(Authorizer::builder().store(store.clone()).build().tenant("acme").await.is_err());
    server::drop_schema(store.schema()).await;
}

#[tokio::test]
async fn a_tenant_with_records_of_a_later_release_is_refused() {
    let (store, admin) = (server::store().await, server::admin().await);
    let at = create(&store, "acme").await;
    let (latest, answer) = send(&store, Base::At(at), &users(1..2)).await;
    answer.unwrap();
    let schema = quoted(store.schema());
    admin.batch_execute(&format!("UPDATE {schema}.tenants SET newest_kind = 200")).await.unwrap();
    assert!(matches!(load(&store, at.tenant_id).await, Err(StoreError::UnsupportedRecord(_))));
    assert!(matches!(store.since(at).await, Err(StoreError::UnsupportedRecord(_))));
    assert_eq!(store.since(latest).await.unwrap(), Since::Commits(Vec::new()));
    admin.batch_execute(&format!("UPDATE {schema}.tenants SET newest_kind = 1")).await.unwrap();
    admin.batch_execute(&format!("UPDATE {schema}.changes SET kind = 'later'")).await.unwrap();
    assert!(matches!(store.since(at).await, Err(StoreError::UnsupportedRecord(_))));
    server::drop_schema(store.schema()).await;
}

#[tokio::test]
async fn changes_that_do_not_match_the_tables_are_corrupt_and_change_nothing() {
    let store = server::store().await;
    let at = create(&store, "acme").await;
    let (at, answer) = send(&store, Base::At(at), &users(1..3)).await;
    answer.unwrap();
    let absent = user(9);
    let wrong = [
        vec![Change::added(user(1))],
        vec![Change::removed(absent.clone())],
        vec![Change::new(Some(absent.clone()), Some(absent)).unwrap()],
        vec![Change::added(user(5)), Change::added(user(5))],
    ];
    for changes in wrong {
        let (_, answer) = send(&store, Base::At(at), &changes).await;
        assert!(matches!(answer, Err(StoreError::Corrupt(_))), "{changes:?}: {answer:?}");
        assert_eq!(load(&store, at.tenant_id).await.unwrap().unwrap().1, at);
    }
    server::drop_schema(store.schema()).await;
}

#[tokio::test]
async fn old_history_is_removed_without_gaps() {
    let store = server::store().await;
    let other = create(&store, "other").await;
    let mut at = create(&store, "acme").await;
    let mut all = vec![at];
    for number in 0..10 {
        let (next, answer) = send(&store, Base::At(at), &users(number..number + 1)).await;
        answer.unwrap();
        at = next;
        all.push(at);
    }
    assert_eq!(store.remove_history(Timestamp::MIN, 0).await.unwrap(), 0);
    assert_eq!(store.remove_history(Timestamp::MAX, 3).await.unwrap(), 8);
    for (number, position) in all.iter().enumerate() {
        match store.since(*position).await.unwrap() {
            Since::Commits(commits) => assert_eq!(commits.len(), 10 - number),
            Since::TooOld => assert!(number < 7, "{number}"),
            Since::Deleted => panic!("{number}"),
        }
    }
    assert_eq!(store.since(other).await.unwrap(), Since::Commits(Vec::new()));
    let (_, answer) = send(&store, Base::At(at), &[]).await;
    answer.unwrap();
    server::drop_schema(store.schema()).await;
}

#[tokio::test]
async fn a_since_with_too_many_changes_is_too_old() {
    let store = server::store().await;
    let small = PostgresStore::builder(store.pool().clone()).schema(store.schema()).max_changes(100).build();
    let at = create(&store, "acme").await;
    let (next, answer) = send(&store, Base::At(at), &users(0..150)).await;
    answer.unwrap();
    assert_eq!(small.since(at).await.unwrap(), Since::TooOld);
    assert_eq!(small.since(next).await.unwrap(), Since::Commits(Vec::new()));
    assert!(matches!(store.since(at).await.unwrap(), Since::Commits(commits) if commits[0].changes.len() == 150));
    server::drop_schema(store.schema()).await;
}

/// One statement changes more rows than a statement has parameters, in all three ways.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commits_of_100_000_additions_changes_and_removals_are_one_commit_each() {
    let store = server::store().await;
    let at = create(&store, "acme").await;
    let added = users(0..100_000);
    let record = |change: &Change| change.after().cloned().unwrap();
    let suspended = |change: &Change| {
        let Record::User(user) = record(change) else { panic!("a user") };
        let after = Record::User(user.clone().with_status(rolecall::records::Status::Suspended));
        Change::new(Some(Record::User(user)), Some(after)).unwrap()
    };
    let changed: Vec<_> = added.iter().map(suspended).collect();
    let removed: Vec<_> = changed.iter().map(|change| Change::removed(record(change))).collect();
    let mut at = at;
    for (changes, records) in [(&added, 100_001), (&changed, 100_001), (&removed, 1)] {
        let (next, answer) = send(&store, Base::At(at), changes).await;
        answer.unwrap();
        at = next;
        let (found, position) = load(&store, at.tenant_id).await.unwrap().unwrap();
        assert_eq!((found.len(), position), (records, at));
    }
    server::drop_schema(store.schema()).await;
}

#[tokio::test]
async fn windows_and_separations_come_back_as_they_were() {
    let store = server::store().await;
    let acme = acme(&store).await;
    let until = Window::until("2031-01-31T00:00:00.000001Z".parse().unwrap());
    acme.update(|tx| {
        tx.create_role("auditor")?;
        tx.create_separation("four-eyes", 1, ["editor", "auditor"])?;
        tx.user("alice")?.assign_during("auditor", until)?.done()
    })
    .await
    .unwrap();
    let (records, _) = load(&store, acme.tenant_id()).await.unwrap().unwrap();
    assert!(records.iter().any(|record| matches!(record, Record::Assignment(r) if r.window == until)));
    assert!(records.iter().any(|record| matches!(record, Record::Separation(r) if r.roles.len() == 2)));
    let unknown = load(&store, TenantId::random()).await.unwrap();
    assert!(unknown.is_none());
    server::drop_schema(store.schema()).await;
}

/// The memory of this process, in bytes. Zero where the system does not say.
fn memory() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    pages.split_whitespace().nth(1).and_then(|pages| pages.parse::<u64>().ok()).unwrap_or(0) * 4_096
}

/// Counts records and drops them, and looks at the memory of the process now and then.
struct Count {
    records: usize,
    most_memory: u64,
}

impl rolecall::store::Sink for Count {
    fn push(&mut self, _: Record) -> Result<(), rolecall::store::Stop> {
        self.records += 1;
        if self.records % 5_000 == 0 {
            self.most_memory = self.most_memory.max(memory());
        }
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "measures the memory of the whole process: run by .ci/postgres"]
async fn a_million_users_load_in_bounded_memory() {
    let (store, admin) = (server::store().await, server::admin().await);
    let at = create(&store, "acme").await;
    let insert = format!(
        "INSERT INTO {}.users (tenant_id, id, key, status) SELECT '{}', gen_random_uuid(), 'user-' || n, 'active' \
         FROM generate_series(1, 1000000) AS n",
        quoted(store.schema()),
        at.tenant_id
    );
    admin.batch_execute(&insert).await.unwrap();
    let before = memory();
    let mut count = Count { records: 0, most_memory: before };
    let start = std::time::Instant::now();
    assert_eq!(store.load(at.tenant_id, &mut count).await.unwrap(), Some(at));
    assert_eq!(count.records, 1_000_001);
    let grown = (count.most_memory - before) / 1_048_576;
    println!("a million users in {:?}, {grown} MiB more memory", start.elapsed());
    assert!(grown < 64, "a load took {grown} MiB");
    server::drop_schema(store.schema()).await;
}

#[tokio::test]
async fn assertions_come_back_as_they_were() {
    use rolecall::records::{
        AssertionId, AssertionRecord, Description, Expectation, GroupId, PermissionId, PermissionRef, RoleId, RoleRef,
        Slug, UserId,
    };

    let store = server::store().await;
    let at = create(&store, "acme").await;
    let (users, groups) = (vec![UserId::random(), UserId::random()], vec![GroupId::random()]);
    let (own, slug) = (PermissionRef::Own(PermissionId::random()), Slug::new("posts:read,\"write\"").unwrap());
    let listed = PermissionRef::Catalog { id: PermissionId::random(), slug: slug.clone() };
    let roles = vec![RoleRef::Own(RoleId::random()), RoleRef::Catalog { id: RoleId::random(), slug }];
    let all = [
        Expectation::Allowed { permission: own.clone(), users: users.clone(), groups: Vec::new() },
        Expectation::Denied { permission: listed, users, groups: groups.clone() },
        Expectation::Only { permission: own, users: Vec::new(), groups },
        Expectation::Separate { roles },
    ];
    let record = |(number, expected): (usize, Expectation)| {
        let (id, slug) = (AssertionId::random(), Slug::new(&format!("assertion-{number}")).unwrap());
        let binding = number % 2 == 0;
        Record::Assertion(AssertionRecord { id, slug, description: Description::default(), binding, expected })
    };
    let records: Vec<_> = all.into_iter().enumerate().map(record).collect();
    let changes: Vec<_> = records.iter().cloned().map(Change::added).collect();
    let (at, answer) = send(&store, Base::At(at), &changes).await;
    answer.unwrap();
    let (found, _) = load(&store, at.tenant_id).await.unwrap().unwrap();
    assert_eq!(found.len(), 5);
    assert!(records.iter().all(|record| found.contains(record)), "{found:?}");
    server::drop_schema(store.schema()).await;
}
