//! The style sheet, the script and the icon. They are part of the binary.

use axum::Router;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::IntoResponse;
use axum::routing::get;

use crate::state::PortalState;

const STYLE: &str = include_str!("../../static/portal.css");
const SCRIPT: &str = include_str!("../../static/portal.js");

const ICON: &str = include_str!("../../static/icon.svg");

/// FNV-1a of the first two files: a new release has new addresses, so browsers may keep the files.
const VERSION: u64 = {
    let (mut hash, mut file) = (0xcbf2_9ce4_8422_2325_u64, 0);
    while file < 2 {
        let mut rest = if file == 0 { STYLE.as_bytes() } else { SCRIPT.as_bytes() };
        while let Some((byte, tail)) = rest.split_first() {
            hash = (hash ^ *byte as u64).wrapping_mul(0x0000_0100_0000_01b3);
            rest = tail;
        }
        file += 1;
    }
    hash
};

pub(super) fn style_path() -> String {
    format!("/assets/portal.css?v={VERSION:016x}")
}

pub(super) fn script_path() -> String {
    format!("/assets/portal.js?v={VERSION:016x}")
}

pub(super) fn router() -> Router<PortalState> {
    const KEPT: &str = "public, max-age=86400";
    let style =
        || async { ([(CONTENT_TYPE, "text/css; charset=utf-8"), (CACHE_CONTROL, KEPT)], STYLE).into_response() };
    let script = || async {
        ([(CONTENT_TYPE, "text/javascript; charset=utf-8"), (CACHE_CONTROL, KEPT)], SCRIPT).into_response()
    };
    let icon = || async { ([(CONTENT_TYPE, "image/svg+xml"), (CACHE_CONTROL, KEPT)], ICON).into_response() };
    Router::new()
        .route("/assets/portal.css", get(style))
        .route("/assets/portal.js", get(script))
        .route("/assets/icon.svg", get(icon))
}
