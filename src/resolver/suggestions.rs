//! Suggestions: similar names for error messages, never for a decision.

use crate::resolver::snapshot::table::{Row, Table};

const MOST_SUGGESTIONS: usize = 3;
/// The longest name: a user's key has at most this many bytes.
const LONGEST: usize = 320;
/// In a table with more names than this, only the neighbours of the name are searched. An error stays cheap this way.
const MOST_SEARCHED: usize = 10_000;

/// At most three names of a table that differ from this one by at most a third of its length, nearest first.
pub(crate) fn suggest_from<R: Row>(table: &Table<R>, name: &str) -> Vec<String> {
    if name.len() > LONGEST {
        return Vec::new();
    }
    let head: String = name.chars().take(1).collect();
    let all = table.len() <= MOST_SEARCHED;
    let from = if all { "" } else { head.as_str() };
    suggest_among(table.sorted_from(from).map(|n| table.name_at(n)), name)
}

/// The same among the first 10,000 of these names.
pub(crate) fn suggest_among<'a>(names: impl Iterator<Item = &'a str>, name: &str) -> Vec<String> {
    let most = (name.chars().count() / 3).clamp(1, 4);
    let names = names.take(MOST_SEARCHED);
    let mut near: Vec<(usize, &str)> = names.filter_map(|other| Some((distance(name, other, most)?, other))).collect();
    near.sort_unstable();
    near.into_iter().take(MOST_SUGGESTIONS).map(|(_, other)| other.to_owned()).collect()
}

/// The number of characters to insert, delete, replace, or swap with their neighbour, ignoring ASCII case. `None` if
/// it is more than `most`.
fn distance(a: &str, b: &str, most: usize) -> Option<usize> {
    let lower = |text: &str| text.chars().map(|c| c.to_ascii_lowercase()).collect::<Vec<char>>();
    let (a, b) = (lower(a), lower(b));
    if a.len().abs_diff(b.len()) > most {
        return None;
    }
    // A common prefix or suffix costs nothing. Similar names differ in little else.
    let head = a.iter().zip(&b).take_while(|(x, y)| x == y).count();
    let (a, b) = (a.get(head..).unwrap_or_default(), b.get(head..).unwrap_or_default());
    let tail = a.iter().rev().zip(b.iter().rev()).take_while(|(x, y)| x == y).count();
    within(a.get(..a.len() - tail).unwrap_or_default(), b.get(..b.len() - tail).unwrap_or_default(), most)
}

/// The same for the rest. A cell further from the diagonal than `most` costs more than that, and is skipped.
fn within(a: &[char], b: &[char], most: usize) -> Option<usize> {
    let far = most + 1;
    let cell = |cells: &[usize], at: usize| cells.get(at).copied().unwrap_or(far);
    let mut rows: [Vec<usize>; 3] = [vec![far; b.len() + 1], vec![far; b.len() + 1], (0..=b.len()).collect()];
    for (i, x) in a.iter().enumerate() {
        rows.rotate_left(1);
        let [two_up, up, row] = &mut rows;
        let (from, to) = (i.saturating_sub(most), (i + far).min(b.len()));
        row.fill(far);
        if let Some(first) = row.first_mut() {
            *first = (i + 1).min(far);
        }
        for (j, y) in b.iter().enumerate().take(to).skip(from) {
            let mut least = (cell(up, j) + usize::from(x != y)).min(cell(up, j + 1) + 1).min(cell(row, j) + 1);
            let swapped = i > 0 && j > 0 && a.get(i - 1) == Some(y) && b.get(j - 1) == Some(x);
            if swapped {
                least = least.min(cell(two_up, j - 1) + 1);
            }
            if let Some(place) = row.get_mut(j + 1) {
                *place = least;
            }
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
            ("ab", "ba", Some(1)),
            ("xaby", "xbay", Some(1)),
            ("aaa", "aa", Some(1)),
            ("aa", "aaaa", Some(2)),
            ("", "ab", Some(2)),
            ("abcdef", "bcdefg", Some(2)),
            ("abcdefgh", "xbcdefgy", Some(2)),
            ("abcdefgh", "xbcydefgz", None),
            ("", "", Some(0)),
        ];
        for (a, b, expected) in table {
            assert_eq!(distance(a, b, 2), expected, "{a} {b}");
            assert_eq!(distance(b, a, 2), expected, "{b} {a}");
        }
        assert_eq!(distance("Editor", "editor", 2), Some(0));
    }
}
