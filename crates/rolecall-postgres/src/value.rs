//! Values as the client sends and reads them: the cells of a row, and instants.

use std::error::Error;

use bytes::{BufMut, BytesMut};
use postgres_types::{FromSql, IsNull, ToSql, Type, to_sql_checked};
use rolecall::Timestamp;
use rolecall::records::Record;
use uuid::Uuid;

/// One value of a row.
#[derive(Clone, Debug)]
pub(crate) enum Cell<'a> {
    Null,
    Uuid(Uuid),
    Text(&'a str),
    Boolean(bool),
    Integer(i64),
    Instant(Timestamp),
    Uuids(Vec<Uuid>),
    Texts(Vec<Option<&'a str>>),
    Json(&'a Record),
    /// A list as text, in the syntax of array literals. Arrays of arrays must be rectangular, so a list that is one of many
    /// values travels as text.
    Literal(String),
}

impl<'a> Cell<'a> {
    pub(crate) fn id(id: impl Into<Uuid>) -> Self {
        Self::Uuid(id.into())
    }

    /// A text, or null.
    pub(crate) fn text(text: Option<&'a str>) -> Self {
        text.map_or(Self::Null, Self::Text)
    }

    /// An instant, or null.
    pub(crate) fn instant(at: Option<Timestamp>) -> Self {
        at.map_or(Self::Null, Self::Instant)
    }

    /// The cell as one of many values of an array.
    pub(crate) fn as_element(&self) -> Self {
        match self {
            Self::Uuids(ids) => Self::Literal(literal(ids.iter().map(|id| Some(id.to_string())))),
            Self::Texts(texts) => Self::Literal(literal(texts.iter().map(|text| text.map(str::to_owned)))),
            other => other.clone(),
        }
    }
}

/// An array literal: every element is quoted, and a quote or backslash in it is escaped.
fn literal(elements: impl Iterator<Item = Option<String>>) -> String {
    let quoted = elements.map(|element| match element {
        None => "NULL".to_owned(),
        Some(text) => format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"")),
    });
    format!("{{{}}}", quoted.collect::<Vec<_>>().join(","))
}

pub(crate) type BoxedError = Box<dyn Error + Sync + Send>;

impl ToSql for Cell<'_> {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, BoxedError> {
        match self {
            Self::Null => Ok(IsNull::Yes),
            Self::Uuid(id) => id.to_sql(ty, out),
            Self::Text(text) => text.to_sql(ty, out),
            Self::Literal(text) => text.to_sql(ty, out),
            Self::Boolean(flag) => flag.to_sql(ty, out),
            Self::Integer(number) => number.to_sql(ty, out),
            Self::Instant(at) => Micros::from(*at).to_sql(ty, out),
            Self::Uuids(ids) => ids.to_sql(ty, out),
            Self::Texts(texts) => texts.to_sql(ty, out),
            Self::Json(record) => {
                if *ty == Type::JSONB {
                    out.put_u8(1); // the version of the binary form, which is the text otherwise
                }
                serde_json::to_writer(out.writer(), record)?;
                Ok(IsNull::No)
            }
        }
    }

    fn accepts(_: &Type) -> bool {
        true // each variant is checked by the server
    }

    to_sql_checked!();
}

/// Microseconds since 2000, as PostgreSQL counts. The driver's own types for instants do not reach from year 0000 to 9999 in
/// every version, or need another library.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Micros(i64);

const EPOCH: i64 = 946_684_800_000_000;

impl From<Timestamp> for Micros {
    fn from(at: Timestamp) -> Self {
        Self(at.as_micros() - EPOCH)
    }
}

impl TryFrom<Micros> for Timestamp {
    type Error = String;

    fn try_from(Micros(micros): Micros) -> Result<Self, String> {
        let at = micros.checked_add(EPOCH).and_then(|micros| Self::from_micros(micros).ok());
        at.ok_or_else(|| "expected an instant in the years 0000 to 9999".to_owned())
    }
}

impl ToSql for Micros {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, BoxedError> {
        out.put_i64(self.0);
        Ok(IsNull::No)
    }

    fn accepts(ty: &Type) -> bool {
        *ty == Type::TIMESTAMPTZ
    }

    to_sql_checked!();
}

impl<'a> FromSql<'a> for Micros {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, BoxedError> {
        Ok(Self(i64::from_be_bytes(raw.try_into()?)))
    }

    fn accepts(ty: &Type) -> bool {
        *ty == Type::TIMESTAMPTZ
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_of_array_literals_are_quoted() {
        let texts = Cell::Texts(vec![Some("a,b"), None, Some(r#"{"x\}"#), Some("NULL")]);
        let Cell::Literal(text) = texts.as_element() else { panic!("no literal") };
        assert_eq!(text, r#"{"a,b",NULL,"{\"x\\}","NULL"}"#);
        let Cell::Literal(text) = Cell::Uuids(Vec::new()).as_element() else { panic!("no literal") };
        assert_eq!(text, "{}");
    }

    #[test]
    fn instants_keep_all_ten_thousand_years() {
        for at in [Timestamp::MIN, Timestamp::UNIX_EPOCH, Timestamp::MAX] {
            assert_eq!(Timestamp::try_from(Micros::from(at)), Ok(at));
        }
        assert!(Timestamp::try_from(Micros(i64::MAX)).is_err() && Timestamp::try_from(Micros(i64::MIN)).is_err());
    }
}
