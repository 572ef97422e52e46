//! Draws `figures.svg` from `figures.csv`: see `src/picture.rs`. With `--check` it fails if the chart is out of date.

use std::process::ExitCode;

fn main() -> ExitCode {
    let check = std::env::args().any(|argument| argument == "--check");
    match if check { rolecall_peers::picture::check() } else { rolecall_peers::picture::write() } {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}
