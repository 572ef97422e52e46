//! The fields of a row as it was read, and what is said of a row that is not a record.

use std::fmt;

use postgres_types::FromSql;
use rolecall::records::{PermissionRef, RoleRef, Window};
use uuid::Uuid;

use super::Table;
use super::columns::{ColumnRole, ColumnType};
use crate::step::Row;
use crate::value::Micros;

/// The columns of a row, without `tenant_id`.
#[derive(Debug)]
pub(crate) struct Fields<'a> {
    pub(crate) table: &'static Table,
    pub(crate) row: &'a Row,
}

/// A row that is not a record: somebody else wrote it.
#[derive(Debug)]
pub(crate) struct Unreadable(String);

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'a> Fields<'a> {
    pub(super) fn get<T: FromSql<'a>>(&self, at: usize) -> Result<T, Unreadable> {
        self.row.try_get(at).map_err(|error| self.unreadable(at, error))
    }

    pub(super) fn id<T: From<Uuid>>(&self, at: usize) -> Result<T, Unreadable> {
        self.get::<Uuid>(at).map(T::from)
    }

    pub(super) fn text<T: TryFrom<&'a str, Error = rolecall::Error>>(&self, at: usize) -> Result<T, Unreadable> {
        T::try_from(self.get(at)?).map_err(|error| self.unreadable(at, error))
    }

    pub(super) fn optional_text<T: TryFrom<&'a str, Error = rolecall::Error>>(
        &self,
        at: usize,
    ) -> Result<Option<T>, Unreadable> {
        let text = self.get::<Option<&str>>(at)?;
        text.map(T::try_from).transpose().map_err(|error| self.unreadable(at, error))
    }

    pub(super) fn role(&self, id: usize, slug: usize) -> Result<RoleRef, Unreadable> {
        Ok(match self.optional_text(slug)? {
            None => RoleRef::Own(self.id(id)?),
            Some(slug) => RoleRef::Catalog { id: self.id(id)?, slug },
        })
    }

    pub(super) fn permission(&self, id: usize, slug: usize) -> Result<PermissionRef, Unreadable> {
        Ok(match self.optional_text(slug)? {
            None => PermissionRef::Own(self.id(id)?),
            Some(slug) => PermissionRef::Catalog { id: self.id(id)?, slug },
        })
    }

    pub(super) fn ids<T: From<Uuid>>(&self, at: usize) -> Result<Vec<T>, Unreadable> {
        Ok(self.get::<Vec<Uuid>>(at)?.into_iter().map(T::from).collect())
    }

    pub(super) fn roles(&self, ids: usize, slugs: usize) -> Result<Vec<RoleRef>, Unreadable> {
        let (all, texts) = (self.get::<Vec<Uuid>>(ids)?, self.get::<Vec<Option<&str>>>(slugs)?);
        if all.len() != texts.len() {
            return Err(self.unreadable(slugs, format!("expected {} elements, found {}", all.len(), texts.len())));
        }
        let role = |(id, slug): (Uuid, Option<&str>)| match slug {
            None => Ok(RoleRef::Own(id.into())),
            Some(slug) => Ok(RoleRef::Catalog {
                id: id.into(),
                slug: slug.try_into().map_err(|error| self.unreadable(slugs, error))?,
            }),
        };
        all.into_iter().zip(texts).map(role).collect()
    }

    pub(super) fn window(&self, from: usize, until: usize) -> Result<Window, Unreadable> {
        let instant = |at| {
            let micros = self.get::<Option<Micros>>(at)?;
            micros.map(TryInto::try_into).transpose().map_err(|error: String| self.unreadable(at, error))
        };
        match (instant(from)?, instant(until)?) {
            (None, None) => Ok(Window::ALWAYS),
            (start, end) => Window::new(start, end).map_err(|error| self.unreadable(until, error)),
        }
    }

    /// Names the row by its key, and the column.
    pub(super) fn unreadable(&self, at: usize, why: impl fmt::Display) -> Unreadable {
        let columns = self.table.columns;
        let key =
            columns.iter().enumerate().filter(|(_, column)| column.role == ColumnRole::Key).map(|(at, column)| {
                let value = match column.ty {
                    ColumnType::Uuid => self.row.try_get::<Uuid>(at).map(|id| id.to_string()),
                    _ => self.row.try_get::<&str>(at).map(|text| format!("{text:?}")),
                };
                format!("{} {}", column.name, value.unwrap_or_else(|_| "?".to_owned()))
            });
        let key = key.collect::<Vec<_>>().join(", ");
        let column = columns.get(at).map_or("?", |column| column.name);
        Unreadable(format!("table {}, row with {key}: column {column}: {why}", self.table.name))
    }
}
