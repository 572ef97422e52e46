//! A cycle of groups or roles: its names, and a sentence about them.

use std::fmt::{self, Display, Formatter};

use super::{EntityKind, Quoted};

/// How many names of a cycle are kept.
const MOST_NAMES: usize = 20;

/// The names around a cycle of groups or roles, with the first one repeated at the end. A long cycle keeps both ends and
/// the number of names left out between them.
#[derive(Clone, Debug, Default)]
pub(crate) struct CycleNames {
    pub(crate) names: Vec<String>,
    pub(crate) omitted: usize,
}

impl CycleNames {
    pub(crate) fn new(mut names: Vec<String>) -> Self {
        let omitted = names.len().saturating_sub(MOST_NAMES);
        if omitted > 0 {
            names.drain(MOST_NAMES / 2..MOST_NAMES / 2 + omitted);
        }
        Self { names, omitted }
    }

    /// Describes the cycle: `` `a` is a part of `b`, which is a part of `a` ``.
    pub(crate) fn of(&self, entity: EntityKind) -> impl Display + '_ {
        DescribedCycle { verb: if entity == EntityKind::Role { "includes" } else { "is a part of" }, cycle: self }
    }
}

struct DescribedCycle<'a> {
    verb: &'static str,
    cycle: &'a CycleNames,
}

impl Display for DescribedCycle<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { verb, cycle: CycleNames { names, omitted } } = self;
        for (n, name) in names.iter().enumerate() {
            if *omitted > 0 && n == MOST_NAMES / 2 {
                write!(f, ", … {omitted} more …")?;
            }
            match n {
                0 => {}
                1 => write!(f, " {verb} ")?,
                _ => write!(f, ", which {verb} ")?,
            }
            Quoted(name).fmt(f)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_of_a_long_cycle_is_left_out() {
        let cycle = |last: usize| CycleNames::new((0..last).map(|n| n.to_string()).collect());
        let of = |last, entity| cycle(last).of(entity).to_string();
        assert_eq!(of(3, EntityKind::Group), "`0` is a part of `1`, which is a part of `2`");
        assert_eq!(of(2, EntityKind::Role), "`0` includes `1`");
        assert_eq!((cycle(20).names.len(), cycle(20).omitted), (20, 0));
        assert_eq!((cycle(25).names.len(), cycle(25).omitted), (20, 5));
        let text = of(25, EntityKind::Role);
        assert!(text.starts_with("`0` includes `1`, which includes `2`, ") && text.ends_with(", which includes `24`"));
        assert!(text.contains("includes `9`, … 5 more …, which includes `15`, "), "{text}");
    }
}
