//! The residents' pages. They hold no rules of their own: what a page does, a command does too,
//! through the same function.

mod leaving;
pub(crate) mod page;

use std::sync::Arc;

use axum::Router;

use crate::installation::Installation;

/// The pages of an installation.
pub fn router(installation: Arc<Installation>) -> Router {
    leaving::router(installation)
}
