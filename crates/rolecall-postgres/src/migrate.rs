//! Migrations: the one call that changes the schema.

use postgres_types::Type;
use rolecall::store::StoreError;

use crate::connection::Connection;
use crate::error::{Failure, PostgresError};
use crate::schema::{self, VERSION};
use crate::statements::Statements;
use crate::step::get;

/// Processes that migrate at the same time wait for each other. Where a server lacks such locks, the primary keys of the
/// tables decide, and all but one fail.
const LOCK: &str = "SELECT pg_advisory_xact_lock($1)";

/// A number for the lock: FNV-1a of the name of the schema. Two schemas with one number only wait for each other.
fn lock_number(schema: &str) -> i64 {
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    let hash = "rolecall-postgres ".bytes().chain(schema.bytes()).fold(0xcbf2_9ce4_8422_2325, step);
    i64::from_ne_bytes(hash.to_ne_bytes())
}

/// Creates or updates the tables, as one transaction.
pub(crate) async fn migrate(connection: &Connection<'_>, sql: &Statements, name: &str) -> Result<(), Failure> {
    let begin = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE";
    connection.batch("BEGIN", begin).await.map_err(Failure::at_begin)?;
    connection.query("the lock for migrations", LOCK, &[(&lock_number(name), Type::INT8)]).await?;
    let exists = "SELECT EXISTS (SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = $1), \
        EXISTS (SELECT 1 FROM pg_catalog.pg_tables WHERE schemaname = $1 AND tablename = 'schema_versions')";
    let row = connection.query_one("the look for the schema", exists, &[(&name, Type::TEXT)]).await?;
    let row = row.ok_or_else(|| Failure::damaged("no answer about the schema"))?;
    // A role that may create tables in a schema need not have the right to create the schema.
    match (get(&row, 0)?, get(&row, 1)?) {
        (false, _) => connection.batch("CREATE SCHEMA", &schema::foundation(name)).await?,
        (true, false) => connection.batch("CREATE TABLE", &schema::version_table(name)).await?,
        (true, true) => {}
    }
    let mut from = 0;
    if let Some(row) = connection.query_one("the version of the schema", &sql.version, &[]).await? {
        let (version, compatible_from): (i32, i32) = (get(&row, 0)?, get(&row, 1)?);
        if version > VERSION {
            // Nothing to do, unless the later release cannot be worked with.
            PostgresError::check_version(name, version, compatible_from).map_err(StoreError::unavailable)?;
        }
        from = version;
    }
    for (_, migration) in schema::migrations(name, from) {
        connection.batch("a migration", &migration).await?;
    }
    connection.commit().await
}
