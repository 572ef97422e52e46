//! The optional capabilities that read many tenants at once: the positions of some, and those in which a user exists.

use std::collections::HashMap;

use postgres_types::{ToSql, Type};
use rolecall::records::{CommitId, Position, Revision, TenantId, TenantSlug, UserKey};
use rolecall::store::TenantSummary;
use uuid::Uuid;

use crate::connection::Connection;
use crate::error::Failure;
use crate::read::summaries;
use crate::statements::Statements;
use crate::step::{expect_primary, get};

/// Returns the latest position of each tenant (P1 to P5), in one statement.
pub(crate) async fn positions(
    connection: &Connection<'_>,
    sql: &Statements,
    tenant_ids: &[TenantId],
) -> Result<Vec<Option<Position>>, Failure> {
    let ids: Vec<Uuid> = tenant_ids.iter().map(|id| id.as_uuid()).collect();
    let rows = connection.query("the positions", &sql.positions, &[(&ids, Type::UUID_ARRAY)]).await?;
    let mut found = HashMap::new();
    for row in &rows {
        expect_primary(row)?;
        // The one row of an empty answer has no tenant.
        let Some(tenant_id) = get::<Option<Uuid>>(row, 1)?.map(TenantId::from_uuid) else { continue };
        let revision = u64::try_from(get::<i64>(row, 2)?).map(Revision::new).map_err(Failure::damaged)?;
        let commit = CommitId::from_uuid(get(row, 3)?);
        found.insert(tenant_id, Position { tenant_id, revision, commit });
    }
    Ok(tenant_ids.iter().map(|id| found.get(id).copied()).collect())
}

/// Returns the tenants after a slug in which a user exists (U1 to U4). The index `users_key` finds them.
pub(crate) async fn tenants_of_user(
    connection: &Connection<'_>,
    sql: &Statements,
    key: &UserKey,
    after: Option<&TenantSlug>,
    limit: usize,
) -> Result<Vec<TenantSummary>, Failure> {
    let after = after.map_or("", TenantSlug::as_str);
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let values: [(&(dyn ToSql + Sync), Type); 3] =
        [(&key.as_str(), Type::TEXT), (&after, Type::TEXT), (&limit, Type::INT8)];
    summaries(&connection.query("the tenants of a user", &sql.tenants_of_user, &values).await?)
}
