//! Rows in the binary form of COPY.

use bytes::{BufMut, Bytes, BytesMut};
use postgres_types::{IsNull, ToSql, Type};

use crate::error::Failure;
use crate::value::Cell;

/// A piece is sent once it has so many bytes.
const PIECE: usize = 32 * 1024;

const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";

/// Returns the rows as pieces to send, in bounded memory.
pub(crate) fn pieces<'a>(
    types: &[Type],
    mut rows: impl Iterator<Item = Vec<Cell<'a>>> + Send,
) -> impl Iterator<Item = Result<Bytes, Failure>> + Send {
    let mut buffer = BytesMut::from(HEADER);
    let mut is_done = false;
    std::iter::from_fn(move || {
        if is_done {
            return None;
        }
        while buffer.len() < PIECE {
            let Some(row) = rows.next() else {
                buffer.put_i16(-1);
                is_done = true;
                break;
            };
            if let Err(failure) = write_row(&mut buffer, types, &row) {
                is_done = true;
                return Some(Err(failure));
            }
        }
        Some(Ok(buffer.split().freeze()))
    })
}

fn write_row(buffer: &mut BytesMut, types: &[Type], row: &[Cell<'_>]) -> Result<(), Failure> {
    buffer.put_i16(i16::try_from(row.len()).map_err(Failure::damaged)?);
    for (cell, ty) in row.iter().zip(types) {
        let mut value = BytesMut::new();
        match cell.to_sql(ty, &mut value).map_err(Failure::damaged)? {
            IsNull::Yes => buffer.put_i32(-1),
            IsNull::No => {
                buffer.put_i32(i32::try_from(value.len()).map_err(Failure::damaged)?);
                buffer.extend_from_slice(&value);
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_end_with_a_trailer_and_nulls_have_no_bytes() {
        let rows = [vec![Cell::Text("ab"), Cell::Null]].into_iter();
        let bytes: Vec<u8> =
            pieces(&[Type::TEXT, Type::TEXT], rows).flat_map(|piece| piece.unwrap().to_vec()).collect();
        let mut expected = HEADER.to_vec();
        expected.extend_from_slice(&[0, 2, 0, 0, 0, 2, b'a', b'b', 255, 255, 255, 255, 255, 255]);
        assert_eq!(bytes, expected);
    }
}
