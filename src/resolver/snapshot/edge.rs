//! An edge of the compiled tables, and its reverse at the other end.
//!
//! Next: `edges.rs`, the edges that leave a user or a group.

use crate::model::records::Window;

/// The name of the internal fault of an edge without its reverse (I9).
pub(crate) const FAR_END: &str = "an edge is stored at both its ends";
/// The name of the internal fault of an edge that leads to no row.
pub(crate) const NEAR_END: &str = "an edge leads to a row";

/// An edge to a number, and when it is active.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Edge {
    pub(crate) to: u32,
    pub(crate) window: Window,
}

/// The reverse of an [`Edge`]: the number that it comes from, and whether it has a window, which is stored at that
/// end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ReverseEdge(u32);

const WINDOWED: u32 = 1 << 31;

/// Numbers are below this. It leaves two bits free beside a number, and beside the next number.
pub(crate) const MOST_NUMBERS: u32 = WINDOWED / 2 - 1;

impl ReverseEdge {
    pub(crate) fn new(from: u32, window: Window) -> Self {
        Self(if window.is_always() { from } else { from | WINDOWED })
    }

    pub(crate) fn from(self) -> u32 {
        self.0 & !WINDOWED
    }

    pub(crate) fn is_windowed(self) -> bool {
        self.0 & WINDOWED != 0
    }
}
