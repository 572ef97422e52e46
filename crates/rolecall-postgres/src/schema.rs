//! The tables as SQL, and the versions of the schema.

use std::fmt::Write as _;

use crate::tables::{Column, ColumnRole, ColumnType, TABLES, Table};

/// The schema that this release reads and writes.
pub(crate) const VERSION: i32 = 1;

/// The name of the unique constraint on tenant slugs: the one constraint whose violation is not damage.
pub(crate) const SLUG_CONSTRAINT: &str = "tenants_slug_key";

/// Quotes an identifier. A quote in it is doubled.
pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Quotes a text.
fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// Names separated by commas.
pub(crate) fn list<T: AsRef<str>>(names: impl IntoIterator<Item = T>) -> String {
    let mut all = String::new();
    for name in names {
        if !all.is_empty() {
            all.push_str(", ");
        }
        all.push_str(name.as_ref());
    }
    all
}

/// The statements from one version to the newest: one text for each version, in order.
///
/// A version that was published never changes. Its `compatible_from` is the oldest version whose release can work with it. A
/// process of such a release goes on after the migration.
pub(crate) fn migrations(schema: &str, from: i32) -> impl Iterator<Item = (i32, String)> {
    let name = quoted(schema);
    let all = [(1, first(&name))];
    all.into_iter().filter(move |(version, _)| *version > from).map(move |(version, mut sql)| {
        let row = format!("INSERT INTO {name}.schema_versions (version, compatible_from) VALUES ({version}, 1);\n");
        sql.push_str(&row);
        (version, sql)
    })
}

/// The schema and the table of versions, which every version needs.
pub(crate) fn foundation(schema: &str) -> String {
    let name = quoted(schema);
    let mut sql = format!("CREATE SCHEMA IF NOT EXISTS {name};\n");
    sql.push_str(&version_table(schema));
    sql
}

pub(crate) fn version_table(schema: &str) -> String {
    let name = quoted(schema);
    format!(
        "CREATE TABLE IF NOT EXISTS {name}.schema_versions (\n  \
         version integer PRIMARY KEY,\n  \
         compatible_from integer NOT NULL,\n  \
         applied_at timestamptz NOT NULL DEFAULT now()\n);\n\
         COMMENT ON TABLE {name}.schema_versions IS 'Migrations of this schema that were applied.';\n"
    )
}

/// The SQL of all migrations, as one transaction.
pub(crate) fn script(schema: &str) -> String {
    let mut sql = format!("BEGIN;\n{}", foundation(schema));
    for (version, text) in migrations(schema, 0) {
        let _ = write!(sql, "\n-- Version {version}\n{text}");
    }
    sql.push_str("\nCOMMIT;\n");
    sql
}

/// Version 1.
fn first(name: &str) -> String {
    let mut sql = format!(
        r#"CREATE TABLE {name}.tenants (
  tenant_id uuid PRIMARY KEY,
  slug text COLLATE "C" CONSTRAINT {SLUG_CONSTRAINT} UNIQUE,
  name text COLLATE "C",
  revision bigint NOT NULL CHECK (revision > 0),
  commit_id uuid NOT NULL,
  newest_kind smallint NOT NULL,
  CHECK ((slug IS NULL) = (name IS NULL))
) WITH (fillfactor = 70);
COMMENT ON TABLE {name}.tenants IS 'One row for each tenant that ever existed. A deleted tenant keeps its row, without slug and name, so that its id is never used again.';
COMMENT ON COLUMN {name}.tenants.slug IS 'Machine-readable name, unique among existing tenants; null: the tenant is deleted.';
COMMENT ON COLUMN {name}.tenants.name IS 'Name for people; null: the tenant is deleted.';
COMMENT ON COLUMN {name}.tenants.revision IS 'Number of the latest commit. Rises by one with each commit.';
COMMENT ON COLUMN {name}.tenants.commit_id IS 'Id of the latest commit.';
COMMENT ON COLUMN {name}.tenants.newest_kind IS 'Highest ordinal of a kind of record that the tenant ever had. A release that does not know that kind does not load the tenant.';
CREATE TABLE {name}.commits (
  tenant_id uuid NOT NULL REFERENCES {name}.tenants,
  revision bigint NOT NULL,
  commit_id uuid NOT NULL,
  previous_id uuid,
  actor text COLLATE "C",
  at timestamptz NOT NULL,
  note text COLLATE "C",
  catalog uuid NOT NULL,
  changes bigint NOT NULL,
  PRIMARY KEY (tenant_id, revision)
);
COMMENT ON TABLE {name}.commits IS 'History: who changed a tenant, when and why. The oldest commits may have been removed.';
COMMENT ON COLUMN {name}.commits.revision IS 'The revision that the commit produced.';
COMMENT ON COLUMN {name}.commits.previous_id IS 'Id of the commit before; null: the commit created the tenant.';
COMMENT ON COLUMN {name}.commits.actor IS 'Who made the commit; null: not stated.';
COMMENT ON COLUMN {name}.commits.at IS 'When the commit was made, by the clock of the application. Clocks go back: the revision gives the order.';
COMMENT ON COLUMN {name}.commits.note IS 'Why the commit was made; null: not stated.';
COMMENT ON COLUMN {name}.commits.catalog IS 'Fingerprint of the application''s catalog at that time.';
COMMENT ON COLUMN {name}.commits.changes IS 'Number of rows in the table changes.';
CREATE TABLE {name}.changes (
  tenant_id uuid NOT NULL,
  revision bigint NOT NULL,
  number bigint NOT NULL,
  kind text COLLATE "C" NOT NULL,
  before jsonb,
  after jsonb,
  PRIMARY KEY (tenant_id, revision, number),
  CHECK (before IS NOT NULL OR after IS NOT NULL)
);
COMMENT ON TABLE {name}.changes IS 'History: what each commit changed, one row for each record.';
COMMENT ON COLUMN {name}.changes.revision IS 'The revision that the commit produced: refers to commits.';
COMMENT ON COLUMN {name}.changes.number IS 'Counts the changes of a commit from 1.';
COMMENT ON COLUMN {name}.changes.kind IS 'Kind of the record, such as user. It is also the only member of before and after.';
COMMENT ON COLUMN {name}.changes.before IS 'The record before the commit; null: the commit added it.';
COMMENT ON COLUMN {name}.changes.after IS 'The record after the commit; null: the commit removed it.';
"#
    );
    for table in TABLES {
        create(&mut sql, name, table);
    }
    // In which tenants is a user? Who is in a group? The other questions of people read one tenant, or one row.
    let _ = write!(
        sql,
        "CREATE INDEX users_key ON {name}.users (key, tenant_id);\n\
         CREATE INDEX memberships_group ON {name}.memberships (tenant_id, group_id);\n"
    );
    sql
}

/// A table of records.
fn create(sql: &mut String, schema: &str, table: &Table) {
    let name = format!("{schema}.{}", quoted(table.name));
    let _ = writeln!(sql, "CREATE TABLE {name} (\n  tenant_id uuid NOT NULL REFERENCES {schema}.tenants,");
    for column in table.columns {
        let collation = if column.ty == ColumnType::Text { " COLLATE \"C\"" } else { "" };
        let null = if column.role == ColumnRole::Optional { "" } else { " NOT NULL" };
        let _ = writeln!(sql, "  {} {}{collation}{null},", quoted(column.name), column.ty.sql());
    }
    let _ = write!(sql, "  PRIMARY KEY (tenant_id, {})\n);\n", list(keys(table).map(|column| quoted(column.name))));
    let _ = writeln!(sql, "COMMENT ON TABLE {name} IS {};", literal(table.comment));
    for column in table.columns {
        let comment = literal(column.comment);
        let _ = writeln!(sql, "COMMENT ON COLUMN {name}.{} IS {comment};", quoted(column.name));
    }
}

/// The columns of the primary key, after `tenant_id`.
pub(crate) fn keys(table: &Table) -> impl Iterator<Item = &Column> {
    table.columns.iter().filter(|column| column.role == ColumnRole::Key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_of_a_schema_breaks_out_of_its_quotes() {
        assert_eq!(quoted("a\"; DROP TABLE users; --"), "\"a\"\"; DROP TABLE users; --\"");
    }

    #[test]
    fn the_newest_version_has_a_migration() {
        let versions: Vec<_> = migrations("rolecall", 0).map(|(version, _)| version).collect();
        assert_eq!(versions, (1..=VERSION).collect::<Vec<_>>());
        assert_eq!(migrations("rolecall", VERSION).count(), 0);
    }
}
