//! The statements, written once for each store: they contain the name of the schema.

use std::time::Duration;

use uuid::Uuid;

use crate::combined::{IS_MOVED, Part};
use crate::schema::{keys, list, quoted};
use crate::tables::{ColumnRole, TABLES, Table};

#[derive(Debug)]
pub(crate) struct Statements {
    pub(crate) version: String,
    pub(crate) find: String,
    pub(crate) list: String,
    pub(crate) positions: String,
    pub(crate) tenants_of_user: String,
    /// The first revision of a tenant.
    pub(crate) create: String,
    /// The next revision of a tenant.
    pub(crate) advance: String,
    /// The revision of a tenant that this commit has moved before.
    pub(crate) moved: String,
    pub(crate) position: String,
    pub(crate) tenant: String,
    pub(crate) insert_commit: Part,
    pub(crate) insert_changes: Part,
    pub(crate) copy_changes: String,
    pub(crate) since: String,
    pub(crate) commits_since: String,
    pub(crate) changes_since: String,
    pub(crate) history: String,
    pub(crate) history_commits: String,
    pub(crate) history_changes: String,
    pub(crate) remove_history: String,
    /// The channel on which commits send a notification, if they do.
    pub(crate) channel: Option<String>,
    pub(crate) tables: Vec<TableStatements>,
}

/// The statements of one table. A load reads whole tenants; a deletion removes them.
#[derive(Debug)]
pub(crate) struct TableStatements {
    pub(crate) select: String,
    pub(crate) insert: Part,
    /// `None` if a row has nothing but its key.
    pub(crate) update: Option<Part>,
    pub(crate) delete: Part,
    pub(crate) copy: String,
    pub(crate) clear: Part,
}

/// A transaction of one commit. It sets by name the settings that it relies on, since roles, databases and pools set defaults.
///
/// A setting of `synchronous_commit` that waits for standby servers stays; one that does not wait for the disk does not.
pub(crate) fn begin_commit(step_timeout: Option<Duration>) -> String {
    let mut sql = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; \
        SELECT set_config('synchronous_commit', 'on', true) WHERE current_setting('synchronous_commit') IN ('off', 'local')"
        .to_owned();
    if let Some(limit) = step_timeout {
        // Zero would be no limit. The session gives up on a lock before the store gives up on the session.
        let millis = |limit: Duration| limit.as_millis().clamp(1, 2_147_483_647);
        let (lock, pause) = (millis(limit / 4 * 3), millis(limit));
        // The first frees this session from other sessions, the second others from this one, if this process is gone.
        let limits =
            format!("; SET LOCAL lock_timeout = {lock}; SET LOCAL idle_in_transaction_session_timeout = {pause}");
        sql.push_str(&limits);
    }
    sql
}

/// Marks the open transaction as the one of a commit, until it ends. The last statement after BEGIN.
///
/// BEGIN and what follows it are sent together. If BEGIN fails, the server takes what follows as transactions of their own,
/// which would commit by themselves. Without the mark they change nothing: see [`IS_MARKED`].
pub(crate) fn mark(commit_id: Uuid) -> String {
    format!("SET LOCAL rolecall.commit = '{commit_id}'")
}

/// Whether the transaction is marked as the one of the commit $2. A session that knows no mark answers null.
const IS_MARKED: &str = "current_setting('rolecall.commit', true) = $2::text";

/// The same settings for a commit in a transaction of the application, where they hold to its end. The limit of the wait for
/// locks is $1 unless the application has set one: a row is returned if it is, for [`END_OF_LOCK_TIMEOUT`].
pub(crate) const DURABLE: &str = "SELECT set_config('synchronous_commit', 'on', true) \
    WHERE current_setting('synchronous_commit') IN ('off', 'local')";
pub(crate) const LOCK_TIMEOUT: &str =
    "SELECT set_config('lock_timeout', $1, true) WHERE current_setting('lock_timeout') = '0'";
pub(crate) const END_OF_LOCK_TIMEOUT: &str = "SET LOCAL lock_timeout = 0";

/// The limit of the wait for a lock, in milliseconds. The session gives up on a lock before the store gives up on the
/// session. Zero would be no limit.
pub(crate) fn lock_timeout(step_timeout: Duration) -> u128 {
    (step_timeout / 4 * 3).as_millis().clamp(1, 2_147_483_647)
}

/// Sends a notification when the transaction commits.
pub(crate) const NOTIFY: &str = "SELECT pg_notify($1, $2)";

const COMMIT_COLUMNS: &str = "revision, commit_id, previous_id, actor, at, note, catalog, changes";
const CHANGE_COLUMNS: &str = "revision, kind, before::text, after::text";

impl Statements {
    pub(crate) fn new(schema: &str, channel: Option<String>) -> Self {
        let s = quoted(schema);
        // A standby may lag behind, which would make removed rights come back (S5). The join returns a row in any case.
        let primary = "SELECT pg_is_in_recovery()";
        // How much a since would return: nothing is sent if it is too much.
        let after = format!(
            "(SELECT coalesce(sum(c.changes + 1), 0)::bigint FROM {s}.commits AS c \
             WHERE c.tenant_id = $1 AND c.revision > $2)"
        );
        Self {
            version: format!("SELECT version, compatible_from FROM {s}.schema_versions ORDER BY version DESC LIMIT 1"),
            find: format!("{primary}, t.tenant_id FROM (SELECT 1) AS one LEFT JOIN {s}.tenants AS t ON t.slug = $1"),
            list: format!(
                "{primary}, t.tenant_id, t.slug FROM (SELECT 1) AS one LEFT JOIN \
                 (SELECT tenant_id, slug FROM {s}.tenants WHERE slug > $1 ORDER BY slug LIMIT $2) AS t ON true ORDER BY t.slug"
            ),
            positions: format!(
                "{primary}, t.tenant_id, t.revision, t.commit_id FROM (SELECT 1) AS one LEFT JOIN \
                 {s}.tenants AS t ON t.tenant_id = ANY ($1) AND t.slug IS NOT NULL"
            ),
            tenants_of_user: format!(
                "{primary}, t.tenant_id, t.slug FROM (SELECT 1) AS one LEFT JOIN \
                 (SELECT t.tenant_id, t.slug FROM {s}.users AS u JOIN {s}.tenants AS t ON t.tenant_id = u.tenant_id \
                 WHERE u.key = $1 AND t.slug > $2 ORDER BY t.slug LIMIT $3) AS t ON true ORDER BY t.slug"
            ),
            // The slug is not looked at if the tenant exists or is deleted.
            create: format!(
                "INSERT INTO {s}.tenants (tenant_id, commit_id, slug, name, newest_kind, revision) \
                 SELECT $1, $2, $3, $4, $5, 1 WHERE {IS_MARKED} ON CONFLICT (tenant_id) DO NOTHING RETURNING revision"
            ),
            // Waits for the commit that holds the row, and compares with what that commit left.
            advance: format!(
                "UPDATE {s}.tenants SET revision = revision + 1, commit_id = $2, newest_kind = greatest(newest_kind, $5), \
                 slug = CASE WHEN $6 THEN $7 ELSE slug END, name = CASE WHEN $6 THEN $8 ELSE name END \
                 WHERE tenant_id = $1 AND revision = $3 AND commit_id = $4 AND slug IS NOT NULL AND {IS_MARKED} \
                 RETURNING revision"
            ),
            moved: format!("SELECT revision FROM {s}.tenants WHERE tenant_id = $1 AND commit_id = $2 AND {IS_MARKED}"),
            position: format!("SELECT slug IS NULL, revision FROM {s}.tenants WHERE tenant_id = $1"),
            tenant: format!(
                "{primary}, t.slug, t.name, t.revision, t.commit_id, t.newest_kind FROM (SELECT 1) AS one \
                 LEFT JOIN {s}.tenants AS t ON t.tenant_id = $1 AND t.slug IS NOT NULL"
            ),
            insert_commit: Part {
                before: format!(
                    "INSERT INTO {s}.commits (tenant_id, revision, commit_id, previous_id, actor, at, note, catalog, changes) \
                     SELECT $1, moved.revision, $2, n.* FROM moved, "
                ),
                types: vec!["uuid", "text", "timestamptz", "text", "uuid", "bigint"],
                after: " AS n".to_owned(),
            },
            insert_changes: Part {
                before: format!(
                    "INSERT INTO {s}.changes (tenant_id, revision, number, kind, before, after) \
                     SELECT $1, moved.revision, n.number, n.kind, n.before::jsonb, n.after::jsonb FROM moved, "
                ),
                types: vec!["bigint", "text", "text", "text"],
                after: " AS n (number, kind, before, after)".to_owned(),
            },
            copy_changes: format!(
                "COPY {s}.changes (tenant_id, revision, number, kind, before, after) FROM STDIN BINARY"
            ),
            since: format!(
                "{primary}, t.slug IS NULL, t.revision, t.commit_id, t.newest_kind, \
                 EXISTS (SELECT 1 FROM {s}.commits AS c WHERE c.tenant_id = $1 AND c.revision = $2 AND c.commit_id = $3) \
                 OR EXISTS (SELECT 1 FROM {s}.commits AS c WHERE c.tenant_id = $1 AND c.revision = $4 AND c.previous_id = $3) \
                 FROM (SELECT 1) AS one LEFT JOIN {s}.tenants AS t ON t.tenant_id = $1"
            ),
            commits_since: format!(
                "SELECT {COMMIT_COLUMNS} FROM {s}.commits \
                 WHERE tenant_id = $1 AND revision > $2 AND $3 >= {after} ORDER BY revision"
            ),
            changes_since: format!(
                "SELECT {CHANGE_COLUMNS} FROM {s}.changes \
                 WHERE tenant_id = $1 AND revision > $2 AND $3 >= {after} ORDER BY revision, number"
            ),
            history: format!(
                "{primary}, t.slug IS NULL, t.newest_kind, t.revision, c.revision, c.previous_id, t.commit_id \
                 FROM (SELECT 1) AS one LEFT JOIN {s}.tenants AS t ON t.tenant_id = $1 \
                 LEFT JOIN (SELECT revision, previous_id FROM {s}.commits WHERE tenant_id = $1 ORDER BY revision LIMIT 1) \
                 AS c ON true"
            ),
            history_commits: format!(
                "SELECT {COMMIT_COLUMNS} FROM (SELECT *, row_number() OVER (ORDER BY revision DESC) AS place, \
                 sum(changes + 1) OVER (ORDER BY revision DESC) AS total FROM (SELECT * FROM {s}.commits \
                 WHERE tenant_id = $1 AND revision < $2 ORDER BY revision DESC LIMIT $3) AS newest) AS counted \
                 WHERE place = 1 OR total <= $4 ORDER BY revision"
            ),
            history_changes: format!(
                "SELECT {CHANGE_COLUMNS} FROM {s}.changes \
                 WHERE tenant_id = $1 AND revision > $2 AND revision < $3 ORDER BY revision, number"
            ),
            // Removes from the oldest commit on, up to the first one that is kept, so that no gap appears.
            remove_history: format!(
                "WITH kept AS (SELECT t.tenant_id, least(t.revision - $2 + 1, coalesce((SELECT min(c.revision) \
                 FROM {s}.commits AS c WHERE c.tenant_id = t.tenant_id AND c.at >= $1), t.revision + 1)) AS first \
                 FROM {s}.tenants AS t), \
                 gone AS (DELETE FROM {s}.commits AS c USING kept WHERE c.tenant_id = kept.tenant_id \
                 AND c.revision < kept.first RETURNING c.tenant_id, c.revision), \
                 changed AS (DELETE FROM {s}.changes AS h USING kept WHERE h.tenant_id = kept.tenant_id \
                 AND h.revision < kept.first) \
                 SELECT count(*) FROM gone"
            ),
            channel,
            tables: TABLES.iter().map(|table| TableStatements::new(&s, table)).collect(),
        }
    }
}

impl TableStatements {
    fn new(schema: &str, table: &Table) -> Self {
        let name = format!("{schema}.{}", quoted(table.name));
        let columns = list(table.columns.iter().map(|column| quoted(column.name)));
        let part = |before: String, only_keys: bool, after: &str| {
            let sent = || table.columns.iter().filter(|column| !only_keys || column.role == ColumnRole::Key);
            let types = sent().map(|column| if column.ty.array().1 { "text" } else { column.ty.sql() });
            let names = list(sent().map(|column| quoted(column.name)));
            Part { before, types: types.collect(), after: format!(" AS n ({names}){after}") }
        };
        let value = |column: &crate::tables::Column| {
            let cast = if column.ty.array().1 { format!("::{}", column.ty.sql()) } else { String::new() };
            format!("n.{}{cast}", quoted(column.name))
        };
        let same_key: Vec<_> = keys(table).map(|column| format!("r.{0} = n.{0}", quoted(column.name))).collect();
        let matching = format!(" WHERE r.tenant_id = $1 AND {} AND {IS_MOVED} RETURNING 1", same_key.join(" AND "));
        let values = || table.columns.iter().filter(|column| column.role != ColumnRole::Key);
        let set = list(values().map(|column| format!("{} = {}", quoted(column.name), value(column))));
        let inserted = list(table.columns.iter().map(value));
        Self {
            select: format!("SELECT {columns} FROM {name} WHERE tenant_id = $1"),
            // It adds every row, or fails: nobody needs to count.
            insert: part(
                format!("INSERT INTO {name} (tenant_id, {columns}) SELECT $1, {inserted} FROM moved, "),
                false,
                "",
            ),
            update: (!set.is_empty()).then(|| part(format!("UPDATE {name} AS r SET {set} FROM "), false, &matching)),
            delete: part(format!("DELETE FROM {name} AS r USING "), true, &matching),
            copy: format!("COPY {name} (tenant_id, {columns}) FROM STDIN BINARY"),
            clear: Part {
                before: format!("DELETE FROM {name} WHERE tenant_id = $1 AND {IS_MOVED}"),
                types: Vec::new(),
                after: String::new(),
            },
        }
    }
}
