//! The file of results: a line for each contestant, size and row.

use std::fmt::{self, Display};
use std::path::PathBuf;
use std::{fs, io};

/// The rows in the order of the file, each with its unit.
pub(crate) const ROWS: [(&str, &str); 6] =
    [(MIXED, "ns"), (HOT, "ns"), (MEMORY, "MiB"), (LEAVES, "ns"), (LOSES, "ns"), (WHO_CAN, "ns")];
pub(crate) const MIXED: &str = "check mixed latency";
pub(crate) const HOT: &str = "check hot allowed latency";
pub(crate) const MEMORY: &str = "memory";
pub(crate) const LEAVES: &str = "a member leaves";
pub(crate) const LOSES: &str = "a role loses one grant";
pub(crate) const WHO_CAN: &str = "who can do this";

const HEAD: &str = "contestant,size,row,value,unit,how";

#[derive(Clone, Debug)]
pub(crate) struct Figure {
    pub(crate) contestant: String,
    pub(crate) size: String,
    pub(crate) row: String,
    pub(crate) value: f64,
    pub(crate) unit: String,
    /// How the value was measured. Contains no comma.
    pub(crate) how: String,
}

/// All results.
#[derive(Debug, Default)]
pub(crate) struct Figures(pub(crate) Vec<Figure>);

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// Reads a file in the folder of the manifest.
pub(crate) fn read_file(name: &str) -> io::Result<String> {
    fs::read_to_string(path(name))
}

pub(crate) fn write_file(name: &str, text: &str) -> io::Result<()> {
    fs::write(path(name), text)
}

impl Figures {
    /// Reads the saved results. Empty if the file does not exist yet.
    pub(crate) fn saved() -> Self {
        let text = read_file("figures.csv").unwrap_or_default();
        Self(text.lines().skip(1).map(Figure::read).collect())
    }

    pub(crate) fn put(&mut self, contestant: &str, size: &str, row: &str, value: f64, how: &str) {
        let unit = ROWS.iter().find(|(name, _)| *name == row).unwrap().1;
        let [contestant, size, row, unit, how] = [contestant, size, row, unit, how].map(str::to_owned);
        self.0.push(Figure { contestant, size, row, value, unit, how });
    }

    pub(crate) fn of<'a>(&'a self, size: &'a str, row: &'a str) -> impl Iterator<Item = &'a Figure> {
        self.0.iter().filter(move |figure| figure.size == size && figure.row == row)
    }

    /// Saves these results. They replace those of the same sizes and rows.
    pub(crate) fn save(self) -> io::Result<()> {
        let mut all = Self::saved();
        all.0.retain(|old| self.of(&old.size, &old.row).next().is_none());
        all.0.extend(self.0);
        let row = |figure: &Figure| ROWS.iter().position(|(name, _)| *name == figure.row);
        let size = |figure: &Figure| ["S", "M"].iter().position(|name| *name == figure.size).unwrap_or(2);
        all.0.sort_by_key(|figure| (size(figure), row(figure)));
        write_file("figures.csv", &all.to_string())
    }
}

impl Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{HEAD}")?;
        for Figure { contestant, size, row, value, unit, how } in &self.0 {
            let decimals = usize::from(*value < 1_000.0);
            writeln!(f, "{contestant},{size},{row},{value:.decimals$},{unit},{how}")?;
        }
        Ok(())
    }
}

impl Figure {
    fn read(line: &str) -> Self {
        let fields: Vec<&str> = line.split(',').collect();
        let [contestant, size, row, value, unit, how] = fields[..] else { panic!("six fields: {line}") };
        let value = value.parse().unwrap_or_else(|_| panic!("a number: {line}"));
        let [contestant, size, row, unit, how] = [contestant, size, row, unit, how].map(str::to_owned);
        Self { contestant, size, row, value, unit, how }
    }
}

/// Formats a value with three digits and a suitable unit.
pub(crate) fn shown(value: f64, unit: &str) -> String {
    let (value, unit) = match (unit, value) {
        ("ns", v) if v >= 1e9 => (v / 1e9, "s"),
        ("ns", v) if v >= 1e6 => (v / 1e6, "ms"),
        ("ns", v) if v >= 1e3 => (v / 1e3, "µs"),
        (unit, v) => (v, unit),
    };
    let decimals = match value {
        v if v < 9.995 => 2,
        v if v < 99.95 => 1,
        _ => 0,
    };
    format!("{value:.decimals$} {unit}")
}
