//! The table of ratios. Contestants take turns, and each line is printed as soon as it is known.

/// The goal of a ratio.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Goal {
    /// No goal: the ratio is printed for information.
    None,
    AtMost(f64),
    AtLeast(f64),
}

/// The goals that the command line selects.
pub(crate) struct Table {
    wanted: Vec<String>,
}

impl Table {
    /// Reads the command line. Without arguments all goals are selected.
    pub(crate) fn of_arguments() -> Self {
        let wanted = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
        Self { wanted }
    }

    /// Whether one of these goals is selected. They are separated by spaces.
    pub(crate) fn wants(&self, goals: &str) -> bool {
        self.wanted.is_empty() || goals.split(' ').any(|goal| self.wanted.iter().any(|wanted| wanted == goal))
    }

    /// Whether the command line names this.
    pub(crate) fn names(&self, what: &str) -> bool {
        self.wanted.iter().any(|wanted| wanted == what)
    }

    /// Whether the command line names one question of this variation, such as `V8/who_can`.
    pub(crate) fn names_part_of(&self, variation: &str) -> bool {
        self.wanted.iter().any(|wanted| wanted.split_once('/').is_some_and(|(name, _)| name == variation))
    }

    /// Starts a race for these goals.
    pub(crate) fn race<'a>(&self, goals: &str, name: &str) -> Race<'a> {
        Race { wanted: self.wants(goals), name: name.to_owned(), entered: Vec::new() }
    }
}

/// Contestants that are timed in turns.
pub(crate) struct Race<'a> {
    wanted: bool,
    name: String,
    entered: Vec<Entered<'a>>,
}

struct Entered<'a> {
    name: &'static str,
    turn: Box<dyn FnMut() -> f64 + 'a>,
    times: Vec<f64>,
}

impl<'a> Race<'a> {
    /// Adds a contestant. A turn returns the average time of one operation in nanoseconds.
    pub(crate) fn enter(&mut self, name: &'static str, turn: impl FnMut() -> f64 + 'a) {
        self.entered.push(Entered { name, turn: Box::new(turn), times: Vec::new() });
    }

    /// Runs this many rounds, in which each contestant has one turn, and prints the medians.
    pub(crate) fn run(&mut self, rounds: usize) {
        if !self.wanted {
            return;
        }
        let count = self.entered.len().max(1);
        for _ in 0..rounds {
            for Entered { turn, times, .. } in &mut self.entered {
                times.push(turn());
            }
            // The next round starts with another contestant, so that the order varies.
            self.entered.rotate_left(1 % count);
        }
        self.entered.rotate_right(rounds % count);
        for Entered { name, times, .. } in &mut self.entered {
            times.sort_unstable_by(f64::total_cmp);
            let (least, most) = (times.first().copied().unwrap_or(0.0), times.last().copied().unwrap_or(0.0));
            println!(
                "     {:<40} {name:<18} {}  ({} to {})",
                self.name,
                shown(median(times)),
                shown(least),
                shown(most)
            );
        }
    }

    /// Prints the ratio of two contestants.
    pub(crate) fn ratio(&self, goal: &str, one: &str, other: &str, wanted: Goal) {
        let ratio = |of: fn(&[f64]) -> f64| Some(self.time(one, of)? / self.time(other, of)?);
        self.verdict(goal, &self.name, &format!("{one} / {other}"), ratio, wanted);
    }

    /// As [`Race::ratio`], with the time of each contestant divided by the number of what it affects.
    pub(crate) fn ratio_per(&self, goal: &str, line: &str, names: [&str; 2], affected: [f64; 2], wanted: Goal) {
        let [one, other] = names;
        let time = |name, count: f64, of| Some(self.time(name, of)? / count);
        let ratio = |of: fn(&[f64]) -> f64| Some(time(one, affected[0], of)? / time(other, affected[1], of)?);
        let name = format!("{one}, {:.1} affected / {other}, {:.1} affected", affected[0], affected[1]);
        self.verdict(goal, line, &name, ratio, wanted);
    }

    /// Prints the gain from a second thread, compared with that of another contestant.
    pub(crate) fn gains(&self, goal: &str, ours: [&str; 2], theirs: [&str; 2], wanted: Goal) {
        let gain = |[one, two]: [&str; 2], of| Some(self.time(one, of)? / self.time(two, of)?);
        let ratio = |of: fn(&[f64]) -> f64| Some(gain(ours, of)? / gain(theirs, of)?);
        let name = format!("({} / {}) / ({} / {})", ours[0], ours[1], theirs[0], theirs[1]);
        self.verdict(goal, &self.name, &name, ratio, wanted);
    }

    fn time(&self, name: &str, of: fn(&[f64]) -> f64) -> Option<f64> {
        self.entered.iter().find(|entered| entered.name == name).map(|entered| of(&entered.times))
    }

    fn verdict(
        &self,
        goal: &str,
        line: &str,
        name: &str,
        ratio: impl Fn(fn(&[f64]) -> f64) -> Option<f64>,
        wanted: Goal,
    ) {
        let fastest = ratio(|times| times.first().copied().unwrap_or(f64::NAN));
        let (Some(ratio), Some(fastest), true) = (ratio(median), fastest, self.wanted) else { return };
        let verdict = match wanted {
            Goal::None => String::new(),
            Goal::AtMost(most) => format!("goal <= {most}: {}", if ratio <= most { "met" } else { "MISSED" }),
            Goal::AtLeast(least) => format!("goal >= {least}: {}", if ratio >= least { "met" } else { "MISSED" }),
        };
        println!("{goal:<4} {line:<40} {name} = {ratio:.2} (fastest rounds {fastest:.2})  {verdict}");
    }
}

/// Returns the median of sorted times.
fn median(times: &[f64]) -> f64 {
    times.get(times.len() / 2).copied().unwrap_or(f64::NAN)
}

fn shown(nanos: f64) -> String {
    match nanos {
        n if n < 1e3 => format!("{n:.1} ns"),
        n if n < 1e6 => format!("{:.2} µs", n / 1e3),
        n => format!("{:.2} ms", n / 1e6),
    }
}
