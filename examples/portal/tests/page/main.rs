//! The pages without a browser: each request goes to the router, as `tests/browser` does it with Chromium.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test says so by failing")]

mod all;
mod directories;
mod entities;
mod groups;
mod history;
mod rights;
mod support;
