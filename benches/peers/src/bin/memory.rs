//! Measures the memory of all contestants: see `src/memory_use.rs`. `--write` saves the results.

fn main() {
    let scales = |build: &mut dyn FnMut()| allocation_counter::measure(build).bytes_current;
    rolecall_peers::memory_use::run(&scales, std::env::args().any(|argument| argument == "--write"));
}
