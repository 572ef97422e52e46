//! What is true of every state, by number. A load or a foreign commit that would break one of I1 to I6, or I12, is refused
//! with the list; I7 to I11 are about the compiled form alone, and tests hold it against them after every step.
//!
//! | | |
//! |---|---|
//! | I1 | an edge names things that exist: the tenant's own, or entries of the catalog (departed ones included) |
//! | I2 | an id, a slug, a key is one thing's only, within its kind; no slug is in both tenant and catalog |
//! | I3 | groups have no cycle among their parents, roles none among their inclusions |
//! | I4 | there is one record of a key, and a change fits on what is there |
//! | I5 | there is exactly one tenant record |
//! | I6 | a reference says truly whose it is: what the catalog has is not called the tenant's own |
//! | I7 | a kept row holds nothing that its group or role does not give at every instant |
//! | I8 | an exact row holds all that its group or role gives at any instant |
//! | I9 | an edge is known at both its ends |
//! | I10 | listings hold every live thing once, in bytewise order of names |
//! | I11 | the short form of a user says what the long one says |
//! | I12 | an external id has a manager, and is one thing's only, for that manager and kind; it leads to that thing |

use std::fmt;

use crate::model::error::{EntityKind, Error, ErrorKind};
use crate::model::records::RecordKey;

/// A broken invariant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Violation {
    /// I1
    Dangling { edge: RecordKey, entity: EntityKind },
    /// I2
    Taken { entity: EntityKind, name: String },
    /// I2, between tenant and catalog
    Clash { entity: EntityKind, slug: String },
    /// I3
    Cycle { entity: EntityKind, names: Vec<String> },
    /// I4
    Misfit { key: RecordKey },
    /// I12
    ExternalTaken { entity: EntityKind, manager: String, id: String },
    /// I12
    NotManaged { key: RecordKey },
    /// I5
    NoTenant,
    /// I6
    NotOwn { key: RecordKey },
    /// A kind that this version does not know.
    UnknownKind,
    /// More things than numbers.
    Exhausted,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dangling { edge, entity } => write!(f, "I1: {edge:?} names a {entity} that does not exist"),
            Self::Taken { entity, name } => {
                write!(f, "I2: the {entity} `{}` stands twice", crate::model::error::shown(name))
            }
            Self::Clash { entity, slug } => write!(f, "{entity} `{}`", crate::model::error::shown(slug)),
            Self::Cycle { entity, names } => write!(f, "I3: a cycle of {entity}s: {}", names.join(" > ")),
            Self::Misfit { key } => write!(f, "I4: a change does not fit on what is there: {key:?}"),
            Self::ExternalTaken { entity, manager, id } => {
                let (manager, id) = (crate::model::error::shown(manager), crate::model::error::shown(id));
                write!(f, "I12: the external id `{id}` of `{manager}` stands twice among the {entity}s")
            }
            Self::NotManaged { key } => write!(f, "I12: an external id without a manager: {key:?}"),
            Self::NoTenant => f.write_str("I5: there is not exactly one tenant record"),
            Self::NotOwn { key } => write!(f, "I6: the catalog's is called the tenant's own: {key:?}"),
            Self::UnknownKind => f.write_str("a record of a kind that this version does not know"),
            Self::Exhausted => f.write_str("more things than 31 bits can count in one opening"),
        }
    }
}

/// The error that says so: a clash is for the application to repair, anything else is the store's.
pub(crate) fn refused(violations: &[Violation]) -> Error {
    const MOST: usize = 100;
    let clashes = !violations.is_empty() && violations.iter().all(|v| matches!(v, Violation::Clash { .. }));
    let kind = if clashes { ErrorKind::CatalogConflict } else { ErrorKind::Corrupt };
    let mut details: Vec<String> = violations.iter().take(MOST).map(Violation::to_string).collect();
    details.sort_unstable();
    Error::new(kind).details_of(details)
}

/// A cycle in a graph, as the numbers around it, the first again at the end. Iterative: the data may be 100,000 deep.
///
/// # Complexity
/// O(nodes + edges).
pub(crate) fn find_cycle<I: Iterator<Item = u32>>(
    nodes: impl Iterator<Item = u32>,
    next: impl Fn(u32) -> I,
) -> Option<Vec<u32>> {
    use std::collections::HashSet;
    let (mut done, mut open) = (HashSet::new(), HashSet::new());
    for start in nodes {
        if done.contains(&start) {
            continue;
        }
        let mut path = vec![(start, next(start))];
        open.insert(start);
        while let Some((node, rest)) = path.last_mut() {
            match rest.next() {
                Some(to) if open.contains(&to) => {
                    let around = path.iter().map(|(n, _)| *n).skip_while(|n| *n != to);
                    return Some(around.chain([to]).collect());
                }
                Some(to) if !done.contains(&to) => {
                    open.insert(to);
                    path.push((to, next(to)));
                }
                Some(_) => {}
                None => {
                    open.remove(node);
                    done.insert(*node);
                    path.pop();
                }
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cycle_of(edges: &[(u32, u32)]) -> Option<Vec<u32>> {
        let next = |n| edges.iter().filter(move |e| e.0 == n).map(|e| e.1);
        find_cycle(0..10, next)
    }

    #[test]
    fn i3_a_cycle_is_found_and_shown() {
        assert_eq!(cycle_of(&[(0, 1), (1, 2), (0, 2)]), None);
        assert_eq!(cycle_of(&[(3, 3)]), Some(vec![3, 3]));
        assert_eq!(cycle_of(&[(0, 1), (1, 2), (2, 3), (3, 1)]), Some(vec![1, 2, 3, 1]));
    }
}
