//! Names that were perhaps meant: for messages, never for a decision.

use crate::snapshot::table::{Row, Table};

const MOST_NEAR: usize = 3;
/// A table with more names than this is searched only around the name's own place, so that an error stays cheap.
const MOST_SEARCHED: usize = 10_000;

/// At most three names of a table that differ from this one by at most a third of its length, nearest first.
pub(crate) fn near_names<R: Row>(table: &Table<R>, name: &str) -> Vec<String> {
    let head: String = name.chars().take(1).collect();
    let all = table.len() <= MOST_SEARCHED;
    let from = if all { "" } else { head.as_str() };
    near_of(table.sorted_from(from).map(|n| table.name_at(n)), name)
}

/// The same among the first 10,000 of these names.
pub(crate) fn near_of<'a>(names: impl Iterator<Item = &'a str>, name: &str) -> Vec<String> {
    let most = (name.chars().count() / 3).clamp(1, 4);
    let names = names.take(MOST_SEARCHED);
    let mut near: Vec<(usize, &str)> = names.filter_map(|other| Some((distance(name, other, most)?, other))).collect();
    near.sort_unstable();
    near.into_iter().take(MOST_NEAR).map(|(_, other)| other.to_owned()).collect()
}

/// How many characters must be put in, left out, replaced, or swapped with their neighbour, ASCII case ignored; none if
/// more than `most`.
fn distance(a: &str, b: &str, most: usize) -> Option<usize> {
    let (a, b): (Vec<char>, Vec<char>) =
        (a.chars().map(|c| c.to_ascii_lowercase()).collect(), b.chars().map(|c| c.to_ascii_lowercase()).collect());
    if a.len().abs_diff(b.len()) > most {
        return None;
    }
    let mut rows: [Vec<usize>; 3] = [Vec::new(), Vec::new(), (0..=b.len()).collect()];
    for (i, x) in a.iter().enumerate() {
        rows.rotate_left(1);
        let [two_up, up, row] = &mut rows;
        row.clear();
        row.push(i + 1);
        for (j, y) in b.iter().enumerate() {
            let cell = |cells: &[usize], at: usize| cells.get(at).copied().unwrap_or(usize::MAX - 1);
            let same = usize::from(x != y);
            let mut least = (cell(up, j) + same).min(cell(up, j + 1) + 1).min(cell(row, j) + 1);
            let swapped = i > 0 && j > 0 && a.get(i - 1) == Some(y) && b.get(j - 1) == Some(x);
            if swapped {
                least = least.min(cell(two_up, j - 1) + 1);
            }
            row.push(least);
        }
        if row.iter().all(|cost| *cost > most) {
            return None;
        }
    }
    let [.., last] = &rows;
    last.last().copied().filter(|cost| *cost <= most)
}

#[cfg(test)]
mod tests {
    use super::distance;

    #[test]
    fn distances() {
        let table = [
            ("editor", "edtior", Some(1)),
            ("a", "b", Some(1)),
            ("posts:read", "post:read", Some(1)),
            ("abc", "xyz", None),
        ];
        for (a, b, expected) in table {
            assert_eq!(distance(a, b, 2), expected, "{a} {b}");
        }
        assert_eq!(distance("Editor", "editor", 2), Some(0));
    }
}
