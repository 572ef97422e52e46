//! Several changes of a commit as one statement, all behind the row of the tenant.
//!
//! ```sql
//! WITH moved AS (UPDATE tenants … WHERE revision = … RETURNING revision),
//!   part_1 AS (DELETE FROM users … WHERE … AND EXISTS (SELECT 1 FROM moved) RETURNING 1),
//!   part_2 AS (INSERT INTO commits … FROM moved, …)
//! SELECT moved.revision, (SELECT count(*) FROM part_1) FROM moved
//! ```
//!
//! Every part asks whether a row of `moved` is there. So `moved` runs first, even if it must wait for another transaction.
//! If it finds no row, no part changes or locks anything, and the statement returns no row.

use std::fmt::Write as _;

use postgres_types::{ToSql, Type};
use uuid::Uuid;

use crate::error::Failure;
use crate::step::{Row, Statement, get};

/// A value that a statement owns.
pub(crate) type Value<'v> = Box<dyn ToSql + Sync + Send + 'v>;

/// Rows of values, which a part reads as if they were a table.
pub(crate) enum Rows<'v> {
    /// One row: a value for each column. The server plans it in less time than arrays.
    One(Vec<(Value<'v>, Type)>),
    /// An array for each column, so the number of values does not grow with the rows.
    Many(Vec<(Value<'v>, Type)>),
}

impl<'v> Rows<'v> {
    pub(crate) fn none() -> Self {
        Self::One(Vec::new())
    }

    fn into_values(self) -> Vec<(Value<'v>, Type)> {
        match self {
            Self::One(values) | Self::Many(values) => values,
        }
    }
}

/// The condition of a part: the tenant has been moved by this commit.
pub(crate) const IS_MOVED: &str = "EXISTS (SELECT 1 FROM moved)";

/// The text of a part, with a gap for its rows. $1 is the tenant's id, and $2 that of the commit.
#[derive(Debug)]
pub(crate) struct Part {
    pub(crate) before: String,
    /// The types of the columns of the rows, in SQL. Empty for a part without a gap.
    pub(crate) types: Vec<&'static str>,
    pub(crate) after: String,
}

impl Part {
    /// Writes the text, with numbers from `first` on for the values.
    fn write(&self, sql: &mut String, first: usize, rows: &Rows<'_>) {
        sql.push_str(&self.before);
        let (open, array, close) = match rows {
            Rows::One(_) => ("(VALUES (", "", "))"),
            Rows::Many(_) => ("unnest(", "[]", ")"),
        };
        for (ty, number) in self.types.iter().zip(first..) {
            let before = if number == first { open } else { ", " };
            let _ = write!(sql, "{before}${number}::{ty}{array}");
        }
        if !self.types.is_empty() {
            sql.push_str(close);
        }
        sql.push_str(&self.after);
    }
}

/// How many rows of a table a part must change.
#[derive(Debug)]
struct Expected {
    part: usize,
    rows: usize,
}

/// A statement that is put together from parts.
pub(crate) struct Combined<'v> {
    sql: String,
    values: Vec<(Value<'v>, Type)>,
    parts: usize,
    expected: Vec<Expected>,
    notification: String,
}

impl<'v> Combined<'v> {
    /// A statement without parts. `moved` returns the new revision, and its own values are $3 and so on.
    pub(crate) fn new(moved: &str, tenant_id: Uuid, commit_id: Uuid, own: Vec<(Value<'v>, Type)>) -> Self {
        let mut values: Vec<(Value<'v>, Type)> =
            vec![(Box::new(tenant_id), Type::UUID), (Box::new(commit_id), Type::UUID)];
        values.extend(own);
        let sql = format!("WITH moved AS ({moved})");
        Self { sql, values, parts: 0, expected: Vec::new(), notification: String::new() }
    }

    pub(crate) fn has_parts(&self) -> bool {
        self.parts > 0
    }

    pub(crate) fn push(&mut self, part: &Part, rows: Rows<'v>) {
        self.parts += 1;
        let _ = write!(self.sql, ", part_{} AS (", self.parts);
        part.write(&mut self.sql, self.values.len() + 1, &rows);
        self.sql.push(')');
        self.values.extend(rows.into_values());
    }

    /// A part that returns a row for each row that it changes, and must change so many.
    pub(crate) fn push_counted(&mut self, part: &Part, rows: Rows<'v>, count: usize) {
        self.push(part, rows);
        self.expected.push(Expected { part: self.parts, rows: count });
    }

    /// Sends a notification when the transaction commits, if the tenant has been moved.
    pub(crate) fn notify(&mut self, channel: &'v str, payload: String) {
        let first = self.values.len() + 1;
        self.notification = format!(", pg_notify(${first}, ${}) IS NULL", first + 1);
        self.values.extend([(Box::new(channel) as Value<'v>, Type::TEXT), (Box::new(payload), Type::TEXT)]);
    }

    /// The text of the whole. It returns one row, or none.
    pub(crate) fn sql(&self) -> String {
        let mut sql = format!("{} SELECT moved.revision", self.sql);
        for Expected { part, .. } in &self.expected {
            let _ = write!(sql, ", (SELECT count(*) FROM part_{part})");
        }
        sql.push_str(&self.notification);
        sql.push_str(" FROM moved");
        sql
    }

    pub(crate) fn statement<'s>(&'s self, sql: &'s str) -> Statement<'s> {
        let values = self.values.iter().map(|(value, ty)| (&**value as &'s (dyn ToSql + Sync), ty.clone()));
        Statement { step: "the changes of the commit", sql, values: values.collect() }
    }

    /// Checks that the statement changed as many rows as the commit says: each change names whether its record existed.
    pub(crate) fn check(&self, answer: &Row) -> Result<(), Failure> {
        for (Expected { rows, .. }, column) in self.expected.iter().zip(1..) {
            expect_rows(get::<i64>(answer, column)?, *rows)?;
        }
        Ok(())
    }
}

/// Checks the number of rows that were changed.
pub(crate) fn expect_rows(
    affected: impl TryInto<usize> + Copy + std::fmt::Display,
    rows: usize,
) -> Result<(), Failure> {
    if affected.try_into().ok() == Some(rows) {
        return Ok(());
    }
    Err(Failure::damaged(format!("S3: expected {rows} rows to change in a table, found {affected}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(before: &str, types: &[&'static str], after: &str) -> Part {
        Part { before: before.to_owned(), types: types.to_vec(), after: after.to_owned() }
    }

    #[test]
    fn parts_count_their_values_on() {
        let id = Uuid::nil();
        let mut all = Combined::new("UPDATE t SET a = $3", id, id, vec![(Box::new(1_i64), Type::INT8)]);
        assert_eq!(all.sql(), "WITH moved AS (UPDATE t SET a = $3) SELECT moved.revision FROM moved");
        all.push(&part("DELETE FROM u", &[], ""), Rows::none());
        let two = || vec![(Box::new("a") as Value<'_>, Type::TEXT), (Box::new("b"), Type::TEXT)];
        let insert = part("INSERT INTO v SELECT * FROM ", &["text", "uuid"], " AS n");
        all.push_counted(&insert, Rows::Many(two()), 1);
        all.push(&insert, Rows::One(two()));
        all.notify("channel", "payload".to_owned());
        assert_eq!(
            all.sql(),
            "WITH moved AS (UPDATE t SET a = $3), part_1 AS (DELETE FROM u), \
             part_2 AS (INSERT INTO v SELECT * FROM unnest($4::text[], $5::uuid[]) AS n), \
             part_3 AS (INSERT INTO v SELECT * FROM (VALUES ($6::text, $7::uuid)) AS n) \
             SELECT moved.revision, (SELECT count(*) FROM part_2), pg_notify($8, $9) IS NULL FROM moved"
        );
        assert_eq!(all.statement("").values.len(), 9);
    }
}
