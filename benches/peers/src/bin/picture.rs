//! Draws `figures.svg` from `figures.csv`: see `src/picture.rs`. `--check` draws nothing and fails where the picture is
//! not the one of the figures.

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
