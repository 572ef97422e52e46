//! Weighs all contestants: see `src/weighed.rs`. `--write` keeps the figures.

fn main() {
    let scales = |build: &mut dyn FnMut()| allocation_counter::measure(build).bytes_current;
    rolecall_peers::weighed::run(&scales, std::env::args().any(|argument| argument == "--write"));
}
