//! Migrations, and schemas that are missing, too old or too new.

use rolecall::store::{Store, StoreError};
use rolecall_postgres::{ConnectionPool, PostgresError, PostgresErrorKind, PostgresStore, migration_sql};

use crate::fixtures::{create, load};
use crate::server::{self, quoted};

fn cause(error: &StoreError) -> &PostgresError {
    let StoreError::Unavailable(cause) = error else { panic!("{error}") };
    cause.downcast_ref().expect("the cause of every failure")
}

fn in_schema(pool: ConnectionPool, schema: &str) -> PostgresStore {
    PostgresStore::builder(pool).schema(schema).build()
}

#[tokio::test]
async fn a_missing_schema_is_refused_and_nothing_is_created() {
    let (schema, admin) = (server::schema_name(), server::admin().await);
    let store = in_schema(server::pool(server::config(), 1), &schema);
    let error = store.list(None, 1).await.unwrap_err();
    assert_eq!(cause(&error).kind(), PostgresErrorKind::SchemaMissing);
    assert!(error.to_string().ends_with("does not have the tables of this store; call `migrate`"), "{error}");
    let count = "SELECT count(*) FROM pg_namespace WHERE nspname = $1";
    assert_eq!(admin.query_one(count, &[&schema]).await.unwrap().get::<_, i64>(0), 0);
    store.migrate().await.unwrap();
    assert_eq!(store.list(None, 1).await.unwrap(), []);
    server::drop_schema(&schema).await;
}

#[tokio::test]
async fn a27_a_schema_of_another_release_is_refused() {
    let (store, admin) = (server::store().await, server::admin().await);
    let versions = format!("{}.schema_versions", quoted(store.schema()));
    // A later release with which this one can work, and one with which it cannot.
    admin.batch_execute(&format!("INSERT INTO {versions} VALUES (7, 1)")).await.unwrap();
    let mut config = server::config();
    config.application_name(store.schema());
    let pool = server::pool(config, 8);
    let again = || in_schema(pool.clone(), store.schema());
    assert!(again().list(None, 1).await.is_ok() && again().migrate().await.is_ok());
    // Its connection is in the pool again, without an open transaction, which would keep the lock for migrations.
    let open = "SELECT count(*) FROM pg_stat_activity WHERE application_name = $1 AND state LIKE 'idle in%'";
    assert_eq!(admin.query_one(open, &[&store.schema()]).await.unwrap().get::<_, i64>(0), 0);
    admin.batch_execute(&format!("INSERT INTO {versions} VALUES (8, 8)")).await.unwrap();
    let error = again().list(None, 1).await.unwrap_err();
    assert_eq!(cause(&error).kind(), PostgresErrorKind::SchemaTooNew);
    assert!(
        error.to_string().ends_with("has version 8, which needs a later release; this release knows version 1"),
        "{error}"
    );
    let error = again().migrate().await.unwrap_err();
    assert_eq!(error.kind(), PostgresErrorKind::SchemaTooNew, "{error}");
    // An older one.
    admin.batch_execute(&format!("DELETE FROM {versions}; INSERT INTO {versions} VALUES (0, 0)")).await.unwrap();
    let error = again().list(None, 1).await.unwrap_err();
    assert_eq!(cause(&error).kind(), PostgresErrorKind::SchemaTooOld);
    assert!(error.to_string().ends_with("has version 0, expected 1; call `migrate`"), "{error}");
    server::drop_schema(store.schema()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn migrations_wait_for_each_other_and_can_be_repeated() {
    let (schema, pool) = (server::schema_name(), server::pool(server::config(), 8));
    let migrate = |_| {
        let store = in_schema(pool.clone(), &schema);
        tokio::spawn(async move { store.migrate().await })
    };
    let all: Vec<_> = (0..8).map(migrate).collect();
    for migrated in all {
        migrated.await.unwrap().unwrap();
    }
    let store = in_schema(pool, &schema);
    let at = create(&store, "acme").await;
    store.migrate().await.unwrap();
    assert_eq!(load(&store, at.tenant_id).await.unwrap().unwrap().1, at);
    server::drop_schema(&schema).await;
}

#[tokio::test]
async fn the_sql_of_the_migrations_makes_the_same_schema() {
    let admin = server::admin().await;
    let by_hand = server::schema_name();
    admin.batch_execute(&migration_sql(&by_hand)).await.unwrap();
    let by_call = server::store().await;
    let columns = "SELECT table_name::text, column_name::text, data_type::text, is_nullable::text, \
        col_description(format('%I.%I', table_schema, table_name)::regclass, ordinal_position) \
        FROM information_schema.columns WHERE table_schema = $1 ORDER BY 1, ordinal_position";
    let mut found = Vec::new();
    for schema in [&by_hand, by_call.schema()] {
        let rows = admin.query(columns, &[&schema]).await.unwrap();
        let row = |row: &tokio_postgres::Row| -> Vec<Option<String>> { (0..5).map(|at| row.get(at)).collect() };
        found.push(rows.iter().map(row).collect::<Vec<_>>());
    }
    assert_eq!(found[0], found[1]);
    let store = in_schema(server::pool(server::config(), 1), &by_hand);
    store.migrate().await.unwrap();
    create(&store, "acme").await;
    // People read the tables, so every table and column has a comment.
    for row in &found[0] {
        let described = row[4].is_some()
            || ["tenant_id", "schema_versions"].iter().any(|name| row.contains(&Some((*name).to_owned())));
        let is_plain = matches!(row[1].as_deref(), Some("commit_id"));
        assert!(described || is_plain, "{row:?} has no comment");
    }
    server::drop_schema(&by_hand).await;
    server::drop_schema(by_call.schema()).await;
}

#[tokio::test]
async fn a_role_with_the_documented_privileges_can_do_everything_but_migrate() {
    let (store, admin) = (server::store().await, server::admin().await);
    let (schema, role) = (quoted(store.schema()), format!("role_{}", std::process::id()));
    let readme = include_str!("../../README.md");
    let grants = readme.split("```sql\n").find(|block| block.starts_with("GRANT")).expect("the grants in the README");
    let grants = grants.split("```").next().unwrap().replace("rolecall.", &format!("{schema}."));
    let grants =
        grants.replace("SCHEMA rolecall", &format!("SCHEMA {schema}")).replace("TO app", &format!("TO {role}"));
    admin.batch_execute(&format!("CREATE ROLE {role} LOGIN; {grants}")).await.unwrap();
    let mut config = server::config();
    config.user(&role);
    let restricted = in_schema(server::pool(config, 2), store.schema());
    let at = create(&restricted, "acme").await;
    assert_eq!(load(&restricted, at.tenant_id).await.unwrap().unwrap().1, at);
    assert!(restricted.since(at).await.is_ok() && restricted.migrate().await.is_ok());
    let error = restricted.remove_history(rolecall::Timestamp::MAX, 0).await.unwrap_err();
    assert_eq!(error.kind(), PostgresErrorKind::Denied);
    assert_eq!(error.sqlstate(), Some("42501"));
    admin.batch_execute(&format!("DROP OWNED BY {role}; DROP ROLE {role}")).await.unwrap();
    server::drop_schema(store.schema()).await;
}
